"""Scores of models whose answers are known beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline_lib.evaluation.likelihood import score_targets, summarise_scores

VOCAB_SIZE = 5
TOKENS = np.array([0, 3, 4, 3, 4, 1, 0, 3, 2, 1, 0, 1], dtype=np.int32)
SPANS = np.array([[0, 6], [6, 4], [10, 2]])


class Uniform:
    """Knows nothing: its perplexity is the size of the vocabulary."""

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[NDArray[np.float64]]:
        for piece in pieces:
            yield np.full((max(len(piece) - first_target, 0), VOCAB_SIZE), -np.log(VOCAB_SIZE))


class Repeater:
    """Gives the token two places back 0.6, every other 0.1."""

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[NDArray[np.float64]]:
        for piece in pieces:
            two_back = piece[first_target - 2 : -2]
            probabilities = np.full((max(len(piece) - first_target, 0), VOCAB_SIZE), 0.1)
            probabilities[np.arange(len(probabilities)), two_back[: len(probabilities)]] = 0.6
            yield np.log(probabilities)


def test_the_perplexity_of_knowing_nothing_is_the_vocabularys_size() -> None:
    scores = score_targets(Uniform(), TOKENS, SPANS, n_context=2)
    assert summarise_scores(scores, 6)["perplexity"] == pytest.approx(VOCAB_SIZE)


def test_each_target_is_scored_on_the_tokens_of_its_piece_before_it() -> None:
    # Targets 4, 3, 4, 1 at 2..5; two places back stand 0, 3, 4, 3: hit at 3 and 4 only.
    scores = score_targets(Repeater(), TOKENS, SPANS[:1], n_context=2)
    assert scores.column("position").to_pylist() == [2, 3, 4, 5]
    assert scores.column("token_id").to_pylist() == [4, 3, 4, 1]
    expected = -np.log([0.1, 0.6, 0.6, 0.1])
    assert scores.column("nll_nat").to_pylist() == pytest.approx(expected.tolist())
    assert (scores.column("rank").to_numpy() == 0).tolist() == [False, True, True, False]


def test_unknown_targets_and_pieces_without_targets_have_no_row() -> None:
    # Of the second piece 2 is the unknown token; the third has no token with two before it.
    scores = score_targets(Uniform(), TOKENS, SPANS, n_context=2)
    assert scores.column("position").to_pylist() == [2, 3, 4, 5, 9]


def test_progress_is_told_in_pieces() -> None:
    told: list[tuple[int, int]] = []
    score_targets(Uniform(), TOKENS, SPANS, 2, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_summary_says_what_it_is_over() -> None:
    scores = score_targets(Repeater(), TOKENS, SPANS[:1], n_context=2)
    summary = summarise_scores(scores, n_asked=5)
    assert summary["accuracy"] == 0.5
    assert summary["n_targets"] == 4
    assert summary["unknown_share"] == pytest.approx(0.2)
    assert summary["loss_nat"] == pytest.approx(-np.log(0.06) / 2)
