from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.evaluation.comparison import cliffs_delta, compare, compare_paired, holm
from pipeline_lib.evaluation.resampling import N_PERMUTATIONS, permutation_p, sign_flip_p

VALUES = st.lists(st.integers(-50, 50), min_size=1, max_size=12)
few_examples = settings(deadline=None, max_examples=15)


def test_delta_by_hand():
    # Of the six pairs, 3 > 1, 3 > 2, 2 > 1 are for a, 2 < 4 and 3 < 4 for b, one is a tie.
    assert cliffs_delta([2, 3], [1, 2, 4]) == pytest.approx((3 - 2) / 6)
    assert cliffs_delta([5, 6], [1, 2]) == 1
    assert cliffs_delta([3], [3]) == 0


@given(VALUES, VALUES)
def test_delta_counts_pairs_and_is_antisymmetric(a, b):
    pairs = np.sign(np.subtract.outer(a, b))
    assert cliffs_delta(a, b) == pytest.approx(pairs.mean())
    assert cliffs_delta(b, a) == -cliffs_delta(a, b)
    assert cliffs_delta(np.multiply(a, 3) + 7, np.multiply(b, 3) + 7) == cliffs_delta(a, b)


def test_permutation_p_by_hand():
    # Of the 20 ways to deal out six values to two sides of three, two are as far apart as 123 and 456.
    p = permutation_p([1, 2, 3], [4, 5, 6], seed=0)
    assert p == pytest.approx(2 / 20, abs=0.01)
    # Sides of different sizes: of the 10 ways, only {8, 9} against the rest is as far apart.
    assert permutation_p([8, 9], [1, 2, 3], seed=0) == pytest.approx(1 / 10, abs=0.01)
    # One value does not tell how far such values scatter.
    assert np.isnan(permutation_p([9], [1, 2, 3], seed=0))


def test_sign_flip_p_by_hand():
    # Of the 16 ways to sign 1, 2, 3, 4, two have a sum as far from 0 as 10.
    assert sign_flip_p([1, 2, 3, 4], seed=0) == pytest.approx(2 / 16, abs=0.011)
    # 1 + 2 + 3 - 4 = 2: sums are even and 0 comes twice, so 14 of 16 are as far from 0.
    assert sign_flip_p([1, 2, 3, -4], seed=0) == pytest.approx(14 / 16, abs=0.011)


def test_p_is_never_zero_and_one_where_nothing_differs():
    assert permutation_p(np.zeros(50), np.ones(50), seed=0) == 1 / (N_PERMUTATIONS + 1)
    assert sign_flip_p(np.ones(50), seed=0) == 1 / (N_PERMUTATIONS + 1)
    assert permutation_p([0.1] * 3, [0.1] * 4, seed=0) == 1
    assert sign_flip_p([0.0, 0.0], seed=0) == 1


@few_examples
@given(VALUES, VALUES, st.integers(-1000, 1000))
def test_p_is_a_probability_and_moving_both_sides_changes_nothing(a, b, shift):
    if min(len(a), len(b)) >= 2:
        p = permutation_p(a, b, seed=1)
        assert 0 < p <= 1
        assert permutation_p(np.add(a, shift), np.add(b, shift), seed=1) == p
        assert permutation_p(b, a, seed=1) == pytest.approx(p, abs=0.03)
    assert sign_flip_p(np.negative(a), seed=1) == sign_flip_p(a, seed=1)


def test_holm_by_hand():
    # Sorted .01 .03 .04 times 3, 2, 1: .03 .06 .04, and none below the one before it.
    assert holm([0.04, 0.01, 0.03]).tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]).tolist() == [1, 1]
    assert holm([]).tolist() == []


def test_holm_leaves_nan_out_of_the_count():
    assert holm([np.nan, 0.04, 0.01]).tolist()[1:] == pytest.approx([0.04, 0.02])
    assert np.isnan(holm([np.nan, 0.04])[0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_only_raises_and_keeps_the_order(p_values):
    adjusted = holm(p_values)
    assert (adjusted >= p_values).all()
    assert (adjusted <= np.minimum(np.multiply(p_values, len(p_values)), 1)).all()
    assert (np.diff(adjusted[np.argsort(p_values)]) >= 0).all()


def test_two_sets_by_hand():
    compared = compare([1, np.nan, 3], [4, 6], seed=0)
    assert (compared.mean_a, compared.mean_b, compared.difference) == (2, 5, -3)
    assert (compared.n_a, compared.n_b, compared.delta) == (2, 2, -1)
    # Means of two draws are 1, 2, 3 and 4, 5, 6; both extremes have 1/16, more than 2.5 %.
    assert (compared.low, compared.high) == (-5, -1)
    assert compared.p == pytest.approx(2 / 6, abs=0.015)
    assert (compared.n_groups, compared.agreeing_groups) == (0, 0)


def test_pairs_by_hand():
    compared = compare_paired([1, 2, np.nan, 5], [0, 3, 1, 2], seed=0)
    # Differences 1, -1, 3: their mean is 1, two of three are positive.
    assert (compared.mean_a, compared.difference) == pytest.approx((8 / 3, 1))
    assert compared.mean_b == pytest.approx(5 / 3)
    assert (compared.n_a, compared.n_b) == (3, 3)
    assert compared.delta == pytest.approx(1 / 3)
    # Three draws of -1 or of 3 have 1/27, more than 2.5 %.
    assert (compared.low, compared.high) == (-1, 3)
    # Sums 3, 1, 5 (as seen, 3 and 5 either way): ±1 ±1 ±3 is at least 3 from 0 in 6 of 8.
    assert compared.p == pytest.approx(6 / 8, abs=0.015)


def test_pairs_see_what_sets_cannot():
    pieces = np.random.default_rng(0).normal(scale=10, size=100)
    better = pieces - 0.5 + np.random.default_rng(1).normal(scale=0.5, size=100)
    assert compare(better, pieces, seed=0).p > 0.5
    paired = compare_paired(better, pieces, seed=0)
    assert paired.p < 0.001
    assert paired.high < 0


@few_examples
@given(VALUES, VALUES)
def test_comparing_the_other_way_round_changes_the_sign(a, b):
    forth, back = compare(a, b, seed=3), compare(b, a, seed=3)
    assert back.difference == -forth.difference
    assert back.delta == -forth.delta
    if min(len(a), len(b)) >= 2:
        assert forth.low <= forth.high
        assert np.min(a) - np.max(b) <= forth.low + 1e-9
        assert forth.high - 1e-9 <= np.max(a) - np.min(b)


def test_a_comparison_is_seeded():
    a, b = np.random.default_rng(0).normal(size=(2, 30))
    assert compare(a, b, seed=1) == compare(a, b, seed=1)
    assert compare(a, b, seed=1).low != compare(a, b, seed=2).low


def test_the_interval_agrees_with_normal_theory():
    rng = np.random.default_rng(0)
    a, b = rng.normal(5, 2, size=400), rng.normal(4, 1, size=200)
    compared = compare(a, b, seed=0)
    half_width = 1.96 * np.sqrt(a.var() / 400 + b.var() / 200)
    assert compared.high - compared.difference == pytest.approx(half_width, rel=0.05)
    assert compared.difference - compared.low == pytest.approx(half_width, rel=0.05)


@pytest.mark.parametrize(("a", "b"), [([], [1, 2]), ([np.nan], [1, 2]), ([], [])])
def test_nothing_to_compare_with_is_nan(a, b):
    compared = compare(a, b, seed=0)
    assert np.isnan([compared.difference, compared.low, compared.delta, compared.p]).all()
    assert np.isnan(compare_paired([np.nan], [1], seed=0).p)


def test_one_piece_has_no_interval():
    compared = compare([3.0], [1, 2, 4], seed=0)
    assert np.isnan([compared.low, compared.high]).all()
    assert compared.difference == pytest.approx(2 / 3)
    assert np.isnan(compare_paired([3.0], [1.0], seed=0).low)


def test_groups_are_the_unit():
    # Mean differences 1, 2 and 6 of three groups: mean 3, standard deviation sqrt(7), standard error sqrt(7 / 3).
    # Student's t with two degrees of freedom: 4.3027 for the interval, and of t = 3 / 1.5275 = 1.964 p = 0.1885.
    a, b = [2, 2, 3, 3, 6, 8], [1, 1, 1, 1, 0, 2]
    compared = compare_paired(a, b, 0, ["x", "x", "y", "y", "z", "z"])
    assert (compared.mean_a, compared.mean_b) == pytest.approx((4, 1))
    assert compared.difference == pytest.approx(3)
    assert compared.high - compared.difference == pytest.approx(4.3027 * np.sqrt(7 / 3), rel=1e-4)
    assert compared.difference - compared.low == pytest.approx(4.3027 * np.sqrt(7 / 3), rel=1e-4)
    assert compared.p == pytest.approx(0.1885, abs=1e-4)
    assert (compared.n_a, compared.n_groups, compared.agreeing_groups) == (6, 3, 3)


def test_more_pieces_of_the_same_groups_are_no_more_certain():
    a, b, groups = [2, 3, 7], [1, 1, 1], [0, 1, 2]
    few, many = (compare_paired(a * n, b * n, 0, groups * n) for n in (1, 100))
    assert (many.low, many.high, many.p) == pytest.approx((few.low, few.high, few.p))


def test_one_group_is_compared_by_its_pieces():
    a, b = [1, 2, 2, 5], [0, 1, 3, 1]
    compared = compare_paired(a, b, 0, [7] * 4)
    assert replace(compared, n_groups=0, agreeing_groups=0) == compare_paired(a, b, 0)
    assert (compared.n_groups, compared.agreeing_groups) == (1, 1)


def test_agreement_counts_groups():
    # Group x: -2 and -2; y: 1; z has only NaN. Over the groups -0.5.
    compared = compare_paired([1, 2, 2, np.nan], [3, 1, 4, 9], 0, ["x", "y", "x", "z"])
    assert compared.difference == pytest.approx(-0.5)
    assert (compared.n_groups, compared.agreeing_groups) == (2, 1)


def test_groups_weigh_alike_however_many_pieces_they_have():
    paired = compare_paired([3.0] * 30 + [0.0] * 10, np.zeros(40), 0, [0] * 30 + [1] * 10)
    assert paired.difference == 1.5


def test_groups_that_agree_to_the_last_digit_leave_no_doubt():
    same = compare_paired([1, 1], [0, 0], 0, [0, 1])
    assert (same.low, same.high, same.p) == (1, 1, 0)
    assert compare_paired([1, 1], [1, 1], 0, [0, 1]).p == 1


def _share_significant(rng, n_cases, compared_p):
    return np.mean([compared_p(rng, case) < 0.05 for case in range(n_cases)])


@pytest.mark.slow
def test_halves_of_one_set_differ_significantly_in_one_case_of_twenty():
    # Binomial(400, 0.05): 20 expected, standard deviation 4.4.
    values = np.random.default_rng(0).gamma(2, size=80)

    def p_of_halves(rng, case):
        halves = rng.permutation(values)
        return permutation_p(halves[:40], halves[40:], seed=case)

    assert 0.02 <= _share_significant(np.random.default_rng(1), 400, p_of_halves) <= 0.08
    pairs = _share_significant(
        np.random.default_rng(2), 400, lambda rng, case: sign_flip_p(rng.normal(size=40), case)
    )
    assert 0.02 <= pairs <= 0.08


@pytest.mark.slow
def test_sides_that_only_scatter_differently_differ_in_one_case_of_twenty():
    # Ten pieces that scatter thrice as far as the other 200: the bare difference of means finds half of all cases.
    rng = np.random.default_rng(4)
    share = _share_significant(
        rng,
        200,
        lambda rng, case: permutation_p(rng.normal(scale=3, size=10), rng.normal(size=200), case),
    )
    # Binomial(200, 0.05) has a standard deviation of 0.015; ten pieces leave some of the excess.
    assert share <= 0.12


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [None, 5])
def test_intervals_hold_the_true_difference_in_nineteen_of_twenty_cases(n_groups):
    rng = np.random.default_rng(3)
    groups = None if n_groups is None else np.repeat(np.arange(n_groups), 40 // n_groups)
    held, significant = [], []
    for case in range(200):
        a, b = rng.normal(size=(2, 40))
        if groups is not None:
            a += rng.normal(size=n_groups)[groups]
            b += rng.normal(size=n_groups)[groups]
        compared = compare(a, b, case) if groups is None else compare_paired(a, b, case, groups)
        held.append(compared.low <= 0 <= compared.high)
        significant.append(compared.p < 0.05)
    # Binomial(200, 0.95) has a standard deviation of 0.015; few pieces make bootstrap intervals a little narrow.
    assert 0.89 <= np.mean(held) <= 0.99
    assert np.mean(significant) <= 0.1
