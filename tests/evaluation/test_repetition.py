from __future__ import annotations

import zlib

import numpy as np
import pytest

from pipeline_lib.evaluation.repetition import (
    bar_self_similarity,
    compression_ratio,
    interval_durations,
    ngram_repetition,
    note_repetition_rate,
)


def test_four_notes_by_hand(four_notes):
    assert interval_durations(four_notes).tolist() == [[0, 12], [7, 12], [-3, 24]]
    assert note_repetition_rate(four_notes) == pytest.approx(1 / 3)
    assert ngram_repetition(four_notes, 1) == 0
    assert ngram_repetition(four_notes, 3) == 0
    assert np.isnan(ngram_repetition(four_notes, 4))


def test_ngrams_by_hand(make_melody):
    # Steps up: six times (2, 24), then (2, 12). Bigrams: five of one kind, one of another.
    rising = make_melody([*((60 + 2 * i, 24) for i in range(7)), (74, 12)])
    assert ngram_repetition(rising, 2) == pytest.approx(1 - 2 / 6)


def test_duration_tells_ngrams_apart(make_melody):
    even = make_melody([(60, 24), (62, 24), (64, 24)])
    uneven = make_melody([(60, 24), (62, 24), (64, 12)])
    assert ngram_repetition(even, 1) == 0.5
    assert ngram_repetition(uneven, 1) == 0


def test_compression_string_by_hand(make_melody):
    # (interval, duration) of all but the first note: (0, 12) (2, 12) (2, 24), sorted ranks 0, 1, 2.
    melody = make_melody([(60, 12), (62, 24), (62, 12), (64, 12)])
    assert compression_ratio(melody) == len(zlib.compress(bytes([2, 0, 1]))) / 3


def test_a_loop_compresses_better_than_chance(make_melody):
    pitches = np.random.default_rng(0).integers(60, 73, size=200)
    chance = make_melody([(int(p), 24) for p in pitches])
    loop = make_melody([(60 + i % 4, 24) for i in range(200)])
    assert compression_ratio(loop) < 0.1 < 0.5 < compression_ratio(chance)


def test_bars_by_hand(make_melody):
    # Bars A A B A: at lag 1 one pair of three is equal, at lag 2 one of two; no pairs at 4 and 8.
    a, b = [(60, 48), (62, 48)], [(64, 96)]
    assert bar_self_similarity(make_melody([*a, *a, *b, *a])) == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_bars_differ_by_pitch_position_or_duration(make_notes):
    bar = [(0, 60, 24), (24, 62, 24)]
    for other in (
        [(0, 60, 24), (24, 63, 24)],
        [(0, 60, 24), (30, 62, 24)],
        [(0, 60, 24), (24, 62, 9)],
    ):
        later = [(96 + onset, pitch, duration) for onset, pitch, duration in other]
        assert bar_self_similarity(make_notes([*bar, *later])) == 0
    same = [(96 + onset, pitch, duration) for onset, pitch, duration in bar]
    assert bar_self_similarity(make_notes([*bar, *same])) == 1


def test_pairs_of_empty_bars_are_left_out(make_notes):
    # A, three empty bars, A: at lag 1 two of four pairs count, none equal; lag 2 likewise; lag 4 equal.
    notes = make_notes([(0, 60, 24), (384, 60, 24)])
    assert bar_self_similarity(notes) == pytest.approx(1 / 3)


def test_one_held_note_is_one_bar_and_empty_ones(make_notes):
    # Only the pair of the first bar and the next counts at each lag; it never matches.
    assert bar_self_similarity(make_notes([(0, 60, 96 * 4)])) == 0


@pytest.mark.parametrize("piece", ["silence", "one_note", "one_chord"])
def test_too_few_onsets(piece, request):
    notes = request.getfixturevalue(piece)
    assert interval_durations(notes).shape == (0, 2)
    assert np.isnan(note_repetition_rate(notes))
    assert np.isnan(ngram_repetition(notes, 1))
    assert np.isnan(compression_ratio(notes))
    assert np.isnan(bar_self_similarity(notes))
