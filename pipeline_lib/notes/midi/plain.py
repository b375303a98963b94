"""Tracks without what symusic misreads: messages in parts, impossible metres, names in old encodings.

- A system-exclusive message may come in several packets, of which all but the first begin with F7, and an F7
  event may escape any bytes (RP-001). symusic takes the time or the bytes of some for those of notes. Neither
  holds a note, so both are left out, and their delta times are added to the next event's.
- The denominator of a metre is written as a power of two, and symusic shifts a 32-bit one by it, so that 2**34
  comes out as 4. What no music is barred by is written as 128, which is not believed.
- symusic takes names for UTF-8 and loses what is not. They are decoded as `pipeline_lib.notes.text` says.

Nearly all tracks have nothing of the kind, which a look at their bytes tells; the others are walked through.
"""

from __future__ import annotations

import re

from pipeline_lib.notes.midi.chunks import BrokenTrack, Event, read_events
from pipeline_lib.notes.text import decoded

_SYSEX, _SYSEX_CONTINUED = 0xF0, 0xF7
_META, _NAME, _METRE = 0xFF, 0x03, 0x58
_MAX_POWER = 7
_HIGHEST_POWER = bytes([_MAX_POWER])
"""Power of the first denominator that is not believed, 128; those below are symusic's to read."""
_METRE_HEAD = b"\xff\x58\x04"
_TEMPO = re.compile(rb"\xff\x51\x03...", re.DOTALL)
"""A tempo, whose last bytes are the likeliest of all that are none of a message to look like one's."""
_MAY_BE_SYSEX = re.compile(rb"(?<=[\x00-\x7f])[\xf0\xf7]")
"""A byte that may be the status of such an event: the last byte of a delta time, before it, is never high."""
_MESSAGE = re.compile(rb"\xf0([\x00-\x7f])([\x00-\x7f]*)(\xf7?)")
_MAX_DELTA_TICK = 2**28 - 1
_NAME_HEAD = b"\xff\x03"
_NAMES_WITHIN = 1000
"""Bytes of a track within which its name is looked for: it has to stand at the beginning."""
_EMPTY_TEXT = b"\xff\x01\x00"


def plain(track: bytes) -> bytes:
    r"""Leave out of a track what symusic misreads.

    Parameters
    ----------
    track : bytes
        The events of the track.

    Returns
    -------
    bytes
        The same notes at the same ticks; the track itself, where nothing has to be left out or it is broken.

    Examples
    --------
    Two packets of a message, 48 ticks apart, before a note-on 16 ticks later:

    >>> plain(bytes.fromhex("00f0024312 30f70210f7 10903c50")).hex()
    '40903c50'
    """
    if _has_whole_messages_only(track) and not _has_odd_metre(track) and not _has_odd_name(track):
        return track
    try:
        return _rewritten(track)
    except BrokenTrack:
        return track


def _has_whole_messages_only(track: bytes) -> bool:
    """Whether all that may be system-exclusive events are whole messages; False if in doubt."""
    if _SYSEX not in track and _SYSEX_CONTINUED not in track:
        return True
    track, at = _TEMPO.sub(b"", track), 0
    while status := _MAY_BE_SYSEX.search(track, at):
        message = _MESSAGE.match(track, status.start())
        # Longer messages than one byte of length can say are rare enough to be looked at.
        if message is None:
            return False
        n_bytes, content, end = message[1][0], message[2], message[3]
        if len(content) + len(end) == n_bytes and end:
            at = message.end()
        elif len(content) >= n_bytes:
            return False
        else:  # a message holds no high byte, so these are the bytes of a delta time
            at = status.end()
    return True


def _has_odd_metre(track: bytes) -> bool:
    at = track.find(_METRE_HEAD)
    while at >= 0:
        if track[at + 4 : at + 5] > _HIGHEST_POWER:
            return True
        at = track.find(_METRE_HEAD, at + 1)
    return False


def _has_odd_name(track: bytes) -> bool:
    at = track.find(_NAME_HEAD, 0, _NAMES_WITHIN)
    if at < 0:
        return False
    content = at + len(_NAME_HEAD) + 1
    length = track[content - 1 : content]
    if length >= b"\x80":  # its length takes several bytes
        return True
    name = track[content : content + int.from_bytes(length)]
    return not name.isascii() and not _is_utf8(name)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _rewritten(track: bytes) -> bytes:
    parts, before, start = [], 0, 0
    for event in read_events(track):
        delta_tick = before + event.delta_tick
        if event.status in (_SYSEX, _SYSEX_CONTINUED):
            before = delta_tick
        else:
            parts.append(_delta(delta_tick) if before else _written_delta(track, start, event))
            parts.append(_believable(track, event))
            before = 0
        start = event.end
    parts.append(track[start:])
    return b"".join(parts)


def _bytes_at(track: bytes, event: Event) -> int:
    """Index at which an event's own bytes begin, after its delta time; a running status is not written."""
    return event.data - (track[event.data - 1] >= 0x80)


def _written_delta(track: bytes, start: int, event: Event) -> bytes:
    return track[start : _bytes_at(track, event)]


def _believable(track: bytes, event: Event) -> bytes:
    own = track[_bytes_at(track, event) : event.end]
    if event.status != _META:
        return own
    if track[event.data] == _METRE and len(own) > 4 and own[4] > _MAX_POWER:
        return own[:4] + _HIGHEST_POWER + own[5:]
    if track[event.data] == _NAME and not own.isascii():
        name = decoded(own[-_length_of_text(own) :]).encode()
        return own[:2] + _delta(len(name)) + name
    return own


def _length_of_text(own: bytes) -> int:
    """Length that a meta event states, in the form of a delta time."""
    length = 0
    for byte in own[2:]:
        length = length << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return length


def _delta(tick: int) -> bytes:
    """A delta time, or a length; one that is too long for its four bytes is made of several, with empty texts between."""
    if tick > _MAX_DELTA_TICK:
        return _delta(_MAX_DELTA_TICK) + _EMPTY_TEXT + _delta(tick - _MAX_DELTA_TICK)
    digits = [tick & 0x7F]
    while tick := tick >> 7:
        digits.append(tick & 0x7F | 0x80)
    return bytes(reversed(digits))
