"""Densities and distances of sets whose answers are known, and the figures of METRICS.md."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.evaluation.distances import (
    MOST_PIECES,
    common_grid,
    density,
    discrepancy,
    inter_distances,
    intra_distances,
    kl_divergence,
    overlapped_area,
    set_distances,
)
from pipeline_lib.evaluation.metrics import METRICS

A = np.array([1, 2, 2, 3, 3, 3, 4, 4, 5], dtype=np.float64)
unhurried = settings(deadline=None, max_examples=30)


def area_and_divergence(a, b, padding_bandwidths):
    grid = common_grid(a, b, padding_bandwidths)
    p, q = density(a, grid), density(b, grid)
    return overlapped_area(p, q, grid), kl_divergence(p, q)


def made_up_set(n, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.normal(shift, 1, size=n) for name in METRICS})


def test_check_values_on_the_grid_that_ends_at_the_values():
    # mgeval integrates so; parts of both densities lie beyond, and even OA(A, A) is not 1.
    area, divergence = area_and_divergence(A, A + 1, padding_bandwidths=0)
    assert area == pytest.approx(0.706352, abs=1e-6)
    assert divergence == pytest.approx(0.148997, abs=1e-6)
    assert area_and_divergence(A, A, 0)[0] == pytest.approx(0.84, abs=0.005)


def test_check_values_on_the_padded_grid():
    # Both densities whole: more to share, and more in the tails, where they differ most.
    area, divergence = area_and_divergence(A, A + 1, padding_bandwidths=5)
    assert area == pytest.approx(0.731696, abs=1e-5)
    assert divergence == pytest.approx(0.271774, abs=1e-5)


def test_a_set_against_itself_and_against_one_far_away():
    assert area_and_divergence(A, A, 5) == pytest.approx((1, 0), abs=1e-6)
    area, divergence = area_and_divergence(A, A + 10, 5)
    assert area < 0.001
    assert 10 < divergence < np.inf


def test_density_is_a_sum_of_kernels():
    # Two values at −1 and 1: sd √2, bandwidth √2 × 2^(−1/5); halfway both kernels have the same height.
    values = np.array([-1.0, 1.0])
    width = np.sqrt(2) * 2**-0.2
    grid = np.linspace(-8, 8, 1001)
    height = np.exp(-((1 / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))
    assert density(values, grid)[500] == pytest.approx(height, rel=1e-4)
    assert np.trapezoid(density(values, grid), grid) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("n", [9, 400])
def test_density_agrees_with_scipy(n):
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(0).gamma(2, size=n)
    grid = common_grid(values, values)
    assert density(values, grid) == pytest.approx(stats.gaussian_kde(values)(grid), abs=1e-4)


def test_distances_by_hand():
    assert sorted(intra_distances(np.array([1.0, 2.0, 4.0]))) == [1, 2, 3]
    assert inter_distances(np.array([1.0, 2.0]), np.array([0.0, 5.0])).tolist() == [1, 4, 2, 3]


@unhurried
@given(
    st.lists(st.integers(-20, 20), min_size=2, max_size=12),
    st.lists(st.integers(-20, 20), min_size=2, max_size=12),
    st.integers(-5, 5),
)
def test_areas_and_divergences_are_within_bounds_and_move_with_the_sets(a, b, shift):
    if len(set(a)) < 2 or len(set(b)) < 2:
        return
    a, b = np.array(a, dtype=np.float64), np.array(b, dtype=np.float64)
    area, divergence = area_and_divergence(a, b, 5)
    assert 0 <= area <= 1 + 1e-6
    assert divergence >= -1e-9
    assert area_and_divergence(b, a, 5)[0] == pytest.approx(area)
    assert area_and_divergence(a + shift, b + shift, 5)[0] == pytest.approx(area, abs=1e-6)


def test_alike_sets_are_near_and_others_far():
    corpus = made_up_set(150, seed=0)
    near = set_distances(made_up_set(150, seed=1), corpus, seed=0)
    far = set_distances(made_up_set(150, seed=1, shift=3), corpus, seed=0)
    assert near["metric"].tolist() == list(METRICS)
    assert near["overlapped_area"].min() > 0.9
    assert near["kl_nat"].max() < 0.05
    assert far["overlapped_area"].max() < 0.5
    assert far["kl_nat"].min() > 0.5


def test_a_constant_set_is_nan():
    corpus = made_up_set(20, seed=0).assign(polyphony=1.0)
    rows = set_distances(made_up_set(20, seed=1), corpus, seed=0).set_index("metric")
    assert rows.loc["polyphony", ["overlapped_area", "kl_nat"]].isna().all()
    assert rows["overlapped_area"].isna().sum() == 1


def test_nan_and_what_has_no_pieces_left():
    generated = made_up_set(20, seed=1)
    generated.loc[:4, "leap_rate"] = np.nan
    generated["ioi_entropy"] = np.nan
    rows = set_distances(generated, made_up_set(30, seed=0), seed=0).set_index("metric")
    assert rows.loc["leap_rate", ["n_generated", "n_corpus"]].tolist() == [15, 30]
    assert rows.loc["ioi_entropy", "n_generated"] == 0
    assert rows["overlapped_area"].isna().sum() == 1


def test_of_large_sets_some_pieces_are_taken():
    rows = set_distances(made_up_set(MOST_PIECES + 1, 0), made_up_set(8, 1), seed=0)
    assert set(rows["n_generated"]) == {MOST_PIECES}
    assert set(rows["n_corpus"]) == {8}


def test_discrepancy_by_hand():
    # One metric that varies: 0 and 2 against 4 and 6. The six distances are 2 2 2 4 4 6, their median 3, so
    # k(d) = exp(−d² / 18), whatever they are scaled by. Within both sets d = 2; across 4, 6, 2, 4.
    generated = made_up_set(2, 0).assign(**dict.fromkeys(METRICS, 1.0) | {"leap_rate": [0.0, 2.0]})
    corpus = generated.assign(leap_rate=[4.0, 6.0])
    found = discrepancy(generated, corpus, seed=0)
    near, middle, far = np.exp(-np.array([4, 16, 36]) / (2 * 9))
    assert found.mmd_squared == pytest.approx(2 * near - 2 * (near + 2 * middle + far) / 4)
    # Of the three ways to pair four pieces off, this is the one furthest apart.
    assert found.p == pytest.approx(1 / 3, abs=0.05)
    assert (found.n_a, found.n_b) == (2, 2)


def test_discrepancy_tells_sets_apart():
    corpus = made_up_set(60, seed=0)
    alike = discrepancy(made_up_set(40, seed=1), corpus, seed=0)
    assert alike.mmd_squared == pytest.approx(0, abs=0.02)
    assert alike.p > 0.05
    apart = discrepancy(made_up_set(40, seed=1, shift=1), corpus, seed=0)
    assert apart.mmd_squared > 0.1
    assert apart.p < 0.002


def test_discrepancy_is_the_same_either_way_and_seeded():
    a, b = made_up_set(20, seed=0), made_up_set(30, seed=1)
    assert discrepancy(a, b, 0).mmd_squared == pytest.approx(discrepancy(b, a, 0).mmd_squared)
    assert discrepancy(a, b, 0) == discrepancy(a, b, 0)


def test_discrepancy_where_most_pieces_are_the_same():
    generated = pd.concat([made_up_set(1, seed=0)] * 30)
    found = discrepancy(generated, made_up_set(5, seed=1), seed=0)
    assert found.mmd_squared > 0.2
    assert found.p < 0.002


def test_discrepancy_of_too_little_is_nan():
    assert np.isnan(discrepancy(made_up_set(1, 0), made_up_set(9, 1), seed=0).mmd_squared)
    nothing = made_up_set(5, 0).assign(**dict.fromkeys(METRICS, np.nan))
    assert np.isnan(discrepancy(nothing, nothing, seed=0).p)


@pytest.mark.slow
def test_discrepancy_of_sets_that_are_alike_is_significant_in_one_case_of_twenty():
    p = [discrepancy(made_up_set(15, n), made_up_set(20, 1000 + n), n).p for n in range(100)]
    # Binomial(100, 0.05): 5 expected, standard deviation 2.2.
    assert 1 <= sum(value < 0.05 for value in p) <= 11
