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
"""The longest delta time there is."""

_HIGHEST_BYTE = 3 if sys.byteorder == "little" else 0
"""Of a number of four bytes."""
_DURATION_AT = 4
"""Where a `NOTE` record has its duration."""
_HIGHEST_OF_LATE = (LATE_TICK >> 24, (LATE_TICK >> 24) + 1)
"""The highest byte of ticks up to 2**24 after `LATE_TICK`."""

_SILENCE = b"\xff\x01\x00" + b"\xff\xff\xff\x7f"
"""An empty text, since a delta time stands before it already; then the delta time of what follows."""
_TEMPO = b"\xff\x51\x03\0\0\1"
"""A microsecond for each quarter note."""
_NOTE_OFFS = {
    note_on: b"\0" + bytes([note_on]) + b"\0".join(bytes([pitch, 0]) for pitch in range(128))
    for note_on in range(0x90, 0xA0)
}
"""For each channel's note-on byte: note-ons of velocity 0 under running status, all at one tick."""


def with_late_note_offs(track: bytes) -> bytes | None:
    """A track with note-offs behind its last event; None if the track does not simply end with its end.

    Parameters
    ----------
    track : bytes
        Its events.
    """
    # At another place than the end, these three bytes may be a true end of the track, or part of a text.
    if track.find(END_OF_TRACK) != len(track) - len(END_OF_TRACK):
        return None
    # A channel that only seems to be used, because the byte means something else, costs a little time.
    offs = [off for note_on, off in _NOTE_OFFS.items() if note_on in track]
    events = track[: -len(END_OF_TRACK)]
    return b"".join([events, _SILENCE, _TEMPO, *offs, b"\0", END_OF_TRACK])


def every_note_ends(notes: bytes, tempos: bytes, n_tracks: int) -> bool:
    """Whether every note of some tracks with late note-offs was ended by one of its own; False if in doubt.

    Looking at one byte of each record costs a fifth of what NumPy takes to compare the ticks of a short file.

    Parameters
    ----------
    notes, tempos : bytes
        `NOTE` and `TEMPO` records, as symusic read them.
    n_tracks : int
        How many tracks were given to it.
    """
    duration = notes[_DURATION_AT + _HIGHEST_BYTE :: NOTE.itemsize]
    arrival = tempos[_HIGHEST_BYTE :: TEMPO.itemsize]
    is_in_step = sum(map(arrival.count, _HIGHEST_OF_LATE)) == n_tracks
    return is_in_step and duration.count(0) == len(duration)
