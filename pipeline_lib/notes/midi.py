"""MIDI files in and out.

symusic parses; it agrees note for note with a first-in-first-out reference (a note-off ends the oldest
sounding note of its pitch). What it does not tell is read here from the headers before it sees the file:
whether the file is cut off, counts time in SMPTE frames, or holds independent sequences (type 2).

Conventions:

- A *track* of ours is what one MIDI track plays on one channel with one program.
- Notes that never end, and notes of length zero, are dropped: nothing says how long they should sound.
- Tempo, metre and key are the first in the file, in whichever track; senseless ones count as missing.
- Pedals are ignored: a note lasts as long as its key is down.
- Where a file declares more tracks than it holds, what is there is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import symusic

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.piece import (
    DEFAULT_TEMPO_QPM,
    DEFAULT_TIME_SIGNATURE,
    DEFAULT_VELOCITY,
    ParsedPiece,
    RejectedFile,
    believed_tempo,
    believed_time_signature,
    key_name,
    key_sharps,
)
from pipeline_lib.notes.table import RejectReason

MAX_NOTES = 2_000_000
"""More notes than this are no piece of music (a symphony has about 100,000)."""

_HEADER_BYTES = 14
_CHUNK_HEADER_BYTES = 8
_MIN_WRITTEN_TICKS_PER_QUARTER = 480
_USEC_PER_MINUTE = 60_000_000
_MINOR = 1
"""How MIDI's key signature event writes the minor mode."""


def read_midi(data: bytes) -> ParsedPiece:
    """Read a Standard MIDI File of type 0 or 1.

    Parameters
    ----------
    data : bytes
        The whole file.

    Raises
    ------
    RejectedFile
        It cannot be used.
    """
    _check_headers(data)
    try:
        score = symusic.Score.from_midi(data)
    except RuntimeError as error:
        raise RejectedFile(RejectReason.MALFORMED, str(error)) from None
    if score.note_num() > MAX_NOTES:
        raise RejectedFile(RejectReason.TOO_LARGE, f"{score.note_num()} notes")
    return ParsedPiece(
        **_note_arrays(score),
        ticks_per_quarter=score.ticks_per_quarter,
        tempo_qpm=_first_tempo_qpm(score),
        time_signature=_first_time_signature(score),
        key_signature=_first_key(score),
        n_tracks=len(score.tracks),
    )


def write_midi(notes: GridNotes, path: Path, *, track_name: str, program: int = 0) -> None:
    """Write one track of notes as a MIDI file; equal notes give equal bytes.

    Parameters
    ----------
    notes : GridNotes
        The file's resolution is a multiple of theirs, so that no onset is rounded.
    path : Path
        Where to write.
    track_name : str
        Shown by sequencers.
    program : int
        General MIDI program, 0–127; 0 is the piano.
    """
    ticks_per_step = -(-_MIN_WRITTEN_TICKS_PER_QUARTER // notes.steps_per_quarter)
    score = symusic.Score(ticks_per_step * notes.steps_per_quarter)
    track = symusic.Track(track_name, program, False)
    track.notes = symusic.Note.from_numpy(
        (notes.onset_step * ticks_per_step).astype(np.int32),
        (notes.duration_step * ticks_per_step).astype(np.int32),
        notes.pitch.astype(np.int8),
        np.full(len(notes), DEFAULT_VELOCITY, dtype=np.int8),
    )
    score.tracks.append(track)
    score.tempos.append(symusic.Tempo(0, mspq=round(_USEC_PER_MINUTE / notes.tempo_qpm)))
    beats, unit = (int(n) for n in notes.time_signature.split("/"))
    score.time_signatures.append(symusic.TimeSignature(0, beats, unit))
    if notes.key_signature is not None:
        sharps, minor = key_sharps(notes.key_signature)
        score.key_signatures.append(symusic.KeySignature(0, sharps, int(minor)))
    path.write_bytes(score.dumps_midi())


def _check_headers(data: bytes) -> None:
    """Walk header and chunks; raise RejectedFile for what symusic would misread or not explain."""
    if not data:
        raise RejectedFile(RejectReason.EMPTY_FILE, "0 bytes")
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        raise RejectedFile(RejectReason.UNSUPPORTED, "MIDI wrapped in RIFF")
    if data[:4] != b"MThd":
        raise RejectedFile(RejectReason.NOT_MUSIC, f"begins with {data[:8]!r}, not with b'MThd'")
    if len(data) < _HEADER_BYTES:
        raise RejectedFile(RejectReason.TRUNCATED, f"header ends after {len(data)} bytes")
    _check_header_fields(data)
    _check_chunks(data)


def _check_header_fields(data: bytes) -> None:
    length, midi_type = int.from_bytes(data[4:8]), int.from_bytes(data[8:10])
    division = int.from_bytes(data[12:14], signed=True)
    if length > len(data) - _CHUNK_HEADER_BYTES:
        raise RejectedFile(RejectReason.TRUNCATED, f"header of {length} bytes in {len(data)}")
    if length != 6:
        raise RejectedFile(RejectReason.UNSUPPORTED, f"header of {length} bytes, not 6")
    if midi_type == 2:
        raise RejectedFile(RejectReason.UNSUPPORTED, "type 2: independent sequences in one file")
    if midi_type > 2:
        raise RejectedFile(RejectReason.MALFORMED, f"type {midi_type}; there are types 0, 1, 2")
    if division < 0:
        raise RejectedFile(RejectReason.UNSUPPORTED, "time in SMPTE frames, not in quarter notes")
    if division == 0:
        raise RejectedFile(RejectReason.MALFORMED, "0 ticks per quarter note")


def _check_chunks(data: bytes) -> None:
    """Every declared track must lie wholly in the file; what follows the last one is ignored."""
    n_declared, n_found, start = int.from_bytes(data[10:12]), 0, _HEADER_BYTES
    while n_found < n_declared and start + _CHUNK_HEADER_BYTES <= len(data):
        end = start + _CHUNK_HEADER_BYTES + int.from_bytes(data[start + 4 : start + 8])
        if end > len(data):
            detail = f"chunk {data[start : start + 4]!r} ends {end - len(data)} bytes past the file"
            raise RejectedFile(RejectReason.TRUNCATED, detail)
        n_found += data[start : start + 4] == b"MTrk"
        start = end
    if n_declared and not n_found:
        raise RejectedFile(RejectReason.TRUNCATED, f"none of {n_declared} declared tracks")


def _note_arrays(score: Any) -> dict[str, Any]:
    """The per-note fields of a ParsedPiece."""
    tracks = [track.notes.numpy() for track in score.tracks]
    lengths = [len(track["time"]) for track in tracks]

    def joined(name: str) -> Any:
        parts = [np.empty(0, np.int64), *(track[name] for track in tracks)]
        return np.concatenate(parts).astype(np.int64, copy=False)

    def per_track(values: list[int]) -> Any:
        return np.repeat(np.array(values, np.int64), lengths)

    onset_tick, duration_tick = joined("time"), joined("duration")
    # symusic's ticks are 32 bits wide and wrap around.
    if min(onset_tick.min(initial=0), duration_tick.min(initial=0)) < 0 or (
        (onset_tick + duration_tick).max(initial=0) > np.iinfo(np.int32).max
    ):
        raise RejectedFile(RejectReason.TOO_LARGE, "lasts longer than 2,147,483,647 ticks")
    arrays = {
        "track": per_track(list(range(len(tracks)))),
        "program": per_track([track.program for track in score.tracks]),
        "is_drum": per_track([track.is_drum for track in score.tracks]).astype(bool),
        "pitch": joined("pitch"),
        "velocity": joined("velocity"),
        "onset_tick": onset_tick,
        "duration_tick": duration_tick,
    }
    order = np.lexsort((arrays["pitch"], arrays["track"], onset_tick))
    kept = order[duration_tick[order] > 0]
    return {name: values[kept] for name, values in arrays.items()}


def _first(events: Any) -> Any:
    """The earliest event, or None; symusic lists the events of one track after another."""
    return min(events, key=lambda event: event.time, default=None)


def _first_tempo_qpm(score: Any) -> float:
    tempo = _first(score.tempos)
    if tempo is None or tempo.mspq <= 0:
        return DEFAULT_TEMPO_QPM
    return believed_tempo(_USEC_PER_MINUTE / tempo.mspq)


def _first_time_signature(score: Any) -> str:
    metre = _first(score.time_signatures)
    if metre is None:
        return DEFAULT_TIME_SIGNATURE
    return believed_time_signature(metre.numerator, metre.denominator)


def _first_key(score: Any) -> str | None:
    key = _first(score.key_signatures)
    return None if key is None else key_name(key.key, key.tonality == _MINOR)
