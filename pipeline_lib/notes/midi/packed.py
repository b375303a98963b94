"""Packed pieces: what symusic has read, as bytes that are unpacked for many pieces at once.

Most files are short, and an array that holds a hundred numbers costs as much to make as one that holds ten
thousand. symusic's own ``numpy()`` makes one for each column of each list. Here a list is taken as bytes: the
state that symusic pickles, which is the number of its events and then the memory in which they lie. That its
layout is the one described here is checked when this module is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import symusic
from numpy.typing import NDArray

from pipeline_lib.notes.piece import TrackInfo

NOTE = np.dtype(
    [("time", np.int32), ("duration", np.int32), ("pitch", np.int8), ("velocity", np.int8)],
    align=True,
)
TEMPO = np.dtype([("time", np.int32), ("mspq", np.int32)], align=True)
"""Record of a tempo; ``mspq`` is in microseconds per quarter note."""
METRE = np.dtype(
    [("time", np.int32), ("numerator", np.uint8), ("denominator", np.uint8)], align=True
)
KEY = np.dtype([("time", np.int32), ("key", np.int8), ("tonality", np.uint8)], align=True)

_COUNT_BYTES = 4


class UnsortedPiece(NamedTuple):
    """One piece as symusic has read it; `pipeline_lib.notes.batches` sorts many of them at once.

    Parameters
    ----------
    notes : bytes
        `NOTE` records of one track after another, those without length among them.
    n_notes : list of int
        Number of records of each track.
    tracks : tuple of TrackInfo
        All tracks of the piece, with or without notes.
    ticks_per_quarter : int
        Ticks in a quarter note, in the ticks that `tick_factor` makes.
    tick_factor : int
        Factor that the ticks of notes and changes have to be multiplied by.
    smpte_qpm : float or None
        Tempo in quarter notes per minute, where those in `tempos` do not apply; None where they do.
    tempos, metres, keys : bytes
        `TEMPO`, `METRE` and `KEY` records as the file has them, senseless ones included.
    n_unended : int
        As in `ParsedPiece`.
    repair : str or None
        As in `ParsedPiece`.
    warnings : tuple of str
        As in `ParsedPiece`; there are none for MIDI.
    """

    notes: bytes
    n_notes: list[int]
    tracks: tuple[TrackInfo, ...]
    ticks_per_quarter: int
    tick_factor: int
    smpte_qpm: float | None
    tempos: bytes
    metres: bytes
    keys: bytes
    n_unended: int
    repair: str | None
    warnings: tuple[str, ...] = ()


def packed(events: Any) -> bytes:
    """Bytes of the records of a symusic list of events."""
    state: bytes = events.__getstate__()
    return state[_COUNT_BYTES:]


def unpacked(parts: Sequence[bytes], record: np.dtype[Any]) -> tuple[NDArray[Any], list[int]]:
    """Join parts of packed bytes into one array of records, and count the records of each part."""
    n_records = [len(part) // record.itemsize for part in parts]
    return np.frombuffer(b"".join(parts), record), n_records


def _check_layout() -> None:
    score = symusic.Score(480)
    score.tempos.extend([symusic.Tempo(1, mspq=2), symusic.Tempo(3, mspq=4)])
    score.time_signatures.extend([symusic.TimeSignature(1, 2, 4), symusic.TimeSignature(5, 6, 8)])
    score.key_signatures.extend([symusic.KeySignature(1, -2, 1), symusic.KeySignature(3, 4, 0)])
    notes = symusic.Track().notes
    notes.extend([symusic.Note(1, 2, 3, 4), symusic.Note(5, 6, 7, 8)])
    for events, record, expected in (
        (notes, NOTE, [(1, 2, 3, 4), (5, 6, 7, 8)]),
        (score.tempos, TEMPO, [(1, 2), (3, 4)]),
        (score.time_signatures, METRE, [(1, 2, 4), (5, 6, 8)]),
        (score.key_signatures, KEY, [(1, -2, 1), (3, 4, 0)]),
    ):
        memory = packed(events)
        if (
            len(memory) != len(expected) * record.itemsize
            or np.frombuffer(memory, record).tolist() != expected
        ):
            raise ImportError(f"symusic {symusic.__version__} packs {record.names} in another way")


_check_layout()
