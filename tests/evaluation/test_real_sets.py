"""Real melodies against each other, and against what an n-gram model makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.evaluation.comparison import compare, holm
from pipeline_lib.evaluation.distances import discrepancy, set_distances
from pipeline_lib.evaluation.metrics import METRICS
from tests.evaluation.real_sets import MELODIES, measured, melody_tokens, ngram_tokens

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not MELODIES.is_dir(),
        reason="no nottingham-melody under MUSIC_PIPELINE_TEST_DATA (default ../shared/data)",
    ),
]

N_PIECES = 120


@pytest.fixture(scope="module")
def melodies() -> Sequence[list[str]]:
    return melody_tokens(2 * N_PIECES)


@pytest.fixture(scope="module")
def real(melodies: Sequence[list[str]]) -> pd.DataFrame:
    return measured(melodies, melodies)


@pytest.fixture(scope="module")
def imitated(melodies: Sequence[list[str]]) -> pd.DataFrame:
    return measured(ngram_tokens(melodies, N_PIECES), melodies)


def p_values(a: pd.DataFrame, b: pd.DataFrame, seed: int) -> np.ndarray:
    return np.array([compare(a[name], b[name], seed).p for name in METRICS])


def test_random_halves_of_a_corpus_differ_in_hardly_any_metric(real: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    found: list[float] = []
    while len(found) < 100:
        order = rng.permutation(len(real))
        halves = real.iloc[order[:N_PIECES]], real.iloc[order[N_PIECES:]]
        found.extend(p_values(*halves, seed=len(found)))
    assert sum(p >= 0.05 for p in found[:100]) >= 90


def test_ngram_samples_differ_from_the_corpus_in_most_metrics(
    real: pd.DataFrame, imitated: pd.DataFrame
) -> None:
    adjusted = holm(p_values(imitated, real[:N_PIECES], seed=0))
    assert sum(adjusted < 0.05) >= 8


def test_ngram_samples_lie_further_from_the_corpus_than_other_real_pieces(
    real: pd.DataFrame, imitated: pd.DataFrame
) -> None:
    corpus, other = real[:N_PIECES], real[N_PIECES:]
    ceiling = set_distances(other, corpus, seed=0).set_index("metric")["overlapped_area"]
    control = set_distances(imitated, corpus, seed=0).set_index("metric")["overlapped_area"]
    # Melodies have one voice: what polyphony they have is a few slips.
    assert ceiling.drop("polyphony").min() > 0.85
    assert (control < ceiling - 0.1).sum() >= 6
    assert control["ngram_repetition_4"] < 0.5
    assert discrepancy(other, corpus, seed=0).p > 0.05
    apart = discrepancy(imitated, corpus, seed=0)
    assert apart.p < 0.002
    assert apart.mmd_squared > 0.2
