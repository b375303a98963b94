"""Scores of models whose answers are known beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from pipeline_lib.evaluation.likelihood import (
    SCORE_SCHEMA,
    mean_loss_nat,
    score_side_by_side,
    score_targets,
    summarise_scores,
)
from pipeline_lib.evaluation.token_parts import TokenParts
from pipeline_lib.tokens.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.tokenisers import NOTES

VOCABULARY = Vocabulary.of(
    (*SPECIAL_TOKENS, "Pitch_60:1", "Pitch_60:2", "Chord_60.64:1", "Rest:1", "Rest:2"), NOTES
)
PARTS = TokenParts.of(VOCABULARY.features)
VOCAB_SIZE = len(VOCABULARY)
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
    """Gives the token two places back 0.3, every other 0.1."""

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[NDArray[np.float64]]:
        for piece in pieces:
            two_back = piece[first_target - 2 : -2]
            probabilities = np.full((max(len(piece) - first_target, 0), VOCAB_SIZE), 0.1)
            probabilities[np.arange(len(probabilities)), two_back[: len(probabilities)]] = 0.3
            yield np.log(probabilities)


# One piece, its last four tokens the targets; each row has what the model gives every token, in 32nds.
FOUR_TARGETS = np.array([0, 3, 4, 5, 6, 1], dtype=np.int32)
GIVEN_32NDS = [
    #  special    Pitch_60  Chord  Rest
    #  s  e  u    :1  :2           :1 :2
    [1, 2, 1, 16, 8, 2, 1, 1],  # Pitch_60:2 comes: 2 bits, of the pitch log2(32/24); 1 is likelier
    [1, 2, 1, 4, 4, 16, 3, 1],  # the chord: 1 bit, all of it pitch; a hit
    [1, 1, 1, 8, 8, 8, 4, 1],  # Rest:1: 3 bits, of the pitch log2(32/5); 3 are likelier
    [
        1,
        1,
        1,
        8,
        8,
        5,
        4,
        4,
    ],  # the end: 5 bits, all pitch; 5 are likelier, 1 as likely has a smaller id
]


def score_four_targets() -> pa.Table:
    given = np.log(np.array(GIVEN_32NDS) / 32)
    (scores,) = score_side_by_side([[given]], FOUR_TARGETS, np.array([[0, 6]]), 2, PARTS)
    return scores


def test_each_target_is_scored_by_hand() -> None:
    scores = score_four_targets()
    assert scores.schema.equals(SCORE_SCHEMA, check_metadata=True)
    columns = {name: scores.column(name).to_numpy() for name in scores.column_names}
    bits = {name: columns[name] / np.log(2) for name in ("nll_nat", "pitch_nll_nat")}
    assert bits["nll_nat"] == pytest.approx([2, 1, 3, 5])
    assert bits["pitch_nll_nat"] == pytest.approx([np.log2(4 / 3), 1, np.log2(32 / 5), 5])
    assert columns["rank"].tolist() == [1, 0, 3, 6]
    assert columns["top_probability"] == pytest.approx([1 / 2, 1 / 2, 1 / 4, 1 / 4])
    assert columns["n_notes"].tolist() == [1, 2, 0, 0]


def test_the_figures_of_four_targets_by_hand() -> None:
    figures = summarise_scores(score_four_targets(), n_asked=5)
    # 2 + 1 + 3 + 5 = 11 bits over 4 targets and 3 notes.
    pitch_bits = (np.log2(4 / 3) + 1 + np.log2(32 / 5) + 5) / 4
    assert figures == pytest.approx(
        {
            "loss_nat": 11 / 4 * np.log(2),
            "pitch_loss_nat": pitch_bits * np.log(2),
            "duration_loss_nat": (11 / 4 - pitch_bits) * np.log(2),
            "perplexity": 2 ** (11 / 4),
            "accuracy": 1 / 4,
            "top5_accuracy": 3 / 4,
            "bits_per_note": 11 / 3,
            # Of confidence 1/2 one of two is a hit, as expected; of 1/4 none: (2 * 0 + 2 * 1/4) / 4.
            "ece": 1 / 8,
            "n_targets": 4,
            "n_notes": 3,
            "unknown_share": 1 / 5,
        }
    )


def test_without_notes_there_are_no_bits_per_note() -> None:
    only_rest_and_end = score_four_targets().slice(2)
    assert np.isnan(summarise_scores(only_rest_and_end, n_asked=2)["bits_per_note"])


def test_the_perplexity_of_knowing_nothing_is_the_vocabularys_size() -> None:
    figures = summarise_scores(score_targets(Uniform(), TOKENS, SPANS, 2, PARTS), n_asked=6)
    assert figures["perplexity"] == pytest.approx(VOCAB_SIZE)
    # All tokens are as likely as the first, which never comes; and so often it expects to be right.
    assert figures["accuracy"] == 0
    assert figures["ece"] == pytest.approx(1 / VOCAB_SIZE)


def test_equally_likely_tokens_rank_by_id() -> None:
    scores = score_targets(Uniform(), TOKENS, SPANS, 2, PARTS)
    assert scores.column("rank").equals(scores.column("token_id"))


def test_each_target_is_scored_on_the_tokens_of_its_piece_before_it() -> None:
    # Targets 4, 3, 4, 1 at 2..5; two places back stand 0, 3, 4, 3: hit at 3 and 4 only.
    scores = score_targets(Repeater(), TOKENS, SPANS[:1], 2, PARTS)
    assert scores.column("position").to_pylist() == [2, 3, 4, 5]
    assert scores.column("token_id").to_pylist() == [4, 3, 4, 1]
    expected = -np.log([0.1, 0.3, 0.3, 0.1])
    assert scores.column("nll_nat").to_pylist() == pytest.approx(expected.tolist())
    assert (scores.column("rank").to_numpy() == 0).tolist() == [False, True, True, False]


def test_unknown_targets_and_pieces_without_targets_have_no_row() -> None:
    # Of the second piece 2 is the unknown token; the third has no token with two before it.
    scores = score_targets(Uniform(), TOKENS, SPANS, 2, PARTS)
    assert scores.column("position").to_pylist() == [2, 3, 4, 5, 9]
    assert scores.column("piece").to_pylist() == [0, 0, 0, 0, 1]
    assert scores.column("place").to_pylist() == [2, 3, 4, 5, 3]


def test_the_loss_alone_is_that_of_all_figures() -> None:
    for predictor in (Uniform(), Repeater()):
        scores = score_targets(predictor, TOKENS, SPANS, 2, PARTS)
        expected = summarise_scores(scores, n_asked=6)["loss_nat"]
        assert mean_loss_nat(predictor, TOKENS, SPANS, 2) == expected


def test_progress_is_told_in_pieces() -> None:
    told: list[tuple[int, int]] = []
    score_targets(
        Uniform(), TOKENS, SPANS, 2, PARTS, lambda done, total: told.append((done, total))
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
