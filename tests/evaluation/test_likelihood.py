"""Scores of models whose answers are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline_lib.evaluation.likelihood import score_targets, summarise_scores

VOCAB_SIZE = 5
TOKENS = np.array([0, 3, 4, 3, 4, 1], dtype=np.int32)


class Uniform:
    """Knows nothing: its perplexity is the size of the vocabulary."""

    def log_probabilities(self, contexts: NDArray[np.int32]) -> NDArray[np.float64]:
        return np.full((len(contexts), VOCAB_SIZE), -np.log(VOCAB_SIZE))


class Repeater:
    """Gives the token two places back 0.6, every other 0.1."""

    def log_probabilities(self, contexts: NDArray[np.int32]) -> NDArray[np.float64]:
        probabilities = np.full((len(contexts), VOCAB_SIZE), 0.1)
        probabilities[np.arange(len(contexts)), contexts[:, -2]] = 0.6
        return np.log(probabilities)


def test_the_perplexity_of_knowing_nothing_is_the_vocabularys_size() -> None:
    scores = score_targets(Uniform(), TOKENS, np.array([2, 3, 4, 5]), n_context=2)
    assert summarise_scores(scores, 4)["perplexity"] == pytest.approx(VOCAB_SIZE)


def test_each_target_is_scored_on_the_tokens_before_it() -> None:
    # Targets 4, 3, 4, 1 at 2..5; two places back stand 0, 3, 4, 3: hit at 3 and 4 only.
    scores = score_targets(Repeater(), TOKENS, np.array([2, 3, 4, 5]), n_context=2)
    assert scores.column("token_id").to_pylist() == [4, 3, 4, 1]
    expected = -np.log([0.1, 0.6, 0.6, 0.1])
    assert scores.column("nll_nat").to_pylist() == pytest.approx(expected.tolist())
    assert (scores.column("rank").to_numpy() == 0).tolist() == [False, True, True, False]


def test_the_summary_says_what_it_is_over() -> None:
    scores = score_targets(Repeater(), TOKENS, np.array([2, 3, 4, 5]), n_context=2)
    summary = summarise_scores(scores, n_asked=5)
    assert summary["accuracy"] == 0.5
    assert summary["n_targets"] == 4
    assert summary["unknown_share"] == pytest.approx(0.2)
    assert summary["loss_nat"] == pytest.approx(-np.log(0.06) / 2)
