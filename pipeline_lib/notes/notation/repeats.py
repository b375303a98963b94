"""Repeats: from the signs of a score to the spans of the page in the order in which they are played.

One rule for all formats:

- A passage is played twice from the sign where its repeat starts to the one where it ends, or as many times
  as the latter says. An ending is played in its passes alone; where no ending is for a pass, none is played.
- A repeat without a start goes back to the latest double bar or end of a repeat, or to the beginning (ABC
  standard 2.1, section 4.8). One without an end is played once.
- Endings without any end of a repeat are played one after another.
- At *da capo* and *dal segno* the players go back once; this time they repeat nothing and take last endings,
  until *fine*, or until the sign that sends them to the coda.
- Where the order of sections is stated, it counts, with the repeats inside each section.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from pipeline_lib.notes.notation.written import Mark, Sign

Span = tuple[Fraction, Fraction]
"""Where a passage of the page begins and ends, in quarter notes."""

_JUMPS = (Sign.DA_CAPO, Sign.DAL_SEGNO)
_STARTS = (Sign.REPEAT_START, Sign.ENDING_START)
_ENDS = (Sign.REPEAT_END, Sign.ENDING_END, Sign.DOUBLE_BAR)


@dataclass
class _Ending:
    passes: tuple[int, ...]
    start: Fraction
    stop: Fraction | None = None
    """None while it is open."""


@dataclass
class _Passage:
    """A passage with the endings that follow it, and how often it is played."""

    start: Fraction
    stop: Fraction
    endings: list[_Ending] = field(default_factory=list)
    times: int = 1

    def played(self, once: bool) -> Iterator[Span]:
        if self.endings and self.times == 1:
            yield self.start, self.stop
            return
        stop = self.endings[0].start if self.endings else self.stop
        passes = range(self.times, self.times + 1) if once else range(1, self.times + 1)
        for n in passes:
            yield self.start, stop
            for ending in self.endings:
                if n in ending.passes:
                    yield ending.start, ending.stop or self.stop


def played_spans(
    marks: Sequence[Mark], end_quarter: Fraction, order: Sequence[str] = (), *, once: bool = False
) -> list[Span]:
    """Find what is played, in its order.

    Parameters
    ----------
    marks : sequence of Mark
        The signs of a score, in the order of the page.
    end_quarter : Fraction
        Where the page ends.
    order : sequence of str
        Names of sections in the order in which they are played; empty: as on the page.
    once : bool
        Whether to play each passage once, with its last ending, whatever jumps and order say.

    Returns
    -------
    list of (start_quarter, stop_quarter)
        Spans of the page, none of them empty; those that touch are one.

    Examples
    --------
    Four quarters under a repeat, of which the last has a second ending:

    >>> signs = [
    ...     Mark(Fraction(0), Sign.REPEAT_START),
    ...     Mark(Fraction(3), Sign.ENDING_START, passes=(1,)),
    ...     Mark(Fraction(4), Sign.REPEAT_END),
    ...     Mark(Fraction(4), Sign.ENDING_START, passes=(2,)),
    ... ]
    >>> [(int(start), int(stop)) for start, stop in played_spans(signs, Fraction(5))]
    [(0, 4), (0, 3), (4, 5)]
    >>> [(int(start), int(stop)) for start, stop in played_spans(signs, Fraction(5), once=True)]
    [(0, 3), (4, 5)]
    """
    whole = (Fraction(0), end_quarter)
    if once:
        spans = _unfolded(marks, whole, once=True)
    elif order:
        spans = [
            span for region in _sections(marks, order, whole) for span in _unfolded(marks, region)
        ]
    else:
        spans = _with_jumps(marks, whole)
    return _joined(spans)


def _with_jumps(marks: Sequence[Mark], whole: Span) -> list[Span]:
    start, end = whole
    jump = next((mark for mark in marks if mark.sign in _JUMPS), None)
    if jump is None:
        return _unfolded(marks, whole)
    back_to = _place(marks, Sign.SEGNO) if jump.sign is Sign.DAL_SEGNO else start
    if back_to is None or back_to >= jump.at_quarter:
        back_to = start
    until_jump = _unfolded(marks, (start, jump.at_quarter))
    fine, to_coda, coda = (
        _place(marks, sign, after=back_to) for sign in (Sign.FINE, Sign.TO_CODA, Sign.CODA)
    )
    if to_coda is not None and coda is not None and to_coda < jump.at_quarter:
        again = _unfolded(marks, (back_to, to_coda), once=True)
        return [*until_jump, *again, *_unfolded(marks, (coda, end))]
    return [*until_jump, *_unfolded(marks, (back_to, end if fine is None else fine), once=True)]


def _place(marks: Sequence[Mark], sign: Sign, after: Fraction = Fraction(-1)) -> Fraction | None:
    return next((m.at_quarter for m in marks if m.sign is sign and m.at_quarter > after), None)


def _sections(marks: Sequence[Mark], order: Sequence[str], whole: Span) -> Iterator[Span]:
    """The regions of the page that an order of sections names, after what stands before the first section."""
    starts = [mark for mark in marks if mark.sign is Sign.SECTION]
    stops = [*(mark.at_quarter for mark in starts[1:]), whole[1]]
    regions = {m.name: (m.at_quarter, stop) for m, stop in zip(starts, stops, strict=False)}
    if starts:
        yield whole[0], starts[0].at_quarter
    yield from (regions[name] for name in order if name in regions)


def _unfolded(marks: Sequence[Mark], region: Span, *, once: bool = False) -> list[Span]:
    """What is played of a region, which begins and ends a passage."""
    return [
        span
        for passage in _passages(marks, region)
        for span in passage.played(once)
        if span[0] < span[1]
    ]


def _passages(marks: Sequence[Mark], region: Span) -> list[_Passage]:
    """Divide a region into passages."""
    start, stop = region
    divider = _Divider(start)
    for mark in marks:
        # What ends at the start of a region, or starts at its end, belongs to its neighbours.
        if (mark.sign in _STARTS and start <= mark.at_quarter < stop) or (
            mark.sign in _ENDS and start < mark.at_quarter <= stop
        ):
            divider.take(mark)
    return divider.finished(stop)


class _Divider:
    """Takes the signs of a region one by one and cuts it into passages."""

    def __init__(self, start: Fraction) -> None:
        self._done: list[_Passage] = []
        self._begin(start)

    def _begin(self, start: Fraction) -> None:
        self._current = _Passage(start, start)
        self._has_start = False
        self._is_repeated = False

    def take(self, mark: Mark) -> None:
        at, endings = mark.at_quarter, self._current.endings
        if endings and endings[-1].stop is not None and not self._goes_on(mark):
            self._close(endings[-1].stop)
        if mark.sign is Sign.REPEAT_START:
            self._close(at)
            self._has_start = True
        elif mark.sign is Sign.REPEAT_END:
            self._repeat(at, mark.times)
        elif mark.sign is Sign.ENDING_START:
            self._begin_ending(at, mark.passes)
        elif self._current.endings:
            self._current.endings[-1].stop = at
        elif mark.sign is Sign.DOUBLE_BAR and not self._has_start:
            self._close(at)

    def finished(self, stop: Fraction) -> list[_Passage]:
        endings = self._current.endings
        if endings and endings[-1].stop is not None:
            self._close(endings[-1].stop)
        self._close(stop)
        return self._done

    def _goes_on(self, mark: Mark) -> bool:
        """Whether a sign belongs to the endings so far, the last of which has ended."""
        if mark.at_quarter != self._current.endings[-1].stop:
            return False
        return mark.sign in _ENDS or (
            mark.sign is Sign.ENDING_START and not self._has_ending_for(mark.passes)
        )

    def _has_ending_for(self, passes: tuple[int, ...]) -> bool:
        return any(n in ending.passes for ending in self._current.endings for n in passes)

    def _begin_ending(self, at: Fraction, passes: tuple[int, ...]) -> None:
        endings = self._current.endings
        if self._has_ending_for(passes):
            # The next group, though nothing said that the one before is over: its last ending is as long as
            # its first.
            first, last = endings[0], endings[-1]
            length = (first.stop or at) - first.start
            last.stop = min(at, last.start + length)
            self._close(last.stop)
        elif endings and endings[-1].stop is None:
            endings[-1].stop = at
        self._current.endings.append(_Ending(passes, at))

    def _repeat(self, at: Fraction, times: int) -> None:
        passage = self._current
        self._is_repeated = True
        passage.times = max(passage.times, times)
        if passage.endings:
            passage.endings[-1].stop = at
        else:
            self._close(at)

    def _close(self, at: Fraction) -> None:
        """End the passage, and begin the next."""
        passage = self._current
        passage.stop = at
        if passage.endings and self._is_repeated:
            passage.times = max(passage.times, *(max(e.passes) for e in passage.endings))
        if at > passage.start:
            self._done.append(passage)
        self._begin(at)


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, stop in spans:
        if start >= stop:
            continue
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined
