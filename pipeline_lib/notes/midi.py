"""MIDI files in and out.

symusic parses; `pipeline_lib.notes.midi_bytes` takes a file apart before that. Parsers disagree about what
files leave open. Our rules:

- A *track* of ours is what one MIDI track plays on one channel with one program, as editors show it: a
  program change in mid-track begins a new one, channels of one MIDI track (type 0) are several.
- Type 2 holds independent sequences: each MIDI track that has notes is a piece of its own. Played together,
  as if it were type 1, they would sound as nobody meant.
- SMPTE time counts frames of real time and knows no quarter notes: half a second counts as one, which is
  tempo 120. Tempo events do not apply and are dropped. 29 frames stand for 30 drop-frame: tempo 119.88.
- A note-off ends the oldest sounding note of its pitch (first in, first out), as synthesisers with several
  voices do: each note-on gets its own end. A note-on of velocity 0 is a note-off.
- Notes that never end are dropped and counted: nothing says how long they sound. So are notes of length
  zero: a score cannot show them. A note-off without a note is ignored.
- Channel 10 is percussion, as General MIDI has it, whatever its program.
- Tempo, metre and key count from whichever track they stand in; sequencers do not all use the first.
  Where several fall on one tick, that of the last track counts. Repeated and senseless ones are dropped.
  A file without tempo has 120 quarter notes per minute, one without metre 4/4, as MIDI prescribes.
- Running status goes on across meta events, though the standard says it ends there: files rely on it.
- A track ends at its end-of-track event, even if events follow, or else where its chunk ends.
- Where a file declares more tracks than it holds, what is there is read.
- A note lasts as long as its key is down, unless `ParseConfig.sustain_pedal` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import symusic

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.midi_bytes import (
    BrokenTrack,
    MidiFile,
    count_note_ons,
    put_together,
    take_apart,
)
from pipeline_lib.notes.midi_pedal import sustained
from pipeline_lib.notes.midi_repair import mended
from pipeline_lib.notes.midi_unended import LATE_TICK, with_late_note_offs
from pipeline_lib.notes.piece import (
    DEFAULT_VELOCITY,
    MAX_TICK,
    IntArray,
    ParsedPiece,
    RejectedFile,
    TrackInfo,
    changes_only,
    key_name,
    key_sharps,
    time_signature_name,
)
from pipeline_lib.notes.table import RejectReason
from pipeline_lib.notes.tempos import NO_TEMPO, TempoChanges, tempo_changes

_MIN_WRITTEN_TICKS_PER_QUARTER = 480
_USEC_PER_MINUTE = 60_000_000
_MINOR = 1
"""How MIDI's key signature event writes the minor mode."""
_INDEPENDENT_TRACKS = 2
"""The type of MIDI file whose tracks are no one piece."""
_SUSTAIN_PEDAL = 64
_MAX_SORTED_AT_ONCE = 512
"""Pieces, so that nine bits number them."""
_NAME_BLANKS = " \t\r\n\0"
_COLUMNS = ("time", "duration", "pitch", "velocity")
"""symusic's names."""
_NONE = np.empty(0, np.int8)
"""Makes an array even of no arrays."""


@dataclass(frozen=True, slots=True)
class UnsortedPiece:
    """One piece with its notes still track by track; `sort_notes` makes a `ParsedPiece` of it.

    Parameters
    ----------
    notes : list of dict of arrays
        For each track the columns `_COLUMNS`.
    tracks, ticks_per_quarter, tempos, time_signatures, key_signatures, n_unended, n_zero_length, repair
        As in `ParsedPiece`.
    """

    notes: list[dict[str, IntArray]]
    tracks: tuple[TrackInfo, ...]
    ticks_per_quarter: int
    tempos: TempoChanges
    time_signatures: tuple[tuple[int, str], ...]
    key_signatures: tuple[tuple[int, str], ...]
    n_unended: int
    n_zero_length: int
    repair: str | None

    def __len__(self) -> int:
        return sum(len(notes["time"]) for notes in self.notes)


def read_midi(data: bytes, config: ParseConfig) -> tuple[ParsedPiece, ...]:
    """Read a Standard MIDI File of type 0, 1 or 2, also one that is wrapped in RIFF.

    Parameters
    ----------
    data : bytes
        The whole file.
    config : ParseConfig
        Whether to use the sustain pedal, and to mend what is broken.

    Returns
    -------
    tuple of ParsedPiece
        One; or, of a file of type 2, as many as there are tracks with notes, and at least one.

    Raises
    ------
    RejectedFile
        It cannot be used.
    """
    pieces = sort_notes(read_unsorted(data, config))
    for piece in pieces:
        if isinstance(piece, RejectedFile):
            raise piece
    return tuple(piece for piece in pieces if isinstance(piece, ParsedPiece))


def read_unsorted(data: bytes, config: ParseConfig) -> list[UnsortedPiece]:
    """As `read_midi`, for callers who sort the notes of many pieces at once."""
    try:
        return _read_strictly(data, config, repair=None)
    except RejectedFile as rejected:
        if not config.repair:
            raise
        repaired = mended(data)
        if repaired is None:
            raise
        try:
            return _read_strictly(repaired.data, config, repaired.what)
        except RejectedFile:
            raise rejected from None


def sort_notes(pieces: Sequence[UnsortedPiece]) -> list[ParsedPiece | RejectedFile]:
    """Pieces with their notes in order, or why they cannot be used; many at once, to save time."""
    starts = range(0, len(pieces), _MAX_SORTED_AT_ONCE)
    return [p for i in starts for p in _sorted_pieces(pieces[i : i + _MAX_SORTED_AT_ONCE])]


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


def _read_strictly(data: bytes, config: ParseConfig, repair: str | None) -> list[UnsortedPiece]:
    file = take_apart(data)
    if file.midi_type != _INDEPENDENT_TRACKS:
        return [_read_sequence(file.tracks, file, config, repair)]
    sequences: list[tuple[bytes, ...]] = [(track,) for track in file.tracks] or [()]
    pieces = [_read_sequence(tracks, file, config, repair) for tracks in sequences]
    return [piece for piece in pieces if len(piece)] or pieces[:1]


def _read_sequence(
    tracks: Sequence[bytes], file: MidiFile, config: ParseConfig, repair: str | None
) -> UnsortedPiece:
    """The piece that some MIDI tracks make up."""
    parsed = _parse(tracks, file.ticks_per_quarter)
    score, parts, notes = parsed.score, parsed.parts, parsed.notes
    n_zero_length = len(parsed.duration) - int(np.count_nonzero(parsed.duration))
    if n_zero_length:
        notes = [{name: n[name][n["duration"] != 0] for name in _COLUMNS} for n in notes]
    if config.sustain_pedal == "extend":
        for n, part in zip(notes, parts, strict=True):
            n["duration"] = _sustained(n, part.controls.numpy())
    if file.tick_factor != 1:
        for n in notes:
            for name in ("time", "duration"):
                n[name] = n[name].astype(np.int64) * file.tick_factor
    return UnsortedPiece(
        notes,
        tracks=tuple(TrackInfo(_name(p.name), p.program, p.is_drum) for p in parts),
        ticks_per_quarter=file.ticks_per_quarter,
        tempos=_tempos(score, file),
        time_signatures=_time_signatures(score, file),
        key_signatures=_key_signatures(score, file),
        n_unended=parsed.n_unended,
        n_zero_length=n_zero_length,
        repair=repair,
    )


class _Parsed(NamedTuple):
    """What symusic makes of some MIDI tracks."""

    score: Any
    parts: list[Any]
    notes: list[dict[str, IntArray]]
    duration: IntArray
    n_unended: int


def _parse(tracks: Sequence[bytes], ticks_per_quarter: int) -> _Parsed:
    parsed = _parse_with_late_ends(tracks, ticks_per_quarter)
    if parsed is not None:
        return parsed
    try:
        parsed = _parse_with_symusic(tracks, ticks_per_quarter)
        n_note_ons = sum(count_note_ons(track) for track in tracks)
    except (RuntimeError, BrokenTrack) as error:
        raise RejectedFile(RejectReason.MALFORMED, str(error)) from None
    return parsed._replace(n_unended=n_note_ons - len(parsed.duration))


def _parse_with_late_ends(tracks: Sequence[bytes], ticks_per_quarter: int) -> _Parsed | None:
    """The same, if every note ends by itself; None if that is not so or cannot be told."""
    longer = [with_late_note_offs(track) for track in tracks]
    complete = [track for track in longer if track is not None]
    if len(complete) < len(tracks):
        return None
    try:
        parsed = _parse_with_symusic(complete, ticks_per_quarter)
    except RuntimeError:
        return None
    n_in_step = sum([marker.time >= LATE_TICK for marker in parsed.score.markers])
    longest = np.maximum.reduce(parsed.duration, initial=0)
    return parsed if n_in_step == len(tracks) and longest < LATE_TICK else None


def _parse_with_symusic(tracks: Sequence[bytes], ticks_per_quarter: int) -> _Parsed:
    score = symusic.Score.from_midi(put_together(tracks, ticks_per_quarter))
    parts = list(score.tracks)
    notes = [part.notes.numpy() for part in parts]
    durations = [n["duration"] for n in notes]
    duration = durations[0] if len(durations) == 1 else np.concatenate([_NONE, *durations])
    return _Parsed(score, parts, notes, duration, n_unended=0)


def _sustained(notes: dict[str, IntArray], controls: dict[str, IntArray]) -> IntArray:
    """Durations of a track's notes under the pedal."""
    is_pedal = controls["number"] == _SUSTAIN_PEDAL
    return sustained(
        notes["time"],
        notes["duration"],
        notes["pitch"],
        controls["time"][is_pedal],
        controls["value"][is_pedal],
    )


def _name(name: str) -> str | None:
    return name.strip(_NAME_BLANKS) or None


def _tempos(score: Any, file: MidiFile) -> TempoChanges:
    if file.smpte_qpm is not None:
        return tempo_changes([0], [file.smpte_qpm])
    if not len(score.tempos):
        return NO_TEMPO
    columns = score.tempos.numpy()
    # A tempo of 0 microseconds is no tempo; 1 microsecond is none either, and can be divided by.
    return tempo_changes(columns["time"], _USEC_PER_MINUTE / np.maximum(columns["mspq"], 1))


def _time_signatures(score: Any, file: MidiFile) -> tuple[tuple[int, str], ...]:
    states = [
        (e.time * file.tick_factor, time_signature_name(e.numerator, e.denominator))
        for e in score.time_signatures
    ]
    return changes_only(states) if states else ()


def _key_signatures(score: Any, file: MidiFile) -> tuple[tuple[int, str], ...]:
    states = [
        (e.time * file.tick_factor, key_name(e.key, e.tonality == _MINOR))
        for e in score.key_signatures
    ]
    return changes_only(states) if states else ()


def _sorted_pieces(pieces: Sequence[UnsortedPiece]) -> Iterator[ParsedPiece | RejectedFile]:
    tracks = [notes for piece in pieces for notes in piece.notes]
    lengths = [len(notes["time"]) for notes in tracks]
    onset, duration, pitch, velocity = (
        np.concatenate([_NONE, *(notes[name] for notes in tracks)]) for name in _COLUMNS
    )
    n_tracks = [len(piece.notes) for piece in pieces]
    track = np.repeat(np.array([i for n in n_tracks for i in range(n)], np.int64), lengths)
    piece = np.repeat(np.repeat(np.arange(len(pieces)), n_tracks), lengths)
    # One number for all sorts ten times as fast as lexsort. Onsets that are negative, because they wrapped
    # around, are rejected below, but must not leave their piece.
    key = piece << 54 | (onset.astype(np.int64) & MAX_TICK) << 23 | track << 7 | pitch
    order = np.argsort(key, kind="stable")
    ends = np.searchsorted(piece, np.arange(len(pieces)), side="right").tolist()
    track, pitch, velocity, onset, duration = (
        column[order] for column in (track, pitch, velocity, onset, duration)
    )
    for unsorted, start, end in zip(pieces, [0, *ends], ends, strict=False):
        here = slice(start, end)
        try:
            yield ParsedPiece(
                track[here],
                pitch[here],
                velocity[here],
                onset[here],
                duration[here],
                unsorted.tracks,
                unsorted.ticks_per_quarter,
                unsorted.tempos,
                unsorted.time_signatures,
                unsorted.key_signatures,
                unsorted.n_unended,
                unsorted.n_zero_length,
                unsorted.repair,
            )
        except RejectedFile as rejected:
            yield rejected
