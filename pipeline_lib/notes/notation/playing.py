"""Playing a written score: repeats played out, ties joined, times in ticks.

The resolution is the smallest multiple of 480 ticks per quarter that holds every onset and duration exactly,
triplets included; only where there is none within MIDI's bounds are ticks rounded. Changes of tempo, metre and
key are where they are played. All notes get the same velocity: scores state none.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from operator import itemgetter
from typing import Any, Literal

import numpy as np

from pipeline_lib.notes.notation.repeats import played_spans
from pipeline_lib.notes.notation.written import WrittenNote, WrittenScore
from pipeline_lib.notes.piece import (
    DEFAULT_VELOCITY,
    MAX_NOTES,
    MAX_TICK,
    ParsedPiece,
    RejectedFile,
    changes_only,
)
from pipeline_lib.notes.table import RejectReason
from pipeline_lib.notes.tempos import tempo_changes

_BASE_TICKS_PER_QUARTER = 480
_ROUNDED_TICKS_PER_QUARTER = 10_080
"""Resolution where none within MIDI's bounds is exact: divisible by every number up to 10."""
_MAX_TICKS_PER_QUARTER = 32_767


def play(score: WrittenScore, repeats: Literal["play", "once"]) -> ParsedPiece:
    """Make of a written score what sounds.

    Parameters
    ----------
    score : WrittenScore
        The score as its page has it.
    repeats : "play" or "once"
        Whether what is repeated sounds as often as it is played, or once.

    Returns
    -------
    ParsedPiece
        Its parts are tracks in their order.

    Raises
    ------
    RejectedFile
        It has more notes or is longer than any music.

    Examples
    --------
    Two tied quarters C4:

    >>> from pipeline_lib.notes.piece import TrackInfo
    >>> quarter = Fraction(1)
    >>> score = WrittenScore(
    ...     notes=[
    ...         WrittenNote(0 * quarter, quarter, 60, ties_on=True),
    ...         WrittenNote(1 * quarter, quarter, 60, ties_back=True),
    ...     ],
    ...     parts=[TrackInfo("A")],
    ...     end_quarter=2 * quarter,
    ... )
    >>> piece = play(score, "play")
    >>> piece.pitch.tolist(), piece.duration_tick.tolist(), piece.ticks_per_quarter
    ([60], [960], 480)
    """
    ticks_per_quarter = _exact_resolution(score.notes)
    to_tick = _Ticks(ticks_per_quarter)
    spans = played_spans(score.marks, score.end_quarter, score.order, once=repeats == "once")
    ticks = [(to_tick(start), to_tick(stop)) for start, stop in spans]
    notes = _tied(_unrolled(_in_ticks(score.notes, to_tick), ticks))
    columns = np.array(notes, dtype=np.int64).reshape(-1, 4).T
    onset, track, pitch, duration = columns
    return ParsedPiece(
        track=track,
        pitch=pitch,
        velocity=np.full(len(notes), DEFAULT_VELOCITY, np.int64),
        onset_tick=onset,
        duration_tick=duration,
        tracks=tuple(score.parts),
        ticks_per_quarter=ticks_per_quarter,
        tempos=tempo_changes(*_columns(_states(score.tempos, ticks, to_tick))),
        time_signatures=changes_only(_states(score.time_signatures, ticks, to_tick)),
        key_signatures=changes_only(_states(score.key_signatures, ticks, to_tick)),
        warnings=tuple(score.warnings),
    )


class _Ticks:
    """Ticks of times in quarter notes, rounded where they have to be."""

    def __init__(self, ticks_per_quarter: int) -> None:
        self._ticks_per_quarter = ticks_per_quarter

    def __call__(self, quarter: Fraction) -> int:
        # With whole numbers, as fractions are slow; nearly all times are exact.
        tick, rest = divmod(quarter.numerator * self._ticks_per_quarter, quarter.denominator)
        if rest:
            tick = round(quarter * self._ticks_per_quarter)
        if tick > MAX_TICK:
            raise RejectedFile(RejectReason.TOO_LARGE, f"lasts longer than {MAX_TICK} ticks")
        return tick


_Note = tuple[int, int, int, int, int, bool, bool]
"""Onset and end in ticks, part, pitch, voice, whether it ties on, whether it ties back."""


def _exact_resolution(notes: Iterable[WrittenNote]) -> int:
    """Ticks per quarter note at which all times are whole, or else `_ROUNDED_TICKS_PER_QUARTER`."""
    denominators = {time.denominator for note in notes for time in note[:2]}
    exact = math.lcm(_BASE_TICKS_PER_QUARTER, *denominators)
    return exact if exact <= _MAX_TICKS_PER_QUARTER else _ROUNDED_TICKS_PER_QUARTER


def _in_ticks(notes: Iterable[WrittenNote], to_tick: Callable[[Fraction], int]) -> list[_Note]:
    """Notes in ticks, sorted by onset; both ends are rounded, so that notes that touch still do."""
    found = []
    for note in notes:
        onset = to_tick(note.onset_quarter)
        end = to_tick(note.onset_quarter + note.duration_quarter)
        found.append((onset, max(end, onset + 1), note.part, note.pitch, *note[4:]))
    return sorted(found)


def _unrolled(notes: Sequence[_Note], spans: Sequence[tuple[int, int]]) -> list[_Note]:
    """The notes of each span, one span after another."""
    onsets = [note[0] for note in notes]
    bounds = [(bisect_left(onsets, start), bisect_left(onsets, stop)) for start, stop in spans]
    n_notes = sum(last - first for first, last in bounds)
    if n_notes > MAX_NOTES:
        raise RejectedFile(RejectReason.TOO_LARGE, f"{n_notes} notes, repeats played")
    played, at = [], 0
    for (start, stop), (first, last) in zip(spans, bounds, strict=True):
        later = at - start
        played += [(n[0] + later, n[1] + later, *n[2:]) for n in notes[first:last]]
        at += stop - start
    return played


def _tied(notes: Sequence[_Note]) -> list[tuple[int, int, int, int]]:
    """Join tied notes to (onset, part, pitch, duration), sorted by them.

    A tie holds between two notes of one pitch in one part, of which the second begins as the first ends, in
    whatever voices; where several qualify, those in one voice belong together.
    """
    joined: list[list[int]] = []
    open_ties: dict[tuple[int, int, int], dict[int, int]] = {}
    for onset, end, part, pitch, voice, ties_on, ties_back in sorted(notes):
        from_voice = open_ties.pop((part, pitch, onset), None) if ties_back else None
        if from_voice:
            at = from_voice.pop(voice) if voice in from_voice else from_voice.popitem()[1]
            joined[at][3] = end - joined[at][0]
            if from_voice:
                open_ties[part, pitch, onset] = from_voice
        else:
            at = len(joined)
            joined.append([onset, part, pitch, end - onset])
        if ties_on:
            open_ties.setdefault((part, pitch, end), {})[voice] = at
    return sorted((onset, part, pitch, length) for onset, part, pitch, length in joined)


def _states(
    changes: Sequence[tuple[Fraction, Any]],
    spans: Sequence[tuple[int, int]],
    to_tick: Callable[[Fraction], int],
) -> list[tuple[int, Any]]:
    """Every believed statement as it is played, with the one in force at the start of each span."""
    believed = ((to_tick(at), value) for at, value in changes if value is not None)
    written = sorted(believed, key=itemgetter(0))
    onsets = [at for at, _ in written]
    states: list[tuple[int, Any]] = []
    played = 0
    for start, stop in spans:
        first, last = bisect_left(onsets, start), bisect_left(onsets, stop)
        if first and (first == len(onsets) or onsets[first] > start):
            states.append((played, written[first - 1][1]))
        states += [(played + at - start, value) for at, value in written[first:last]]
        played += stop - start
    return states


def _columns(states: Sequence[tuple[int, Any]]) -> tuple[list[int], list[Any]]:
    return [at for at, _ in states], [value for _, value in states]
