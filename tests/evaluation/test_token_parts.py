"""Notes counted, and probabilities taken apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.token_parts import TokenParts
from pipeline_lib.tokens.vocabulary import END_ID, SPECIAL_TOKENS, Vocabulary
from tests.tokenisers import NOTES

# Of three pitches, interleaved as a vocabulary sorted by count has them.
TOKENS = (
    *SPECIAL_TOKENS,
    "Pitch_60:1",
    "Rest:1",
    "Chord_60.64.67:2",
    "Pitch_60:1/2",
    "Rest:1/3",
    "Pitch_60:2",
)
PARTS = TokenParts.of(Vocabulary.of(TOKENS, NOTES).features)


def pitch_probabilities(probabilities: list[float], *token_ids: int) -> list[float]:
    rows = np.log(np.tile(probabilities, (len(token_ids), 1)))
    return np.exp(PARTS.pitch_log_probabilities(rows, np.array(token_ids, dtype=np.int32))).tolist()


def test_every_pitch_of_a_chord_is_a_note_and_a_rest_is_none() -> None:
    assert PARTS.n_notes.tolist() == [0, 0, 0, 1, 0, 3, 1, 0, 1]


def test_a_pitch_is_as_likely_as_all_its_durations_together() -> None:
    p = [0.01, 0.02, 0.03, 0.1, 0.2, 0.04, 0.3, 0.1, 0.2]
    # Pitch_60: 0.1 + 0.3 + 0.2; Rest: 0.2 + 0.1; the chord and the end have one duration each.
    found = pitch_probabilities(p, 3, 6, 8, 4, 7, 5, END_ID)
    assert found == pytest.approx([0.6, 0.6, 0.6, 0.3, 0.3, 0.04, 0.02])


def test_a_token_that_alone_has_its_pitch_keeps_its_probability_to_the_bit() -> None:
    log_p = np.log(np.full((1, len(TOKENS)), 1 / len(TOKENS)))
    assert PARTS.pitch_log_probabilities(log_p, np.array([5], np.int32))[0] == log_p[0, 5]


def test_no_targets_have_no_probabilities() -> None:
    none = PARTS.pitch_log_probabilities(np.empty((0, len(TOKENS))), np.empty(0, np.int32))
    assert none.tolist() == []


@given(st.lists(st.floats(-700, 0), min_size=len(TOKENS), max_size=len(TOKENS)))
def test_pitches_share_all_probability_and_none_is_less_likely_than_its_token(
    scores: list[float],
) -> None:
    log_p = np.array([scores]) - np.logaddexp.reduce(scores)
    every = np.arange(len(TOKENS), dtype=np.int32)
    of_pitch = PARTS.pitch_log_probabilities(np.repeat(log_p, len(TOKENS), axis=0), every)
    assert (of_pitch >= log_p[0]).all()
    one_of_each = [0, 1, 2, 3, 4, 5]
    assert np.exp(of_pitch[one_of_each]).sum() == pytest.approx(1.0)
