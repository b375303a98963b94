"""MIDI files in and out.

symusic parses; `pipeline_lib.notes.midi.chunks` takes a file apart before that. Parsers disagree about what
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

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import symusic
from symusic.core import ScoreTick

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.batches import sorted_pieces
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.midi.chunks import (
    BrokenTrack,
    MidiFile,
    count_note_ons,
    put_together,
    take_apart,
)
from pipeline_lib.notes.midi.packed import NOTE, UnsortedPiece, packed
from pipeline_lib.notes.midi.pedal import sustained
from pipeline_lib.notes.midi.plain import plain
from pipeline_lib.notes.midi.repair import repair_midi
from pipeline_lib.notes.midi.unended import every_note_ends, with_late_note_offs
from pipeline_lib.notes.piece import (
    DEFAULT_VELOCITY,
    ParsedPiece,
    RejectedFile,
    TrackInfo,
    key_sharps,
)
from pipeline_lib.notes.table import RejectReason

_MIN_WRITTEN_TICKS_PER_QUARTER = 480
_USEC_PER_MINUTE = 60_000_000
_INDEPENDENT_TRACKS = 2
"""The type of MIDI file in which each track is a piece of its own."""
_SUSTAIN_PEDAL = 64
_NAME_BLANKS = " \t\r\n\0"


def read_midi(data: bytes, config: ParseConfig) -> tuple[ParsedPiece, ...]:
    """Read a Standard MIDI File of type 0, 1 or 2, also one that is wrapped in RIFF.

    Parameters
    ----------
    data : bytes
        The whole file.
    config : ParseConfig
        Whether to use the sustain pedal, and to repair what is broken.

    Returns
    -------
    tuple of ParsedPiece
        One piece; of a file of type 2 one for each track with notes, and at least one.

    Raises
    ------
    RejectedFile
        The file cannot be read; says why.

    Examples
    --------
    A file of one track with one note, C4, that lasts a quarter note of 96 ticks:

    >>> from pipeline_lib.config import ParseConfig
    >>> header = bytes.fromhex("4d546864 00000006 0000 0001 0060")
    >>> track = bytes.fromhex("4d54726b 0000000c 00903c40 60803c00 00ff2f00")
    >>> (piece,) = read_midi(header + track, ParseConfig())
    >>> piece.pitch.tolist(), piece.duration_tick.tolist(), piece.ticks_per_quarter
    ([60], [96], 96)
    """
    return sorted_pieces(read_unsorted(data, config))


def read_unsorted(data: bytes, config: ParseConfig) -> list[UnsortedPiece]:
    """Read a MIDI file as `read_midi` does, for callers who sort the notes of many pieces at once."""
    try:
        return _read_strictly(data, config, repair=None)
    except RejectedFile as rejected:
        if not config.repair:
            raise
        repaired = repair_midi(data)
        if repaired is None:
            raise
        try:
            return _read_strictly(repaired.data, config, repaired.what)
        except RejectedFile:
            raise rejected from None


def write_midi(notes: GridNotes, path: Path, *, track_name: str, program: int = 0) -> None:
    """Write one track of notes as a MIDI file; equal notes give equal bytes.

    Parameters
    ----------
    notes : GridNotes
        The notes to write; the file's resolution is a multiple of theirs, so that no onset is rounded.
    path : Path
        The file to write.
    track_name : str
        Name of the track, which sequencers show.
    program : int
        General MIDI program, 0–127; 0 is the piano.

    Examples
    --------
    Two quarter notes, written and read again:

    >>> import tempfile
    >>> import numpy as np
    >>> from pipeline_lib.config import ParseConfig
    >>> notes = GridNotes(
    ...     onset_step=np.array([0, 4]),
    ...     duration_step=np.array([4, 4]),
    ...     pitch=np.array([60, 67]),
    ...     steps_per_quarter=4,
    ...     tempo_qpm=60.0,
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "fifth.mid"
    ...     write_midi(notes, path, track_name="Fifth")
    ...     (piece,) = read_midi(path.read_bytes(), ParseConfig())
    >>> piece.pitch.tolist(), piece.duration_quarter, piece.tempo_qpm
    ([60, 67], 2.0, 60.0)
    >>> piece.tracks[0].name
    'Fifth'
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
    file = file._replace(tracks=tuple(map(plain, file.tracks)))
    if file.midi_type != _INDEPENDENT_TRACKS:
        return [_read_sequence(file.tracks, file, config, repair)]
    sequences: list[tuple[bytes, ...]] = [(track,) for track in file.tracks] or [()]
    pieces = [_read_sequence(tracks, file, config, repair) for tracks in sequences]
    return [piece for piece in pieces if _has_notes(piece)] or pieces[:1]


def _has_notes(piece: UnsortedPiece) -> bool:
    return bool(np.frombuffer(piece.notes, NOTE)["duration"].any())


def _read_sequence(
    tracks: Sequence[bytes], file: MidiFile, config: ParseConfig, repair: str | None
) -> UnsortedPiece:
    """The piece that some MIDI tracks make up."""
    parsed = _parse(tracks, file.ticks_per_quarter)
    score, parts = parsed.score, parsed.parts
    return UnsortedPiece(
        notes=_sustained(parsed) if config.sustain_pedal == "extend" else parsed.notes,
        n_notes=[len(part.notes) for part in parts],
        tracks=tuple([TrackInfo(_name(p.name), p.program, p.is_drum) for p in parts]),
        ticks_per_quarter=file.ticks_per_quarter,
        tick_factor=file.tick_factor,
        smpte_qpm=file.smpte_qpm,
        tempos=parsed.tempos,
        metres=packed(score.time_signatures),
        keys=packed(score.key_signatures),
        n_unended=parsed.n_unended,
        repair=repair,
    )


class _Parsed(NamedTuple):
    """Result of parsing some MIDI tracks with symusic; the notes of its parts stand one after another."""

    score: Any
    parts: list[Any]
    notes: bytes
    tempos: bytes
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
    return parsed._replace(n_unended=n_note_ons - parsed.score.note_num())


def _parse_with_late_ends(tracks: Sequence[bytes], ticks_per_quarter: int) -> _Parsed | None:
    """Parse tracks in which every note has an end of its own; None if that is not so or cannot be told."""
    longer = [with_late_note_offs(track) for track in tracks]
    complete = [track for track in longer if track is not None]
    if len(complete) < len(tracks):
        return None
    try:
        parsed = _parse_with_symusic(complete, ticks_per_quarter)
    except RuntimeError:
        return None
    return parsed if every_note_ends(parsed.notes, parsed.tempos, len(tracks)) else None


def _parse_with_symusic(tracks: Sequence[bytes], ticks_per_quarter: int) -> _Parsed:
    score = ScoreTick.from_midi(put_together(tracks, ticks_per_quarter))
    # By number, which costs a fifth of walking through them.
    parts = [score.tracks[n] for n in range(len(score.tracks))]
    notes = b"".join([packed(part.notes) for part in parts])
    return _Parsed(score, parts, notes, packed(score.tempos), n_unended=0)


def _sustained(parsed: _Parsed) -> bytes:
    """Notes as packed records, as long as the pedal holds them; those without length stay so."""
    extended = []
    for part in parsed.parts:
        notes = np.frombuffer(packed(part.notes), NOTE).copy()
        sounding = notes[notes["duration"] != 0]
        controls = part.controls.numpy()
        is_pedal = controls["number"] == _SUSTAIN_PEDAL
        notes["duration"][notes["duration"] != 0] = sustained(
            sounding["time"],
            sounding["duration"],
            sounding["pitch"],
            controls["time"][is_pedal],
            controls["value"][is_pedal],
        )
        extended.append(notes.tobytes())
    return b"".join(extended)


def _name(name: str) -> str | None:
    return name.strip(_NAME_BLANKS) or None
