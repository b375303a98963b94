"""Whether two sets of pieces differ, by how much, and how sure that is.

A set is given by one value per piece, such as a musical metric or a loss. Every comparison is ``a − b``, and
comes with an interval, an effect size and a p-value, so that "no difference shown" is a possible answer.

Conventions
-----------
- NaN (a piece too short for a metric) is left out; of pairs, both are.
- Intervals are 95 % percentile bootstrap intervals of the difference of means over 10,000 resamples (Efron &
  Tibshirani 1993, chapter 13).
- p-values are two-sided, from 10,000 random rearrangements; see `resampling`. The smallest is 0.0001.
- Pieces of one training resemble each other more than those of another. `groups`, the seed of each piece's
  training, are therefore drawn first and pieces within them then (two-level bootstrap, Davison & Hinkley
  1997, section 3.8). With few seeds such an interval is still too narrow, and p-values treat pieces as
  independent: read them beside the number of seeds that agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pipeline_lib.evaluation.resampling import (
    Groups,
    percentile_interval,
    permutation_p,
    resampled_means,
    sign_flip_p,
)
from pipeline_lib.evaluation.statistics import FloatArray, known_values, mean


@dataclass(frozen=True)
class Comparison:
    """Set a against set b.

    Parameters
    ----------
    mean_a, mean_b : float
        Over pieces.
    difference : float
        ``mean_a − mean_b``.
    low, high : float
        95 % bootstrap interval of the difference. NaN with fewer than two pieces on a side.
    delta : float
        Cliff's delta, −1 (every value of a below every one of b) to 1. Romano et al. (2006) call less than
        0.147 negligible, less than 0.33 small, less than 0.474 medium.
    p : float
        That the difference is 0: by permutation or, of pairs, by flipping signs. Not corrected for the
        number of comparisons; see `holm`.
    n_a, n_b : int
        Pieces that count; of pairs, twice the same.
    n_groups_a, n_groups_b : int
        Groups that these come from; 0 where none were given.
    agreeing_groups, shared_groups : int
        In how many of the groups on both sides the difference has the sign that it has over all, and how
        many groups are on both sides.
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
    n_groups_a: int
    n_groups_b: int
    agreeing_groups: int
    shared_groups: int


def compare(
    a: ArrayLike,
    b: ArrayLike,
    seed: int,
    groups_a: ArrayLike | None = None,
    groups_b: ArrayLike | None = None,
) -> Comparison:
    """Compare two sets of different pieces.

    Parameters
    ----------
    a, b : array_like, shapes (n_a,), (n_b,)
        One value per piece.
    seed : int
        Of the resampling.
    groups_a, groups_b : array_like, shapes (n_a,), (n_b,), optional
        What each piece belongs to, such as the seed of the training. The bootstrap draws groups first
        where both sides have at least two.
    """
    on_a, in_a = _known(a, groups_a)
    on_b, in_b = _known(b, groups_b)
    difference = mean(on_a) - mean(on_b)
    low, high = _interval([(on_a, in_a), (on_b, in_b)], seed)
    return Comparison(
        mean_a=mean(on_a),
        mean_b=mean(on_b),
        difference=difference,
        low=low,
        high=high,
        delta=cliffs_delta(on_a, on_b),
        p=permutation_p(on_a, on_b, seed),
        n_a=len(on_a),
        n_b=len(on_b),
        n_groups_a=_n_groups(in_a),
        n_groups_b=_n_groups(in_b),
        **_agreement(on_a, on_b, in_a, in_b),
    )


def compare_paired(
    a: ArrayLike, b: ArrayLike, seed: int, groups: ArrayLike | None = None
) -> Comparison:
    """Compare two values of each piece, such as two models' losses on it or two continuations of it.

    Parameters
    ----------
    a, b : array_like, shape (n,)
        Both of the same pieces, in the same order.
    seed : int
        Of the resampling, which draws pairs.
    groups : array_like, shape (n,), optional
        What each pair belongs to. The bootstrap draws groups first where there are at least two.

    Returns
    -------
    Comparison
        Its delta is Cliff's for pairs (1993): the share of pairs with a > b minus that with a < b.
    """
    pairs = np.column_stack([_floats(a), _floats(b)])
    differences, in_groups = _known(pairs[:, 0] - pairs[:, 1], groups)
    on_a, on_b = pairs[~np.isnan(pairs).any(axis=1)].T
    low, high = _interval([(differences, in_groups)], seed)
    n_groups = _n_groups(in_groups)
    return Comparison(
        mean_a=mean(on_a),
        mean_b=mean(on_b),
        difference=mean(differences),
        low=low,
        high=high,
        delta=mean(np.sign(differences)),
        p=sign_flip_p(differences, seed),
        n_a=len(differences),
        n_b=len(differences),
        n_groups_a=n_groups,
        n_groups_b=n_groups,
        **_agreement(on_a, on_b, in_groups, in_groups),
    )


def cliffs_delta(a: ArrayLike, b: ArrayLike) -> float:
    """How often a value of a exceeds one of b, minus how often it is exceeded (Cliff 1993).

    ``(#{a_i > b_j} − #{a_i < b_j}) / (n_a n_b)`` over all pairs.

    Returns
    -------
    float
        −1 to 1; 0 where neither side tends to be larger. NaN where a side has no values.
    """
    on_a, on_b = known_values(a), np.sort(known_values(b))
    if not (len(on_a) and len(on_b)):
        return float("nan")
    below = np.searchsorted(on_b, on_a, side="left")
    not_above = np.searchsorted(on_b, on_a, side="right")
    return float((below + not_above - len(on_b)).sum() / (len(on_a) * len(on_b)))


def holm(p_values: ArrayLike) -> FloatArray:
    """p-values adjusted for their number (Holm 1979): below 0.05, all those so small hold together.

    The k-th smallest of m is multiplied by ``m − k + 1``, and is never below the one before it nor above 1.

    Parameters
    ----------
    p_values : array_like, shape (n,)
        NaN stay NaN and do not count.

    Returns
    -------
    float64 array, shape (n,)
        In the order given.
    """
    p = _floats(p_values)
    adjusted = np.full_like(p, np.nan)
    # NaN are sorted last.
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    raised = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return adjusted


def _floats(values: ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


def _known(values: ArrayLike, groups: ArrayLike | None = None) -> tuple[FloatArray, Groups | None]:
    """The values that are not NaN, and their groups."""
    array = _floats(values)
    is_known = ~np.isnan(array)
    return array[is_known], None if groups is None else np.asarray(groups)[is_known]


def _n_groups(groups: Groups | None) -> int:
    return 0 if groups is None else len(np.unique(groups))


def _interval(sides: Sequence[tuple[FloatArray, Groups | None]], seed: int) -> tuple[float, float]:
    """Of the mean of one set of values or, of two, of the first's mean minus the second's."""
    if min(len(values) for values, _ in sides) < 2:
        return float("nan"), float("nan")
    two_level = min(_n_groups(groups) for _, groups in sides) >= 2
    rng = np.random.default_rng(seed)
    means = [
        resampled_means(values, groups if two_level else None, rng) for values, groups in sides
    ]
    return percentile_interval(means[0] - means[1] if len(means) == 2 else means[0])


def _agreement(
    a: FloatArray, b: FloatArray, groups_a: Groups | None, groups_b: Groups | None
) -> dict[str, int]:
    """In how many groups the difference has the sign that it has over all."""
    if groups_a is None or groups_b is None:
        return {"agreeing_groups": 0, "shared_groups": 0}
    shared = np.intersect1d(groups_a, groups_b)
    signs = [np.sign(a[groups_a == g].mean() - b[groups_b == g].mean()) for g in shared]
    return {
        "agreeing_groups": sum(bool(sign == np.sign(a.mean() - b.mean())) for sign in signs),
        "shared_groups": len(shared),
    }
