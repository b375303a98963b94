"""One piece as a parser hands it on, before it joins the tables.

Both parsers, `pipeline_lib.notes.midi.files` and `pipeline_lib.notes.notation.files`, return a `ParsedPiece` or raise
`RejectedFile`. What a file says about tempo, metre and key is often nonsense; the checks here decide for
both parsers what is believed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.notes.table import RejectReason
from pipeline_lib.notes.tempos import NO_TEMPO, TempoChanges

DEFAULT_TIME_SIGNATURE = "4/4"
DEFAULT_VELOCITY = 80
"""Velocity of notes from scores, which state none, and of all notes that we write: mezzo-forte."""

MAX_TICK = 2**31 - 1
MAX_NOTES = 2_000_000
"""The most notes that one piece may have; a symphony has about 100,000."""
MAX_TRACKS = 2**16 - 1

_MAX_PITCH = 127
_MAX_BEATS = 64
_BEAT_UNITS = (1, 2, 4, 8, 16, 32, 64)
_MAJOR_KEYS = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"]
_MINOR_KEYS = ["Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"]
_MAX_SHARPS = 7

IntArray = NDArray[np.integer]


class RejectedFile(Exception):  # noqa: N818 - not an error: it becomes a row of the piece table
    """A file that cannot be used, and why.

    Parameters
    ----------
    reason : RejectReason
    detail : str
        What exactly is wrong, for a reader who wants to repair the file.
    """

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class TrackInfo(NamedTuple):
    """One track of a piece, as the file describes it.

    Parameters
    ----------
    name : str or None
        Name of the track without surrounding blanks; None where it has none.
    program : int
        General MIDI program, 0–127.
    is_drum : bool
        Whether the track is percussion.
    """

    name: str | None = None
    program: int = 0
    is_drum: bool = False


@dataclass(frozen=True, eq=False)
class ParsedPiece:
    """The notes of one piece in its own resolution, sorted by onset, track, pitch, then as in the file.

    Creating one with numbers that do not fit the note table raises `RejectedFile`.

    Parameters
    ----------
    track, pitch, velocity : integer arrays, shape (n_notes,)
        Of each note: the index of its track in `tracks`, its pitch and its velocity (both 0–127).
    onset_tick, duration_tick : integer arrays, shape (n_notes,)
        Ticks from the start of the piece; durations are positive.
    tracks : tuple of TrackInfo
        All tracks of the piece, with or without notes.
    ticks_per_quarter : int
        Ticks in a quarter note.
    tempos : TempoChanges
        Every change of tempo.
    time_signatures : tuple of (onset_tick, time_signature)
        Every change of metre, such as ``(0, "6/8")``.
    key_signatures : tuple of (onset_tick, key_signature)
        Every change of key, such as ``(0, "G major")``.
    n_unended : int
        Number of notes that begin and never end; they are not among the notes.
    n_zero_length : int
        Number of notes that end as they begin; they are not among the notes.
    repair : str or None
        What had to be repaired before the file could be read; None where nothing was.
    warnings : tuple of str
        What the reader could not make sense of and left out or guessed, each in a sentence that says where.
    """

    track: IntArray
    pitch: IntArray
    velocity: IntArray
    onset_tick: IntArray
    duration_tick: IntArray
    tracks: tuple[TrackInfo, ...]
    ticks_per_quarter: int
    tempos: TempoChanges = NO_TEMPO
    time_signatures: tuple[tuple[int, str], ...] = ()
    key_signatures: tuple[tuple[int, str], ...] = ()
    n_unended: int = 0
    n_zero_length: int = 0
    repair: str | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self) > MAX_NOTES:
            raise RejectedFile(RejectReason.TOO_LARGE, f"{len(self)} notes")
        if len(self.tracks) > MAX_TRACKS:
            raise RejectedFile(RejectReason.TOO_LARGE, f"{len(self.tracks)} tracks")
        if not len(self):
            return
        if not 0 <= self.pitch.min() <= self.pitch.max() <= _MAX_PITCH:
            raise RejectedFile(RejectReason.MALFORMED, f"pitches outside 0-{_MAX_PITCH}")
        # Ticks that a parser counted in 32 bits come out negative where they wrapped around.
        if self.onset_tick.min() < 0 or self.duration_tick.min() < 1 or self.end_tick > MAX_TICK:
            raise RejectedFile(RejectReason.TOO_LARGE, f"lasts longer than {MAX_TICK} ticks")

    def __len__(self) -> int:
        return len(self.pitch)

    @property
    def program(self) -> IntArray:
        """Each note's program, shape (n_notes,)."""
        return np.array([t.program for t in self.tracks], np.int64)[self.track]

    @property
    def is_drum(self) -> NDArray[np.bool_]:
        """Whether each note is percussion, shape (n_notes,)."""
        return np.array([t.is_drum for t in self.tracks], bool)[self.track]

    @property
    def tempo_qpm(self) -> float:
        """The first tempo, in quarter notes per minute."""
        return self.tempos.first_qpm

    @property
    def time_signature(self) -> str:
        """The first time signature; "4/4" where the piece states none."""
        return self.time_signatures[0][1] if self.time_signatures else DEFAULT_TIME_SIGNATURE

    @property
    def key_signature(self) -> str | None:
        """The first key signature, such as "G major"; None where the piece states none."""
        return self.key_signatures[0][1] if self.key_signatures else None

    @cached_property
    def end_tick(self) -> int:
        """Tick at which the last note ends; 0 for a piece without notes."""
        return int(np.add(self.onset_tick, self.duration_tick, dtype=np.int64).max(initial=0))

    @property
    def duration_quarter(self) -> float:
        """Length of the piece in quarter notes, from tick 0 to the end of its last note."""
        return self.end_tick / self.ticks_per_quarter

    @property
    def duration_sec(self) -> float:
        """Length of the piece in seconds, from tick 0 to the end of its last note, at the stated tempos."""
        return self.tempos.seconds_until(self.end_tick, self.ticks_per_quarter)


def check_usable(piece: ParsedPiece) -> None:
    """Raise `RejectedFile` for a piece that has no notes, or none but percussion."""
    if not len(piece):
        raise RejectedFile(RejectReason.NO_NOTES, f"{len(piece.tracks)} tracks without notes")
    if piece.is_drum.all():
        raise RejectedFile(RejectReason.ONLY_DRUMS, f"{len(piece)} notes, all of percussion")


def time_signature_name(beats: int, unit: int) -> str | None:
    """Name a time signature.

    Parameters
    ----------
    beats, unit : int
        Upper and lower number of the signature.

    Returns
    -------
    str or None
        Such as "6/8"; None for numbers that no music is barred by.

    Examples
    --------
    >>> time_signature_name(6, 8)
    '6/8'
    >>> time_signature_name(3, 0) is None
    True
    """
    return f"{beats}/{unit}" if 1 <= beats <= _MAX_BEATS and unit in _BEAT_UNITS else None


def changes_only(states: Iterable[tuple[int, str | None]]) -> tuple[tuple[int, str], ...]:
    """Reduce what a piece states about its metre or key to the changes.

    Parameters
    ----------
    states : iterable of (onset_tick, value)
        In any order; None stands for what is not believed. Of several at one tick the last counts.

    Returns
    -------
    tuple of (onset_tick, value)
        Sorted; no value repeats the one before it.

    Examples
    --------
    >>> changes_only([(0, "4/4"), (960, "4/4"), (1920, "3/4")])
    ((0, '4/4'), (1920, '3/4'))
    """
    latest = {tick: value for tick, value in sorted(states, key=itemgetter(0)) if value is not None}
    changes: list[tuple[int, str]] = []
    for tick, value in latest.items():
        if not changes or changes[-1][1] != value:
            changes.append((tick, value))
    return tuple(changes)


def key_name(sharps: int, minor: bool) -> str | None:
    """Name a key signature.

    Parameters
    ----------
    sharps : int
        Number of sharps; flats are negative.
    minor : bool
        Whether the mode is minor.

    Returns
    -------
    str or None
        Such as "Bb major"; None where there is no key with so many sharps or flats.

    Examples
    --------
    >>> key_name(-2, minor=False)
    'Bb major'
    >>> key_name(-2, minor=True)
    'G minor'
    """
    if abs(sharps) > _MAX_SHARPS:
        return None
    names, mode = (_MINOR_KEYS, "minor") if minor else (_MAJOR_KEYS, "major")
    return f"{names[sharps + _MAX_SHARPS]} {mode}"


def key_sharps(name: str) -> tuple[int, bool]:
    """Number of sharps in a key's signature (flats negative), and whether its mode is minor.

    This is the inverse of `key_name`.

    Examples
    --------
    >>> key_sharps("Bb major")
    (-2, False)
    """
    tonic, mode = name.split()
    minor = mode == "minor"
    return (_MINOR_KEYS if minor else _MAJOR_KEYS).index(tonic) - _MAX_SHARPS, minor
