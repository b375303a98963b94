"""Training a network: the loop over updates, validation, early stopping and checkpoints.

An *epoch* reads as many tokens as the train split has, whatever the ``seq_length`` and stride, so that runs
with the same number of epochs have read the same number of notes. Losses are mean cross-entropies in nats per
token. On a CPU the same run gives the same weights to the last bit, also if it was stopped and resumed.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.config import CheckpointConfig, RunConfig
from pipeline_lib.errors import TrainingError
from pipeline_lib.models.devices import device_scope, use_deterministic_operations
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.scoring import ValidationLoss
from pipeline_lib.models.training.batches import Batches, StreamBatches, WindowBatches
from pipeline_lib.models.training.checkpoints import Checkpoints, TrainingState, to_numpy
from pipeline_lib.models.training.history import epoch_table, step_table
from pipeline_lib.models.training.memory_limits import out_of_memory_explained
from pipeline_lib.models.training.optimisation import learning_rates, make_optimizer
from pipeline_lib.models.training.telemetry import Observer
from pipeline_lib.models.training.updates import Updates, make_updates
from pipeline_lib.tokens.vocabulary import SPECIAL_TOKENS, Vocabulary
from pipeline_lib.tokens.windows import NO_WINDOWS, WindowIndex

Progress = Callable[[int, int, str], None]
"""A function that is told the updates done, their number at most, and the course of the training in words."""

_CALL_SEC = 0.3
"""Wanted length of one call, which does several updates: long enough that calls cost nothing, short enough that
progress is told often."""
_MOST_PER_CALL = 64
_SHOWN_LOSSES = 50


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The tokens that a network learns from and is validated on.

    Parameters
    ----------
    vocabulary : Vocabulary
    token_ids : int32 array, shape (n_tokens,)
        The flat token corpus.
    train_spans, valid_spans : int64 arrays, shape (n_pieces, 2)
        Start and length, in `token_ids`, of the pieces of each split.
    train_windows, valid_windows : WindowIndex
        Windows of each split; not needed in the regime ``streams``.
    """

    vocabulary: Vocabulary
    token_ids: NDArray[np.int32]
    train_spans: NDArray[np.int64]
    valid_spans: NDArray[np.int64]
    train_windows: WindowIndex = NO_WINDOWS
    valid_windows: WindowIndex = NO_WINDOWS

    @property
    def n_train_tokens(self) -> int:
        """Number of tokens of the train split: the length of an epoch."""
        return int(self.train_spans[:, 1].sum())


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """Outcome of a training: the network, with the weights that are kept, and the course of the training.

    Parameters
    ----------
    network : Network
    history : pyarrow.Table
        One row per epoch, with `history.HISTORY_SCHEMA`.
    steps : pyarrow.Table
        One row per update, with `history.STEP_SCHEMA`.
    kept_epoch : int
        Epoch, counted from 1, at whose end the network had the weights that are kept.
    """

    network: Network
    history: pa.Table
    steps: pa.Table
    kept_epoch: int


def train_network(
    config: RunConfig,
    data: TrainingData,
    checkpoints: Path,
    checkpointing: CheckpointConfig = CheckpointConfig(),  # noqa: B008 - it is frozen
    progress: Progress = lambda step, n_steps, text: None,
    observers: Sequence[Observer] = (),
) -> TrainedNetwork:
    """Train a network until the validation loss stops falling or all updates are done.

    Parameters
    ----------
    config : RunConfig
    data : TrainingData
    checkpoints : Path
        A folder for this training alone. If an unfinished training has left checkpoints there, it goes on from the
        newest; when the training has finished, they are removed.
    checkpointing : CheckpointConfig
        How often checkpoints are saved.
    progress : callable
        A function that is told the updates done, their number at most, and the course of the training in words. It may
        raise to stop the training, which is saved first.
    observers : sequence of callables
        Functions that are told losses and gradient norms as they come (`telemetry.Observer`).

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    TrainingError
        There is nothing to learn, the loss is no longer a number, or memory is too small.

    Examples
    --------
    A network learns that two notes alternate, from one piece, and is validated on the same piece again:

    >>> import tempfile
    >>> from pipeline_lib.config import LstmConfig, NoteEventConfig
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> tokens = ["<start>", "<end>", "<unknown>", "Pitch_60:1", "Pitch_62:1"]
    >>> train, valid = np.array([[0, 8]]), np.array([[8, 8]])  # start and length of each piece
    >>> data = TrainingData(
    ...     vocabulary=Vocabulary.of(tokens, make_tokeniser(NoteEventConfig())),
    ...     token_ids=np.array([0, 3, 4, 3, 4, 3, 4, 1] * 2, np.int32),
    ...     train_spans=train,
    ...     valid_spans=valid,
    ...     train_windows=WindowIndex.of(train, seq_length=4, stride=1),
    ...     valid_windows=WindowIndex.of(valid, seq_length=4, stride=4),
    ... )
    >>> model = LstmConfig(layers=1, units=8, embedding_size=4)
    >>> config = RunConfig(
    ...     model=model, seq_length=4, learning_rate=0.05, seed=0, batch_size=2, max_epochs=10
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trained = train_network(config, data, checkpoints=Path(folder))
    >>> valid_loss = trained.history.column("valid_loss").to_pylist()
    >>> len(valid_loss), valid_loss[-1] < valid_loss[0]
    (10, True)
    """
    use_deterministic_operations()
    training = _Training(config, data, Checkpoints(checkpoints), checkpointing, progress, observers)
    training.run()
    return training.finished()


class _Training:
    """One training, from its newest checkpoint or its beginning to its end."""

    def __init__(
        self,
        config: RunConfig,
        data: TrainingData,
        checkpoints: Checkpoints,
        checkpointing: CheckpointConfig,
        progress: Progress,
        observers: Sequence[Observer],
    ) -> None:
        _check_vocabulary(data.vocabulary)
        self._config, self._checkpoints = config, checkpoints
        self._progress, self._observers = progress, observers
        self._every_n_steps = checkpointing.every_n_steps
        self._batches = _make_batches(config, data)
        self._n_steps = (
            config.num_training_iterations or self._batches.steps_per_epoch * config.max_epochs
        )
        self._rates = learning_rates(config, self._n_steps)
        with device_scope(config):
            self._network = Network(config, data.vocabulary)
            trained = self._network.trainable_variables
            optimizer = make_optimizer(config, self._rates, trained)
        self._variables = [*self._network.variables, *optimizer.variables]
        self._updates: Updates = make_updates(
            self._network, optimizer, config, carries_state=self._batches.carries_state
        )
        self._validation_loss = ValidationLoss(
            self._network, config, data.token_ids, data.valid_windows, data.valid_spans
        )
        self._at = checkpoints.restore(self._variables) or TrainingState(
            best_weights=self._weights()
        )
        self._loaded: Any = None
        self._pace = _Pace(self._tokens_per_step)

    def run(self) -> None:
        """Do all remaining updates, with validations and checkpoints between them."""
        with out_of_memory_explained(self._batches.batch_size, self._try_batch):
            while self._at.step < self._n_steps and not self._is_stalled():
                self._advance()

    def finished(self) -> TrainedNetwork:
        """The outcome of the finished training; its checkpoints are removed."""
        kept_epoch = len(self._at.epochs)
        if self._config.kept_weights == "best":
            self._network.set_weights(self._at.best_weights)
            kept_epoch = self._at.best_epoch
        self._checkpoints.discard()
        steps = step_table(
            self._at, self._rates, self._batches.steps_per_epoch, self._tokens_per_step
        )
        return TrainedNetwork(self._network, epoch_table(self._at), steps, kept_epoch)

    @property
    def _tokens_per_step(self) -> int:
        return self._batches.batch_size * self._config.seq_length

    def _advance(self) -> None:
        """Do some updates, up to the next validation or checkpoint at most."""
        at, begin = self._at, self._at.step
        of_epoch = begin % self._batches.steps_per_epoch
        until = min(
            begin + self._pace.n_updates,
            begin - of_epoch + self._batches.steps_per_epoch,
            begin - begin % self._every_n_steps + self._every_n_steps,
            self._n_steps,
        )
        self._load(begin // self._batches.steps_per_epoch)
        starts = self._batches.starts(range(begin, until))
        with self._pace.timed(until - begin):
            done = self._updates.run(starts, at.state if of_epoch and at.state else self._zeros())
        self._check(done.losses, begin)
        at.step = until
        at.losses += done.losses.tolist()
        at.gradient_norms += done.gradient_norms.tolist()
        at.state = done.state if self._batches.carries_state else []
        self._tell(
            loss=float(done.losses.mean()),
            gradient_norm=float(done.gradient_norms.mean()),
            learning_rate=float(self._rates[until - 1]),
            tokens_per_sec=self._pace.tokens_per_sec,
        )
        if until % self._batches.steps_per_epoch == 0 or until == self._n_steps:
            self._validate()
        if until % self._every_n_steps == 0:
            self._checkpoints.save(at, self._variables)
        try:
            self._progress(until, self._n_steps, self._in_words())
        except BaseException:
            # A stop comes between two updates, when weights, optimiser and history are of the same step.
            self._checkpoints.save(at, self._variables)
            raise

    def _load(self, epoch: int) -> None:
        """Copy the tokens of an epoch to the device, unless they are there."""
        tokens = self._batches.tokens(epoch)
        if tokens is not self._loaded:
            self._updates.load(tokens)
            self._loaded = tokens

    def _validate(self) -> None:
        """Measure the validation loss, add a row to the history, and keep the weights if they are the best so far."""
        at = self._at
        epoch = math.ceil(at.step / self._batches.steps_per_epoch)
        of_epoch = at.losses[(epoch - 1) * self._batches.steps_per_epoch :]
        loss = self._validation_loss.mean_nat()
        self._tell(valid_loss=loss)
        at.epochs.append(
            {
                "epoch": epoch,
                "step": at.step,
                "tokens_seen": at.step * self._tokens_per_step,
                "train_loss": float(np.mean(of_epoch)),
                "valid_loss": loss,
                "learning_rate": float(self._rates[at.step - 1]),
            }
        )
        if at.best_loss_nat is None or loss < at.best_loss_nat:
            at.best_epoch, at.best_loss_nat, at.best_weights = epoch, loss, self._weights()

    def _tell(self, **values: float) -> None:
        for observer in self._observers:
            observer(self._at.step, values)

    def _is_stalled(self) -> bool:
        patience = self._config.patience
        return patience is not None and len(self._at.epochs) - self._at.best_epoch >= patience

    def _check(self, losses: NDArray[np.float32], begin: int) -> None:
        is_number = np.isfinite(losses)
        if is_number.all():
            return
        nth = int(np.argmin(is_number))
        raise TrainingError(
            f"the loss of {self._config.name} became {losses[nth]} at step {begin + nth + 1}; "
            + self._last_good(),
            path=self._checkpoints.folder,
            remedy=f"lower the learning rate ({self._config.learning_rate:g}) or clip_norm "
            f"({self._config.clip_norm:g})",
        )

    def _last_good(self) -> str:
        """Restore the last checkpoint, whose loss was a number, and say so in words for the error's message."""
        kept = self._checkpoints.restore(self._variables)
        if kept is None:
            return f"there is no checkpoint yet (one is saved every {self._every_n_steps} steps)"
        return f"the weights of step {kept.step} are kept"

    def _weights(self) -> list[NDArray[np.float32]]:
        return [to_numpy(w.value) for w in self._network.weights]

    def _zeros(self) -> list[Any]:
        return self._network.initial_state(self._batches.batch_size // self._config.n_devices)

    def _try_batch(self, batch_size: int) -> None:
        """Do an update with a smaller batch, only to see whether memory suffices for it."""
        starts = self._batches.starts(range(1))[:, :batch_size]
        state = self._network.initial_state(batch_size // self._config.n_devices)
        self._updates.run(starts, state)

    def _in_words(self) -> str:
        epoch = math.ceil(self._at.step / self._batches.steps_per_epoch)
        loss = float(np.mean(self._at.losses[-_SHOWN_LOSSES:]))
        return f"epoch {epoch}, loss {loss:.3f}, {self._pace.tokens_per_sec:,.0f} tokens/s"


class _Pace:
    """Pace of a training: how many updates to do in one call, and how many tokens are read per second."""

    def __init__(self, tokens_per_step: int) -> None:
        self._tokens_per_step = tokens_per_step
        self.n_updates = 1
        self.tokens_per_sec = 0.0

    @contextlib.contextmanager
    def timed(self, n_updates: int) -> Iterator[None]:
        """Context that times a call of `n_updates` updates, and chooses how many the next one does."""
        started = time.perf_counter()
        yield
        seconds = max(time.perf_counter() - started, 1e-6)
        self.tokens_per_sec = n_updates * self._tokens_per_step / seconds
        wanted = int(_CALL_SEC * n_updates / seconds)
        # At most four times as many as before: the first call is slow because it compiles.
        self.n_updates = max(1, min(wanted, 4 * self.n_updates, _MOST_PER_CALL))


def _make_batches(config: RunConfig, data: TrainingData) -> Batches:
    if config.regime == "streams":
        return StreamBatches(data.token_ids, data.train_spans, config)
    return WindowBatches(data.token_ids, data.train_windows, data.n_train_tokens, config)


def _check_vocabulary(vocabulary: Vocabulary) -> None:
    known = vocabulary.tokens[len(SPECIAL_TOKENS) :]
    if len(known) < 2:
        raise TrainingError(
            f"the vocabulary has {len(known)} token ({', '.join(known) or 'none'}): there is nothing to learn",
            remedy="use a larger corpus, or a smaller tokens.min_count",
        )
