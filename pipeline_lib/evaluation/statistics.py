"""Statistics that the metrics are computed with, free of music: entropy, divergence, means and their intervals.

Entropies and divergences are in bits (base 2). A figure that cannot be known is NaN, never an error or a warning: no
counts have no entropy, and one piece says nothing about how far pieces vary.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_RESAMPLES = 2_000
"""Number of bootstrap samples."""
_TAIL = 0.025
"""Share of the resampled means that a 95 % interval leaves out on either side."""


def mean(values: ArrayLike) -> float:
    """Mean of the values that are not NaN; NaN where there are none.

    Examples
    --------
    >>> mean([1, 3, float("nan")])
    2.0
    """
    known = known_values(values)
    return float(known.mean()) if len(known) else float("nan")


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Quotient of two arrays, element by element; NaN where the denominator is 0.

    Examples
    --------
    >>> ratio([1, 2], [4, 0])
    array([0.25,  nan])
    """
    above = np.asarray(numerator, dtype=np.float64)
    below = np.asarray(denominator, dtype=np.float64)
    shape = np.broadcast_shapes(above.shape, below.shape)
    return np.divide(above, below, out=np.full(shape, np.nan), where=below != 0)


def count_table(row: IntArray, column: IntArray, shape: tuple[int, int]) -> IntArray:
    """Count how often each pair of row and column occurs, as a table of that shape.

    Examples
    --------
    >>> count_table(np.array([0, 0, 1]), np.array([2, 2, 0]), (2, 3))
    array([[0, 0, 2],
           [1, 0, 0]])
    """
    return np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1]).reshape(shape)


def entropy_bits(weights: ArrayLike) -> FloatArray:
    """Shannon entropy of each row, ``H(p) = Σ p log2(1 / p)`` with p = weights / Σ weights.

    The plug-in estimate of Shannon (1948), with no correction for small samples.

    Parameters
    ----------
    weights : array_like, shape (..., n)
        Counts or shares, not negative. Zeros add nothing, as p log p tends to 0.

    Returns
    -------
    float64 array, shape (...)
        Bits, from 0 (one kind) to log2 n (all alike). NaN where a row sums to zero.

    Examples
    --------
    >>> entropy_bits([[2, 1, 1], [4, 0, 0]])
    array([1.5, 0. ])
    """
    weights = np.asarray(weights, dtype=np.float64)
    total = weights.sum(axis=-1)
    p = ratio(weights, total[..., np.newaxis])
    inverse = np.divide(1, p, out=np.ones_like(p), where=p > 0)
    return np.where(total > 0, np.sum(p * np.log2(inverse), axis=-1), np.nan)


def jensen_shannon_divergence(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Jensen-Shannon divergence of rows, ``H((p + q) / 2) − (H(p) + H(q)) / 2``.

    Lin (1991), "Divergence measures based on the Shannon entropy". With base 2 it is symmetric and lies
    between 0 (the same distribution) and 1 (nothing in common).

    Parameters
    ----------
    p, q : array_like, shape (..., n)
        Counts or shares over the same n bins; each row is normalised. One row goes with all of the other.

    Returns
    -------
    float64 array, shape (...)
        Bits. NaN where a row of p or q sums to zero.

    Examples
    --------
    >>> jensen_shannon_divergence([[1, 1, 0], [0, 0, 2]], [1, 1, 0])
    array([0., 1.])
    """
    p, q = (ratio(w, np.sum(w, axis=-1, keepdims=True)) for w in (p, q))
    divergence = entropy_bits((p + q) / 2) - (entropy_bits(p) + entropy_bits(q)) / 2
    # Rounding can leave the bounds by some 1e-16.
    return divergence.clip(0.0, 1.0)


def bootstrap_interval(values: ArrayLike, seed: int) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean (Efron & Tibshirani 1993, chapter 13).

    Draws as many values as there are, with replacement, 2,000 times; the interval runs from the 2.5th to
    the 97.5th percentile of the means.

    Parameters
    ----------
    values : array_like, shape (n,)
        One value per piece; NaN are left out.
    seed : int
        The same seed and values give the same interval.

    Returns
    -------
    low, high : float
        In the unit of the values. Both NaN with fewer than two values that are not NaN.

    Examples
    --------
    >>> bootstrap_interval([3.0, 3.0, 3.0], seed=0)
    (3.0, 3.0)
    >>> low, high = bootstrap_interval([1, 2, 3, 4], seed=0)
    >>> 1 <= low < 2.5 < high <= 4
    True
    """
    known = known_values(values)
    if len(known) < 2:
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).integers(len(known), size=(N_RESAMPLES, len(known)))
    means = known[draws].mean(axis=1)
    return percentile_interval(means)


def percentile_interval(resampled: FloatArray) -> tuple[float, float]:
    """Interval from the 2.5th to the 97.5th percentile of resampled figures.

    Examples
    --------
    >>> percentile_interval(np.arange(1001.0))
    (25.0, 975.0)
    """
    low, high = np.quantile(resampled, [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def equal_mass_bins(values: NDArray[np.number], n_bins: int) -> NDArray[np.int64]:
    """Put values into bins that hold as equal numbers of them as possible.

    Equal values are in one bin, the one in which the middle of their ranks lies; so a bin may be empty.

    Parameters
    ----------
    values : array, shape (n,)
    n_bins : int

    Returns
    -------
    int64 array, shape (n,)
        The bin of each value; 0 holds the smallest.

    Examples
    --------
    >>> equal_mass_bins(np.array([10, 10, 20, 30]), n_bins=2)
    array([0, 0, 1, 1])
    """
    _, rank, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    bins: NDArray[np.int64] = (middle * n_bins / max(len(values), 1)).astype(np.int64)[rank]
    return bins


def known_values(values: ArrayLike) -> FloatArray:
    """The values that are not NaN, as an array."""
    array = np.asarray(values, dtype=np.float64)
    return array[~np.isnan(array)]
