"""Files and pieces small enough to check by hand: MIDI is assembled byte by byte."""

from __future__ import annotations

import numpy as np

from pipeline_lib.notes.piece import ParsedPiece, TrackInfo

# A quarter note C4 and an eighth note E4: delta 0x83 0x60 is 480 ticks, 0x81 0x70 is 240.
TWO_NOTES = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x00\x00\x90\x40\x50\x81\x70\x80\x40\x00"

TUNE_ABC = b"X:1\nT:Tune\nM:2/4\nL:1/4\nQ:1/4=90\nK:Bb\n|: BA | Bc :| dd | e2 |]\n"
"""Four bars, the first two repeated: 11 notes."""


def rising_line(first_pitch: int = 60, n_notes: int = 8) -> bytes:
    """Events of quarter notes that rise by semitones."""
    return b"".join(
        bytes([0, 0x90, pitch, 64, 0x83, 0x60, 0x80, pitch, 0])
        for pitch in range(first_pitch, first_pitch + n_notes)
    )


def midi_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4) + content


def midi_file(
    *tracks: bytes, ticks_per_quarter: int = 480, midi_type: int = 1, n_declared: int | None = None
) -> bytes:
    """A MIDI file of tracks that are given as their events, without the end-of-track event."""
    n_tracks = len(tracks) if n_declared is None else n_declared
    header = b"".join(n.to_bytes(2) for n in (midi_type, n_tracks, ticks_per_quarter))
    chunks = [midi_chunk(b"MTrk", events + b"\x00\xff\x2f\x00") for events in tracks]
    return midi_chunk(b"MThd", header) + b"".join(chunks)


def make_piece(
    notes: list[tuple[int, int, int]], *, ticks_per_quarter: int = 480, is_drum: bool = False
) -> ParsedPiece:
    """A piece of one track from (onset_tick, duration_tick, pitch)."""
    onset_tick, duration_tick, pitch = np.array(notes, np.int64).reshape(-1, 3).T
    return ParsedPiece(
        track=np.zeros(len(notes), np.int64),
        pitch=pitch,
        velocity=np.full(len(notes), 80),
        onset_tick=onset_tick,
        duration_tick=duration_tick,
        tracks=(TrackInfo(is_drum=is_drum),),
        ticks_per_quarter=ticks_per_quarter,
    )
