"""Figures of two real melodies, computed with MusPy 0.5.0 (mean intervals and IOIs by hand)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import symusic

from pipeline_lib.evaluation.pitch import (
    intervals,
    pitch_class_entropy,
    pitch_entropy,
    scale_consistency,
)
from pipeline_lib.evaluation.rhythm import inter_onset_intervals
from pipeline_lib.notes.grid import GridNotes

_REPOSITORY = Path(__file__).parents[2]
_DATA = _REPOSITORY / os.environ.get("MUSIC_PIPELINE_TEST_DATA", "../shared/data")
_MELODIES = _DATA / "midi" / "nottingham-melody"

pytestmark = pytest.mark.skipif(
    not _MELODIES.is_dir(),
    reason="no nottingham-melody under MUSIC_PIPELINE_TEST_DATA (default ../shared/data)",
)


def load_melody(name: str) -> GridNotes:
    """The file's notes on the grid of its own ticks; these files have one track, no tempo."""
    score = symusic.Score(_MELODIES / name)
    notes = sorted((n.time, n.pitch, n.duration) for track in score.tracks for n in track.notes)
    onset_step, pitch, duration_step = np.array(notes, dtype=np.int64).T
    return GridNotes(onset_step, duration_step, pitch, steps_per_quarter=score.ticks_per_quarter)


@pytest.mark.parametrize(
    ("name", "pitch_bits", "pitch_class_bits", "scale", "ioi_sec", "interval_semitones"),
    [
        ("jigs1.mid", 2.891805, 2.698292, 0.982456, 0.279412, 2.564706),
        ("ashover1.mid", 3.046755, 2.786321, 1.0, 0.671642, 3.089552),
    ],
)
def test_check_values(name, pitch_bits, pitch_class_bits, scale, ioi_sec, interval_semitones):
    notes = load_melody(name)
    assert pitch_entropy(notes) == pytest.approx(pitch_bits, abs=1e-6)
    assert pitch_class_entropy(notes) == pytest.approx(pitch_class_bits, abs=1e-6)
    assert scale_consistency(notes) == pytest.approx(scale, abs=1e-6)
    ioi_quarter = inter_onset_intervals(notes)
    assert ioi_quarter.mean() * 60 / notes.tempo_qpm == pytest.approx(ioi_sec, abs=1e-6)
    assert np.abs(intervals(notes)).mean() == pytest.approx(interval_semitones, abs=1e-6)
