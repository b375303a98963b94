"""Beams: which short notes are joined, and how.

Notes are joined within a beat, or within a quarter where beats are shorter; a bar of 3/8 is one group.
Rests and notes without flags end a beam. Each level of flags (eighth, sixteenth, …) is a beam of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from pipeline_lib.scores.metre import TICKS_PER_QUARTER, Metre, Value


def beams(values: Sequence[Value], n_flags: Sequence[int], metre: Metre) -> list[list[str]]:
    """Find the beams of each value of a bar, from the first level down.

    Parameters
    ----------
    values : sequence of Value
        The values of a whole bar.
    n_flags : sequence of int
        Number of flags that each value would have alone: 1 for an eighth; 0 for rests and from the quarter up.
    metre : Metre
        The metre of the bar.

    Returns
    -------
    list of list of str
        For each value and each of its beams "start", "continue", "stop", "partial right" or "partial left".

    Examples
    --------
    An eighth, two sixteenths and a quarter in 2/4, in ticks of 24 to a quarter:

    >>> bar = [Value(0, 12, (60,)), Value(12, 6, (62,)), Value(18, 6, (64,)), Value(24, 24, (65,))]
    >>> beams(bar, [value.n_flags for value in bar], Metre.of("2/4"))
    [['start'], ['continue', 'start'], ['stop', 'stop'], []]
    """
    drawn: list[list[str]] = [[] for _ in values]
    for group in _groups(values, n_flags, metre):
        deepest = max(n_flags[position] for position in group)
        for level in range(1, deepest + 1):
            has_level = {position for position in group if n_flags[position] >= level}
            for run in _runs(group, has_level.__contains__):
                for position, kind in zip(run, _kinds(run, group), strict=True):
                    drawn[position].append(kind)
    return drawn


def _groups(values: Sequence[Value], n_flags: Sequence[int], metre: Metre) -> Iterator[list[int]]:
    """Positions of values that share a beam."""
    span = metre.bar if (metre.numerator, metre.denominator) == (3, 8) else metre.beat
    span = max(span, TICKS_PER_QUARTER)
    for _, of_beat in groupby(range(len(values)), lambda position: values[position].start // span):
        for run in _runs(list(of_beat), lambda position: n_flags[position] > 0):
            if len(run) > 1:
                yield run


def _runs(positions: Sequence[int], is_in: Callable[[int], bool]) -> Iterator[list[int]]:
    """Stretches of neighbouring positions for which `is_in` is true."""
    for inside, run in groupby(positions, is_in):
        if inside:
            yield list(run)


def _kinds(run: Sequence[int], group: Sequence[int]) -> list[str]:
    """Beams of one level over a run of positions; a lone one is a stub towards its group."""
    if len(run) == 1:
        return ["partial right" if run[0] == group[0] else "partial left"]
    return ["start", *["continue"] * (len(run) - 2), "stop"]
