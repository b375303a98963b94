"""A piece as one line of events, by hand."""

from __future__ import annotations

import numpy as np

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.tokens.tokenisers.line import Event, events_of


def events(*notes: tuple[int, int, int], longest_step: int = 192) -> list[Event]:
    """Of notes as (onset, duration, pitch) in steps of 1/24 quarter."""
    arrays = np.array(notes, dtype=np.int64).reshape(-1, 3).T
    return list(events_of(GridNotes(*arrays, 24), longest_step))


def test_a_melody_with_a_rest() -> None:
    assert events((0, 12, 60), (12, 12, 62), (36, 24, 64)) == [
        ((60,), 12),
        ((62,), 12),
        ((), 12),
        ((64,), 24),
    ]


def test_silence_before_the_first_note_is_kept() -> None:
    assert events((24, 24, 60)) == [((), 24), ((60,), 24)]


def test_notes_that_begin_together_are_one_chord_as_long_as_the_longest() -> None:
    assert events((0, 24, 60), (0, 48, 64), (0, 24, 67)) == [((60, 64, 67), 48)]


def test_a_note_ends_where_the_next_begins() -> None:
    assert events((0, 96, 48), (24, 24, 60)) == [((48,), 24), ((60,), 24)]


def test_long_notes_and_rests_are_divided() -> None:
    assert events((0, 60, 60), (24 * 7, 24, 62), longest_step=48) == [
        ((60,), 48),
        ((), 48),
        ((), 48),
        ((), 24),
        ((62,), 24),
    ]
