"""A piece as one line of events: what tokenisers write that put one event after another.

Notes that begin together form a chord; an event lasts as long as its longest note, but no longer than until the
next event begins or than a longest duration; gaps are rests, divided where they are longer. This is exact for
melodies. In polyphony it keeps every onset and pitch and shortens overlapping notes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator

import numpy as np

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.tokens.tokenisers.base import Tokeniser

Event = tuple[tuple[int, ...], int]
"""Pitches that begin together, rising (none for a rest), and their duration in grid steps."""


class LineTokeniser(Tokeniser):
    """A tokeniser that writes one event after another; what the tokens of an event look like is left to each kind.

    Notes longer than ``max_duration_quarter`` are followed by rests.
    """

    def encode(self, notes: GridNotes) -> list[str]:
        """The tokens of a piece, event by event."""
        longest_step = self.config.max_duration_quarter * self.steps_per_quarter
        return [token for event in events_of(notes, longest_step) for token in self.event(*event)]

    def decode(
        self,
        tokens: Iterable[str],
        *,
        time_signature: str = "4/4",
        tempo_qpm: float = 120.0,
        key_signature: str | None = None,
    ) -> GridNotes:
        """The notes that tokens stand for, one event after another."""
        return notes_of(
            self.events(tokens),
            self.steps_per_quarter,
            time_signature=time_signature,
            tempo_qpm=tempo_qpm,
            key_signature=key_signature,
        )

    @abstractmethod
    def events(self, tokens: Iterable[str]) -> Iterator[Event]:
        """The events that tokens stand for; special tokens are skipped."""


def events_of(notes: GridNotes, longest_step: int) -> Iterator[Event]:
    """The events of a piece.

    Parameters
    ----------
    notes : GridNotes
        Sorted by onset.
    longest_step : int
        Longest duration of one event, in grid steps.
    """
    if not len(notes):
        return
    onset, first = np.unique(notes.onset_step, return_index=True)
    until_next = np.diff(onset, append=notes.end_step)
    sounding = np.maximum.reduceat(notes.duration_step, first)
    duration = np.minimum(np.minimum(sounding, until_next), longest_step)
    rest_before = np.diff(onset, prepend=0)
    rest_before[1:] -= duration[:-1]
    pitches = notes.pitch.tolist()
    bounds = [*first.tolist(), len(pitches)]
    for n, (rest, steps) in enumerate(zip(rest_before.tolist(), duration.tolist(), strict=True)):
        yield from _rests(rest, longest_step)
        yield tuple(pitches[bounds[n] : bounds[n + 1]]), steps


def _rests(n_steps: int, longest_step: int) -> Iterator[Event]:
    whole, remainder = divmod(n_steps, longest_step)
    for _ in range(whole):
        yield (), longest_step
    if remainder:
        yield (), remainder


def notes_of(
    events: Iterable[Event],
    steps_per_quarter: int,
    *,
    time_signature: str,
    tempo_qpm: float,
    key_signature: str | None,
) -> GridNotes:
    """The notes of events, one after another from step 0."""
    onsets: list[int] = []
    durations: list[int] = []
    pitches: list[int] = []
    now = 0
    for event_pitches, duration in events:
        onsets += [now] * len(event_pitches)
        durations += [duration] * len(event_pitches)
        pitches += event_pitches
        now += duration
    return GridNotes(
        np.array(onsets, dtype=np.int64),
        np.array(durations, dtype=np.int64),
        np.array(pitches, dtype=np.int64),
        steps_per_quarter,
        time_signature=time_signature,
        tempo_qpm=tempo_qpm,
        key_signature=key_signature,
    )
