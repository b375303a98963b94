from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.pitch import (
    interval_histogram,
    intervals,
    leap_rate,
    pitch_class_entropy,
    pitch_entropy,
    pitch_range,
    scale_consistency,
    top_line,
)


def test_scale_check_values(c_major_scale):
    assert pitch_entropy(c_major_scale) == pytest.approx(3.0)
    assert pitch_class_entropy(c_major_scale) == pytest.approx(2.75)
    assert scale_consistency(c_major_scale) == 1
    assert pitch_range(c_major_scale) == 12


def test_triads_check_values(triads):
    assert pitch_entropy(triads) == pytest.approx(2.521928, abs=1e-6)
    assert pitch_class_entropy(triads) == pytest.approx(2.246439, abs=1e-6)


def test_four_notes_by_hand(four_notes):
    assert intervals(four_notes).tolist() == [0, 7, -3]
    # C, C, G, E: shares 1/2, 1/4, 1/4.
    assert pitch_entropy(four_notes) == 1.5
    assert pitch_class_entropy(four_notes) == 1.5
    assert scale_consistency(four_notes) == 1
    assert pitch_range(four_notes) == 7


def test_octaves_share_a_pitch_class(make_melody):
    octaves = make_melody([(48, 24), (60, 24), (72, 24), (62, 24)])
    assert pitch_entropy(octaves) == 2
    assert pitch_class_entropy(octaves) == pytest.approx(0.811278, abs=1e-6)


def test_scale_consistency_of_all_twelve_pitch_classes(make_melody):
    assert scale_consistency(make_melody([(60 + i, 24) for i in range(12)])) == 7 / 12


def test_natural_minor_counts_as_a_scale(make_melody):
    a_minor = make_melody([(p, 24) for p in (57, 59, 60, 62, 64, 65, 67, 69)])
    assert scale_consistency(a_minor) == 1


@pytest.mark.parametrize(("threshold_semitones", "share"), [(2, 2 / 3), (3, 1 / 3), (7, 0)])
def test_leap_is_larger_than_the_threshold(four_notes, threshold_semitones, share):
    assert leap_rate(four_notes, threshold_semitones) == pytest.approx(share)


def test_top_line_is_the_highest_pitch_at_each_onset(triads, make_notes):
    assert top_line(triads).pitch.tolist() == [67, 72, 64, 69]
    assert intervals(triads).tolist() == [5, -8, 5]
    # The E under the held C is heard as a new onset and takes part, with its own duration.
    held = make_notes([(0, 60, 6), (0, 72, 96), (24, 64, 12)])
    assert top_line(held).pitch.tolist() == [72, 64]
    assert top_line(held).duration_step.tolist() == [96, 12]


def test_interval_histogram_clips_at_the_octave(make_melody):
    wide = make_melody([(60, 24), (90, 24), (60, 24), (62, 24), (74, 24)])
    share = interval_histogram(wide)
    assert share.shape == (25,)
    assert share[[0, 14, 24]].tolist() == [0.25, 0.25, 0.5]


def test_interval_histogram_pools_notes_not_pieces(make_melody, silence):
    rising = make_melody([(60, 24), (61, 24)])
    falling = make_melody([(60, 24), (59, 24), (58, 24), (57, 24)])
    share = interval_histogram(rising, silence, falling)
    assert share[[11, 13]].tolist() == [0.75, 0.25]


def test_without_notes(silence):
    assert len(top_line(silence)) == len(intervals(silence)) == 0
    for metric in (pitch_entropy, pitch_class_entropy, scale_consistency, pitch_range):
        assert np.isnan(metric(silence))


@pytest.mark.parametrize("piece", ["silence", "one_note", "one_chord"])
def test_intervals_need_two_onsets(piece, request):
    notes = request.getfixturevalue(piece)
    assert len(intervals(notes)) == 0
    assert np.isnan(leap_rate(notes, 2))
    assert np.isnan(interval_histogram(notes)).all()


def test_one_note(one_note):
    assert pitch_entropy(one_note) == pitch_class_entropy(one_note) == pitch_range(one_note) == 0
    assert scale_consistency(one_note) == 1
