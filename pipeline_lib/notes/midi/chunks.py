"""The bytes of a MIDI file: its header, its tracks and their events, for what symusic does not tell.

symusic merges independent sequences (type 2) silently, refuses SMPTE time, longer headers and cut-off files
with the same kind of error, accepts zero ticks per quarter note, counts ticks in 32 bits that wrap around,
and forgets notes that never end. So files are taken apart here, and symusic is given the tracks in a file
that it reads well.

Reference: The Complete MIDI 1.0 Detailed Specification, part "Standard MIDI Files 1.0" (RP-001).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from pipeline_lib.notes.piece import MAX_TICK, RejectedFile
from pipeline_lib.notes.table import RejectReason

HEADER_MARK, TRACK_MARK = b"MThd", b"MTrk"
END_OF_TRACK = b"\xff\x2f\x00"
CHUNK_HEADER_BYTES = 8
HEADER_BYTES = 14
"""Length of the header chunk in nearly all files, its mark and length field included."""

_RIFF_HEADER_BYTES = 12
_MAX_NUMBER_BYTES = 4
_MAX_TYPE = 2
_SMPTE_FRAMES = (24, 25, 29, 30)
"""Frame rates of SMPTE time; 29 stands for 30 drop-frame, at which 30 frames last 1.001 seconds."""
_DROP_FRAME = 29

_IS_HIGH = bytes(byte >= 0x80 for byte in range(256))
_FEW_LONG_DELTAS = 7
"""Number of deltas of 2**28 ticks, the longest there are, that fit into `MAX_TICK`."""
_LONG_DELTA_BITS = 21
"""Bits of a delta of three bytes: it is below 2**21 ticks, and one of four bytes is not."""
_TEMPO_HEAD = (0xFF, 0x51, 0x03)

_META, _SYSEX, _SYSEX_CONTINUED = 0xFF, 0xF0, 0xF7
_END_META = 0x2F
_DATA_BYTES = {
    **dict.fromkeys(range(0x80, 0xC0), 2),
    **dict.fromkeys(range(0xC0, 0xE0), 1),
    **dict.fromkeys(range(0xE0, 0xF0), 2),
    0xF1: 1,
    0xF2: 2,
    0xF3: 1,
    0xF4: 0,
    0xF5: 0,
    0xF6: 0,
    **dict.fromkeys(range(0xF8, 0xFF), 0),
}
"""Number of data bytes after each status byte; meta and system exclusive events state theirs in the file."""


class MidiFile(NamedTuple):
    """A MIDI file taken apart.

    Parameters
    ----------
    midi_type : int
        0: one track; 1: tracks of one piece; 2: each track is a piece of its own.
    ticks_per_quarter : int
        Ticks in a quarter note, in the ticks that `tick_factor` makes.
    tick_factor : int
        Factor that the file's ticks have to be multiplied by: 1, or 2 under some SMPTE times.
    smpte_qpm : float or None
        Tempo under SMPTE time, where tempo events do not apply, in quarter notes per minute; None otherwise.
    tracks : tuple of bytes
        Bytes of the events of each declared track that is there.
    """

    midi_type: int
    ticks_per_quarter: int
    tick_factor: int
    smpte_qpm: float | None
    tracks: tuple[bytes, ...]


class Event(NamedTuple):
    """One event of a track: its delta time and status, and where its bytes lie."""

    delta_tick: int
    status: int
    """Status byte of the event, whether it is written or running."""
    data: int
    """Index of the first byte after the status byte; under running status, after the delta time."""
    end: int
    """Index of the first byte after the event."""


class BrokenTrack(Exception):  # noqa: N818 - a place, not yet an error
    """A track whose events cannot be read from byte `at` on."""

    def __init__(self, at: int) -> None:
        super().__init__(f"no event can be read at byte {at} of its track")
        self.at = at


def take_apart(data: bytes) -> MidiFile:
    """Find the header and tracks of a Standard MIDI File, also of one that is wrapped in RIFF (``.rmi``).

    What follows the last declared track is no part of the file; chunks of unknown kinds are skipped, as
    are bytes of a header beyond the sixth: the standard asks for both. Where a file declares more tracks
    than it holds, those there are count.

    Raises
    ------
    RejectedFile
        The file cannot be read; says why.
    """
    if not data:
        raise RejectedFile(RejectReason.EMPTY_FILE, "0 bytes")
    data = _unwrapped(data)
    if data[:4] != HEADER_MARK:
        raise RejectedFile(RejectReason.NOT_MUSIC, f"begins with {data[:8]!r}, not with b'MThd'")
    start = CHUNK_HEADER_BYTES + int.from_bytes(data[4:8])
    if max(start, HEADER_BYTES) > len(data):
        raise RejectedFile(RejectReason.TRUNCATED, f"header ends past the {len(data)} bytes")
    if start < HEADER_BYTES:
        raise RejectedFile(RejectReason.MALFORMED, f"header of {int.from_bytes(data[4:8])} bytes")
    midi_type, n_tracks = int.from_bytes(data[8:10]), int.from_bytes(data[10:12])
    if midi_type > _MAX_TYPE:
        raise RejectedFile(RejectReason.UNSUPPORTED, f"type {midi_type}; there are types 0, 1, 2")
    time = _division(int.from_bytes(data[12:14], signed=True))
    tracks = tuple(_tracks(data, start, n_tracks))
    if n_tracks and not tracks:
        raise RejectedFile(RejectReason.TRUNCATED, "none of the declared tracks is there")
    if _may_be_too_long(data):
        for track in tracks:
            _check_length(track)
    return MidiFile(midi_type, *time, tracks)


def put_together(tracks: Sequence[bytes], ticks_per_quarter: int) -> bytes:
    """Join tracks, each the bytes of its events, into a MIDI file of type 1."""
    header = b"\0\1" + len(tracks).to_bytes(2) + ticks_per_quarter.to_bytes(2)
    chunks = [midi_chunk(HEADER_MARK, header), *(midi_chunk(TRACK_MARK, track) for track in tracks)]
    return b"".join(chunks)


def midi_chunk(kind: bytes, content: bytes) -> bytes:
    """Bytes of a chunk of a MIDI file, such as a track: its kind, its length, its content."""
    return kind + len(content).to_bytes(4) + content


def read_events(track: bytes) -> Iterator[Event]:
    """Iterate over the events of a track, up to its end-of-track event or its last byte.

    Raises
    ------
    BrokenTrack
        An event is cut off, begins with no status byte where none is running, or has an impossible length
        or data byte.
    """
    at, status = 0, 0
    while at < len(track):
        start = at
        try:
            delta_tick, at = _variable_length(track, at)
            if track[at] >= 0x80:
                status_here, data = track[at], at + 1
            else:
                status_here, data = status, at
            end = data + _data_length(track, status_here, data)
        except (IndexError, KeyError):
            raise BrokenTrack(start) from None
        if end > len(track) or (status_here < _SYSEX and max(track[data:end]) >= 0x80):
            raise BrokenTrack(start)
        if status_here < _SYSEX:
            status = status_here
        elif status_here in (_SYSEX, _SYSEX_CONTINUED):
            status = 0
        yield Event(delta_tick, status_here, data, end)
        if status_here == _META and track[data] == _END_META:
            return
        at = end


def count_note_ons(track: bytes) -> int:
    """Count the note-ons in a track; those of velocity 0 are note-offs."""
    return sum(
        event.status & 0xF0 == 0x90 and track[event.data + 1] > 0 for event in read_events(track)
    )


def _unwrapped(data: bytes) -> bytes:
    """The MIDI file in the ``data`` chunk of a RIFF file; anything else as it is.

    The chunk's length is not believed, for programs leave it 0; the MIDI file itself tells where it ends.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"RMID":
        return data
    at = _RIFF_HEADER_BYTES
    while at + CHUNK_HEADER_BYTES <= len(data):
        content = at + CHUNK_HEADER_BYTES
        if data[at : at + 4] == b"data":
            return data[content:]
        n_bytes = int.from_bytes(data[at + 4 : content], "little")
        at = content + n_bytes + n_bytes % 2
    raise RejectedFile(RejectReason.TRUNCATED, "MIDI wrapped in RIFF, without its data chunk")


def _division(division: int) -> tuple[int, int, float | None]:
    """Ticks per quarter note, factor of ticks and tempo that a header's last field stands for.

    SMPTE time is real time, which we take at a quarter note to half a second.
    """
    if division > 0:
        return division, 1, None
    if division == 0:
        raise RejectedFile(RejectReason.MALFORMED, "0 ticks per quarter note")
    frames, ticks_per_frame = -(division >> 8), division & 0xFF
    if frames not in _SMPTE_FRAMES or not ticks_per_frame:
        raise RejectedFile(
            RejectReason.MALFORMED, f"{ticks_per_frame} ticks in each of {frames} frames per second"
        )
    is_drop_frame = frames == _DROP_FRAME
    ticks_per_quarter = Fraction((30 if is_drop_frame else frames) * ticks_per_frame, 2)
    factor = ticks_per_quarter.denominator
    return int(ticks_per_quarter * factor), factor, 120 / 1.001 if is_drop_frame else 120.0


def _tracks(data: bytes, start: int, n_declared: int) -> Iterator[bytes]:
    n_missing = n_declared
    while n_missing and start + CHUNK_HEADER_BYTES <= len(data):
        kind, events = data[start : start + 4], start + CHUNK_HEADER_BYTES
        end = events + int.from_bytes(data[start + 4 : events])
        if end > len(data):
            reason = RejectReason.TRUNCATED if kind == TRACK_MARK else RejectReason.MALFORMED
            raise RejectedFile(reason, f"chunk {kind!r} ends {end - len(data)} bytes past the file")
        if kind == TRACK_MARK:
            n_missing -= 1
            yield data[events:end]
        start = end


def _may_be_too_long(events: bytes) -> bool:
    """Whether there may be more long deltas than fit into `MAX_TICK`; quick, and False for most files."""
    return events.translate(_IS_HIGH).count(b"\1\1\1") > _FEW_LONG_DELTAS


def _check_length(track: bytes) -> None:
    """Raise RejectedFile for a track that lasts longer than ticks can count.

    Walking through the events takes Python's time, so only where long deltas give cause. Shorter ones
    would have to be a thousand silences of an hour each.
    """
    if not _may_be_too_long(track) or _ticks_of_long_deltas(track) <= MAX_TICK:
        return
    tick = 0
    try:
        for event in read_events(track):
            tick += event.delta_tick
    except BrokenTrack:
        pass  # symusic says where
    if tick > MAX_TICK:
        raise RejectedFile(RejectReason.TOO_LARGE, f"a track of {tick} ticks")


def _ticks_of_long_deltas(track: bytes) -> int:
    """Upper bound on the ticks of all deltas of four bytes together, in which bytes that look like one count, too.

    Not so the last bytes of tempo events, which often do before a delta of two or three bytes.
    """
    byte = np.frombuffer(bytes(5) + track, np.uint8)
    is_high = byte >= 0x80
    at = np.flatnonzero(is_high[5:-3] & is_high[6:-2] & is_high[7:-1] & ~is_high[8:]) + 5
    in_tempo = [
        np.logical_and.reduce([byte[at - n + i] == head for i, head in enumerate(_TEMPO_HEAD)])
        for n in (4, 5)
    ]
    highest_bits = byte[at[~np.logical_or(*in_tempo)]].astype(np.int64) & 0x7F
    return int(((highest_bits + 1) << _LONG_DELTA_BITS).sum())


def _data_length(track: bytes, status: int, data: int) -> int:
    """Number of bytes of an event after its status byte."""
    if status == _META:
        length, content = _variable_length(track, data + 1)
        return content + length - data
    if status in (_SYSEX, _SYSEX_CONTINUED):
        length, content = _variable_length(track, data)
        return content + length - data
    return _DATA_BYTES[status]


def _variable_length(track: bytes, at: int) -> tuple[int, int]:
    """The variable-length number at a position, seven bits a byte, and the position after it."""
    number = 0
    for _ in range(_MAX_NUMBER_BYTES):
        number = number << 7 | track[at] & 0x7F
        at += 1
        if track[at - 1] < 0x80:
            return number, at
    raise IndexError("more than four bytes")
