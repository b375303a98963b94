from __future__ import annotations

import zlib

import numpy as np
import pytest

from pipeline_lib.evaluation.repetition import (
    compression_ratio,
    interval_durations,
    ngram_repetition,
    note_repetition_rate,
)
from tests.evaluation.one_piece import alone, of


def test_four_notes_by_hand(four_notes):
    assert interval_durations(alone(four_notes)).values.tolist() == [[0, 12], [7, 12], [-3, 24]]
    assert of(note_repetition_rate, four_notes) == pytest.approx(1 / 3)
    assert of(ngram_repetition, four_notes, 1) == 0
    assert of(ngram_repetition, four_notes, 3) == 0
    assert np.isnan(of(ngram_repetition, four_notes, 4))


def test_ngrams_by_hand(make_melody):
    # Steps up: six times (2, 24), then (2, 12). Bigrams: five of one kind, one of another.
    rising = make_melody([*((60 + 2 * i, 24) for i in range(7)), (74, 12)])
    assert of(ngram_repetition, rising, 2) == pytest.approx(1 - 2 / 6)


@pytest.mark.parametrize(("n", "share"), [(4, 4 / 9), (8, 0)])
def test_a_phrase_that_comes_back(make_melody, n, share):
    # Intervals 2 2 1 -5, 2, then 2 2 1 -5 once more, 2 2 2. Of nine 4-grams, the last four have been heard: they
    # begin five notes after the first four. No 8-gram has.
    pitches = np.cumsum([60, 2, 2, 1, -5, 2, 2, 2, 1, -5, 2, 2, 2])
    assert of(ngram_repetition, make_melody([(int(p), 24) for p in pitches]), n) == share


def test_duration_tells_ngrams_apart(make_melody):
    even = make_melody([(60, 24), (62, 24), (64, 24)])
    uneven = make_melody([(60, 24), (62, 24), (64, 12)])
    assert of(ngram_repetition, even, 1) == 0.5
    assert of(ngram_repetition, uneven, 1) == 0


def test_compression_string_by_hand(make_melody):
    # (interval, duration) of all but the first note: (0, 12) (2, 12) (2, 24), sorted ranks 0, 1, 2.
    melody = make_melody([(60, 12), (62, 24), (62, 12), (64, 12)])
    assert of(compression_ratio, melody) == len(zlib.compress(bytes([2, 0, 1]))) / 3


def test_a_loop_compresses_better_than_chance(make_melody):
    pitches = np.random.default_rng(0).integers(60, 73, size=200)
    chance = make_melody([(int(p), 24) for p in pitches])
    loop = make_melody([(60 + i % 4, 24) for i in range(200)])
    assert of(compression_ratio, loop) < 0.1 < 0.5 < of(compression_ratio, chance)


@pytest.mark.parametrize("piece", ["silence", "one_note", "one_chord"])
def test_too_few_onsets(piece, request):
    notes = request.getfixturevalue(piece)
    assert interval_durations(alone(notes)).values.shape == (0, 2)
    assert np.isnan(of(note_repetition_rate, notes))
    assert np.isnan(of(ngram_repetition, notes, 1))
    assert np.isnan(of(compression_ratio, notes))
