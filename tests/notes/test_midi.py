"""MIDI bytes to notes and back."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.midi import files as midi
from pipeline_lib.notes.midi.files import write_midi
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile, key_name, key_sharps
from pipeline_lib.notes.table import RejectReason
from tests.notes.tiny_files import TWO_NOTES, midi_chunk, midi_file, rising_line


def read_midi(data: bytes) -> ParsedPiece:
    (piece,) = midi.read_midi(data, ParseConfig())
    return piece


def notes_of(piece: ParsedPiece) -> list[tuple[int, int, int]]:
    """(onset_tick, duration_tick, pitch) of every note."""
    columns = (piece.onset_tick, piece.duration_tick, piece.pitch)
    return list(zip(*(c.tolist() for c in columns), strict=True))


def test_two_notes_by_hand() -> None:
    piece = read_midi(midi_file(TWO_NOTES))
    assert notes_of(piece) == [(0, 480, 60), (480, 240, 64)]
    assert piece.velocity.tolist() == [64, 80]
    assert (piece.ticks_per_quarter, len(piece.tracks)) == (480, 1)
    assert piece.duration_quarter == 1.5


def test_what_midi_prescribes_where_a_file_says_nothing() -> None:
    piece = read_midi(midi_file(TWO_NOTES))
    assert (piece.tempo_qpm, piece.time_signature, piece.key_signature) == (120.0, "4/4", None)


def test_tempo_metre_and_key_are_the_first_of_any_track() -> None:
    # 0x0927C0 = 600,000 µs per quarter; 6/8 is 6 over 2**3; 0xFE = -2 sharps, mode 1 = minor.
    later = b"\x60\xff\x51\x03\x07\xa1\x20\x00\xff\x58\x04\x03\x02\x18\x08\x00\xff\x59\x02\x01\x00"
    first = b"\x00\xff\x51\x03\x09\x27\xc0\x00\xff\x58\x04\x06\x03\x18\x08\x00\xff\x59\x02\xfe\x01"
    piece = read_midi(midi_file(later + TWO_NOTES, first + TWO_NOTES))
    assert (piece.tempo_qpm, piece.time_signature) == (100.0, "6/8")
    assert piece.key_signature == "G minor"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(b"\xff\x51\x03\x00\x00\x00", id="tempo of 0 microseconds"),
        pytest.param(b"\xff\x51\x03\x00\x00\x01", id="tempo of 60 million quarters a minute"),
        pytest.param(b"\xff\x58\x04\x00\x02\x18\x08", id="metre 0/4"),
        pytest.param(b"\xff\x58\x04\x04\xff\x18\x08", id="metre 4 over 2 to the 255"),
        pytest.param(b"\xff\x59\x02\x40\x00", id="key of 64 sharps"),
    ],
)
def test_senseless_tempo_metre_and_key_count_as_missing(event: bytes) -> None:
    piece = read_midi(midi_file(b"\x00" + event + TWO_NOTES))
    assert (piece.tempo_qpm, piece.time_signature, piece.key_signature) == (120.0, "4/4", None)


def test_tracks_programs_and_drums() -> None:
    flute = b"\x00\xc0\x49" + TWO_NOTES  # program 73
    drum = b"\x00\x99\x24\x40\x81\x70\x89\x24\x00"  # channel 10
    piece = read_midi(midi_file(flute, drum))
    assert piece.track.tolist() == [0, 1, 0]
    assert piece.program.tolist() == [73, 0, 73]
    assert piece.is_drum.tolist() == [False, True, False]


def test_notes_are_sorted_by_onset_track_pitch() -> None:
    chord = b"\x00\x90\x43\x40\x00\x90\x3c\x40\x60\x80\x43\x00\x00\x80\x3c\x00"
    piece = read_midi(midi_file(chord, chord))
    order = zip(piece.onset_tick.tolist(), piece.track.tolist(), piece.pitch.tolist(), strict=True)
    assert list(order) == [(0, 0, 60), (0, 0, 67), (0, 1, 60), (0, 1, 67)]


def test_a_note_off_ends_the_oldest_note_of_its_pitch() -> None:
    # On at 0 and at 96, off at 192 and at 288: two notes of 192 ticks that overlap.
    overlap = b"\x00\x90\x3c\x40\x60\x90\x3c\x40\x60\x80\x3c\x00\x60\x80\x3c\x00"
    assert notes_of(read_midi(midi_file(overlap))) == [(0, 192, 60), (96, 192, 60)]


def test_notes_of_length_zero_and_notes_without_end_are_dropped_and_counted() -> None:
    zero = b"\x00\x90\x30\x40\x00\x80\x30\x00"
    endless = b"\x00\x90\x31\x40\x00\x90\x31\x40\x00\x90\x33\x40"
    piece = read_midi(midi_file(zero + endless + TWO_NOTES))
    assert notes_of(piece) == [(0, 480, 60), (480, 240, 64)]
    assert (piece.n_unended, piece.n_zero_length) == (3, 1)


def test_a_note_on_of_velocity_zero_is_a_note_off() -> None:
    assert notes_of(read_midi(midi_file(b"\x00\x90\x3c\x40\x60\x3c\x00"))) == [(0, 96, 60)]


def test_running_status_goes_on_across_a_meta_event() -> None:
    text = b"\x00\xff\x01\x01a"
    assert notes_of(read_midi(midi_file(b"\x00\x90\x3c\x40" + text + b"\x60\x3c\x00"))) == [
        (0, 96, 60)
    ]


def test_what_follows_the_end_of_a_track_is_ignored() -> None:
    piece = read_midi(midi_file(TWO_NOTES + b"\x00\xff\x2f\x00" + rising_line()))
    assert (len(piece), piece.n_unended) == (2, 0)


def test_a_track_without_its_end_is_read() -> None:
    data = midi_file(n_declared=1) + midi_chunk(b"MTrk", TWO_NOTES)
    assert len(read_midi(data)) == 2


def test_a_program_change_begins_a_new_track() -> None:
    piece = read_midi(midi_file(TWO_NOTES + b"\x00\xc0\x05" + TWO_NOTES))
    assert [t.program for t in piece.tracks] == [0, 5]
    assert piece.track.tolist() == [0, 0, 1, 1]


def test_channels_of_one_midi_track_are_tracks() -> None:
    piece = read_midi(midi_file(TWO_NOTES + b"\x00\x95\x3c\x40\x60\x85\x3c\x00", midi_type=0))
    assert piece.track.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b" Violin \x00", "Violin"),
        (b"\xe9", "é"),  # Latin-1
        (b"\x83s\x83A\x83m", "ピアノ"),  # Shift-JIS
        ("音轨".encode(), "音轨"),
        (b" \x00", None),
    ],
)
def test_track_names_never_fail(name: bytes, expected: str | None) -> None:
    event = b"\x00\xff\x03" + bytes([len(name)]) + name
    assert read_midi(midi_file(event + TWO_NOTES)).tracks[0].name == expected


def test_all_changes_of_all_tracks() -> None:
    # Metre 3/4 stated twice, 6/8 later; tempo 100 in the second track, 0 is none.
    three = b"\x00\xff\x58\x04\x03\x02\x18\x08"
    first = three + three + b"\x60\xff\x58\x04\x06\x03\x18\x08" + TWO_NOTES
    tempo = b"\x60\xff\x51\x03\x09\x27\xc0\x60\xff\x51\x03\x00\x00\x00"
    piece = read_midi(midi_file(first, three + tempo + TWO_NOTES))
    assert piece.time_signatures == ((0, "3/4"), (96, "6/8"))
    assert piece.tempos.pairs() == ((96, 100.0),)


def test_independent_sequences_are_pieces() -> None:
    data = midi_file(TWO_NOTES, b"", rising_line(), midi_type=2)
    pieces = midi.read_midi(data, ParseConfig())
    assert [len(piece) for piece in pieces] == [2, 8]


def test_independent_sequences_without_notes_are_one_empty_piece() -> None:
    (piece,) = midi.read_midi(midi_file(b"", b"", midi_type=2), ParseConfig())
    assert len(piece) == 0


@pytest.mark.parametrize(
    ("division", "ticks_per_quarter", "factor", "tempo_qpm"),
    [
        (0xE728, 500, 1, 120.0),  # 25 frames of 40 ticks: 1000 a second
        (0xE705, 125, 2, 120.0),  # 25 of 5: 62.5 ticks in half a second
        (0xE350, 1200, 1, 119.88),  # 30 drop-frame, written as 29
        (0xE204, 60, 1, 120.0),
    ],
)
def test_smpte_time_is_real_time(
    division: int, ticks_per_quarter: int, factor: int, tempo_qpm: float
) -> None:
    ignored_tempo = b"\x00\xff\x51\x03\x09\x27\xc0"
    piece = read_midi(midi_file(ignored_tempo + TWO_NOTES, ticks_per_quarter=division))
    assert piece.ticks_per_quarter == ticks_per_quarter
    assert notes_of(piece) == [(0, 480 * factor, 60), (480 * factor, 240 * factor, 64)]
    assert piece.tempo_qpm == pytest.approx(tempo_qpm, abs=1e-3)
    assert len(piece.tempos) == 1


@pytest.mark.parametrize("length", [0, 50])
def test_midi_wrapped_in_riff_is_read(length: int) -> None:
    whole = midi_file(TWO_NOTES)
    info = b"LIST" + (3).to_bytes(4, "little") + b"abc\x00"
    wrapped = b"RIFF\x00\x00\x00\x00RMID" + info + b"data" + length.to_bytes(4, "little") + whole
    assert len(read_midi(wrapped)) == 2


def test_bytes_of_a_header_beyond_the_sixth_are_skipped() -> None:
    whole = midi_file(TWO_NOTES)
    assert len(read_midi(b"MThd" + (8).to_bytes(4) + whole[8:14] + b"ab" + whole[14:])) == 2


def test_what_follows_the_last_track_is_ignored() -> None:
    assert len(read_midi(midi_file(TWO_NOTES) + b"junk that is no chunk")) == 2


def test_chunks_of_unknown_kind_are_skipped() -> None:
    header, track = midi_file(TWO_NOTES)[:14], midi_file(TWO_NOTES)[14:]
    assert len(read_midi(header + midi_chunk(b"XFIH", b"alien") + track)) == 2


# 16 times the longest delta (2**28 - 1 ticks) wraps around 32 bits to a small number.
WRAPS_TWICE = b"\xff\xff\xff\x7f\xff\x01\x00" * 16 + TWO_NOTES
WRAPS_ONCE = b"\xff\xff\xff\x7f\xff\x01\x00" * 9 + TWO_NOTES


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty_file"),
        (b"M", "not_music"),
        (b"<!DOCTYPE html>", "not_music"),
        (b"MThd", "truncated"),
        (midi_file(TWO_NOTES)[:-5], "truncated"),
        (midi_file(n_declared=1), "truncated"),
        (b"MThd" + (1000).to_bytes(4) + bytes(20), "truncated"),
        (b"RIFF\x00\x00\x00\x00RMIDdisp\x00\x00\x00\x00", "truncated"),
        (b"RIFF\x00\x00\x00\x00WAVEdata" + midi_file(TWO_NOTES), "not_music"),
        (b"MThd" + (5).to_bytes(4) + midi_file(TWO_NOTES)[8:], "malformed"),
        (midi_file(TWO_NOTES, ticks_per_quarter=0x8028), "malformed"),  # 128 frames per second
        (midi_file(TWO_NOTES, ticks_per_quarter=0xE700), "malformed"),  # 0 ticks per frame
        (midi_file(TWO_NOTES, midi_type=3), "unsupported"),
        (midi_file(TWO_NOTES, ticks_per_quarter=0), "malformed"),
        (midi_file(b"\x00\x3c\x40"), "malformed"),
        (midi_file(WRAPS_ONCE), "too_large"),
        (midi_file(WRAPS_TWICE), "too_large"),
    ],
)
def test_what_cannot_be_used_is_rejected_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(RejectedFile) as caught:
        read_midi(data)
    assert caught.value.reason == RejectReason(reason)
    assert caught.value.detail


def test_many_long_deltas_that_fit_are_read() -> None:
    # 7 * (2**28 - 1) ticks: large enough to be checked, and within 2**31.
    long = b"\xff\xff\xff\x7f\xff\x01\x00" * 7 + TWO_NOTES
    text = b"\x00\xff\x01\x08" + b"\xff\xff\xff\x7f" * 2  # looks like two more
    assert read_midi(midi_file(text + long)).onset_tick[0] == 7 * (2**28 - 1)


def test_agrees_with_pretty_midi(test_data: Path) -> None:
    path = sorted((test_data / "midi" / "nottingham-melody").glob("*.mid"))[0]
    piece = read_midi(path.read_bytes())
    theirs = pretty_midi.PrettyMIDI(str(path))
    expected = [
        (
            theirs.time_to_tick(n.start),
            theirs.time_to_tick(n.end) - theirs.time_to_tick(n.start),
            n.pitch,
        )
        for instrument in theirs.instruments
        for n in instrument.notes
    ]
    assert notes_of(piece) == sorted(expected)
    assert piece.ticks_per_quarter == theirs.resolution


def one_voice(steps: list[tuple[int, int, int]], steps_per_quarter: int = 24) -> GridNotes:
    """Notes one after another from (rest_step, duration_step, pitch)."""
    rest, duration, pitch = np.array(steps, np.int64).reshape(-1, 3).T
    onset = np.cumsum(rest + duration) - duration
    return GridNotes(onset, duration, pitch, steps_per_quarter, "6/8", 90.0, "Bb major")


def test_what_is_written(tmp_path: Path) -> None:
    write_midi(one_voice([(0, 24, 60), (12, 8, 72)]), tmp_path / "a.mid", track_name="Ä 'x'")
    piece = read_midi((tmp_path / "a.mid").read_bytes())
    assert piece.ticks_per_quarter == 480
    assert notes_of(piece) == [(0, 480, 60), (720, 160, 72)]
    assert piece.velocity.tolist() == [80, 80]
    assert piece.tempo_qpm == pytest.approx(90.0, abs=1e-3)
    assert (piece.time_signature, piece.key_signature) == ("6/8", "Bb major")
    theirs = pretty_midi.PrettyMIDI(io.BytesIO((tmp_path / "a.mid").read_bytes()))
    assert len(theirs.instruments) == 1
    assert "Ä 'x'".encode() in (tmp_path / "a.mid").read_bytes()


@pytest.mark.parametrize(("steps_per_quarter", "ticks_per_quarter"), [(7, 483), (960, 960)])
def test_the_resolution_written_is_an_exact_multiple(
    tmp_path: Path, steps_per_quarter: int, ticks_per_quarter: int
) -> None:
    notes = one_voice([(1, 1, 60)], steps_per_quarter)
    write_midi(notes, tmp_path / "a.mid", track_name="")
    piece = read_midi((tmp_path / "a.mid").read_bytes())
    assert piece.ticks_per_quarter == ticks_per_quarter
    assert piece.onset_tick.tolist() == [ticks_per_quarter // steps_per_quarter]


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 500), st.integers(1, 500), st.integers(0, 127)),
        min_size=1,
        max_size=30,
    ),
    steps_per_quarter=st.integers(1, 960),
)
def test_written_notes_are_read_back_and_equal_notes_give_equal_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, int, int]],
    steps_per_quarter: int,
) -> None:
    notes = one_voice(steps, steps_per_quarter)
    folder = tmp_path_factory.mktemp("written")
    for name in ("a.mid", "b.mid"):
        write_midi(notes, folder / name, track_name="t")
    data = (folder / "a.mid").read_bytes()
    piece = read_midi(data)
    ticks_per_step = piece.ticks_per_quarter // steps_per_quarter
    assert data == (folder / "b.mid").read_bytes()
    assert (piece.onset_tick == notes.onset_step * ticks_per_step).all()
    assert (piece.duration_tick == notes.duration_step * ticks_per_step).all()
    assert (piece.pitch == notes.pitch).all()


@given(data=st.binary(max_size=60), cut=st.integers(14, 90))
def test_random_bytes_are_read_or_rejected(data: bytes, cut: int) -> None:
    whole = midi_file(rising_line())
    for corrupted in (data, whole[:cut] + data, midi_file(data)):
        with suppress(RejectedFile):
            assert midi.read_midi(corrupted, ParseConfig())[0].ticks_per_quarter > 0


@pytest.mark.parametrize(
    ("sharps", "minor", "name"),
    [(0, False, "C major"), (-2, False, "Bb major"), (3, True, "F# minor"), (-7, True, "Ab minor")],
)
def test_key_names(sharps: int, minor: bool, name: str) -> None:
    assert key_name(sharps, minor) == name
    assert key_sharps(name) == (sharps, minor)


def test_there_is_no_key_of_eight_sharps() -> None:
    assert key_name(8, minor=False) is None
