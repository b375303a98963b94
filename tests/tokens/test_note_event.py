"""The texts of note-event tokens, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.notes.grid import GridNotes
from tests.tokenisers import NOTES, note_events


def test_notes_chords_and_rests_are_a_token_each() -> None:
    arrays = np.array([(0, 12, 60), (24, 24, 60), (24, 48, 64), (24, 24, 67), (216, 36, 62)]).T
    notes = GridNotes(*arrays, 24)
    assert NOTES.encode(notes) == [
        "Pitch_60:1/2",
        "Rest:1/2",
        "Chord_60.64.67:2",
        "Rest:6",
        "Pitch_62:3/2",
    ]
    assert note_events(longest_quarter=4).encode(notes)[3:5] == ["Rest:4", "Rest:2"]


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
    assert NOTES.transpose(token, semitones) == moved
