"""What must hold of every metric for every piece, however odd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline_lib.config import EvaluateConfig
from pipeline_lib.evaluation.metrics import METRICS, Reference, build_reference, measure_set
from pipeline_lib.evaluation.pieces import Pieces
from pipeline_lib.evaluation.pitch import interval_histogram, intervals
from pipeline_lib.notes.grid import GridNotes
from tests.evaluation.one_piece import alone

CONFIG = EvaluateConfig()
# All metrics of a piece take milliseconds, but on a busy machine the first call may not.
unhurried = settings(deadline=None)
UPPER_BOUND_BY_UNIT = {"share": 1, "similarity": 1, "bits": np.inf, "semitones": 127}
UPPER_BOUND_BY_UNIT |= {"pitches": 128, "ratio": np.inf, "per_quarter": np.inf, "index": 200}


def measure_piece(
    notes: GridNotes, config: EvaluateConfig, reference: Reference
) -> dict[str, float]:
    return measure_set([notes], config, reference).iloc[0].to_dict()


@st.composite
def pieces(draw: st.DrawFn) -> GridNotes:
    note = st.tuples(st.integers(0, 300), st.integers(12, 115), st.integers(1, 100))
    table = np.array(sorted(draw(st.lists(note, max_size=30))), dtype=np.int64).reshape(-1, 3)
    return GridNotes(
        onset_step=table[:, 0],
        pitch=table[:, 1],
        duration_step=table[:, 2],
        steps_per_quarter=draw(st.sampled_from([4, 12, 24])),
        time_signature=draw(st.sampled_from(["4/4", "3/4", "6/8", "7/16", "5/32"])),
    )


@unhurried
@given(pieces(), pieces())
def test_every_metric_is_nan_or_within_its_bounds(notes, reference_piece):
    measured = measure_piece(notes, CONFIG, build_reference([reference_piece]))
    for name, value in measured.items():
        assert isinstance(value, float)
        if not np.isnan(value):
            assert 0 <= value <= UPPER_BOUND_BY_UNIT[METRICS[name].unit], name


@unhurried
@given(pieces(), st.integers(-12, 12))
def test_transposing_changes_no_metric(notes, semitones):
    moved = replace(notes, pitch=notes.pitch + semitones)
    reference = build_reference([notes])
    assert measure_piece(moved, CONFIG, reference) == pytest.approx(
        measure_piece(notes, CONFIG, reference), nan_ok=True
    )
    assert (intervals(alone(moved)).values == intervals(alone(notes)).values).all()


@unhurried
@given(pieces(), st.integers(2, 7))
def test_the_resolution_of_the_grid_changes_no_metric(notes, factor):
    finer = replace(
        notes,
        onset_step=notes.onset_step * factor,
        duration_step=notes.duration_step * factor,
        steps_per_quarter=notes.steps_per_quarter * factor,
    )
    # The coarse grid cannot hold every bar exactly (7/16 at 4 steps a quarter can, 5/32 cannot).
    assume(finer.steps_per_bar == notes.steps_per_bar * factor)
    reference = build_reference([notes])
    assert measure_piece(finer, CONFIG, reference) == pytest.approx(
        measure_piece(notes, CONFIG, reference), nan_ok=True
    )


@settings(deadline=None, max_examples=20)
@given(st.lists(pieces(), max_size=4))
def test_a_piece_is_measured_the_same_alone_and_among_others(several):
    reference = build_reference(several[:1])
    together = measure_set(several, CONFIG, reference).to_dict("records")
    one_by_one = [measure_piece(notes, CONFIG, reference) for notes in several]
    for in_set, by_itself in zip(together, one_by_one, strict=True):
        assert in_set == pytest.approx(by_itself, nan_ok=True)


@unhurried
@given(pieces())
def test_a_piece_is_consistent_with_its_own_rhythm(notes):
    own = measure_piece(notes, CONFIG, build_reference([notes]))["rhythmic_consistency"]
    assert own == pytest.approx(1) or (np.isnan(own) and len(np.unique(notes.onset_step)) < 2)


@unhurried
@given(st.lists(pieces(), max_size=4))
def test_interval_histogram_sums_to_one(several):
    share = interval_histogram(Pieces.of(several))
    assert np.isnan(share).all() or share.sum() == pytest.approx(1)
