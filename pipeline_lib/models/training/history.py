"""The course of a training as two tables: one row per epoch, and one row per update."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.models.training.checkpoints import TrainingState

HISTORY_SCHEMA = pa.schema(
    [
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("step", pa.int64(), nullable=False),
        pa.field("tokens_seen", pa.int64(), nullable=False),
        pa.field("train_loss", pa.float64(), nullable=False),
        pa.field("valid_loss", pa.float64(), nullable=False),
        pa.field("learning_rate", pa.float64(), nullable=False),
    ],
    metadata={"schema": "history/1"},
)
"""Columns of the history: one row per epoch, losses in nats per token. ``train_loss`` is the mean over the epoch's
updates, with dropout and label smoothing as set; ``valid_loss`` is without either. ``learning_rate`` is that of the
epoch's last update."""

STEP_SCHEMA = pa.schema(
    [
        pa.field("step", pa.int64(), nullable=False),
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("tokens_seen", pa.int64(), nullable=False),
        pa.field("loss", pa.float64(), nullable=False),
        pa.field("gradient_norm", pa.float64(), nullable=False),
        pa.field("learning_rate", pa.float64(), nullable=False),
    ],
    metadata={"schema": "steps/1"},
)
"""Columns of the step table: one row per update, counted from 1. ``loss`` is the training loss in nats per token,
``gradient_norm`` the global norm before clipping."""


def epoch_table(training_state: TrainingState) -> pa.Table:
    """Tabulate the epochs so far, with `HISTORY_SCHEMA`."""
    return pa.Table.from_pylist(training_state.epochs, schema=HISTORY_SCHEMA)


def step_table(
    training_state: TrainingState,
    rates: NDArray[np.float32],
    steps_per_epoch: int,
    tokens_per_step: int,
) -> pa.Table:
    """Tabulate the updates so far, with `STEP_SCHEMA`.

    Parameters
    ----------
    training_state : TrainingState
    rates : float32 array, shape (n_steps,)
        The learning rate of each update; there may be more than have been done.
    steps_per_epoch : int
    tokens_per_step : int
        Number of tokens that one update reads.
    """
    step = np.arange(1, training_state.step + 1)
    return pa.table(
        {
            "step": step,
            "epoch": ((step - 1) // steps_per_epoch + 1).astype(np.int32),
            "tokens_seen": step * tokens_per_step,
            "loss": np.array(training_state.losses),
            "gradient_norm": np.array(training_state.gradient_norms),
            "learning_rate": rates[: training_state.step].astype(np.float64),
        },
        schema=STEP_SCHEMA,
    )
