"""One piece as a parser hands it on, before it joins the tables.

Both parsers, `pipeline_lib.notes.midi` and `pipeline_lib.notes.scores`, return a `ParsedPiece` or raise
`RejectedFile`. What a file says about tempo, metre and key is often nonsense; the checks here decide for
both parsers what is believed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.notes.table import RejectReason

DEFAULT_TEMPO_QPM = 120.0
"""What MIDI prescribes where a file has no tempo."""
DEFAULT_TIME_SIGNATURE = "4/4"
DEFAULT_VELOCITY = 80
"""For scores and for what we write: mezzo-forte."""

MAX_TICK = 2**31 - 1
MAX_NOTES = 2_000_000
"""More notes than this are no piece of music (a symphony has about 100,000)."""

_MAX_TRACK = 2**16 - 1
_MAX_PITCH = 127
_SANE_TEMPO_QPM = (5.0, 1000.0)
_MAX_BEATS = 64
_BEAT_UNITS = (1, 2, 4, 8, 16, 32, 64)
_MAJOR_KEYS = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"]
_MINOR_KEYS = ["Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"]
_MAX_SHARPS = 7

IntArray = NDArray[np.int64]


class RejectedFile(Exception):  # noqa: N818 - not an error: it becomes a row of the piece table
    """A file that cannot be used, and why.

    Parameters
    ----------
    reason : RejectReason
    detail : str
        For a reader who wants to repair the file.
    """

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, eq=False)
class ParsedPiece:
    """The notes of one file in its own resolution, sorted by onset, track, pitch.

    Its numbers fit the note table: making one of numbers that do not raises `RejectedFile`.

    Parameters
    ----------
    track, program, pitch, velocity : int64 arrays, shape (n_notes,)
        `track` counts from 0; the others are 0–127.
    is_drum : bool array, shape (n_notes,)
    onset_tick, duration_tick : int64 arrays, shape (n_notes,)
        Ticks from the start of the piece; durations are positive.
    ticks_per_quarter : int
        Ticks in a quarter note.
    tempo_qpm : float
        The first tempo, in quarter notes per minute.
    time_signature : str
        The first metre, such as "6/8".
    key_signature : str or None
        The first key, such as "G major", where the file has one.
    n_tracks : int
        Tracks with or without notes.
    """

    track: IntArray
    program: IntArray
    is_drum: NDArray[np.bool_]
    pitch: IntArray
    velocity: IntArray
    onset_tick: IntArray
    duration_tick: IntArray
    ticks_per_quarter: int
    tempo_qpm: float
    time_signature: str
    key_signature: str | None
    n_tracks: int

    def __post_init__(self) -> None:
        if len(self) > MAX_NOTES:
            raise RejectedFile(RejectReason.TOO_LARGE, f"{len(self)} notes")
        if self.n_tracks > _MAX_TRACK:
            raise RejectedFile(RejectReason.TOO_LARGE, f"{self.n_tracks} tracks")
        if not 0 <= self.pitch.min(initial=0) <= self.pitch.max(initial=0) <= _MAX_PITCH:
            raise RejectedFile(RejectReason.MALFORMED, f"pitches outside 0-{_MAX_PITCH}")
        # Ticks that a parser counted in 32 bits come out negative where they wrapped around.
        earliest = min(self.onset_tick.min(initial=0), self.duration_tick.min(initial=1) - 1)
        if earliest < 0 or (self.onset_tick + self.duration_tick).max(initial=0) > MAX_TICK:
            raise RejectedFile(RejectReason.TOO_LARGE, f"lasts longer than {MAX_TICK} ticks")

    def __len__(self) -> int:
        return len(self.pitch)

    @property
    def duration_quarter(self) -> float:
        """From the start of the piece to the end of its last note, in quarter notes."""
        end_tick = int((self.onset_tick + self.duration_tick).max(initial=0))
        return end_tick / self.ticks_per_quarter


def believed_tempo(tempo_qpm: float) -> float:
    """`tempo_qpm` if music can have it, else the default."""
    slowest, fastest = _SANE_TEMPO_QPM
    return tempo_qpm if slowest <= tempo_qpm <= fastest else DEFAULT_TEMPO_QPM


def believed_time_signature(beats: int, unit: int) -> str:
    """Such as "6/8"; the default where music cannot be barred like that."""
    if 1 <= beats <= _MAX_BEATS and unit in _BEAT_UNITS:
        return f"{beats}/{unit}"
    return DEFAULT_TIME_SIGNATURE


def key_name(sharps: int, minor: bool) -> str | None:
    """Name of a key signature.

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
    """
    if abs(sharps) > _MAX_SHARPS:
        return None
    names, mode = (_MINOR_KEYS, "minor") if minor else (_MAJOR_KEYS, "major")
    return f"{names[sharps + _MAX_SHARPS]} {mode}"


def key_sharps(name: str) -> tuple[int, bool]:
    """Inverse of `key_name`: number of sharps (flats negative), and whether the mode is minor."""
    tonic, mode = name.split()
    minor = mode == "minor"
    return (_MINOR_KEYS if minor else _MAJOR_KEYS).index(tonic) - _MAX_SHARPS, minor
