from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.pieces import Pieces
from pipeline_lib.evaluation.rhythm import (
    empty_beat_rate,
    groove_consistency,
    grooving_similarity,
    inter_onset_intervals,
    ioi_entropy,
    ioi_histogram,
    ioi_variability,
    note_density,
    polyphony,
    rhythmic_consistency,
)
from tests.evaluation.one_piece import alone, of


def test_four_notes_by_hand(four_notes):
    assert inter_onset_intervals(alone(four_notes)).values.tolist() == [1.0, 0.5, 1.5]
    assert of(ioi_entropy, four_notes) == pytest.approx(np.log2(3))
    # (1, 1/2) differ by 2/3 of their mean, (1/2, 3/2) by all of it.
    assert of(ioi_variability, four_notes) == pytest.approx(100 * (2 / 3 + 1) / 2)
    assert of(note_density, four_notes) == 1
    assert of(empty_beat_rate, four_notes) == 1 / 4
    assert of(polyphony, four_notes) == 1


def test_a_chord_is_one_onset(triads):
    assert inter_onset_intervals(alone(triads)).values.tolist() == [2.0, 2.0, 2.0]
    assert of(ioi_entropy, triads) == 0


def test_ioi_histogram_pools_notes_not_pieces(make_melody, silence):
    quarters = make_melody([(60, 24)] * 4)
    halves = make_melody([(60, 48)] * 2)
    histogram = ioi_histogram(Pieces.of([quarters, silence, halves]))
    assert histogram.to_dict() == {1.0: 0.75, 2.0: 0.25}
    assert (histogram.index.name, histogram.name) == ("ioi_quarter", "share")


def test_ioi_are_the_same_on_any_grid(make_melody):
    coarse = make_melody([(60, 4), (60, 8), (60, 12)], steps_per_quarter=12)
    fine = make_melody([(60, 320), (60, 640), (60, 960)], steps_per_quarter=960)
    assert ioi_histogram(alone(coarse)).equals(ioi_histogram(alone(fine)))


def test_rhythmic_consistency_by_hand(make_melody, silence):
    quarters = ioi_histogram(alone(make_melody([(60, 24)] * 5)))
    assert of(rhythmic_consistency, make_melody([(70, 24)] * 3), quarters) == 1
    assert of(rhythmic_consistency, make_melody([(60, 12)] * 3), quarters) == 0
    # Half quarters, half eighths, against quarters alone: 1 - 0.311278.
    mixed = make_melody([(60, 24), (60, 12), (60, 24)])
    assert of(rhythmic_consistency, mixed, quarters) == pytest.approx(0.688722, abs=1e-6)
    assert np.isnan(of(rhythmic_consistency, mixed, ioi_histogram(alone(silence))))
    assert np.isnan(of(rhythmic_consistency, silence, quarters))


def test_groove_of_the_check_pieces_is_one(c_major_scale, triads):
    # MusPy at 96 steps per bar gives 0.979167 and 0.989583: it compares the last bar with an empty
    # third one after the piece. Without it all bars are alike.
    assert of(groove_consistency, c_major_scale) == 1
    assert of(groove_consistency, triads) == 1


def test_groove_by_hand(make_notes):
    # Sixteen positions: bar 1 has onsets at 0 and 4, bar 2 at 0 and 6, bar 3 at 0.
    notes = make_notes([(0, 60, 24), (24, 60, 24), (96, 60, 36), (132, 60, 6), (192, 60, 96)])
    assert of(groove_consistency, notes) == pytest.approx(1 - (2 / 16 + 1 / 16) / 2)


def test_groove_follows_the_time_signature(make_melody):
    # In 6/8 a bar is 12 sixteenths; the second has an onset at 6, the first has not.
    jig = make_melody([(60, 72), (60, 36), (60, 36)], time_signature="6/8")
    assert of(groove_consistency, jig) == pytest.approx(11 / 12)


def test_groove_rounds_onsets_to_sixteenths(make_notes):
    exact = [(0, 60, 12), (12, 60, 12), (96, 60, 12), (108, 60, 84)]
    played = [(1, 60, 11), (13, 60, 11), (95, 60, 13), (107, 60, 85)]
    assert (
        of(groove_consistency, make_notes(exact)) == of(groove_consistency, make_notes(played)) == 1
    )


def test_groove_keeps_an_onset_that_rounds_past_the_end(make_notes):
    notes = make_notes([(0, 60, 1), (90, 60, 1), (96, 60, 1), (191, 60, 1)])
    assert of(groove_consistency, notes) == 1


def test_groove_of_a_bar_that_is_no_whole_number_of_sixteenths(make_melody):
    # 5/32 is 2.5 sixteenths: two positions a bar, and the bars do not drift against them.
    assert of(groove_consistency, make_melody([(60, 15)] * 8, time_signature="5/32")) == 1


def test_groove_of_one_bar_is_nan(four_notes):
    assert np.isnan(of(groove_consistency, four_notes))


def test_grooving_similarity_by_hand(make_notes):
    # Onsets of three bars at 0 and 1/4, 0, 0. Two of three pairs differ, each in one of 64 positions.
    notes = make_notes([(0, 60, 24), (24, 60, 72), (96, 60, 96), (192, 60, 96)])
    assert of(grooving_similarity, notes) == pytest.approx(1 - 2 / (3 * 64))
    # Neighbours alone, at 16 positions: one of two pairs.
    assert of(groove_consistency, notes) == pytest.approx(1 - 1 / (2 * 16))


def test_grooving_similarity_counts_bars_without_onsets(make_notes):
    # The second bar is empty: two of three pairs differ in one position.
    notes = make_notes([(0, 60, 24), (192, 60, 24)])
    assert of(grooving_similarity, notes) == pytest.approx(1 - 2 / (3 * 64))


def test_grooving_similarity_divides_every_bar_by_64(make_melody):
    # In 6/8 an eighth is 64 / 6 = 10.7 positions, rounded to 11.
    jigs = make_melody([(60, 12), (60, 60), (60, 72)], time_signature="6/8")
    assert of(grooving_similarity, jigs) == pytest.approx(1 - 1 / 64)


def test_grooving_similarity_is_finer_than_groove_consistency(make_notes):
    # In the second bar the onset is late by a twelfth of a quarter: nearer to a 64th than to none.
    notes = make_notes([(0, 60, 96), (98, 60, 94)])
    assert of(groove_consistency, notes) == 1
    assert of(grooving_similarity, notes) == pytest.approx(1 - 2 / 64)


def test_one_bar_has_no_groove(four_notes):
    assert np.isnan(of(grooving_similarity, four_notes))


def test_variability_hears_the_order_of_long_and_short(make_melody):
    turns = make_melody([(60, 24), (60, 12), (60, 24), (60, 12), (60, 24)])
    blocks = make_melody([(60, 24), (60, 24), (60, 12), (60, 12), (60, 24)])
    assert of(ioi_entropy, turns) == of(ioi_entropy, blocks) == 1
    assert of(ioi_variability, turns) == pytest.approx(200 / 3)
    assert of(ioi_variability, blocks) == pytest.approx(200 / 9)


def test_density_counts_the_notes_of_chords_and_rests_at_the_start(triads, make_notes):
    assert of(note_density, triads) == 10 / 8
    assert of(note_density, make_notes([(72, 60, 24)])) == 1 / 4


def test_a_beat_on_which_a_note_ends_is_empty(make_notes):
    # Quarter, rest, quarter; MusPy gives 0.
    assert of(empty_beat_rate, make_notes([(0, 60, 24), (48, 60, 24)])) == pytest.approx(1 / 3)


def test_held_notes_fill_their_beats(make_notes):
    assert of(empty_beat_rate, make_notes([(0, 60, 73), (96, 60, 12)])) == 0
    assert of(empty_beat_rate, make_notes([(48, 60, 24)])) == pytest.approx(2 / 3)


def test_polyphony_check_value(triads):
    assert of(polyphony, triads) == 2.5


def test_polyphony_by_hand(make_notes):
    # C for 48 steps, E for its second half, then silence, then C again for 24: 96 / 72.
    notes = make_notes([(0, 60, 48), (24, 64, 24), (96, 60, 24)])
    assert of(polyphony, notes) == pytest.approx(96 / 72)


def test_a_pitch_held_by_two_notes_counts_once(make_notes):
    assert of(polyphony, make_notes([(0, 60, 48), (0, 60, 24), (12, 60, 48)])) == 1


def test_without_notes(silence):
    assert len(inter_onset_intervals(alone(silence)).values) == 0
    assert len(ioi_histogram(alone(silence))) == 0
    for metric in (note_density, ioi_entropy, ioi_variability, groove_consistency):
        assert np.isnan(of(metric, silence))
    for metric in (grooving_similarity, empty_beat_rate, polyphony):
        assert np.isnan(of(metric, silence))


@pytest.mark.parametrize(("piece", "n_pitches"), [("one_note", 1), ("one_chord", 3)])
def test_one_onset(piece, n_pitches, request):
    notes = request.getfixturevalue(piece)
    for metric in (ioi_entropy, ioi_variability, groove_consistency, grooving_similarity):
        assert np.isnan(of(metric, notes))
    assert of(note_density, notes) == n_pitches
    assert of(empty_beat_rate, notes) == 0
    assert of(polyphony, notes) == n_pitches
