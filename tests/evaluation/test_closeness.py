"""Sets of made-up figures at known places."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.evaluation.closeness import compare_closeness
from pipeline_lib.evaluation.metrics import METRICS


def pieces(n: int, mean: float, seed: int) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(mean, 1, size=(n, len(METRICS)))
    return pd.DataFrame(values, columns=list(METRICS))


CORPUS = pieces(60, 0.0, seed=9)
SEEDS = np.repeat([0, 1, 2, 3], 15)


def test_the_nearer_set_has_the_lower_distance() -> None:
    far, near = pieces(60, 1.0, seed=1), pieces(60, 0.2, seed=2)
    found = compare_closeness(far, near, CORPUS, 0, SEEDS, SEEDS)
    assert found.mean_a > found.mean_b
    assert found.difference == pytest.approx(found.mean_a - found.mean_b)
    assert 0 < found.low < found.difference < found.high
    assert found.p < 0.001
    assert (found.n_a, found.n_groups, found.agreeing_groups) == (60, 4, 4)


def test_sides_can_be_exchanged() -> None:
    far, near = pieces(60, 1.0, seed=1), pieces(60, 0.2, seed=2)
    one = compare_closeness(far, near, CORPUS, 0, SEEDS, SEEDS)
    other = compare_closeness(near, far, CORPUS, 0, SEEDS, SEEDS)
    assert other.difference == pytest.approx(-one.difference)
    assert other.p == pytest.approx(one.p)


def test_no_difference_is_shown_between_equally_near_sets() -> None:
    one, other = pieces(60, 0.5, seed=1), pieces(60, 0.5, seed=2)
    found = compare_closeness(one, other, CORPUS, 0, SEEDS, SEEDS)
    assert found.low < 0 < found.high
    assert found.p > 0.05


def test_a_set_from_the_corpus_own_source_is_at_no_distance() -> None:
    # Without bias the estimate varies around 0, and goes below it too.
    distances = [
        compare_closeness(
            pieces(60, 0.0, seed=100 + n), pieces(60, 2.0, seed=n), CORPUS, 0, SEEDS, SEEDS
        ).mean_a
        for n in range(5)
    ]
    assert abs(np.mean(distances)) < 0.01


def test_a_piece_without_a_figure_counts_as_average() -> None:
    far, near = pieces(60, 1.0, seed=1), pieces(60, 0.2, seed=2)
    far.iloc[0, 0] = np.nan
    assert np.isfinite(compare_closeness(far, near, CORPUS, 0, SEEDS, SEEDS).difference)


def test_of_one_training_the_pieces_alone_are_drawn() -> None:
    far, near = pieces(20, 1.0, seed=1), pieces(20, 0.2, seed=2)
    found = compare_closeness(far, near, CORPUS, 0, np.zeros(20), np.zeros(20))
    assert found.low < found.difference < found.high
    assert found.n_groups == 1
    assert np.isnan(found.p)
