"""Scores in text form: ABC, Humdrum kern and MusicXML, read through music21.

music21 is slow (about 700 notes per second) and takes seconds to import, so it is imported when the first
score is read, and never used for MIDI.

Conventions:

- What is read is what is played: repeats are expanded. Where music21 cannot make sense of the repeat
  signs, the notes are taken as written.
- Tied notes become one note. Grace notes have no duration and are dropped, as are chord symbols and
  unpitched percussion.
- Of a file with several tunes (ABC), the first is read.
- One part is one track. All notes get the same velocity.
- The resolution is the smallest multiple of 480 ticks per quarter that holds every onset and duration
  exactly, triplets included. Only where there is none within MIDI's bounds are ticks rounded.
- Modes that MIDI does not know get the major key with the same signature: D dorian is "C major".
"""

from __future__ import annotations

import math
import re
import tempfile
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib.notes.piece import (
    DEFAULT_TEMPO_QPM,
    DEFAULT_TIME_SIGNATURE,
    DEFAULT_VELOCITY,
    ParsedPiece,
    RejectedFile,
    believed_tempo,
    believed_time_signature,
    key_name,
)
from pipeline_lib.notes.table import RejectReason

_TEXT_FORMATS = {".abc": "abc", ".krn": "humdrum"}
_XML_MARK = rb"<score-(partwise|timewise)"
_MARKS = {
    ".abc": rb"(^|[\r\n])K:",
    ".krn": rb"(^|[\r\n])\*\*kern",
    ".musicxml": _XML_MARK,
    ".mxl": rb"^PK",
    ".xml": _XML_MARK,
}
"""What every file of a kind holds somewhere."""

_BASE_TICKS_PER_QUARTER = 480
_ROUNDED_TICKS_PER_QUARTER = 10_080
"""Where nothing is exact: divides by every number up to 10."""
_MAX_TICKS_PER_QUARTER = 32_767
_MAX_DENOMINATOR = 65_535
"""music21 holds times as binary floats or as fractions up to this denominator."""


def read_score(data: bytes, suffix: str) -> ParsedPiece:
    """Read an ABC, kern or MusicXML file.

    Parameters
    ----------
    data : bytes
        The whole file.
    suffix : str
        Its suffix in lower case, which tells music21 the format.

    Raises
    ------
    RejectedFile
        It cannot be used.
    """
    return score_to_piece(load_score(data, suffix))


def load_score(data: bytes, suffix: str) -> Any:
    """The first score in a file, as a `music21.stream.Score`; parameters as in `read_score`.

    Raises
    ------
    RejectedFile
        music21 finds no score in it.
    """
    from music21 import stream

    if not data:
        raise RejectedFile(RejectReason.EMPTY_FILE, "0 bytes")
    # XML may come in UTF-16, where every other byte of a tag is zero.
    if not re.search(_MARKS[suffix], data.replace(b"\0", b"")):
        raise RejectedFile(RejectReason.NOT_MUSIC, f"lacks what every {suffix} file has")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parsed = _parse(data, suffix)
        except Exception as error:  # music21 raises nearly everything on bad input
            detail = f"{type(error).__name__}: {error}"
            raise RejectedFile(RejectReason.MALFORMED, detail) from None
    score = next(iter(parsed.scores), None) if isinstance(parsed, stream.Opus) else parsed
    if not isinstance(score, stream.Score):
        raise RejectedFile(RejectReason.NOT_MUSIC, "music21 finds no score in it")
    return score


def _parse(data: bytes, suffix: str) -> Any:
    from music21 import converter

    if suffix in _TEXT_FORMATS:
        return converter.parseData(_decoded(data), format=_TEXT_FORMATS[suffix])
    with tempfile.TemporaryDirectory() as folder:
        # music21 unpacks compressed scores, and heeds the encoding XML declares, only in files on disk.
        path = Path(folder) / f"score{suffix}"
        path.write_bytes(data)
        return converter.parse(path, forceSource=True, storePickle=False)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # what old ABC collections are in; never fails


def score_to_piece(score: Any) -> ParsedPiece:
    """The notes that a `music21.stream.Score` stands for, as they are played."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        played = _expand_repeats(score).stripTies()
        notes = [
            (onset, index, pitch, duration, program)
            for index, part in enumerate(played.parts)
            for onset, pitch, duration, program in _part_notes(part)
        ]
        notes.sort(key=lambda note: note[:3])
        flat = played.flatten()
        ticks_per_quarter = _exact_resolution([t for n in notes for t in (n[0], n[3])])
        columns = [list(column) for column in zip(*notes, strict=True)] or [[]] * 5
        onset_quarter, track, pitch, duration_quarter, program = columns
        onset_tick, duration_tick = _to_ticks(onset_quarter, duration_quarter, ticks_per_quarter)
        return ParsedPiece(
            track=np.array(track, np.int64),
            program=np.array(program, np.int64),
            is_drum=np.zeros(len(notes), bool),
            pitch=np.array(pitch, np.int64),
            velocity=np.full(len(notes), DEFAULT_VELOCITY, np.int64),
            onset_tick=onset_tick,
            duration_tick=duration_tick,
            ticks_per_quarter=ticks_per_quarter,
            tempo_qpm=_first_tempo_qpm(flat),
            time_signature=_first_time_signature(flat),
            key_signature=_first_key(flat),
            n_tracks=len(played.parts),
        )


def _expand_repeats(score: Any) -> Any:
    from music21.exceptions21 import Music21Exception

    try:
        return score.expandRepeats()
    except Music21Exception:
        return score


def _part_notes(part: Any) -> Iterator[tuple[Fraction, int, Fraction, int]]:
    """Onset, pitch, duration (in quarter notes) and program of every sounding note of a part."""
    from music21 import harmony

    instrument = part.getInstrument(returnDefault=False)
    program = (instrument and instrument.midiProgram) or 0
    for element in part.flatten().notes:
        if element.duration.isGrace or isinstance(element, harmony.Harmony):
            continue
        duration = _fraction(element.quarterLength)
        for pitch in element.pitches if duration > 0 else ():
            # Not `pitch.midi`, which moves what is out of range by octaves.
            yield _fraction(element.offset), round(pitch.ps), duration, program


def _fraction(quarters: float | Fraction) -> Fraction:
    return Fraction(quarters).limit_denominator(_MAX_DENOMINATOR)


def _exact_resolution(times_quarter: list[Fraction]) -> int:
    """Ticks per quarter note at which all times are whole numbers, or else a rich compromise."""
    denominators = {time.denominator for time in times_quarter}
    exact = math.lcm(_BASE_TICKS_PER_QUARTER, *denominators)
    return exact if exact <= _MAX_TICKS_PER_QUARTER else _ROUNDED_TICKS_PER_QUARTER


def _to_ticks(
    onset_quarter: list[Fraction], duration_quarter: list[Fraction], ticks_per_quarter: int
) -> tuple[Any, Any]:
    """Onsets and durations in ticks; both ends are rounded, so that notes that touch still do."""
    onset = np.array([round(t * ticks_per_quarter) for t in onset_quarter], np.int64)
    ends = (o + d for o, d in zip(onset_quarter, duration_quarter, strict=True))
    offset = np.array([round(t * ticks_per_quarter) for t in ends], np.int64)
    return onset, np.maximum(offset - onset, 1)


def _first_tempo_qpm(flat: Any) -> float:
    for mark in flat.getElementsByClass("MetronomeMark"):
        tempo_qpm = mark.getQuarterBPM()
        if tempo_qpm is not None:
            return believed_tempo(float(tempo_qpm))
    return DEFAULT_TEMPO_QPM


def _first_time_signature(flat: Any) -> str:
    metre = flat.getElementsByClass("TimeSignature").first()
    if metre is None:
        return DEFAULT_TIME_SIGNATURE
    return believed_time_signature(metre.numerator, metre.denominator)


def _first_key(flat: Any) -> str | None:
    # A bare signature has no attribute `mode`; where a key stands beside it, that says more.
    signatures = flat.getElementsByClass("KeySignature")
    key = min(signatures, key=lambda k: (k.offset, not hasattr(k, "mode")), default=None)
    if key is None or key.sharps is None:
        return None
    return key_name(key.sharps, minor=getattr(key, "mode", None) in ("minor", "aeolian"))
