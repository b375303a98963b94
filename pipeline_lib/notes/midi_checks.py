"""What symusic does not tell about a MIDI file, read from its bytes before symusic sees them.

symusic merges independent sequences (type 2) silently, refuses SMPTE time and cut-off files with the same
kind of error, accepts zero ticks per quarter note, and counts ticks in 32 bits that wrap around.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline_lib.notes.piece import MAX_TICK, RejectedFile
from pipeline_lib.notes.table import RejectReason

_HEADER_BYTES = 14
_CHUNK_HEADER_BYTES = 8

_LONG_DELTA = re.compile(rb"\xff\x51\x03.{3}|([\x81-\xff])[\x80-\xff]{2}[\x00-\x7f]", re.DOTALL)
"""A delta time of 2**21 ticks or more, its highest bits in the group; or what looks like one. Tempo events,
which often do, are matched without a group."""

_META, _SYSEX, _SYSEX_CONTINUED = 0xFF, 0xF0, 0xF7
_ONE_DATA_BYTE = (0xC0, 0xD0)
"""Program change and channel pressure; the other channel messages have two data bytes."""


def check_midi(data: bytes) -> None:
    """Raise RejectedFile for a file that symusic would misread, or refuse without saying why."""
    if not data:
        raise RejectedFile(RejectReason.EMPTY_FILE, "0 bytes")
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        raise RejectedFile(RejectReason.UNSUPPORTED, "MIDI wrapped in RIFF")
    if data[:4] != b"MThd":
        raise RejectedFile(RejectReason.NOT_MUSIC, f"begins with {data[:8]!r}, not with b'MThd'")
    if len(data) < _HEADER_BYTES:
        raise RejectedFile(RejectReason.TRUNCATED, f"header ends after {len(data)} bytes")
    _check_header(data)
    tracks = list(_track_chunks(data))
    if not tracks and _n_declared_tracks(data):
        raise RejectedFile(RejectReason.TRUNCATED, "none of the declared tracks is there")
    # Walking through the events takes Python's time, so only where many long deltas give cause. Shorter
    # ones would have to be a thousand silences of an hour each.
    highest_bits = (high[0] & 0x7F for high in _LONG_DELTA.findall(data) if high)
    if sum((bits + 1) << 21 for bits in highest_bits) > MAX_TICK:
        for track in tracks:
            _check_length(track)


def _n_declared_tracks(data: bytes) -> int:
    return int.from_bytes(data[10:12])


def _check_header(data: bytes) -> None:
    length, midi_type = int.from_bytes(data[4:8]), int.from_bytes(data[8:10])
    division = int.from_bytes(data[12:14], signed=True)
    if length > len(data) - _CHUNK_HEADER_BYTES:
        raise RejectedFile(RejectReason.TRUNCATED, f"header of {length} bytes in {len(data)}")
    if length != _HEADER_BYTES - _CHUNK_HEADER_BYTES:
        raise RejectedFile(RejectReason.UNSUPPORTED, f"header of {length} bytes, not 6")
    if midi_type == 2:
        raise RejectedFile(RejectReason.UNSUPPORTED, "type 2: independent sequences in one file")
    if midi_type > 2:
        raise RejectedFile(RejectReason.MALFORMED, f"type {midi_type}; there are types 0, 1, 2")
    if division < 0:
        raise RejectedFile(RejectReason.UNSUPPORTED, "time in SMPTE frames, not in quarter notes")
    if division == 0:
        raise RejectedFile(RejectReason.MALFORMED, "0 ticks per quarter note")


def _track_chunks(data: bytes) -> Iterator[memoryview]:
    """Events of every declared track; what follows the last one is ignored."""
    n_missing, start = _n_declared_tracks(data), _HEADER_BYTES
    while n_missing and start + _CHUNK_HEADER_BYTES <= len(data):
        kind, events = data[start : start + 4], start + _CHUNK_HEADER_BYTES
        end = events + int.from_bytes(data[start + 4 : events])
        if end > len(data):
            reason = RejectReason.TRUNCATED if kind == b"MTrk" else RejectReason.MALFORMED
            raise RejectedFile(reason, f"chunk {kind!r} ends {end - len(data)} bytes past the file")
        if kind == b"MTrk":
            n_missing -= 1
            yield memoryview(data)[events:end]
        start = end


def _check_length(track: memoryview) -> None:
    """Raise RejectedFile for a track that lasts longer than ticks can count."""
    tick, status, at = 0, 0, 0
    try:
        while at < len(track):
            delta_ticks, at = _variable_length(track, at)
            tick += delta_ticks
            if track[at] >= 0x80:
                status, at = track[at], at + 1
            if status == _META:
                length, at = _variable_length(track, at + 1)
            elif status in (_SYSEX, _SYSEX_CONTINUED):
                length, at = _variable_length(track, at)
            else:
                length = 1 if status & 0xF0 in _ONE_DATA_BYTE else 2
            at += length
    except IndexError:
        return  # the events break off; symusic says where
    if tick > MAX_TICK:
        raise RejectedFile(RejectReason.TOO_LARGE, f"a track of {tick} ticks")


def _variable_length(track: memoryview, at: int) -> tuple[int, int]:
    """The number at a position, seven bits a byte, and the position after it."""
    number = track[at] & 0x7F
    while track[at] & 0x80:
        at += 1
        number = number << 7 | track[at] & 0x7F
    return number, at + 1
