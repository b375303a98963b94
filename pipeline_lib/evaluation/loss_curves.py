"""Figures of loss curves: how rough a training's curve is, and when it levels off.

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
"""Number of updates of a block."""

PLATEAU_SHARE = 0.1
"""Share of a curve's whole fall: once within this share above its end, a curve has levelled off."""

N_RESAMPLES = 2_000
"""Number of bootstrap samples."""


def blocks(losses: ArrayLike, n_updates: int = BLOCK_UPDATES) -> FloatArray:
    """Cut a curve into blocks; an unfinished last one is left out.

    Parameters
    ----------
    losses : array_like, shape (n,)
        Loss of each update.
    n_updates : int
        Number of updates of a block.

    Returns
    -------
    float64 array, shape (n_blocks, n_updates)
        Losses of each block's updates.

    Examples
    --------
    >>> blocks([5, 4, 3, 2, 1], n_updates=2)
    array([[5., 4.],
           [3., 2.]])
    """
    curve = np.asarray(losses, dtype=np.float64)
    whole = len(curve) - len(curve) % n_updates
    return curve[:whole].reshape(-1, n_updates)  # (n_blocks, n_updates)


def roughness(losses: ArrayLike) -> FloatArray:
    """Roughness of each block: how far its losses scatter about a straight line through them.

    It is the standard deviation of the residuals of a least-squares line, so that a steep fall alone is not rough.

    Returns
    -------
    float64 array, shape (n_blocks,)
        Nats per token.

    Examples
    --------
    >>> roughness(np.linspace(2.0, 1.0, BLOCK_UPDATES)).round(6)
    array([0.])
    >>> roughness([1.0, 2.0] * (BLOCK_UPDATES // 2)).round(2)
    array([0.51])
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

    It is the first one after which no block's mean lies above ``end + 0.1 (beginning − end)``, where beginning and end
    are the means of the first and the last block: nine tenths of the fall *that was seen* lie before it. A curve
    that falls ever more slowly, as by a power law, never levels off; this update then comes the later, the longer the
    curve is. So only curves of equal length may be compared.

    Returns
    -------
    float
        Number of updates. NaN with fewer than two blocks, or without a fall.

    Examples
    --------
    >>> plateau_update([3.0] * 50 + [1.0] * 100)
    50.0
    """
    return float(_plateaus(blocks(losses).mean(axis=1)[None])[0])


def plateau_interval(curves: Sequence[ArrayLike], seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of the mean `plateau_update` of several curves.

    Each resample draws curves where there are several, and in each of their blocks as many updates as it has,
    all with replacement.

    Parameters
    ----------
    curves : sequence of array_like
        The loss curve of each training, all of the same number of updates.
    seed : int
        Seed of the resampling.

    Returns
    -------
    low, high : float
        Numbers of updates; NaN where a resample has no plateau.

    Examples
    --------
    >>> plateau_interval([[3.0] * 50 + [1.0] * 100] * 2, seed=0)
    (50.0, 50.0)
    """
    rng = np.random.default_rng(seed)
    resampled = np.stack([_resampled_plateaus(blocks(curve), rng) for curve in curves])
    drawn = rng.integers(len(curves), size=resampled.shape) if len(curves) > 1 else 0
    means = np.take_along_axis(resampled, np.broadcast_to(drawn, resampled.shape), 0).mean(axis=0)
    return percentile_interval(means)


def _resampled_plateaus(of_blocks: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Resampled plateaus of one curve, given by its blocks (n_blocks, n_updates); shape (N_RESAMPLES,)."""
    means = np.empty((N_RESAMPLES, len(of_blocks)))
    for n, updates in enumerate(of_blocks):
        means[:, n] = rng.choice(updates, size=(N_RESAMPLES, len(updates))).mean(axis=1)
    return _plateaus(means)


def _plateaus(block_means: FloatArray) -> FloatArray:
    """Plateaus of curves, shape (n_curves,), given by the means of their blocks, (n_curves, n_blocks)."""
    n_curves, n_blocks = block_means.shape
    if n_blocks < 2:
        return np.full(n_curves, np.nan)
    first, last = block_means[:, 0], block_means[:, -1]
    is_above = block_means > (last + PLATEAU_SHARE * (first - last))[:, None]
    # One past the last block that is above: counted from the end.
    after = n_blocks - np.argmax(is_above[:, ::-1], axis=1)
    return np.where(first > last, after * float(BLOCK_UPDATES), np.nan)
