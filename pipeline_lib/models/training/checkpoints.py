"""Checkpoints: everything that an unfinished training needs to go on as if it had never stopped.

That is the weights, the optimiser's state, the seeds of the dropout masks, the state of streams, the best
weights so far and the history. The place in the data follows from the number of updates, since batches are
functions of it. A checkpoint is one ``.npz`` file that is written under another name, and moved into place when it
is whole. The last two are kept: should the newest not be readable, the one before it is restored.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
_N_KEPT = 2


@dataclass
class TrainingState:
    """Progress of one training: what has been done so far, and the best weights found.

    Parameters
    ----------
    step : int
        Number of updates done.
    losses, gradient_norms : list of float
        Loss (nats per token) and global gradient norm of each update done.
    epochs : list of dict
        Rows of the history, one per validated epoch (`history.HISTORY_SCHEMA`).
    best_epoch : int
        Epoch with the lowest validation loss, counted from 1; 0 before the first validation.
    best_loss_nat : float or None
        Validation loss of `best_epoch`, in nats per token; None before the first validation.
    best_weights : list of arrays
        The network's weights at the end of `best_epoch`; before the first validation, its initial ones.
    state : list of arrays
        The network's state after the last update, where batches carry it; otherwise empty.
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_loss_nat: float | None = None
    best_weights: list[FloatArray] = field(default_factory=list)
    state: list[Any] = field(default_factory=list)


class Checkpoints:
    """The checkpoints of one training, in a folder of its own.

    Parameters
    ----------
    folder : Path
        Folder for this training alone; it is made when the first checkpoint is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, training_state: TrainingState, variables: list[keras.Variable]) -> None:
        """Save a training's state together with its `variables`, the network's and the optimiser's."""
        arrays: dict[str, Any] = {
            f"variable_{n}": to_numpy(v.value) for n, v in enumerate(variables)
        }
        arrays |= {f"best_{n}": weights for n, weights in enumerate(training_state.best_weights)}
        arrays |= {f"state_{n}": to_numpy(s) for n, s in enumerate(training_state.state)}
        arrays["losses"] = np.array(training_state.losses)
        arrays["gradient_norms"] = np.array(training_state.gradient_norms)
        rest = {"step": training_state.step, "epochs": training_state.epochs}
        rest |= {
            "best_epoch": training_state.best_epoch,
            "best_loss_nat": training_state.best_loss_nat,
        }
        arrays["rest"] = np.frombuffer(json.dumps(rest).encode(), np.uint8)
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"step-{training_state.step:09d}.npz"
        unfinished = target.with_suffix(".writing")
        with unfinished.open("wb") as stream:
            np.savez(stream, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, target)
        for old in self._newest_first()[_N_KEPT:]:
            old.unlink()

    def restore(self, variables: list[keras.Variable]) -> TrainingState | None:
        """Set the variables to those of the newest readable checkpoint and return its state; None if there is none."""
        for path in self._newest_first():
            try:
                with path.open("rb") as stream, np.load(stream) as saved:
                    arrays = {name: saved[name] for name in saved.files}
                training_state = _training_state(arrays)
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                continue
            for n, variable in enumerate(variables):
                variable.assign(arrays[f"variable_{n}"])
            return training_state
        return None

    def discard(self) -> None:
        """Remove all checkpoints, and their folder if nothing else is in it."""
        for path in (*self._newest_first(), *self.folder.glob("*.writing")):
            path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.npz"), reverse=True)


def _training_state(arrays: dict[str, NDArray[Any]]) -> TrainingState:
    return TrainingState(
        losses=arrays["losses"].tolist(),
        gradient_norms=arrays["gradient_norms"].tolist(),
        best_weights=_numbered(arrays, "best"),
        state=_numbered(arrays, "state"),
        **json.loads(arrays["rest"].tobytes()),
    )


def _numbered(arrays: dict[str, NDArray[Any]], name: str) -> list[NDArray[Any]]:
    n_there = sum(key.startswith(f"{name}_") for key in arrays)
    return [arrays[f"{name}_{n}"] for n in range(n_there)]


def to_numpy(value: Any) -> NDArray[Any]:
    """Copy a tensor, or the value of a variable, of any backend into a NumPy array."""
    array: NDArray[Any] = ops.convert_to_numpy(ops.copy(value))
    return array
