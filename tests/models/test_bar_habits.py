"""What a corpus does in its bars, and that what is written keeps to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.models.bar_habits import HABIT_SCHEMA, BarHabits, count_habits
from pipeline_lib.tokens.metre import piece_metres

# Start, end, unknown; notes of 1, 2, 3 and 4 steps; a token that takes no time, such as a pitch by itself.
ADVANCE_STEP = np.array([0, 0, 0, 1, 2, 3, 4, 0], np.int32)
ONE, TWO, THREE, FOUR, TIMELESS = range(3, 8)
END = 1


def habits(*pieces: list[int], bar_step: int = 4) -> BarHabits:
    """Those of pieces that are given without start and end."""
    ids = [np.array([0, *piece, END], np.int32) for piece in pieces]
    metres = piece_metres(ids, ADVANCE_STEP, [bar_step] * len(ids))
    return BarHabits(count_habits(ids, metres, ADVANCE_STEP), ADVANCE_STEP)


def usual(of: BarHabits, now_step: int, bar_step: int = 4) -> set[int]:
    """Tokens that are usual some steps after the beginning, but those that always are."""
    (row,) = of.is_usual(np.array([bar_step]), np.array([now_step]))
    assert row[[0, 2, TIMELESS]].all()
    return set(np.flatnonzero(row).tolist()) - {0, 2, TIMELESS}


DOTTED = habits(*[[THREE, ONE]] * 30)


def test_a_dotted_note_is_followed_by_a_short_one_and_pieces_end_with_their_bars() -> None:
    assert usual(DOTTED, 0) == {THREE, END}
    assert usual(DOTTED, 3) == {ONE}
    assert usual(DOTTED, 4 * 7 + 3) == {ONE}


def test_where_nothing_was_played_what_leads_back_is_usual() -> None:
    assert usual(DOTTED, 1) == {TWO, THREE}  # to the dotted note's end, or to the bar line
    assert usual(DOTTED, 2) == {ONE, TWO}


def test_the_rarest_are_not_usual() -> None:
    rarely = habits(*[[FOUR]] * 98, *[[TWO, TWO]] * 2)
    assert usual(rarely, 0) == {FOUR, END}
    often = habits(*[[FOUR]] * 90, *[[TWO, TWO]] * 10)
    assert usual(often, 0) == {TWO, FOUR, END}


def test_bars_of_other_lengths_have_habits_of_their_own() -> None:
    assert usual(DOTTED, 1, bar_step=6) == {ONE, TWO, THREE, FOUR, END}
    waltzes = habits(*[[TWO, TWO, TWO]] * 30, bar_step=6)
    assert usual(waltzes, 2, bar_step=6) == {TWO}


def test_counts_are_sorted_and_say_where_pieces_end() -> None:
    ids = [np.array([0, THREE, TIMELESS, ONE, TWO, END], np.int32)]
    table = count_habits(ids, piece_metres(ids, ADVANCE_STEP, [4]), ADVANCE_STEP)
    assert table.schema.equals(HABIT_SCHEMA)
    rows = [(r["position_step"], r["advance_step"], r["n"]) for r in table.to_pylist()]
    assert rows == [(0, 2, 1), (0, 3, 1), (2, None, 1), (3, 1, 1)]


def test_every_sequence_is_judged_in_its_own_bar() -> None:
    steps: NDArray[np.int64] = np.array([0, 3, 7])
    rows = DOTTED.is_usual(np.full(3, 4), steps)
    assert rows[:, ONE].tolist() == [False, True, True]
