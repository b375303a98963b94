"""Tokens of hand-written notes, and the round trip for any line of notes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.quantising import quantise_ticks
from pipeline_lib.notes.selection import PieceNotes
from pipeline_lib.tokens.corpus import encode_piece
from pipeline_lib.tokens.tokenisers.note_event import (
    decode_tokens,
    encode_notes,
    parse_token,
    transpose_token,
)

STEPS = 24


def grid(*notes: tuple[int, int, int]) -> GridNotes:
    """Notes as (onset, duration, pitch) in steps of 1/24 quarter."""
    onset, duration, pitch = (
        np.array(column, dtype=np.int64) for column in zip(*notes, strict=True)
    )
    return GridNotes(onset, duration, pitch, STEPS)


def test_a_melody_with_a_rest() -> None:
    notes = grid((0, 12, 60), (12, 12, 62), (36, 24, 64))
    assert encode_notes(notes, 8) == ["Pitch_60:1/2", "Pitch_62:1/2", "Rest:1/2", "Pitch_64:1"]


def test_silence_before_the_first_note_is_kept() -> None:
    assert encode_notes(grid((24, 24, 60)), 8) == ["Rest:1", "Pitch_60:1"]


def test_notes_that_begin_together_are_one_chord_as_long_as_the_longest() -> None:
    notes = grid((0, 24, 60), (0, 48, 64), (0, 24, 67))
    assert encode_notes(notes, 8) == ["Chord_60.64.67:2"]


def test_a_note_ends_where_the_next_begins() -> None:
    notes = grid((0, 96, 48), (24, 24, 60))
    assert encode_notes(notes, 8) == ["Pitch_48:1", "Pitch_60:1"]


def test_long_notes_and_rests_are_divided() -> None:
    notes = grid((0, 60, 60), (24 * 7, 24, 62))
    assert encode_notes(notes, 2) == [
        "Pitch_60:2",
        "Rest:2",
        "Rest:2",
        "Rest:1",
        "Pitch_62:1",
    ]


def test_no_notes_are_no_tokens() -> None:
    empty = GridNotes(*(np.empty(0, dtype=np.int64) for _ in range(3)), STEPS)
    assert encode_notes(empty, 8) == []
    assert len(decode_tokens([], STEPS)) == 0


def test_special_tokens_take_no_time() -> None:
    notes = decode_tokens(["<start>", "Rest:1", "Pitch_60:1/3", "<end>"], STEPS)
    assert notes.onset_step.tolist() == [24]
    assert notes.duration_step.tolist() == [8]


@pytest.mark.parametrize(
    "token",
    ["Pitch_60", "Pitch_60:0", "Pitch_60:1/7", "Pitch_:1", "Rest_60:1x", "Note_60:1", "C4:1"],
)
def test_text_that_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(ConfigError, match="not a note token"):
        parse_token(token, STEPS)


@pytest.mark.parametrize(
    ("tick", "step"), [(0, 0), (9, 0), (10, 1), (20, 1), (29, 1), (30, 2), (480, 24)]
)
def test_ticks_go_to_the_nearest_step_and_halves_up(tick: int, step: int) -> None:
    # 480 ticks per quarter on 24 steps: 20 ticks a step, so 10 ticks are exactly half.
    assert quantise_ticks(np.array([tick]), 480, 24).tolist() == [step]


def test_tracks_are_merged_and_notes_of_any_order_come_out_by_time() -> None:
    notes = PieceNotes(
        track=np.array([1, 0, 0], np.uint16),
        is_drum=np.zeros(3, bool),
        pitch=np.array([64, 67, 60], np.uint8),
        onset_tick=np.array([0, 480, 0], np.int32),
        duration_tick=np.array([480, 480, 480], np.int32),
        ticks_per_quarter=480,
    )
    assert encode_piece(notes, 24, 8) == ["Chord_60.64:1", "Pitch_67:1"]


@pytest.mark.parametrize(
    ("token", "semitones", "moved"),
    [
        ("Pitch_60:1/2", 3, "Pitch_63:1/2"),
        ("Chord_60.64.67:1", -5, "Chord_55.59.62:1"),
        ("Rest:3/2", 6, "Rest:3/2"),
        ("Pitch_124:1", 6, None),
        ("Chord_2.60:1", -3, None),
    ],
)
def test_a_token_in_another_key(token: str, semitones: int, moved: str | None) -> None:
    assert transpose_token(token, semitones) == moved


events = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.integers(1, 300),
        st.sets(st.integers(0, 127), min_size=1, max_size=4),
    ),
    max_size=20,
)


@given(events)
def test_decoding_gives_back_what_was_encoded(drawn: list[tuple[int, int, set[int]]]) -> None:
    rows: list[tuple[int, int, int]] = []
    now = 0
    for gap, duration, pitches in drawn:
        now += gap
        rows += [(now, duration, pitch) for pitch in sorted(pitches)]
        now += duration
    arrays = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    notes = GridNotes(*arrays, STEPS)
    back = decode_tokens(encode_notes(notes, 64), STEPS)
    assert np.array_equal(back.onset_step, notes.onset_step)
    assert np.array_equal(back.duration_step, notes.duration_step)
    assert np.array_equal(back.pitch, notes.pitch)
