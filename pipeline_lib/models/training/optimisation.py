"""What is minimised, and how the weights move: the loss, the optimiser, its learning rate at each update.

Losses are mean cross-entropies in nats per token. Sources: Adam (Kingma and Ba 2015), AdamW (Loshchilov and
Hutter 2019), the half cosine (Loshchilov and Hutter 2017), label smoothing (Szegedy et al. 2016), clipping by
the global norm (Pascanu et al. 2013).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pipeline_lib.config import RunConfig

_NOT_DECAYED = ["bias", "gamma", "beta"]


class RateTable(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate for each update.

    Parameters
    ----------
    rates : float32 array, shape (n_steps,)
    """

    def __init__(self, rates: NDArray[np.float32]) -> None:
        self.rates = rates

    def __call__(self, step: Any) -> Any:
        """The rate of an update, counted from 0."""
        nth = ops.minimum(ops.cast(step, "int32"), len(self.rates) - 1)
        return ops.take(self.rates, nth)


def learning_rates(config: RunConfig, n_steps: int) -> NDArray[np.float32]:
    """The learning rate of each update, shape (n_steps,).

    It rises in a straight line over ``warmup_steps``; then it stays, or falls to zero along a half cosine.
    """
    step = np.arange(n_steps)
    warming_up = np.minimum((step + 1) / max(config.warmup_steps, 1), 1.0)
    done = np.clip((step - config.warmup_steps) / max(n_steps - config.warmup_steps, 1), 0.0, 1.0)
    falling = 0.5 * (1.0 + np.cos(np.pi * done)) if config.schedule == "cosine" else 1.0
    return (config.learning_rate * warming_up * falling).astype(np.float32)


def make_optimizer(
    config: RunConfig, rates: NDArray[np.float32], variables: list[keras.Variable]
) -> keras.optimizers.Optimizer:
    """The optimiser of a run, its state made for these variables."""
    schedule = RateTable(rates)
    if config.optimizer == "adamw":
        optimizer: Any = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=_NOT_DECAYED)
    else:
        optimizer = keras.optimizers.Adam(schedule)
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def mean_loss(logits: Any, targets: Any, label_smoothing: float) -> Any:
    """Mean cross-entropy over all positions.

    Parameters
    ----------
    logits : tensor, shape (batch, n_positions, vocab_size)
    targets : int32 tensor, shape (batch, n_positions)
    label_smoothing : float
        Share of each target that is spread over all tokens.

    Returns
    -------
    float32 tensor, shape ()
    """
    logits = ops.cast(logits, "float32")
    nll = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    if label_smoothing:
        of_all = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
        nll = (1.0 - label_smoothing) * nll + label_smoothing * of_all
    return ops.mean(nll)


def clipped(gradients: list[Any], clip_norm: float, scale: Any) -> tuple[list[Any], Any]:
    """Gradients of at most a global norm, and the norm that they had.

    Parameters
    ----------
    gradients : list of tensors
        Of the loss times `scale`.
    clip_norm : float
    scale : float or tensor
        What mixed precision multiplies the loss with; otherwise 1.
    """
    squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients]
    norm = ops.sqrt(sum(squares[1:], squares[0])) / scale
    factor = ops.minimum(1.0, clip_norm / (norm + 1e-12))
    return [g * ops.cast(factor, g.dtype) for g in gradients], norm
