"""Training a network on windows: batches, the loop, early stopping.

The data order is a pure function of the seed: step g of a run always sees the same windows. Shuffling moves
window starts, never tokens. An *epoch* is as many targets as the train split has tokens, whatever the
``seq_length`` and stride, so that runs with the same number of epochs have learnt from the same number of
notes. Losses are mean cross-entropies in nats per token.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.config import RunConfig
from pipeline_lib.errors import TrainingError
from pipeline_lib.models.lstm import build_lstm
from pipeline_lib.tokens.windows import windows_at

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
"""One row per epoch. ``train_loss`` is the mean over the epoch's batches, with dropout; ``valid_loss`` is
without, over every position of the validation windows."""

_VALID_BATCH_TOKENS = 12_800


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """What a training run leaves: the model with its best epoch's weights, and how it got there."""

    model: keras.Model
    history: pa.Table
    best_epoch: int


def train_network(
    config: RunConfig,
    vocab_size: int,
    token_ids: NDArray[np.int32],
    train_starts: NDArray[np.int64],
    valid_starts: NDArray[np.int64],
    n_train_tokens: int,
    progress: Callable[[int, int, str], None] = lambda step, n_steps, text: None,
) -> TrainedNetwork:
    """Train until the validation loss stops falling; keep the best epoch's weights.

    Parameters
    ----------
    config : RunConfig
    vocab_size : int
    token_ids : int32 array, shape (n_tokens,)
        The flat token corpus.
    train_starts, valid_starts : int64 arrays
        Window starts in it.
    n_train_tokens : int
        Tokens of the train split: the length of an epoch.
    progress : callable
        Told the step, the number of steps at most, and the losses in words.

    Raises
    ------
    TrainingError
        The loss is no longer a number.
    """
    use_deterministic_operations()
    batch_size = max(1, config.batch_tokens // config.seq_length)
    n_targets_per_step = min(batch_size, len(train_starts)) * config.seq_length
    steps_per_epoch = math.ceil(n_train_tokens / n_targets_per_step)
    n_steps = steps_per_epoch * config.max_epochs
    model = build_lstm(config.model, vocab_size, config.seed)
    _compile(model, config, n_steps)
    feed = _Feed(token_ids, train_starts, batch_size, config)
    rows: list[dict[str, float]] = []
    best_epoch, best_loss, best_weights = 0, math.inf, model.get_weights()
    for epoch in range(1, config.max_epochs + 1):
        losses: list[float] = []
        for step in range((epoch - 1) * steps_per_epoch, epoch * steps_per_epoch):
            losses.append(float(model.train_on_batch(*feed.batch(step))))
            _check_loss(losses[-1], step, config)
            progress(step + 1, n_steps, f"epoch {epoch}, loss {np.mean(losses[-50:]):.3f}")
        valid_loss = mean_loss(model, token_ids, valid_starts, config.seq_length)
        rows.append(
            {
                "epoch": epoch,
                "step": step + 1,
                "tokens_seen": (step + 1) * n_targets_per_step,
                "train_loss": float(np.mean(losses)),
                "valid_loss": valid_loss,
                "learning_rate": float(model.optimizer.learning_rate),
            }
        )
        if valid_loss < best_loss:
            best_epoch, best_loss, best_weights = epoch, valid_loss, model.get_weights()
        elif epoch - best_epoch >= config.patience:
            break
    model.set_weights(best_weights)
    return TrainedNetwork(model, pa.Table.from_pylist(rows, schema=HISTORY_SCHEMA), best_epoch)


class _Feed:
    """Batches by step; remembers the current pass's order, which is dear to compute."""

    def __init__(
        self,
        token_ids: NDArray[np.int32],
        starts: NDArray[np.int64],
        batch_size: int,
        config: RunConfig,
    ) -> None:
        self._token_ids = token_ids
        self._starts = starts
        self._batch_size = min(batch_size, len(starts))
        self._config = config
        self._pass_number = -1
        self._order = np.empty(0, dtype=np.int64)

    def batch(self, step: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Inputs and targets of one step, both of shape (batch_size, seq_length)."""
        pass_number, nth = divmod(step, len(self._starts) // self._batch_size)
        if pass_number != self._pass_number:
            key = [self._config.seed, pass_number]
            generator = np.random.Generator(np.random.Philox(key=key))
            self._order = generator.permutation(len(self._starts))
            self._pass_number = pass_number
        chosen = self._order[nth * self._batch_size : (nth + 1) * self._batch_size]
        return windows_at(self._token_ids, self._starts[chosen], self._config.seq_length)


def mean_loss(
    model: keras.Model, token_ids: NDArray[np.int32], starts: NDArray[np.int64], seq_length: int
) -> float:
    """Mean cross-entropy over every position of the windows, in nats per token, without dropout."""
    total = 0.0
    batch_size = max(1, _VALID_BATCH_TOKENS // seq_length)
    for begin in range(0, len(starts), batch_size):
        inputs, targets = windows_at(token_ids, starts[begin : begin + batch_size], seq_length)
        total += float(model.test_on_batch(inputs, targets)) * len(inputs)
    return total / len(starts)


def use_deterministic_operations() -> None:
    """Make equal runs give equal weights, where the backend has a switch for it."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _compile(model: keras.Model, config: RunConfig, n_steps: int) -> None:
    rate: float | keras.optimizers.schedules.CosineDecay = config.learning_rate
    if config.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, n_steps)
    model.compile(
        keras.optimizers.Adam(rate, global_clipnorm=config.clip_norm),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )


def _check_loss(loss: float, step: int, config: RunConfig) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss of {config.name} became {loss} at step {step + 1}",
            remedy=f"lower the learning rate ({config.learning_rate:g}) or clip_norm ({config.clip_norm:g})",
        )
