"""Late note-offs: how notes that never end are noticed at the parser's own speed.

symusic forgets a note that is still sounding when its track ends. Counting the note-ons in the bytes would
tell, but in Python that takes ten times as long as symusic's parsing. So symusic is given every track with
more behind its last event: a silence of `LATE_TICK` ticks, then a note-off for each pitch on each channel.
A note that lasts so long was ended by these; where there is none, every note has an end of its own.

A tempo that no music has, before the note-offs, shows that symusic came there in step with the events: it
would not if, say, a text of a wrong length had swallowed what was added. (A marker would do as well, but tempos
are looked at anyway.)
"""

from __future__ import annotations

import sys

from pipeline_lib.notes.midi.chunks import END_OF_TRACK
from pipeline_lib.notes.midi.packed import NOTE, TEMPO

LATE_TICK = 2**28 - 1
"""Ticks of silence before the late note-offs: the longest delta time that MIDI can write."""

_HIGHEST_BYTE = 3 if sys.byteorder == "little" else 0
"""Index of the most significant byte of a four-byte number in memory."""
_DURATION_AT = 4
"""Offset of the duration in a `NOTE` record, in bytes."""
_HIGHEST_OF_LATE = (LATE_TICK >> 24, (LATE_TICK >> 24) + 1)
"""Most significant byte of a tick from `LATE_TICK` to 2**24 ticks after it: one of these two."""

_SILENCE = b"\xff\x01\x00" + b"\xff\xff\xff\x7f"
"""Bytes of a silence: an empty text event, for a delta time stands before it already; then a long delta time."""
_TEMPO = b"\xff\x51\x03\0\0\1"
"""Tempo event of one microsecond per quarter note, which no music has."""
_NOTE_OFFS = {
    note_on: b"\0" + bytes([note_on]) + b"\0".join(bytes([pitch, 0]) for pitch in range(128))
    for note_on in range(0x90, 0xA0)
}
"""Note-offs of all pitches by the note-on byte of their channel: note-ons of velocity 0, all at one tick."""


def with_late_note_offs(track: bytes) -> bytes | None:
    """Add note-offs behind the last event of a track; None unless its end-of-track mark stands at its end alone.

    Parameters
    ----------
    track : bytes
        The events of the track.
    """
    # At another place than the end, these three bytes may be a true end of the track, or part of a text.
    if track.find(END_OF_TRACK) != len(track) - len(END_OF_TRACK):
        return None
    # A channel that only seems to be used, because the byte means something else, costs a little time.
    offs = [off for note_on, off in _NOTE_OFFS.items() if note_on in track]
    events = track[: -len(END_OF_TRACK)]
    return b"".join([events, _SILENCE, _TEMPO, *offs, b"\0", END_OF_TRACK])


def every_note_ends(notes: bytes, tempos: bytes, n_tracks: int) -> bool:
    """Whether every note ended before the late note-offs that its track was given; False if in doubt.

    Looking at one byte of each record costs a fifth of what NumPy takes to compare the ticks of a short file.

    Parameters
    ----------
    notes, tempos : bytes
        `NOTE` and `TEMPO` records, as symusic read them.
    n_tracks : int
        Number of tracks that symusic was given.
    """
    duration = notes[_DURATION_AT + _HIGHEST_BYTE :: NOTE.itemsize]
    arrival = tempos[_HIGHEST_BYTE :: TEMPO.itemsize]
    is_in_step = sum(map(arrival.count, _HIGHEST_OF_LATE)) == n_tracks
    return is_in_step and duration.count(0) == len(duration)
