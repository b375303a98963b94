"""Small pieces whose metrics can be worked out by hand. `four_notes` has a value by hand for every metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pipeline_lib.notes.grid import GridNotes

MakeNotes = Callable[..., GridNotes]


@pytest.fixture(scope="session")
def make_notes() -> MakeNotes:
    """Builds a piece from (onset, pitch, duration) triples; times in steps, 24 to a quarter."""

    def make(notes: Sequence[tuple[int, int, int]], **settings: object) -> GridNotes:
        table = np.array(sorted(notes), dtype=np.int64).reshape(-1, 3)
        return GridNotes(
            onset_step=table[:, 0],
            pitch=table[:, 1],
            duration_step=table[:, 2],
            **{"steps_per_quarter": 24, **settings},
        )

    return make


@pytest.fixture(scope="session")
def make_melody(make_notes: MakeNotes) -> MakeNotes:
    """Builds a melody without rests from (pitch, duration) pairs."""

    def make(notes: Sequence[tuple[int, int]], **settings: object) -> GridNotes:
        onsets = np.cumsum([0, *(duration for _, duration in notes)])[:-1]
        triples = [(int(o), p, d) for o, (p, d) in zip(onsets, notes, strict=True)]
        return make_notes(triples, **settings)

    return make


@pytest.fixture(scope="session")
def c_major_scale(make_melody: MakeNotes) -> GridNotes:
    """Eight quarters, C4 to C5: two bars of 4/4."""
    return make_melody([(p, 24) for p in (60, 62, 64, 65, 67, 69, 71, 72)])


@pytest.fixture(scope="session")
def triads(make_notes: MakeNotes) -> GridNotes:
    """C triad, F triad, a third and another third; each a half note."""
    chords = [(60, 64, 67), (65, 69, 72), (60, 64), (65, 69)]
    return make_notes([(48 * i, p, 48) for i, chord in enumerate(chords) for p in chord])


@pytest.fixture(scope="session")
def four_notes(make_notes: MakeNotes) -> GridNotes:
    """C4 quarter, C4 eighth, G4 eighth, a quarter's rest, E4 quarter: one bar of 4/4."""
    return make_notes([(0, 60, 24), (24, 60, 12), (36, 67, 12), (72, 64, 24)])


@pytest.fixture(scope="session")
def silence(make_notes: MakeNotes) -> GridNotes:
    return make_notes([])


@pytest.fixture(scope="session")
def one_note(make_notes: MakeNotes) -> GridNotes:
    return make_notes([(0, 60, 24)])


@pytest.fixture(scope="session")
def one_chord(make_notes: MakeNotes) -> GridNotes:
    return make_notes([(0, 60, 24), (0, 64, 24), (0, 67, 24)])
