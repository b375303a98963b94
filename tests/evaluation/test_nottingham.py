"""Figures of real melodies that were computed elsewhere.

Those of two melodies come from MusPy 0.5.0 (mean intervals and IOIs from a calculation by hand), those of whole sets from
a prototype that is not part of the project: 119 melodies of the test split, and 119 of train, which are not named.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import symusic

from pipeline_lib.config import EvaluateConfig
from pipeline_lib.evaluation.metrics import build_reference, measure_set
from pipeline_lib.evaluation.pitch import (
    intervals,
    mean_absolute_interval,
    pitch_class_entropy,
    pitch_entropy,
    scale_consistency,
)
from pipeline_lib.evaluation.rhythm import inter_onset_intervals
from pipeline_lib.notes.grid import GridNotes
from tests.evaluation.one_piece import alone, of

_REPOSITORY = Path(__file__).parents[2]
_DATA = _REPOSITORY / os.environ.get("MUSIC_PIPELINE_TEST_DATA", "../shared/data")
_MELODIES = _DATA / "midi" / "nottingham-melody"
_SPLIT = _DATA / "benchmarks" / "nott_split.json"
PROTOTYPE_STEPS_PER_QUARTER = 24

pytestmark = pytest.mark.skipif(
    not (_MELODIES.is_dir() and _SPLIT.is_file()),
    reason="no nottingham-melody under MUSIC_PIPELINE_TEST_DATA (default ../shared/data)",
)


def load_melody(name: str) -> GridNotes:
    """The file's notes on the grid of its own ticks; these files have one track, no tempo."""
    score = symusic.Score(_MELODIES / name)
    notes = sorted((n.time, n.pitch, n.duration) for track in score.tracks for n in track.notes)
    onset_step, pitch, duration_step = np.array(notes, dtype=np.int64).T
    return GridNotes(onset_step, duration_step, pitch, steps_per_quarter=score.ticks_per_quarter)


def quantised(notes: GridNotes) -> GridNotes:
    """On the prototype's grid; no two notes change places."""
    scale = PROTOTYPE_STEPS_PER_QUARTER / notes.steps_per_quarter
    return replace(
        notes,
        onset_step=np.rint(notes.onset_step * scale).astype(np.int64),
        duration_step=np.rint(notes.duration_step * scale).astype(np.int64).clip(min=1),
        steps_per_quarter=PROTOTYPE_STEPS_PER_QUARTER,
    )


@pytest.fixture(scope="module")
def figures_by_split() -> dict[str, pd.DataFrame]:
    names: dict[str, list[str]] = json.loads(_SPLIT.read_text(encoding="utf-8"))
    pieces = {split: [quantised(load_melody(n)) for n in names[split]] for split in names}
    config = EvaluateConfig(leap_threshold_semitones=4)
    reference = build_reference(pieces["train"])
    return {split: measure_set(pieces[split], config, reference) for split in ("train", "test")}


@pytest.mark.parametrize(
    ("name", "pitch_bits", "pitch_class_bits", "scale", "ioi_sec", "interval_semitones"),
    [
        ("jigs1.mid", 2.891805, 2.698292, 0.982456, 0.279412, 2.564706),
        ("ashover1.mid", 3.046755, 2.786321, 1.0, 0.671642, 3.089552),
    ],
)
def test_check_values(name, pitch_bits, pitch_class_bits, scale, ioi_sec, interval_semitones):
    notes = load_melody(name)
    assert of(pitch_entropy, notes) == pytest.approx(pitch_bits, abs=1e-6)
    assert of(pitch_class_entropy, notes) == pytest.approx(pitch_class_bits, abs=1e-6)
    assert of(scale_consistency, notes) == pytest.approx(scale, abs=1e-6)
    ioi_quarter = inter_onset_intervals(alone(notes)).values
    assert ioi_quarter.mean() * 60 / notes.tempo_qpm == pytest.approx(ioi_sec, abs=1e-6)
    assert np.abs(intervals(alone(notes)).values).mean() == pytest.approx(
        interval_semitones, abs=1e-6
    )
    assert of(mean_absolute_interval, notes) == pytest.approx(interval_semitones, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "expected", "tolerance"),
    [
        ("pitch_class_entropy", 2.68, 0.005),
        ("scale_consistency", 0.982, 0.0005),
        # The prototype takes the notes of a chord one after the other, we take the highest.
        ("leap_rate", 0.136, 0.002),
        ("ioi_entropy", 1.07, 0.005),
        ("ngram_repetition_4", 0.543, 0.0005),
        # The prototype writes the same pairs in another alphabet.
        ("compression_ratio", 0.465, 0.01),
    ],
)
def test_means_of_the_test_split(figures_by_split, metric, expected, tolerance):
    figures = figures_by_split["test"][metric]
    assert figures.count() == 119
    assert figures.mean() == pytest.approx(expected, abs=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("pitch_class_entropy", 2.68),
        ("scale_consistency", 0.981),
        ("leap_rate", 0.140),
        ("ioi_entropy", 1.05),
        ("ngram_repetition_4", 0.553),
        ("compression_ratio", 0.460),
    ],
)
def test_means_of_some_of_the_train_split(figures_by_split, metric, expected):
    """Which 119 is not known: all of train within three standard errors of the mean of 119."""
    figures = figures_by_split["train"][metric]
    assert len(figures) == 806
    assert figures.mean() == pytest.approx(expected, abs=3 * figures.std() / np.sqrt(119))
