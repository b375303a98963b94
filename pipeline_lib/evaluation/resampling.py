"""Chance, worked out by drawing again: bootstrap samples, permutations, flipped signs.

Free of music, as `statistics` is. NaN are left out. p-values are ``(k + 1) / (10,000 + 1)``, k being the number
of 10,000 random rearrangements at least as extreme as what was seen (Phipson & Smyth 2010): never 0. Memory
stays small whatever the number of pieces; the same seed and values give the same outcome.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline_lib.evaluation.statistics import INTERVAL_LEVEL, FloatArray, known_values

N_RESAMPLES = 10_000
N_PERMUTATIONS = 10_000

_CHUNK = 20_000
"""Numbers drawn at once: few enough that their memory is reused, which halves the time."""

Groups = NDArray[np.generic]
"""What each piece belongs to, such as the seed of the training that wrote it."""


def permutation_p(a: ArrayLike, b: ArrayLike, seed: int) -> float:
    """How likely a difference of means so large is by chance: all values dealt out to two sides anew.

    Returns
    -------
    float
        Two-sided. NaN where a side has no values.
    """
    on_a, on_b = known_values(a), known_values(b)
    if not (len(on_a) and len(on_b)):
        return float("nan")
    values = np.concatenate([on_a, on_b])
    values -= values.mean()
    # Around their mean all values sum to 0, so the sum on side a alone tells how far the means lie apart.
    sums = [is_a @ values for is_a in dealt_out(N_PERMUTATIONS, len(on_a), len(on_b), seed)]
    return _two_sided_p(np.concatenate(sums), values[: len(on_a)].sum(), values)


def dealt_out(n_ways: int, n_a: int, n_b: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Ways to deal pieces out to two sides, each as likely as any other.

    Yields
    ------
    bool array, shape (n_rows, n_a + n_b)
        Which pieces are on side a: ``n_a`` in each row. In all, there are `n_ways` rows.
    """
    rng = np.random.default_rng(seed)
    for n_rows in _chunks(n_ways, n_a + n_b):
        # Those with the lowest keys.
        keys = rng.random((n_rows, n_a + n_b))
        yield keys < np.partition(keys, n_a, axis=1)[:, [n_a]]


def sign_flip_p(differences: ArrayLike, seed: int) -> float:
    """How likely a mean difference of pairs so large is by chance: each given a random sign.

    Returns
    -------
    float
        Two-sided. NaN where there are no differences.
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


def resampled_means(
    values: FloatArray, groups: Groups | None, rng: np.random.Generator
) -> FloatArray:
    """Means of `N_RESAMPLES` bootstrap samples: of pieces or, with groups, of groups and pieces in them.

    Parameters
    ----------
    values : float64 array, shape (n_pieces,)
        None of them NaN.
    groups : array, shape (n_pieces,), or None
        With groups, as many groups as there are are drawn, and of each as many pieces as it has.
    rng : Generator
    """
    if groups is None:
        return _resampled_sums(values, N_RESAMPLES, rng) / len(values)
    names, sizes = np.unique(groups, return_counts=True)
    drawn = rng.integers(len(names), size=(N_RESAMPLES, len(names)))
    sums = np.empty(drawn.shape)
    for number, name in enumerate(names):
        places = drawn == number
        sums[places] = _resampled_sums(values[groups == name], int(places.sum()), rng)
    return sums.sum(axis=1) / sizes[drawn].sum(axis=1)


def percentile_interval(resampled: FloatArray) -> tuple[float, float]:
    """From the 2.5th to the 97.5th percentile."""
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def p_value(rearranged: FloatArray, observed: float, rounding: float) -> float:
    """How often chance makes at least the observed value, give or take rounding."""
    # The same values in another order may add up to a little less.
    k = np.count_nonzero(rearranged >= observed - rounding)
    return float((k + 1) / (len(rearranged) + 1))


def _resampled_sums(values: FloatArray, n_samples: int, rng: np.random.Generator) -> FloatArray:
    """Sums of bootstrap samples, each of as many values as there are."""
    sums = [
        values.take(rng.integers(len(values), size=(n_rows, len(values)))).sum(axis=1)
        for n_rows in _chunks(n_samples, len(values))
    ]
    return np.concatenate(sums) if sums else np.empty(0)


def _chunks(n_rows: int, n_columns: int) -> Iterator[int]:
    """Numbers of rows to draw at a time."""
    at_once = max(1, _CHUNK // n_columns)
    for start in range(0, n_rows, at_once):
        yield min(at_once, n_rows - start)


def _two_sided_p(rearranged: FloatArray, observed: float, values: FloatArray) -> float:
    """Of sums of the values, in both directions."""
    return p_value(np.abs(rearranged), abs(observed), rounding=1e-12 * np.abs(values).sum())
