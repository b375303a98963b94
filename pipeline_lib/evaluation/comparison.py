"""Comparison of two sets of pieces: whether they differ, by how much, and how sure that is.

A set is given by one value per piece, such as a musical metric or a loss. Every comparison is ``a − b``, and
has an interval, an effect size and a p-value, so that "no difference shown" is a possible answer.

Conventions
-----------
- NaN (a piece too short for a metric) is left out; of pairs, both are.
- Without groups the pieces are the unit: intervals are 95 % percentile bootstrap intervals of the difference of
  means over 10,000 resamples (Efron & Tibshirani 1993, chapter 13), p-values are two-sided, from 10,000 random
  rearrangements; see `resampling`. The smallest is 0.0001.
- Pieces of one training resemble each other more than those of another, and blocks of one loss curve still more:
  as many as there are, they are one observation of what a setting does. So with two groups or more, the seed of each
  piece's training, the groups are the unit: one mean difference each, and of these Student's t, for the interval and
  for p. A sign flip of five could not go below 0.06.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from pipeline_lib.evaluation.resampling import permutation_p, resampled_means, sign_flip_p
from pipeline_lib.evaluation.statistics import (
    FloatArray,
    known_values,
    mean,
    percentile_interval,
)


@dataclass(frozen=True)
class Comparison:
    """Outcome of a comparison of set a with set b.

    Parameters
    ----------
    mean_a, mean_b : float
        Mean value of each set, over pieces; with groups, over the means of groups.
    difference : float
        ``mean_a − mean_b``.
    low, high : float
        95 % interval of the difference. NaN with fewer than two pieces on a side.
    delta : float
        Cliff's delta, −1 (every value of a below every one of b) to 1. Romano et al. (2006) call less than
        0.147 negligible, less than 0.33 small, less than 0.474 medium.
    p : float
        Two-sided p-value of the hypothesis that the means are equal. Not corrected for the number of comparisons;
        see `holm`.
    n_a, n_b : int
        Number of pieces compared; for pairs, both are the number of pairs.
    n_groups : int
        Number of groups that the pieces come from; 0 where none were given. With one, interval and p are those of its
        pieces and say nothing about another group.
    agreeing_groups : int
        Number of groups whose difference has the sign of the overall difference.
    """

    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    delta: float
    p: float
    n_a: int
    n_b: int
    n_groups: int = 0
    agreeing_groups: int = 0


def compare(a: ArrayLike, b: ArrayLike, seed: int) -> Comparison:
    """Compare two sets of different pieces.

    Parameters
    ----------
    a, b : array_like, shapes (n_a,), (n_b,)
        One value per piece.
    seed : int
        Seed of the resampling.

    Examples
    --------
    >>> compared = compare([4, 5, 6, 7], [1, 2, 3, 4], seed=0)
    >>> compared.difference, round(compared.delta, 3)  # a is higher in 15 of 16 pairs, equal in one
    (3.0, 0.938)
    >>> compared.low > 0  # the 95 % interval of the difference leaves out 0
    True
    """
    on_a, on_b = known_values(a), known_values(b)
    low, high = _bootstrap_interval([on_a, on_b], seed)
    return Comparison(
        mean_a=mean(on_a),
        mean_b=mean(on_b),
        difference=mean(on_a) - mean(on_b),
        low=low,
        high=high,
        delta=cliffs_delta(on_a, on_b),
        p=permutation_p(on_a, on_b, seed),
        n_a=len(on_a),
        n_b=len(on_b),
    )


def compare_paired(
    a: ArrayLike, b: ArrayLike, seed: int, groups: ArrayLike | None = None
) -> Comparison:
    """Compare two values of each piece, such as two models' losses on it or two continuations of it.

    Parameters
    ----------
    a, b : array_like, shape (n,)
        Two values of each piece, in the same order.
    seed : int
        Seed of the resampling of pairs, where they are the unit.
    groups : array_like, shape (n,), optional
        The group of each pair, such as the seed of its training. With at least two groups, these are the unit.

    Returns
    -------
    Comparison
        Its delta is Cliff's for pairs (1993): the share of pairs with a > b minus that with a < b.

    Examples
    --------
    Two trainings, "s0" and "s1", whose mean differences are 1 and 2, so that Student's t is 1.5 / 0.5:

    >>> compared = compare_paired([2, 3, 3, 4], [1, 2, 1, 2], seed=0, groups=["s0", "s0", "s1", "s1"])
    >>> compared.difference, compared.n_groups, compared.agreeing_groups
    (1.5, 2, 2)
    >>> round(compared.p, 3)
    0.205
    """
    pairs = np.column_stack([np.asarray(side, dtype=np.float64) for side in (a, b)])
    is_known = ~np.isnan(pairs).any(axis=1)
    pairs = pairs[is_known]
    of_groups = np.empty((0, 2))
    if groups is not None:
        of_groups = _group_means(pairs, np.asarray(groups)[is_known])
    units = of_groups if len(of_groups) >= 2 else pairs
    differences = units[:, 0] - units[:, 1]
    if units is of_groups:
        low, high, p = _student_t(differences)
    else:
        low, high = _bootstrap_interval([differences], seed)
        p = sign_flip_p(differences, seed)
    signs = np.sign(of_groups[:, 0] - of_groups[:, 1])
    return Comparison(
        mean_a=mean(units[:, 0]),
        mean_b=mean(units[:, 1]),
        difference=mean(differences),
        low=low,
        high=high,
        delta=mean(np.sign(pairs[:, 0] - pairs[:, 1])),
        p=p,
        n_a=len(pairs),
        n_b=len(pairs),
        n_groups=len(of_groups),
        agreeing_groups=int((signs == np.sign(mean(differences))).sum()),
    )


def cliffs_delta(a: ArrayLike, b: ArrayLike) -> float:
    """Cliff's delta (1993): how often a value of a exceeds one of b, minus how often it is exceeded.

    ``(#{a_i > b_j} − #{a_i < b_j}) / (n_a n_b)`` over all pairs.

    Returns
    -------
    float
        −1 to 1; 0 where neither side tends to be larger. NaN where a side has no values.

    Examples
    --------
    >>> cliffs_delta([1, 2, 3], [0, 2])  # of six pairs, a is larger in four and smaller in one
    0.5
    """
    on_a, on_b = known_values(a), np.sort(known_values(b))
    if not (len(on_a) and len(on_b)):
        return float("nan")
    below = np.searchsorted(on_b, on_a, side="left")
    not_above = np.searchsorted(on_b, on_a, side="right")
    return float((below + not_above - len(on_b)).sum() / (len(on_a) * len(on_b)))


def holm(p_values: ArrayLike) -> FloatArray:
    """Adjust p-values for their number (Holm 1979).

    Whoever accepts all findings that are then below 0.05 makes any error at all with a chance of at most 0.05.

    The k-th smallest of m is multiplied by ``m − k + 1``, and is never below the one before it nor above 1.

    Parameters
    ----------
    p_values : array_like, shape (n,)
        NaN stay NaN and do not count.

    Returns
    -------
    float64 array, shape (n,)
        Adjusted p-values, in the order given.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full_like(p, np.nan)
    # NaN are sorted last.
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    raised = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return adjusted


def _group_means(pairs: FloatArray, groups: NDArray[np.generic]) -> FloatArray:
    """Mean of each group's pairs, shape (n_groups, 2)."""
    names = np.unique(groups)
    return np.array([pairs[groups == name].mean(axis=0) for name in names]).reshape(-1, 2)


def _student_t(differences: FloatArray) -> tuple[float, float, float]:
    """95 % interval of the mean of at least two differences, and the p-value of its being 0 (Student 1908)."""
    freedom = len(differences) - 1
    mean_difference = float(differences.mean())
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    half_width = float(stdtrit(freedom, 0.975)) * error
    if error:
        p = 2 * float(stdtr(freedom, -abs(mean_difference) / error))
    else:
        p = 0.0 if mean_difference else 1.0
    return mean_difference - half_width, mean_difference + half_width, p


def _bootstrap_interval(sides: Sequence[FloatArray], seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of one set of values or, of two, of the first's mean minus the second's."""
    if min(len(values) for values in sides) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = [resampled_means(values, rng) for values in sides]
    return percentile_interval(means[0] - means[1] if len(means) == 2 else means[0])
