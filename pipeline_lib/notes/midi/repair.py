"""Repair of broken MIDI files: of their structure alone, so that no note is invented.

What a broken file still holds is read event by event, and written as a file that has what it lacked: a
header where it belongs, true chunk lengths, complete events, ends of tracks. A note whose end was lost stays
without end, and is dropped and counted like any other. Values that are out of range are not bent into it:
where an event makes no sense, its track ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from pipeline_lib.notes.midi.chunks import (
    CHUNK_HEADER_BYTES,
    END_OF_TRACK,
    HEADER_BYTES,
    HEADER_MARK,
    TRACK_MARK,
    BrokenTrack,
    midi_chunk,
    read_events,
)

_MAX_SKIPPED_BYTES = 64
"""The most bytes to skip in search of a track's first event, where it does not begin with one."""


class Repaired(NamedTuple):
    """A repaired file.

    Parameters
    ----------
    data : bytes
        The whole file.
    what : str
        What was done to it, such as "track 2 cut off at byte 310".
    """

    data: bytes
    what: str


def repair_midi(data: bytes) -> Repaired | None:
    """Repair a MIDI file; None where it has no MIDI header, or nothing that can be repaired here."""
    start = data.find(HEADER_MARK)
    if start < 0 or start + HEADER_BYTES > len(data):
        return None
    what = [f"leading junk of {start} bytes skipped"] if start else []
    fields = data[start + CHUNK_HEADER_BYTES : start + HEADER_BYTES]
    n_declared = int.from_bytes(fields[2:4])
    tracks = []
    for number, begin in enumerate(islice(_track_starts(data, start), n_declared), start=1):
        events, damage = _repaired_track(data, begin)
        tracks.append(midi_chunk(TRACK_MARK, events))
        what += [f"track {number} {d}" for d in damage]
    if int.from_bytes(data[start + 4 : start + CHUNK_HEADER_BYTES]) != len(fields):
        what.append("length of the header corrected")
    if not tracks or not what:
        return None
    header = midi_chunk(HEADER_MARK, fields[:2] + len(tracks).to_bytes(2) + fields[4:])
    return Repaired(b"".join([header, *tracks]), "; ".join(what))


def _track_starts(data: bytes, at: int) -> Iterator[int]:
    """Positions at which the events of each track begin."""
    while (at := data.find(TRACK_MARK, at)) >= 0:
        at += CHUNK_HEADER_BYTES
        yield at
        declared = _declared_end(data, at)
        # A chunk may hold the mark in a text, so where its length leads to another one, it is true.
        if data[declared : declared + len(TRACK_MARK)] == TRACK_MARK:
            at = declared


def _declared_end(data: bytes, begin: int) -> int:
    return begin + int.from_bytes(data[begin - 4 : begin])


def _repaired_track(data: bytes, begin: int) -> tuple[bytes, list[str]]:
    """The events of the track that begins at a position, up to a true end; and what was wrong with it."""
    declared = _declared_end(data, begin)
    following = data.find(TRACK_MARK, begin)
    limit = following if following >= 0 else len(data)
    if data[declared : declared + len(TRACK_MARK)] == TRACK_MARK:
        limit = declared
    track, damage = data[begin:limit], []
    end, is_broken = _readable_bytes(track)
    if is_broken and not end:
        skipped = _bytes_before_first_event(track)
        if skipped:
            damage.append(f"without its first {skipped} bytes, which are no events")
            track = b"\0" + track[skipped:]
            begin += skipped - 1
            end, is_broken = _readable_bytes(track)
    if is_broken:
        damage.append(f"cut off at byte {begin + end}")
    if begin + end > declared or declared > len(data):
        damage.append("of wrong length")
    if is_broken or track[:end][-3:] != END_OF_TRACK:
        return track[:end] + b"\0" + END_OF_TRACK, damage
    return track[:end], damage


def _readable_bytes(track: bytes) -> tuple[int, bool]:
    """Number of bytes of a track that are whole events, and whether something else follows them."""
    end = 0
    try:
        for event in read_events(track):
            end = event.end
    except BrokenTrack:
        return end, True
    return end, False


def _bytes_before_first_event(track: bytes) -> int:
    """Bytes to skip so that the rest is a status byte and then whole events; 0 if there is no such place."""
    for at in range(1, min(_MAX_SKIPPED_BYTES, len(track))):
        if track[at] >= 0x80 and not _readable_bytes(b"\0" + track[at:])[1]:
            return at
    return 0
