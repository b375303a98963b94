"""Entropy, divergence and intervals: what the metrics are counted with, free of music.

Everything is in bits (base 2). What cannot be known is NaN, never an error or a warning: no counts have
no entropy, and one piece says nothing about how far pieces vary.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_RESAMPLES = 2_000
_TAIL = 0.025
"""What a 95 % interval leaves out on either side."""


def mean(values: ArrayLike) -> float:
    """Mean of the values that are not NaN; NaN where there are none."""
    known = known_values(values)
    return float(known.mean()) if len(known) else float("nan")


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Their quotient, element by element; NaN where the denominator is 0."""
    above = np.asarray(numerator, dtype=np.float64)
    below = np.asarray(denominator, dtype=np.float64)
    shape = np.broadcast_shapes(above.shape, below.shape)
    return np.divide(above, below, out=np.full(shape, np.nan), where=below != 0)


def count_table(row: IntArray, column: IntArray, shape: tuple[int, int]) -> IntArray:
    """How often each pair of row and column occurs, as a table of that shape."""
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
    """
    known = known_values(values)
    if len(known) < 2:
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).integers(len(known), size=(N_RESAMPLES, len(known)))
    means = known[draws].mean(axis=1)
    return percentile_interval(means)


def percentile_interval(resampled: FloatArray) -> tuple[float, float]:
    """From the 2.5th to the 97.5th percentile."""
    low, high = np.quantile(resampled, [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def equal_mass_bins(values: NDArray[np.number], n_bins: int) -> NDArray[np.int64]:
    """The bin of each value, 0 for the smallest, so that bins hold as equal numbers as equal values allow.

    Equal values are in one bin, the one in which the middle of their ranks lies; so a bin may be empty.

    Parameters
    ----------
    values : array, shape (n,)
    n_bins : int

    Returns
    -------
    int64 array, shape (n,)
    """
    _, rank, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    bins: NDArray[np.int64] = (middle * n_bins / max(len(values), 1)).astype(np.int64)[rank]
    return bins


def known_values(values: ArrayLike) -> FloatArray:
    """The values that are not NaN, as an array."""
    array = np.asarray(values, dtype=np.float64)
    return array[~np.isnan(array)]
