"""Broken files mended in their structure, by hand."""

from __future__ import annotations

import pytest

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.midi.files import read_midi
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile
from tests.notes.tiny_files import TWO_NOTES, midi_chunk, midi_file

WHOLE = midi_file(TWO_NOTES)
HEADER = WHOLE[:14]
EVENTS = TWO_NOTES + b"\x00\xff\x2f\x00"
BEGINNING = len(HEADER) + 8


def repaired(data: bytes) -> ParsedPiece:
    with pytest.raises(RejectedFile):
        read_midi(data, ParseConfig())
    (piece,) = read_midi(data, ParseConfig(repair=True))
    return piece


def chunk_of_length(length: int, events: bytes = EVENTS) -> bytes:
    return b"MTrk" + length.to_bytes(4) + events


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (bytes(128) + WHOLE, "leading junk of 128 bytes skipped"),
        (HEADER + chunk_of_length(10_000), "track 1 of wrong length"),
        (HEADER + chunk_of_length(7), "track 1 of wrong length"),
        (
            midi_file(n_declared=2) + chunk_of_length(7) + midi_chunk(b"MTrk", b"\x00\xff\x2f\x00"),
            "track 1 of wrong length",
        ),
        (b"MThd" + (999).to_bytes(4) + WHOLE[8:], "length of the header corrected"),
        (
            HEADER + midi_chunk(b"MTrk", TWO_NOTES + b"\x00\x90\x3c\xc8\x60\x80\x3c\x00"),
            f"track 1 cut off at byte {BEGINNING + len(TWO_NOTES)}",
        ),
        (
            HEADER + midi_chunk(b"MTrk", b"\x00\x3c\x40" + EVENTS[1:]),
            "track 1 without its first 3 bytes, which are no events",
        ),
    ],
)
def test_both_notes_are_saved(data: bytes, what: str) -> None:
    piece = repaired(data)
    assert piece.repair == what
    assert piece.onset_tick.tolist() == [0, 480]
    assert piece.duration_tick.tolist() == [480, 240]


def test_a_note_whose_end_was_lost_is_not_invented() -> None:
    piece = repaired(WHOLE[: BEGINNING + len(TWO_NOTES) - 3])  # within the last note-off
    assert piece.pitch.tolist() == [60]
    assert piece.n_unended == 1
    assert piece.repair is not None
    assert "cut off at byte" in piece.repair


def test_a_sound_file_is_not_touched() -> None:
    (piece,) = read_midi(WHOLE, ParseConfig(repair=True))
    assert piece.repair is None


@pytest.mark.parametrize(
    "data",
    [b"", b"no music", WHOLE[:14], midi_file(TWO_NOTES, ticks_per_quarter=0)],
    ids=["empty", "text", "no track", "no resolution"],
)
def test_what_cannot_be_mended_keeps_its_reason(data: bytes) -> None:
    with pytest.raises(RejectedFile) as strict:
        read_midi(data, ParseConfig())
    with pytest.raises(RejectedFile) as lenient:
        read_midi(data, ParseConfig(repair=True))
    assert lenient.value.reason == strict.value.reason
