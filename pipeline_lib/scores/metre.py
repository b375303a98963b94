"""Note values and bars: how durations are written so that they read well, in integers.

Time is in *ticks*, 24 to a quarter note, so that thirty-seconds (3) and triplet sixteenths (4) are whole.

- Each quarter of a bar is divided into thirty-seconds or, where these fit worse, into triplets.
- A value that has no single note, or that would hide the beat, is divided where the metre is strongest
  and tied: in 6/8 nothing hides the dotted quarter, in 4/4 nothing hides the middle of the bar unless it
  begins on a beat.
- Rests are stricter: they start where their own length divides the bar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

TICKS_PER_QUARTER = 24
DUPLE, TRIPLE = 3, 4
"""Ticks of a thirty-second and of a triplet sixteenth."""
_PLAIN = tuple(DUPLE * 2**k for k in range(7))
_DOTTED = tuple(3 * plain // 2 for plain in _PLAIN[1:])
_TRIPLET_VALUES = (16, 8, 4)

Quarter = tuple[int, int]
"""First tick and end of a quarter of a bar; the last one of a bar may be shorter."""


@dataclass(frozen=True)
class Event:
    """Pitches that sound together from one tick to another; a rest where there are none."""

    start: int
    end: int
    pitches: tuple[int, ...]

    def within(self, lowest: int, highest: int) -> Event:
        """The part of the chord that lies in a range of pitches."""
        inside = tuple(pitch for pitch in self.pitches if lowest <= pitch <= highest)
        return Event(self.start, self.end, inside)


@dataclass(frozen=True)
class Value:
    """One printed note, chord or rest.

    Parameters
    ----------
    start, length : int
        First tick, from the start of the bar, and number of ticks.
    pitches : tuple of int
        Pitches that sound together; empty for a rest.
    tied_from, tied_to : bool
        Whether it goes on from the value before it, and into the value after it.
    opens_tuplet, closes_tuplet : bool
        Whether a triplet begins or ends here.
    in_tuplet : bool
        Whether it is part of a triplet.
    """

    start: int
    length: int
    pitches: tuple[int, ...]
    tied_from: bool = False
    tied_to: bool = False
    opens_tuplet: bool = False
    closes_tuplet: bool = False
    in_tuplet: bool = False

    @property
    def written_length(self) -> int:
        """Ticks that the note as printed has outside of a triplet."""
        return self.length * 3 // 2 if self.in_tuplet else self.length

    @property
    def n_flags(self) -> int:
        """Number of flags of the note when it stands alone; 0 for rests and from the quarter up."""
        shorter = (12, 6, 3) if self.pitches else ()
        return sum(self.written_length < 2 * plain for plain in shorter)


@dataclass(frozen=True)
class Metre:
    """A time signature, as bars of ticks.

    Parameters
    ----------
    numerator, denominator : int
        Upper and lower number of the signature.

    Examples
    --------
    A bar of 6/8 has two beats of a dotted quarter, each 36 ticks:

    >>> metre = Metre.of("6/8")
    >>> metre.bar, metre.beat, metre.is_compound
    (72, 36, True)

    A half note from the second eighth on is divided where the second beat begins, and tied:

    >>> (bar,) = metre.bars([Event(12, 60, (60,))])
    >>> [(value.start, value.length, value.pitches, value.tied_to) for value in bar]
    [(0, 12, (), False), (12, 24, (60,), True), (36, 24, (60,), False), (60, 12, (), False)]
    """

    numerator: int
    denominator: int

    @classmethod
    def of(cls, time_signature: str) -> Metre:
        """Create the metre of a time signature such as "6/8"."""
        numerator, denominator = time_signature.split("/")
        return cls(int(numerator), int(denominator))

    @property
    def bar(self) -> int:
        """Ticks in a bar."""
        return max(DUPLE, TICKS_PER_QUARTER * 4 * self.numerator // self.denominator)

    @property
    def is_compound(self) -> bool:
        """Whether beats are divided in three, as in 6/8."""
        return self.numerator > 3 and self.numerator % 3 == 0 and self.denominator >= 8

    @property
    def beat(self) -> int:
        """Ticks in a beat: a dotted note in compound metres."""
        unit = max(DUPLE, TICKS_PER_QUARTER * 4 // self.denominator)
        return 3 * unit if self.is_compound else unit

    def beats_per_minute(self, tempo_qpm: float) -> int:
        """Convert a tempo to beats per minute, as a metronome mark gives it."""
        return round(tempo_qpm * TICKS_PER_QUARTER / self.beat)

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Distances between ever weaker points of the bar, in ticks."""
        strongest = (2 * self.beat,) if self.bar % (4 * self.beat) == 0 else ()
        below = self.beat // 3 if self.is_compound else self.beat // 2
        weaker = tuple(below // 2**k for k in range(6) if below % (DUPLE * 2**k) == 0)
        return (*strongest, self.beat, *weaker)

    def bars(self, events: Sequence[Event]) -> Iterator[list[Value]]:
        """Divide events into the values of each bar, rests included; at least one bar."""
        end = max((event.end for event in events), default=0)
        events = [event for event in events if event.pitches]
        n_bars = max(1, -(-end // self.bar))
        points = {point for event in events for point in (event.start, event.end)}
        triplets = {quarter for tick in points if (quarter := self._triplet_at(tick))}
        filled = list(_with_rests(events, n_bars * self.bar))
        for start in range(0, n_bars * self.bar, self.bar):
            yield self._bar_values(filled, start, triplets)

    def quarter_of(self, tick: int) -> Quarter:
        """Start and end of the quarter of a bar that a tick lies in."""
        in_bar = tick % self.bar
        start = tick - in_bar % TICKS_PER_QUARTER
        return start, min(start + TICKS_PER_QUARTER, tick - in_bar + self.bar)

    def _triplet_at(self, tick: int) -> Quarter | None:
        quarter = self.quarter_of(tick)
        return quarter if (tick - quarter[0]) % DUPLE else None

    def _bar_values(
        self, events: Iterable[Event], bar_start: int, triplets: set[Quarter]
    ) -> list[Value]:
        values: list[Value] = []
        for event in events:
            start = max(event.start, bar_start)
            end = min(event.end, bar_start + self.bar)
            if start >= end:
                continue
            pieces = list(self._pieces(start, end, triplets, is_rest=not event.pitches))
            for piece_start, piece_end, tuplet in pieces:
                values.append(
                    Value(
                        start=piece_start - bar_start,
                        length=piece_end - piece_start,
                        pitches=event.pitches,
                        tied_from=bool(event.pitches) and piece_start > event.start,
                        tied_to=bool(event.pitches) and piece_end < event.end,
                        opens_tuplet=tuplet is not None and piece_start == tuplet[0],
                        closes_tuplet=tuplet is not None and piece_end == tuplet[1],
                        in_tuplet=tuplet is not None,
                    )
                )
        return values

    def _pieces(
        self, start: int, end: int, triplets: set[Quarter], *, is_rest: bool
    ) -> Iterator[tuple[int, int, Quarter | None]]:
        """Single note values from start to end, each with the triplet that it is part of."""
        touched = [t for t in sorted(triplets) if t[0] < end and start < t[1]]
        inside = {tick for triplet in touched for tick in triplet if start < tick < end}
        for left, right in pairwise(sorted({start, end} | inside)):
            triplet = next((t for t in touched if t[0] <= left < t[1]), None)
            if triplet and (left, right) != triplet:
                for piece in _triplet_pieces(left, right):
                    yield *piece, triplet
            else:
                bar_start = left - left % self.bar
                for low, high in self._duple_pieces(left - bar_start, right - bar_start, is_rest):
                    yield low + bar_start, high + bar_start, None

    def _duple_pieces(self, start: int, end: int, is_rest: bool) -> Iterator[tuple[int, int]]:
        if self._is_readable(start, end, is_rest):
            yield start, end
            return
        for level in self.levels:
            cut = start - start % level + level
            if cut < end:
                yield from self._duple_pieces(start, cut, is_rest)
                yield from self._duple_pieces(cut, end, is_rest)
                return
        yield start, end

    def _is_readable(self, start: int, end: int, is_rest: bool) -> bool:
        length = end - start
        if is_rest and length == self.bar:
            return True
        if length not in _PLAIN + _DOTTED:
            return False
        if self.is_compound:
            crosses = start // self.beat != (end - 1) // self.beat
            return not crosses or (start % self.beat == 0 and length % self.beat == 0)
        if is_rest:
            return length in _PLAIN and start % length == 0
        strongest = self.levels[0]
        crosses = start // strongest != (end - 1) // strongest
        return not crosses or start % (strongest // 2) == 0


def _with_rests(events: Sequence[Event], end: int) -> Iterator[Event]:
    """The events, with rests between them and up to the end."""
    now = 0
    for event in events:
        if event.start > now:
            yield Event(now, event.start, ())
        yield event
        now = event.end
    if end > now:
        yield Event(now, end, ())


def _triplet_pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        length = next(value for value in _TRIPLET_VALUES if value <= end - start)
        yield start, start + length
        start += length
