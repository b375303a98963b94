"""The loss that training minimises, the optimiser, and its learning rate at each update.

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
    """A learning-rate schedule that is read from a table.

    Parameters
    ----------
    rates : float32 array, shape (n_steps,)
        The learning rate of each update; beyond its end, the last one holds.
    """

    def __init__(self, rates: NDArray[np.float32]) -> None:
        self.rates = rates

    def __call__(self, step: Any) -> Any:
        """The learning rate of an update, counted from 0."""
        nth = ops.minimum(ops.cast(step, "int32"), len(self.rates) - 1)
        return ops.take(self.rates, nth)


def learning_rates(config: RunConfig, n_steps: int) -> NDArray[np.float32]:
    """The learning rate of each update, shape (n_steps,).

    It rises in a straight line over ``warmup_steps``; then it stays, or falls to zero along a half cosine.

    Examples
    --------
    >>> from pipeline_lib.config import LstmConfig
    >>> config = RunConfig(
    ...     model=LstmConfig(), seq_length=50, learning_rate=0.1, seed=0, warmup_steps=2, schedule="cosine"
    ... )
    >>> learning_rates(config, n_steps=6).round(3)
    array([0.05 , 0.1  , 0.1  , 0.085, 0.05 , 0.015], dtype=float32)
    """
    step = np.arange(n_steps)
    warming_up = np.minimum((step + 1) / max(config.warmup_steps, 1), 1.0)
    done = np.clip((step - config.warmup_steps) / max(n_steps - config.warmup_steps, 1), 0.0, 1.0)
    falling = 0.5 * (1.0 + np.cos(np.pi * done)) if config.schedule == "cosine" else 1.0
    return (config.learning_rate * warming_up * falling).astype(np.float32)


def make_optimizer(
    config: RunConfig, rates: NDArray[np.float32], variables: list[keras.Variable]
) -> keras.optimizers.Optimizer:
    """Make the optimiser of a run.

    Parameters
    ----------
    config : RunConfig
        Read are its ``optimizer``, ``weight_decay`` and ``precision``.
    rates : float32 array, shape (n_steps,)
        The learning rate of each update.
    variables : list of Variable
        The weights that it will move; its state is made for them.
    """
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
    logits : tensor, shape (batch, time, vocab_size)
    targets : int32 tensor, shape (batch, time)
    label_smoothing : float
        Share of each target that is spread over all tokens, 0 to 1.

    Returns
    -------
    float32 tensor, shape ()
        Nats per token.

    Examples
    --------
    A model that gives all of four tokens the same score has a loss of log 4 = 1.386 nats:

    >>> logits, targets = np.zeros((1, 2, 4)), np.array([[3, 1]], np.int32)
    >>> round(float(mean_loss(logits, targets, label_smoothing=0.0)), 3)
    1.386
    """
    logits = ops.cast(logits, "float32")
    # (batch, time, vocab_size) -> (batch, time)
    nll = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    if label_smoothing:
        of_all = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
        nll = (1.0 - label_smoothing) * nll + label_smoothing * of_all
    return ops.mean(nll)


def clip_by_global_norm(
    gradients: list[Any], clip_norm: float, scale: Any
) -> tuple[list[Any], Any]:
    """Clip gradients to a global norm.

    Parameters
    ----------
    gradients : list of tensors
        Gradients of the loss multiplied by `scale`.
    clip_norm : float
        Largest global norm of the gradients of the loss itself.
    scale : float or tensor
        Factor by which mixed precision multiplies the loss; otherwise 1.

    Returns
    -------
    gradients : list of tensors
        The clipped gradients, still multiplied by `scale`.
    norm : float32 tensor, shape ()
        Global norm before clipping, without `scale`.

    Examples
    --------
    >>> gradients = [np.array([3.0, 4.0], np.float32)]
    >>> gradients, norm = clip_by_global_norm(gradients, clip_norm=1.0, scale=1.0)
    >>> float(norm), np.asarray(gradients[0]).round(3)
    (5.0, array([0.6, 0.8], dtype=float32))
    """
    squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients]
    norm = ops.sqrt(sum(squares[1:], squares[0])) / scale
    factor = ops.minimum(1.0, clip_norm / (norm + 1e-12))
    return [g * ops.cast(factor, g.dtype) for g in gradients], norm
