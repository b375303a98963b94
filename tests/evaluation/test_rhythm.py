from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.rhythm import (
    empty_beat_rate,
    groove_consistency,
    inter_onset_intervals,
    ioi_entropy,
    ioi_histogram,
    polyphony,
    rhythmic_consistency,
)


def test_four_notes_by_hand(four_notes):
    assert inter_onset_intervals(four_notes).tolist() == [1.0, 0.5, 1.5]
    assert ioi_entropy(four_notes) == pytest.approx(np.log2(3))
    assert empty_beat_rate(four_notes) == 1 / 4
    assert polyphony(four_notes) == 1


def test_a_chord_is_one_onset(triads):
    assert inter_onset_intervals(triads).tolist() == [2.0, 2.0, 2.0]
    assert ioi_entropy(triads) == 0


def test_ioi_histogram_pools_notes_not_pieces(make_melody, silence):
    quarters = make_melody([(60, 24)] * 4)
    halves = make_melody([(60, 48)] * 2)
    histogram = ioi_histogram(quarters, silence, halves)
    assert histogram.to_dict() == {1.0: 0.75, 2.0: 0.25}
    assert (histogram.index.name, histogram.name) == ("ioi_quarter", "share")


def test_ioi_are_the_same_on_any_grid(make_melody):
    coarse = make_melody([(60, 4), (60, 8), (60, 12)], steps_per_quarter=12)
    fine = make_melody([(60, 320), (60, 640), (60, 960)], steps_per_quarter=960)
    assert ioi_histogram(coarse).equals(ioi_histogram(fine))


def test_rhythmic_consistency_by_hand(make_melody, silence):
    quarters = ioi_histogram(make_melody([(60, 24)] * 5))
    assert rhythmic_consistency(make_melody([(70, 24)] * 3), quarters) == 1
    assert rhythmic_consistency(make_melody([(60, 12)] * 3), quarters) == 0
    # Half quarters, half eighths, against quarters alone: 1 - 0.311278.
    mixed = make_melody([(60, 24), (60, 12), (60, 24)])
    assert rhythmic_consistency(mixed, quarters) == pytest.approx(0.688722, abs=1e-6)
    assert np.isnan(rhythmic_consistency(mixed, ioi_histogram(silence)))
    assert np.isnan(rhythmic_consistency(silence, quarters))


def test_groove_of_the_check_pieces_is_one(c_major_scale, triads):
    # MusPy at 96 steps per bar gives 0.979167 and 0.989583: it compares the last bar with an empty
    # third one after the piece. Without it all bars are alike.
    assert groove_consistency(c_major_scale) == 1
    assert groove_consistency(triads) == 1


def test_groove_by_hand(make_notes):
    # Sixteen positions: bar 1 has onsets at 0 and 4, bar 2 at 0 and 6, bar 3 at 0.
    notes = make_notes([(0, 60, 24), (24, 60, 24), (96, 60, 36), (132, 60, 6), (192, 60, 96)])
    assert groove_consistency(notes) == pytest.approx(1 - (2 / 16 + 1 / 16) / 2)


def test_groove_follows_the_time_signature(make_melody):
    # In 6/8 a bar is 12 sixteenths; the second has an onset at 6, the first has not.
    jig = make_melody([(60, 72), (60, 36), (60, 36)], time_signature="6/8")
    assert groove_consistency(jig) == pytest.approx(11 / 12)


def test_groove_rounds_onsets_to_sixteenths(make_notes):
    exact = [(0, 60, 12), (12, 60, 12), (96, 60, 12), (108, 60, 84)]
    played = [(1, 60, 11), (13, 60, 11), (95, 60, 13), (107, 60, 85)]
    assert groove_consistency(make_notes(exact)) == groove_consistency(make_notes(played)) == 1


def test_groove_keeps_an_onset_that_rounds_past_the_end(make_notes):
    notes = make_notes([(0, 60, 1), (90, 60, 1), (96, 60, 1), (191, 60, 1)])
    assert groove_consistency(notes) == 1


def test_groove_of_a_bar_that_is_no_whole_number_of_sixteenths(make_melody):
    # 5/32 is 2.5 sixteenths: two positions a bar, and the bars do not drift against them.
    assert groove_consistency(make_melody([(60, 15)] * 8, time_signature="5/32")) == 1


def test_groove_of_one_bar_is_nan(four_notes):
    assert np.isnan(groove_consistency(four_notes))


def test_a_beat_on_which_a_note_ends_is_empty(make_notes):
    # Quarter, rest, quarter; MusPy gives 0.
    assert empty_beat_rate(make_notes([(0, 60, 24), (48, 60, 24)])) == pytest.approx(1 / 3)


def test_held_notes_fill_their_beats(make_notes):
    assert empty_beat_rate(make_notes([(0, 60, 73), (96, 60, 12)])) == 0
    assert empty_beat_rate(make_notes([(48, 60, 24)])) == pytest.approx(2 / 3)


def test_polyphony_check_value(triads):
    assert polyphony(triads) == 2.5


def test_polyphony_by_hand(make_notes):
    # C for 48 steps, E for its second half, then silence, then C again for 24: 96 / 72.
    notes = make_notes([(0, 60, 48), (24, 64, 24), (96, 60, 24)])
    assert polyphony(notes) == pytest.approx(96 / 72)


def test_a_pitch_held_by_two_notes_counts_once(make_notes):
    assert polyphony(make_notes([(0, 60, 48), (0, 60, 24), (12, 60, 48)])) == 1


def test_without_notes(silence):
    assert len(inter_onset_intervals(silence)) == len(ioi_histogram(silence)) == 0
    for metric in (ioi_entropy, groove_consistency, empty_beat_rate, polyphony):
        assert np.isnan(metric(silence))


@pytest.mark.parametrize(("piece", "n_pitches"), [("one_note", 1), ("one_chord", 3)])
def test_one_onset(piece, n_pitches, request):
    notes = request.getfixturevalue(piece)
    assert np.isnan(ioi_entropy(notes))
    assert np.isnan(groove_consistency(notes))
    assert empty_beat_rate(notes) == 0
    assert polyphony(notes) == n_pitches
