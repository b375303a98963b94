"""MIDI files in and out.

symusic parses; it agrees note for note with a first-in-first-out reference (a note-off ends the oldest
sounding note of its pitch). What it does not tell, `pipeline_lib.notes.midi_checks` reads from the bytes.

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
from pipeline_lib.notes.midi_checks import check_midi
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
    check_midi(data)
    try:
        score = symusic.Score.from_midi(data)
    except RuntimeError as error:
        raise RejectedFile(RejectReason.MALFORMED, str(error)) from None
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


def _note_arrays(score: Any) -> dict[str, Any]:
    """The per-note fields of a ParsedPiece."""
    tracks = [track.notes.numpy() for track in score.tracks]
    lengths = [len(track["time"]) for track in tracks]

    def joined(name: str) -> Any:
        parts = [np.empty(0, np.int64), *(track[name] for track in tracks)]
        return np.concatenate(parts).astype(np.int64, copy=False)

    def per_track(values: list[int]) -> Any:
        return np.repeat(np.array(values, np.int64), lengths)

    arrays = {
        "track": per_track(list(range(len(tracks)))),
        "program": per_track([track.program for track in score.tracks]),
        "is_drum": per_track([track.is_drum for track in score.tracks]).astype(bool),
        "pitch": joined("pitch"),
        "velocity": joined("velocity"),
        "onset_tick": joined("time"),
        "duration_tick": joined("duration"),
    }
    order = np.lexsort((arrays["pitch"], arrays["track"], arrays["onset_tick"]))
    kept = order[arrays["duration_tick"][order] != 0]
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
