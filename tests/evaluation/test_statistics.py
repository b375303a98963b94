from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.statistics import (
    bootstrap_interval,
    count_table,
    entropy_bits,
    equal_mass_bins,
    jensen_shannon_divergence,
    mean,
    ratio,
)

COUNTS = st.lists(st.integers(0, 1000), min_size=6, max_size=6)


def test_entropy_by_hand():
    assert entropy_bits([3]) == 0
    assert entropy_bits([1, 1, 0, 2]) == 1.5
    assert entropy_bits(np.ones(8)) == 3


def test_rows_are_counted_apart():
    rows = np.array([[1, 1, 2], [0, 0, 0], [4, 0, 0]])
    assert entropy_bits(rows).tolist() == pytest.approx([1.5, np.nan, 0], nan_ok=True)
    divergence = jensen_shannon_divergence(rows, [1, 0, 0])
    expected = [jensen_shannon_divergence(row, [1, 0, 0]) for row in rows]
    assert divergence.tolist() == pytest.approx(expected, nan_ok=True)


def test_nothing_divided_by_nothing_is_nan():
    quotient = ratio([1, 0, 3], [2, 0, 0])
    assert quotient.tolist() == pytest.approx([0.5, np.nan, np.nan], nan_ok=True)


def test_count_table_by_hand():
    table = count_table(np.array([0, 2, 2, 2]), np.array([1, 0, 1, 1]), (3, 2))
    assert table.tolist() == [[0, 1], [0, 0], [1, 2]]


@pytest.mark.parametrize("weights", [[], [0, 0]])
def test_entropy_of_nothing_is_nan(weights):
    assert np.isnan(entropy_bits(weights))


def test_divergence_by_hand():
    assert jensen_shannon_divergence([1, 2], [2, 4]) == 0
    assert jensen_shannon_divergence([1, 0], [0, 5]) == 1
    # Mixture (3/4, 1/4): H = 0.811278; minus half of H(1/2, 1/2) = 1.
    assert jensen_shannon_divergence([1, 0], [1, 1]) == pytest.approx(0.311278, abs=1e-6)


def test_divergence_from_nothing_is_nan():
    assert np.isnan(jensen_shannon_divergence([0, 0], [1, 1]))
    assert np.isnan(jensen_shannon_divergence([1, 1], [0, 0]))


@given(COUNTS, COUNTS)
def test_divergence_is_symmetric_and_bounded(p, q):
    divergence = jensen_shannon_divergence(p, q)
    if any(p) and any(q):
        assert 0 <= divergence <= 1
        assert divergence == pytest.approx(jensen_shannon_divergence(q, p), abs=1e-12)
    else:
        assert np.isnan(divergence)


def test_mean_leaves_out_nan():
    assert mean([1, np.nan, 2]) == 1.5
    assert np.isnan(mean([np.nan]))
    assert np.isnan(mean([]))


def test_interval_is_seeded_and_leaves_out_nan():
    values = np.arange(50.0)
    assert bootstrap_interval(values, seed=1) == bootstrap_interval([*values, np.nan], seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


def test_interval_agrees_with_normal_theory():
    values = np.random.default_rng(0).normal(loc=5, scale=2, size=400)
    low, high = bootstrap_interval(values, seed=0)
    half_width = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half_width, abs=0.03)
    assert high == pytest.approx(values.mean() + half_width, abs=0.03)


def test_interval_of_two_values_by_hand():
    # Means of two draws from {0, 1} are 0, 1/2, 1 with probability 1/4, 1/2, 1/4.
    assert bootstrap_interval([0, 1], seed=0) == (0, 1)


@pytest.mark.parametrize("values", [[], [np.nan], [3.0], [3.0, np.nan]])
def test_interval_of_fewer_than_two_pieces_is_nan(values):
    assert np.isnan(bootstrap_interval(values, seed=0)).all()


def test_bins_of_distinct_values_are_of_equal_size():
    assert equal_mass_bins(np.array([5, 1, 3, 2, 4, 0]), 3).tolist() == [2, 0, 1, 1, 2, 0]


def test_equal_values_share_the_bin_that_their_middle_is_in():
    # Sorted, the three 1s lie from 1 to 4 of 4, their middle at 2.5: in the second half.
    assert equal_mass_bins(np.array([0, 1, 1, 1]), 2).tolist() == [0, 1, 1, 1]
    assert equal_mass_bins(np.array([7.0, 7.0]), 15).tolist() == [7, 7]
    assert equal_mass_bins(np.array([]), 15).tolist() == []
