"""What the losses of a training's updates say about how it went.

Conventions
-----------
- A curve is the training loss of every update, in nats per token, from the first on.
- A *block* is `BLOCK_UPDATES` neighbouring updates, which average out most of the noise of single batches; an
  unfinished last block is left out.
- NaN where a curve is too short to tell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pipeline_lib.evaluation.statistics import FloatArray, percentile_interval

BLOCK_UPDATES = 50

PLATEAU_SHARE = 0.1
"""A curve has levelled off once it is within this share of its whole fall above its end."""

N_RESAMPLES = 2_000


def blocks(losses: ArrayLike, n_updates: int = BLOCK_UPDATES) -> FloatArray:
    """A curve cut into blocks.

    Returns
    -------
    float64 array, shape (n_blocks, n_updates)
        Of the last axis, the losses of the block's updates.
    """
    curve = np.asarray(losses, dtype=np.float64)
    whole = len(curve) - len(curve) % n_updates
    return curve[:whole].reshape(-1, n_updates)


def roughness(losses: ArrayLike) -> FloatArray:
    """How far the losses of a block scatter about the straight line through them.

    The standard deviation of what a least-squares line leaves, so that a steep fall alone is not rough.

    Returns
    -------
    float64 array, shape (n_blocks,)
        Nats per token.
    """
    of_blocks = blocks(losses)
    time = np.arange(BLOCK_UPDATES) - (BLOCK_UPDATES - 1) / 2
    centred = of_blocks - of_blocks.mean(axis=1, keepdims=True)
    slope = centred @ time / (time @ time)
    residual = centred - slope[:, None] * time
    # A line takes two degrees of freedom.
    roughness_nat: FloatArray = np.sqrt((residual**2).sum(axis=1) / (BLOCK_UPDATES - 2))
    return roughness_nat


def plateau_update(losses: ArrayLike) -> float:
    """The update after which a curve has levelled off.

    The first one after which no block's mean lies above ``end + 0.1 (beginning − end)``, where beginning and end
    are the means of the first and the last block: nine tenths of the fall *that was seen* lie before it. A curve
    that falls ever more slowly, as by a power law, never is level; of it this update comes the later, the longer it
    was watched. So only curves of equal length are compared.

    Returns
    -------
    float
        Updates. NaN with fewer than two blocks, or without a fall.
    """
    return float(_plateaus(blocks(losses).mean(axis=1)[None])[0])


def plateau_interval(curves: Sequence[ArrayLike], seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of the mean `plateau_update` of several curves.

    Each resample draws curves where there are several, and in each of their blocks as many updates as it has,
    all with replacement.

    Parameters
    ----------
    curves : sequence of array_like
        One for each training, of the same number of updates.
    seed : int
        Of the resampling.

    Returns
    -------
    low, high : float
        Updates; NaN where a resample has no plateau.
    """
    rng = np.random.default_rng(seed)
    resampled = np.stack([_resampled_plateaus(blocks(curve), rng) for curve in curves])
    drawn = rng.integers(len(curves), size=resampled.shape) if len(curves) > 1 else 0
    means = np.take_along_axis(resampled, np.broadcast_to(drawn, resampled.shape), 0).mean(axis=0)
    return percentile_interval(means)


def _resampled_plateaus(of_blocks: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Of one curve, `N_RESAMPLES` times."""
    means = np.empty((N_RESAMPLES, len(of_blocks)))
    for n, updates in enumerate(of_blocks):
        means[:, n] = rng.choice(updates, size=(N_RESAMPLES, len(updates))).mean(axis=1)
    return _plateaus(means)


def _plateaus(block_means: FloatArray) -> FloatArray:
    """Of curves given by the means of their blocks, shape (n_curves, n_blocks)."""
    n_curves, n_blocks = block_means.shape
    if n_blocks < 2:
        return np.full(n_curves, np.nan)
    first, last = block_means[:, 0], block_means[:, -1]
    is_above = block_means > (last + PLATEAU_SHARE * (first - last))[:, None]
    # One past the last block that is above: counted from the end.
    after = n_blocks - np.argmax(is_above[:, ::-1], axis=1)
    return np.where(first > last, after * float(BLOCK_UPDATES), np.nan)
