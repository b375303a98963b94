from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.structure import bar_self_similarity, structureness
from tests.evaluation.one_piece import of


def bars(letters: str) -> list[tuple[int, int]]:
    """Whole notes, one to a bar of 4/4: a pitch for each letter."""
    return [(ord(letter), 96) for letter in letters]


def test_bars_by_hand(make_melody):
    # Bars A A B A: at lag 1 one pair of three is equal, at lag 2 one of two; no pairs at 4 and 8.
    a, b = [(60, 48), (62, 48)], [(64, 96)]
    assert of(bar_self_similarity, make_melody([*a, *a, *b, *a])) == pytest.approx(
        (1 / 3 + 1 / 2) / 2
    )


def test_bars_differ_by_pitch_position_or_duration(make_notes):
    bar = [(0, 60, 24), (24, 62, 24)]
    for other in (
        [(0, 60, 24), (24, 63, 24)],
        [(0, 60, 24), (30, 62, 24)],
        [(0, 60, 24), (24, 62, 9)],
    ):
        later = [(96 + onset, pitch, duration) for onset, pitch, duration in other]
        assert of(bar_self_similarity, make_notes([*bar, *later])) == 0
    same = [(96 + onset, pitch, duration) for onset, pitch, duration in bar]
    assert of(bar_self_similarity, make_notes([*bar, *same])) == 1


def test_pairs_of_empty_bars_are_left_out(make_notes):
    # A, three empty bars, A: at lag 1 two of four pairs count, none equal; lag 2 likewise; lag 4 equal.
    notes = make_notes([(0, 60, 24), (384, 60, 24)])
    assert of(bar_self_similarity, notes) == pytest.approx(1 / 3)


def test_one_held_note_is_one_bar_and_empty_ones(make_notes):
    # Only the pair of the first bar and the next counts at each lag; it never matches.
    assert of(bar_self_similarity, make_notes([(0, 60, 96 * 4)])) == 0


@pytest.mark.parametrize("piece", ["silence", "one_note", "one_chord", "four_notes"])
def test_one_bar_or_none_has_no_structure(piece, request):
    notes = request.getfixturevalue(piece)
    assert np.isnan(of(bar_self_similarity, notes))
    assert np.isnan(of(structureness, notes, 1, 16))


@pytest.mark.parametrize(
    ("letters", "shortest", "longest", "fitness"),
    [
        # A passage of n bars, K times in N bars: 2 (K - 1) n / (K n + N).
        ("ABAB", 2, 3, 2 * 1 * 2 / (2 * 2 + 4)),
        ("ABCA", 2, 3, 0),
        ("ABCA", 1, 1, 2 * 1 * 1 / (2 * 1 + 4)),
        # AB three times tells more than any longer passage twice.
        ("ABABXAB", 2, 3, 2 * 2 * 2 / (3 * 2 + 7)),
        ("ABABXAB", 3, 3, 0),
        # Of AA in AAA the second one overlaps the first.
        ("AAAB", 2, 2, 0),
        ("AAAA", 2, 2, 1 / 2),
        ("ABCDABCD", 2, 3, 2 * 1 * 3 / (2 * 3 + 8)),
        ("ABCDABCD", 4, 7, 1 / 2),
        ("ABCDABCX", 4, 7, 0),
    ],
)
def test_structureness_by_hand(make_melody, letters, shortest, longest, fitness):
    notes = make_melody(bars(letters))
    assert of(structureness, notes, shortest, longest) == pytest.approx(fitness)


def test_two_equal_halves_explain_half_of_each_other(make_melody):
    letters = "ABCDEFGH"
    assert of(structureness, make_melody(bars(letters * 2)), 8, 16) == 1 / 2
    assert of(structureness, make_melody(bars(letters + letters.lower())), 8, 16) == 0


def test_a_short_loop_comes_near_one(make_melody):
    # 1 - n / N, as K n = N.
    assert of(structureness, make_melody(bars("AB" * 50)), 2, 3) == 1 - 2 / 100


def test_too_few_bars_to_come_back(make_melody):
    assert np.isnan(of(structureness, make_melody(bars("ABA")), 2, 3))
    assert of(structureness, make_melody(bars("ABAC")), 2, 3) == 0


def test_bars_without_notes_are_left_out(make_notes):
    # A B, two bars of rest, A B: as ABAB.
    starts = [(0, 65), (1, 66), (4, 65), (5, 66)]
    notes = make_notes([(96 * bar, pitch, 96) for bar, pitch in starts])
    assert of(structureness, notes, 2, 3) == 1 / 2


def test_a_transposed_bar_is_another_bar(make_melody):
    assert of(structureness, make_melody(bars("ABCD")), 2, 3) == 0
