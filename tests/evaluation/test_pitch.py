from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.pieces import Pieces
from pipeline_lib.evaluation.pitch import (
    interval_histogram,
    intervals,
    leap_rate,
    mean_absolute_interval,
    pitch_class_entropy,
    pitch_entropy,
    pitch_range,
    scale_consistency,
    turn_rate,
    window_pitch_class_entropy,
)
from tests.evaluation.one_piece import alone, of


def test_scale_check_values(c_major_scale):
    assert of(pitch_entropy, c_major_scale) == pytest.approx(3.0)
    assert of(pitch_class_entropy, c_major_scale) == pytest.approx(2.75)
    assert of(scale_consistency, c_major_scale) == 1
    assert of(pitch_range, c_major_scale) == 12


def test_triads_check_values(triads):
    assert of(pitch_entropy, triads) == pytest.approx(2.521928, abs=1e-6)
    assert of(pitch_class_entropy, triads) == pytest.approx(2.246439, abs=1e-6)


def test_four_notes_by_hand(four_notes):
    assert intervals(alone(four_notes)).values.tolist() == [0, 7, -3]
    # C, C, G, E: shares 1/2, 1/4, 1/4.
    assert of(pitch_entropy, four_notes) == 1.5
    assert of(pitch_class_entropy, four_notes) == 1.5
    assert of(scale_consistency, four_notes) == 1
    assert of(pitch_range, four_notes) == 7
    assert of(window_pitch_class_entropy, four_notes, 1) == 1.5
    assert np.isnan(of(window_pitch_class_entropy, four_notes, 4))
    assert of(mean_absolute_interval, four_notes) == pytest.approx(10 / 3)
    # Up a fifth, then down: two moves, one turn. The repeated C is no move.
    assert of(turn_rate, four_notes) == 1


def test_octaves_share_a_pitch_class(make_melody):
    octaves = make_melody([(48, 24), (60, 24), (72, 24), (62, 24)])
    assert of(pitch_entropy, octaves) == 2
    assert of(pitch_class_entropy, octaves) == pytest.approx(0.811278, abs=1e-6)


def test_scale_consistency_of_all_twelve_pitch_classes(make_melody):
    assert of(scale_consistency, make_melody([(60 + i, 24) for i in range(12)])) == 7 / 12


def test_natural_minor_counts_as_a_scale(make_melody):
    a_minor = make_melody([(p, 24) for p in (57, 59, 60, 62, 64, 65, 67, 69)])
    assert of(scale_consistency, a_minor) == 1


@pytest.mark.parametrize(("threshold_semitones", "share"), [(2, 2 / 3), (3, 1 / 3), (7, 0)])
def test_leap_is_larger_than_the_threshold(four_notes, threshold_semitones, share):
    assert of(leap_rate, four_notes, threshold_semitones) == pytest.approx(share)


def test_chords_move_by_their_highest_notes(triads):
    assert intervals(alone(triads)).values.tolist() == [5, -8, 5]


def test_entropy_of_windows_by_hand(make_notes):
    # Bars of C and E, of C, of G. One bar: 1, 0 and 0 bits. Two: shares 2/3 and 1/3, then 1/2 and 1/2.
    notes = make_notes([(0, 60, 48), (48, 64, 48), (96, 72, 96), (192, 67, 96)])
    assert of(window_pitch_class_entropy, notes, 1) == pytest.approx(1 / 3)
    assert of(window_pitch_class_entropy, notes, 2) == pytest.approx((0.918296 + 1) / 2, abs=1e-6)
    assert np.isnan(of(window_pitch_class_entropy, notes, 4))


def test_windows_without_notes_are_left_out(make_notes):
    # Bars of C and E, of nothing three times, of G.
    notes = make_notes([(0, 60, 48), (48, 64, 48), (384, 67, 96)])
    assert of(window_pitch_class_entropy, notes, 1) == 0.5
    # Bars 1 and 2, and 4 and 5; none of bars 2 to 4.
    assert of(window_pitch_class_entropy, notes, 2) == 0.5


@pytest.mark.parametrize(
    ("pitches", "share"),
    [((60, 62, 64, 65), 0), ((60, 62, 60, 62), 1), ((60, 62, 62, 64, 60), 1 / 2)],
)
def test_turns_by_hand(make_melody, pitches, share):
    assert of(turn_rate, make_melody([(p, 24) for p in pitches])) == share


def test_pitches_at_random_turn_two_times_in_three(make_melody):
    # 10,000 draws of 128 pitches: one standard error is 0.004, ties move it by about as much.
    pitches = np.random.default_rng(0).integers(0, 128, size=10_000)
    assert of(turn_rate, make_melody([(int(p), 1) for p in pitches])) == pytest.approx(
        2 / 3, abs=0.015
    )


def test_interval_histogram_clips_at_the_octave(make_melody):
    wide = make_melody([(60, 24), (90, 24), (60, 24), (62, 24), (74, 24)])
    share = interval_histogram(alone(wide))
    assert share.shape == (25,)
    assert share[[0, 14, 24]].tolist() == [0.25, 0.25, 0.5]


def test_interval_histogram_pools_notes_not_pieces(make_melody, silence):
    rising = make_melody([(60, 24), (61, 24)])
    falling = make_melody([(60, 24), (59, 24), (58, 24), (57, 24)])
    share = interval_histogram(Pieces.of([rising, silence, falling]))
    assert share[[11, 13]].tolist() == [0.75, 0.25]


def test_without_notes(silence):
    assert len(intervals(alone(silence)).values) == 0
    for metric in (pitch_entropy, pitch_class_entropy, scale_consistency, pitch_range):
        assert np.isnan(of(metric, silence))
    assert np.isnan(of(window_pitch_class_entropy, silence, 1))


@pytest.mark.parametrize("piece", ["silence", "one_note", "one_chord"])
def test_intervals_need_two_onsets(piece, request):
    notes = request.getfixturevalue(piece)
    assert len(intervals(alone(notes)).values) == 0
    assert np.isnan(of(leap_rate, notes, 2))
    assert np.isnan(of(mean_absolute_interval, notes))
    assert np.isnan(of(turn_rate, notes))
    assert np.isnan(interval_histogram(alone(notes))).all()


def test_two_onsets_have_an_interval_but_no_turn(make_melody):
    two = make_melody([(60, 24), (64, 24)])
    assert of(mean_absolute_interval, two) == 4
    assert np.isnan(of(turn_rate, two))


def test_one_chord(one_chord):
    # Three pitches, alike.
    assert of(pitch_entropy, one_chord) == pytest.approx(np.log2(3))
    assert of(window_pitch_class_entropy, one_chord, 1) == pytest.approx(np.log2(3))
    assert of(pitch_range, one_chord) == 7


def test_one_note(one_note):
    assert (
        of(pitch_entropy, one_note)
        == of(pitch_class_entropy, one_note)
        == of(pitch_range, one_note)
        == 0
    )
    assert of(scale_consistency, one_note) == 1
