"""Resampling: how far figures vary by chance, from bootstrap samples, permutations and flipped signs.

Free of music, as `statistics` is. Values are taken as independent of each other; NaN are left out. p-values are
``(k + 1) / (10,000 + 1)``, k being the number of 10,000 random rearrangements at least as extreme as what was seen
(Phipson & Smyth 2010): never 0. Memory stays small whatever the number of pieces; the same seed and values give the
same outcome.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline_lib.evaluation.statistics import FloatArray, known_values

N_RESAMPLES = 10_000
"""Number of bootstrap samples."""
N_PERMUTATIONS = 10_000
"""Number of random rearrangements behind a p-value."""

_CHUNK = 20_000
"""Number of random numbers drawn at once: few enough that their memory is reused, which halves the time."""


def permutation_p(a: ArrayLike, b: ArrayLike, seed: int) -> float:
    """p-value of a permutation test: how likely means so far apart are if all values are dealt out to two sides anew.

    The distance of the means is Welch's t, not the bare difference, which would find means different where sides of
    unequal numbers only scatter differently (Janssen 1997, "Studentized permutation tests for non-i.i.d. hypotheses
    and the generalized Behrens-Fisher problem").

    Parameters
    ----------
    a, b : array_like, shapes (n_a,), (n_b,)
        The values on each side; NaN are left out.
    seed : int

    Returns
    -------
    float
        Two-sided p-value. NaN where a side has fewer than two values.

    Examples
    --------
    >>> permutation_p([1, 2, 3], [1, 2, 3], seed=0)
    1.0
    >>> permutation_p(range(10), range(100, 110), seed=0) < 0.001
    True
    """
    on_a, on_b = known_values(a), known_values(b)
    if min(len(on_a), len(on_b)) < 2:
        return float("nan")
    values = np.concatenate([on_a, on_b])
    if not np.ptp(values):
        return 1.0
    values -= values.mean()
    as_seen = np.arange(len(values))[None] < len(on_a)
    ways = dealt_out(N_PERMUTATIONS, len(on_a), len(on_b), seed)
    by_chance = np.concatenate([_welch_t(values, is_a) for is_a in ways])
    observed = float(_welch_t(values, as_seen)[0])
    return p_value(by_chance, observed, rounding=1e-9 * min(observed, 1e9))


def _welch_t(values: FloatArray, is_a: NDArray[np.bool_]) -> FloatArray:
    """Size of Welch's t for each row of `is_a`: 0 for equal means, infinite for different ones without variance."""
    squares = values**2
    n_a = int(is_a[0].sum())
    n_b = len(values) - n_a
    sum_a, squares_a = is_a @ values, is_a @ squares
    # Around their mean all values sum to 0.
    difference = np.abs(sum_a / n_a + sum_a / n_b)
    # Bounds below which a variance, or a difference, is only rounding.
    no_variance, no_difference = 1e-12 * squares.sum(), 1e-24 * squares.sum()
    variance = sum(
        (of_squares - of_values**2 / n) / (n - 1) / n
        for of_values, of_squares, n in (
            (sum_a, squares_a, n_a),
            (-sum_a, squares.sum() - squares_a, n_b),
        )
    )
    varies = variance > no_variance
    t = np.where(varies, difference / np.sqrt(np.where(varies, variance, 1.0)), np.inf)
    return np.where(difference**2 <= no_difference, 0.0, t)


def dealt_out(n_ways: int, n_a: int, n_b: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Deal pieces out to two sides at random, each way as likely as any other.

    Yields
    ------
    bool array, shape (n_rows, n_a + n_b)
        Whether each piece is on side a: ``n_a`` of them are in each row. In all, there are `n_ways` rows.
    """
    rng = np.random.default_rng(seed)
    for n_rows in _chunks(n_ways, n_a + n_b):
        # The pieces with the lowest keys are on side a.
        keys = rng.random((n_rows, n_a + n_b))
        yield keys < np.partition(keys, n_a, axis=1)[:, [n_a]]


def sign_flip_p(differences: ArrayLike, seed: int) -> float:
    """p-value of a sign-flip test: how likely a mean difference so large is if each pair's sign is random.

    Parameters
    ----------
    differences : array_like, shape (n_pairs,)
        Difference of each pair; NaN are left out.
    seed : int

    Returns
    -------
    float
        Two-sided p-value. NaN where there are no differences.

    Examples
    --------
    >>> sign_flip_p([1, -1], seed=0)
    1.0
    >>> sign_flip_p([1] * 20, seed=0) < 0.001
    True
    """
    known = known_values(differences)
    if not len(known):
        return float("nan")
    rng = np.random.default_rng(seed)
    kept = [
        rng.integers(2, size=(n_rows, len(known)), dtype=np.bool_) @ known
        for n_rows in _chunks(N_PERMUTATIONS, len(known))
    ]
    return _two_sided_p(2 * np.concatenate(kept) - known.sum(), known.sum(), known)


def resampled_means(values: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Means of `N_RESAMPLES` bootstrap samples of the values, none of which is NaN."""
    sums = [
        values.take(rng.integers(len(values), size=(n_rows, len(values)))).sum(axis=1)
        for n_rows in _chunks(N_RESAMPLES, len(values))
    ]
    return np.concatenate(sums) / len(values)


def p_value(rearranged: FloatArray, observed: float, rounding: float) -> float:
    """p-value: the share of rearranged values that are at least the observed one, which counts as one of them.

    Parameters
    ----------
    rearranged : float64 array, shape (n,)
    observed : float
    rounding : float
        How far below the observed value still counts as equal to it.

    Examples
    --------
    >>> p_value(np.array([1.0, 2.0, 3.0, 4.0]), observed=3.0, rounding=0.0)  # (2 + 1) / (4 + 1)
    0.6
    """
    # The same values in another order may add up to a little less.
    k = np.count_nonzero(rearranged >= observed - rounding)
    return float((k + 1) / (len(rearranged) + 1))


def _chunks(n_rows: int, n_columns: int) -> Iterator[int]:
    """Divide rows of random numbers into chunks; yield how many rows each has."""
    at_once = max(1, _CHUNK // n_columns)
    for start in range(0, n_rows, at_once):
        yield min(at_once, n_rows - start)


def _two_sided_p(rearranged: FloatArray, observed: float, values: FloatArray) -> float:
    """p-value of a sum of the values, of which large negative ones count as well."""
    return p_value(np.abs(rearranged), abs(observed), rounding=1e-12 * np.abs(values).sum())
