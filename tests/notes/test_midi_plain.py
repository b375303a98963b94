"""What symusic misreads, left out before it sees a track."""

from __future__ import annotations

import pytest

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.midi.files import read_midi
from pipeline_lib.notes.midi.plain import plain
from tests.notes.tiny_files import TWO_NOTES, midi_file
from tests.notes.tiny_scores import as_text

SYSEX = bytes.fromhex("00 f0 03 43 12 f7")  # a whole message at once
FIRST, MIDDLE, LAST = (
    bytes.fromhex(h) for h in ("00 f0 02 43 12", "60 f7 01 10", "60 f7 02 10 f7")
)
ESCAPED = (
    bytes.fromhex("60 f7 01 f8"),
    bytes.fromhex("60 f7 03 90 3c 50"),
)  # a clock; a note-on, sent raw


def notes(track: bytes) -> str:
    (piece,) = read_midi(midi_file(track, ticks_per_quarter=96), ParseConfig())
    return as_text(piece)


TWO = bytes.fromhex("00 90 3c 50 60 80 3c 00 00 90 40 50 60 80 40 00")


@pytest.mark.parametrize(
    ("before", "onset"),
    [
        (b"", 0),
        (SYSEX, 0),
        (FIRST + LAST, 1),
        (FIRST + MIDDLE + MIDDLE + LAST, 3),
        (ESCAPED[0], 1),
        (ESCAPED[1], 1),
        (SYSEX + FIRST + LAST + ESCAPED[0] + SYSEX, 2),
        (bytes.fromhex("00 f0 02 43 12"), 0),  # never ended
        (bytes.fromhex("00 f0 81 00") + bytes(127) + b"\xf7", 0),
    ],
)
def test_system_exclusive_messages_in_parts_take_time_and_nothing_else(
    before: bytes, onset: int
) -> None:
    assert notes(before + TWO) == f"60:{onset}+1 64:{onset + 1}+1"


def test_messages_between_notes() -> None:
    first, second = TWO[:8], TWO[8:]
    assert notes(first + FIRST + LAST + second) == "60:0+1 64:2+1"
    held = bytes.fromhex("00 90 3c 50") + FIRST + LAST + bytes.fromhex("60 80 3c 00")
    assert notes(held) == "60:0+2"


def test_no_running_status_goes_on_after_a_message() -> None:
    """The standard cancels it; a track that relies on it is refused or read without what follows, as ever."""
    track = TWO + FIRST + LAST + bytes.fromhex("00 43 50")
    assert plain(track) == track


def test_long_silences_are_kept() -> None:
    silence = bytes.fromhex("ff ff ff 7f f7 01 f8")
    written = plain(silence * 2 + TWO)
    assert written == bytes.fromhex("ff ff ff 7f ff 01 00 ff ff ff 7f") + TWO[1:]


@pytest.mark.parametrize("power", [7, 8, 31, 32, 33, 34, 64, 66, 255])
def test_denominators_that_no_music_has_are_not_believed(power: int) -> None:
    metre = bytes.fromhex("00 ff 58 04 03") + bytes([power]) + bytes.fromhex("18 08")
    (piece,) = read_midi(midi_file(metre + TWO_NOTES), ParseConfig())
    assert piece.time_signatures == ()
    assert len(piece) == 2


@pytest.mark.parametrize(("power", "name"), [(0, "3/1"), (2, "3/4"), (6, "3/64")])
def test_others_are(power: int, name: str) -> None:
    metre = bytes.fromhex("00 ff 58 04 03") + bytes([power]) + bytes.fromhex("18 08")
    (piece,) = read_midi(midi_file(metre + TWO_NOTES), ParseConfig())
    assert piece.time_signature == name


def test_what_only_looks_like_these_stays() -> None:
    text = b"\x00\xff\x01\x08\xf0\xff\x58\x04\x02\x21\xf7\xf7" + TWO  # in a text event
    assert plain(text) == text
    long_delta = b"\xf0\x00\x90\x3c\x50\xf7\x00\x80\x3c\x00"
    assert plain(long_delta) == long_delta


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        *[("Fuß", "latin-1"), ("Fuß", "utf-8"), ("Café de Flore", "cp1252"), ("Fuß", "utf-16")],
        *[
            ("荒城の月", "cp932"),
            ("茉莉花", "gbk"),
            ("茉莉花" * 30, "gbk"),
            ("月亮代表我的心", "utf-8"),
        ],
    ],
)
def test_names_of_tracks_in_any_encoding(name: str, encoding: str) -> None:
    data = name.encode(encoding)
    length = (
        bytes([len(data)]) if len(data) < 128 else bytes([0x80 | len(data) >> 7, len(data) & 0x7F])
    )
    (piece,) = read_midi(midi_file(b"\x00\xff\x03" + length + data + TWO), ParseConfig())
    assert [track.name for track in piece.tracks] == [name]
    assert len(piece) == 2
