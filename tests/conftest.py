"""Fixtures that several test folders share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from pipeline_lib.notes.grid import GridNotes

# The same examples every time: a red build must come from a change. Busy machines miss deadlines.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real MIDI files; tests that need it are skipped where it is missing."""
    folder = Path(os.environ.get("MUSIC_PIPELINE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}: set MUSIC_PIPELINE_TEST_DATA")
    return folder


MakeMelody = Callable[..., GridNotes]
G_MAJOR = (62, 64, 66, 67, 69, 71, 72, 74, 76, 78, 79, 81)


@pytest.fixture(scope="session")
def make_melody() -> MakeMelody:
    """Builds one line from (pitch, pitches or None for a rest; duration) pairs, 24 steps to a quarter."""

    def make(
        line: Sequence[tuple[int | tuple[int, ...] | None, int]], **settings: object
    ) -> GridNotes:
        rows = []
        now = 0
        for pitches, duration in line:
            for pitch in () if pitches is None else np.atleast_1d(pitches):
                rows.append((now, duration, pitch))
            now += duration
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return GridNotes(*table.T, **{"steps_per_quarter": 24, **settings})

    return make


@pytest.fixture(scope="session")
def jig(make_melody: MakeMelody) -> GridNotes:
    """Twelve bars of 6/8 in G major: a seeded walk on the scale, ending on G."""
    rng = np.random.default_rng(3)
    bars = ((12,) * 6, (24, 12, 24, 12), (12, 12, 12, 24, 12), (36, 12, 12, 12))
    degree = 3
    line = []
    for _ in range(11):
        for duration in bars[rng.integers(len(bars))]:
            degree = int(np.clip(degree + rng.integers(-2, 3), 0, len(G_MAJOR) - 1))
            line.append((G_MAJOR[degree], duration))
    line += [(67, 36), (67, 36)]
    return make_melody(line, time_signature="6/8", tempo_qpm=150.0, key_signature="G major")
