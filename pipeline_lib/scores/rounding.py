"""Rounding of notes to times that can be printed.

Each quarter of a bar is divided into thirty-seconds or, where these fit worse, into triplet sixteenths.
"""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np

from pipeline_lib.notes.grid import GridNotes, IntArray
from pipeline_lib.scores.metre import DUPLE, TICKS_PER_QUARTER, TRIPLE, Event, Metre, Quarter


def notated_events(notes: GridNotes, metre: Metre) -> list[Event]:
    """Round notes to one line of chords, on times that can be printed.

    Notes whose onsets round to the same time become one chord, which ends where the next one begins, if not
    before.

    Examples
    --------
    A note that begins 2 of 96 steps late, and one on the next quarter; times in ticks, 24 to a quarter:

    >>> notes = GridNotes(
    ...     np.array([2, 96]), np.array([100, 96]), np.array([60, 64]), steps_per_quarter=96
    ... )
    >>> [(event.start, event.end, event.pitches) for event in notated_events(notes, Metre.of("4/4"))]
    [(0, 24, (60,)), (24, 48, (64,))]
    """
    onset = _ticks(notes.onset_step, notes.steps_per_quarter)
    offset = _ticks(notes.onset_step + notes.duration_step, notes.steps_per_quarter)
    divisions = _divisions({*onset, *offset}, metre)
    chords: dict[int, tuple[int, set[int]]] = {}
    for exact_start, exact_end, pitch in zip(onset, offset, notes.pitch.tolist(), strict=True):
        start = _rounded(exact_start, divisions, metre)
        shortest = start + divisions.get(metre.quarter_of(start), DUPLE)
        longest, pitches = chords.get(start, (shortest, set()))
        end = max(longest, _rounded(exact_end, divisions, metre))
        chords[start] = end, pitches | {pitch}
    return [
        Event(start, min(chords[start][0], following), tuple(sorted(chords[start][1])))
        for start, following in pairwise([*sorted(chords), sys.maxsize])
    ]


def _ticks(steps: IntArray, steps_per_quarter: int) -> list[int]:
    return np.rint(steps * TICKS_PER_QUARTER / steps_per_quarter).astype(int).tolist()


def _divisions(ticks: set[int], metre: Metre) -> dict[Quarter, int]:
    """Ticks that each quarter in which something happens is divided into: the better fit, duple if equal."""
    by_quarter: dict[Quarter, list[int]] = {}
    for tick in sorted(ticks):
        by_quarter.setdefault(metre.quarter_of(tick), []).append(tick)
    return {quarter: _better_division(quarter, inside) for quarter, inside in by_quarter.items()}


def _better_division(quarter: Quarter, ticks: list[int]) -> int:
    start, end = quarter
    if end - start < TICKS_PER_QUARTER:
        return DUPLE
    errors = {
        division: sum(abs(tick - _nearest(tick, start, division)) for tick in ticks)
        for division in (DUPLE, TRIPLE)
    }
    return min(errors, key=errors.__getitem__)


def _rounded(tick: int, divisions: dict[Quarter, int], metre: Metre) -> int:
    quarter = metre.quarter_of(tick)
    return min(_nearest(tick, quarter[0], divisions[quarter]), quarter[1])


def _nearest(tick: int, start: int, division: int) -> int:
    return start + (tick - start + division // 2) // division * division
