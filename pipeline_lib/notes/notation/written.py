"""A score as it is written: what the readers of all formats hand on, before anything is played.

Times are exact, in quarter notes from the beginning of the page: a passage under repeat signs stands there
once. `pipeline_lib.notes.notation.playing` makes of it what sounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from fractions import Fraction
from typing import NamedTuple

from pipeline_lib.notes.piece import TrackInfo


class WrittenNote(NamedTuple):
    """One note head with a length; grace notes, cue notes and rests are none.

    Parameters
    ----------
    onset_quarter, duration_quarter : Fraction
        Where it begins, and how long it is by itself, without what is tied to it.
    pitch : int
        The MIDI number that sounds, whatever is written for a transposing instrument.
    part : int
        Index of its part in `WrittenScore.parts`.
    voice : int
        Its voice; numbers have a meaning within one part only.
    ties_on : bool
        Whether a tie begins at it.
    ties_back : bool
        Whether a tie may end at it. Formats that mark only where ties begin set it for all notes.
    """

    onset_quarter: Fraction
    duration_quarter: Fraction
    pitch: int
    part: int = 0
    voice: int = 0
    ties_on: bool = False
    ties_back: bool = False


class Sign(Enum):
    """A sign that directs players through a score."""

    REPEAT_START = auto()
    REPEAT_END = auto()
    """With the number of times that its passage is played in all, 2 as a rule."""
    DOUBLE_BAR = auto()
    """Ends an ending. A passage whose repeat has no start begins at it."""
    ENDING_START = auto()
    """With the passes that it is played in."""
    ENDING_END = auto()
    SEGNO = auto()
    TO_CODA = auto()
    CODA = auto()
    FINE = auto()
    DA_CAPO = auto()
    DAL_SEGNO = auto()
    SECTION = auto()
    """With its name, by which `WrittenScore.order` calls it."""


class Mark(NamedTuple):
    """A sign, and where it stands; `times`, `passes` and `name` belong to those signs that say so."""

    at_quarter: Fraction
    sign: Sign
    times: int = 2
    passes: tuple[int, ...] = ()
    name: str = ""


@dataclass
class WrittenScore:
    """One score.

    Parameters
    ----------
    notes : list of WrittenNote
        In any order.
    parts : list of TrackInfo
        Its parts, from the top of the page.
    marks : list of Mark
        In the order of the page.
    order : tuple of str
        Names of sections in the order in which they are played; empty: as on the page.
    tempos : list of (at_quarter, tempo_qpm)
    time_signatures, key_signatures : list of (at_quarter, name)
        In the order of the page; None stands for what has no name.
    end_quarter : Fraction
        Where the page ends.
    title : str or None
    warnings : list of str
        What the reader could not make sense of, each in a sentence that says where.
    """

    notes: list[WrittenNote] = field(default_factory=list)
    parts: list[TrackInfo] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    order: tuple[str, ...] = ()
    tempos: list[tuple[Fraction, float]] = field(default_factory=list)
    time_signatures: list[tuple[Fraction, str | None]] = field(default_factory=list)
    key_signatures: list[tuple[Fraction, str | None]] = field(default_factory=list)
    end_quarter: Fraction = Fraction(0)
    title: str | None = None
    warnings: list[str] = field(default_factory=list)
