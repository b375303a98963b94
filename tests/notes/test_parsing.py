"""Files to tables: every file gets a row, whatever is in it."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes import parsing
from pipeline_lib.notes.corpus.snapshot import SourceFile
from pipeline_lib.notes.parsing import ShardTables, first_piece, parse_files, read_pieces
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.table import (
    CHANGE_SCHEMA,
    NOTE_PARQUET_OPTIONS,
    NOTE_SCHEMA,
    SHARD_PIECE_SCHEMA,
    TRACK_SCHEMA,
    RejectReason,
)
from tests.notes.tiny_files import TUNE_ABC, TWO_NOTES, midi_file, rising_line

LINE = midi_file(rising_line(60))
OTHER_LINE = midi_file(rising_line(70), ticks_per_quarter=240)
DRUMS = b"\x00\x99\x24\x40\x81\x70\x89\x24\x00" * 8  # channel 10
CONFIG = ParseConfig()


def source(data: bytes, suffix: str = ".mid") -> SourceFile:
    return SourceFile(f"a{suffix}", hashlib.sha256(data).hexdigest(), suffix, len(data))


def parsed(*contents: bytes, suffix: str = ".mid") -> ShardTables:
    """The only chunk that some files make."""
    (tables,) = parse_files([(source(data, suffix), data) for data in contents], CONFIG)
    return tables


def rows(*contents: bytes, suffix: str = ".mid") -> list[dict[str, Any]]:
    return parsed(*contents, suffix=suffix).pieces.to_pylist()


def test_notes_of_two_files() -> None:
    notes, pieces, tracks, changes = parsed(LINE, OTHER_LINE)
    schemas = (NOTE_SCHEMA, SHARD_PIECE_SCHEMA, TRACK_SCHEMA, CHANGE_SCHEMA)
    for table, schema in zip((notes, pieces, tracks, changes), schemas, strict=True):
        assert table.schema.equals(schema, check_metadata=True)
    first, second = (source(data).piece_id for data in (LINE, OTHER_LINE))
    assert pieces["piece_id"].to_pylist() == [first, second]
    assert notes["piece_id"].to_pylist() == [first] * 8 + [second] * 8
    assert notes["pitch"].to_pylist() == [*range(60, 68), *range(70, 78)]
    assert notes["onset_tick"].to_pylist() == [480 * i for i in range(8)] * 2
    assert set(notes["duration_tick"].to_pylist()) == {480}


def test_what_is_said_of_an_accepted_piece() -> None:
    (row,) = rows(OTHER_LINE)
    assert row["sha256"] == hashlib.sha256(OTHER_LINE).hexdigest()
    assert (row["status"], row["reject_reason"], row["reject_detail"]) == ("accepted", None, None)
    assert (row["tune"], row["repair"]) == (None, None)
    assert (row["ticks_per_quarter"], row["n_tracks"], row["n_notes"]) == (240, 1, 8)
    assert (row["n_unended"], row["n_zero_length"]) == (0, 0)
    assert (row["duration_quarter"], row["duration_sec"]) == (16.0, 8.0)
    assert (row["tempo_qpm"], row["time_signature"], row["key_signature"]) == (120.0, "4/4", None)


def test_what_a_reader_doubts_is_counted_and_the_first_is_quoted() -> None:
    doubtful = TUNE_ABC.replace(b"BA |", b"BA 5 6 |")
    (sure,), (row,) = rows(TUNE_ABC, suffix=".abc"), rows(doubtful, suffix=".abc")
    assert (sure["n_warnings"], sure["warning"]) == (0, None)
    assert (row["n_warnings"], row["warning"]) == (2, "bar 1: '5' has no meaning in music")
    assert row["n_notes"] == sure["n_notes"] == 11


@pytest.mark.parametrize(("repeats", "n_notes"), [("play", 11), ("once", 7)])
def test_repeats_of_scores_are_played_as_set(repeats: Any, n_notes: int) -> None:
    (piece,) = read_pieces(TUNE_ABC, ".abc", ParseConfig(repeats=repeats))
    assert len(piece) == n_notes


def test_tracks_with_and_without_notes() -> None:
    silent = b"\x00\xff\x03\x03Pad\x00\xc1\x05\x00\x91\x3c\x40"  # a note without end
    tables = parsed(midi_file(silent, b"\x00\xff\x03\x01A" + TWO_NOTES, DRUMS), LINE)
    tracks = tables.tracks.to_pylist()
    assert [t["track"] for t in tracks] == [0, 1, 2, 0]
    assert [t["name"] for t in tracks] == ["Pad", "A", None, None]
    assert [t["program"] for t in tracks] == [5, 0, 0, 0]
    assert [t["is_drum"] for t in tracks] == [False, False, True, False]
    assert [t["n_notes"] for t in tracks] == [0, 2, 8, 8]


def test_changes_are_sorted_by_piece_and_time_then_tempo_metre_key() -> None:
    metre = b"\x00\xff\x58\x04\x06\x03\x18\x08"
    key = b"\x00\xff\x59\x02\x01\x00"
    tempo = b"\xff\x51\x03\x09\x27\xc0"  # 100
    changes = parsed(
        midi_file(key + metre + b"\x60" + tempo + TWO_NOTES),
        LINE,
        midi_file(b"\x00" + tempo + TWO_NOTES),
    ).changes
    values = [
        (row["onset_tick"], row["tempo_qpm"], row["time_signature"], row["key_signature"])
        for row in changes.to_pylist()
    ]
    assert values == [
        (0, None, "6/8", None),
        (0, None, None, "G major"),
        (96, 100.0, None, None),
        (0, 100.0, None, None),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty_file"),
        (b"no MIDI", "not_music"),
        (LINE[:-9], "truncated"),
        (midi_file(b""), "no_notes"),
        (midi_file(DRUMS), "only_drums"),
    ],
)
def test_rejected_files_are_rows_without_notes(content: bytes, reason: str) -> None:
    tables = parsed(content)
    assert (len(tables.notes), len(tables.tracks), len(tables.changes)) == (0, 0, 0)
    (row,) = tables.pieces.to_pylist()
    assert (row["status"], row["reject_reason"], row["n_notes"]) == ("rejected", reason, 0)
    assert row["reject_detail"]
    assert row["duration_sec"] is None


def test_sequences_of_one_file_are_numbered_and_rejected_one_by_one() -> None:
    data = midi_file(rising_line(), DRUMS, TWO_NOTES, midi_type=2)
    first, drums, last = rows(data)
    assert [r["tune"] for r in (first, drums, last)] == [1, 2, 3]
    assert [r["reject_reason"] for r in (first, drums, last)] == [None, "only_drums", None]
    assert first["piece_id"] == hashlib.sha256(f"{first['sha256']}/1".encode()).hexdigest()[:16]


def test_a_piece_beyond_the_limits_spoils_no_other() -> None:
    long = b"\xff\xff\xff\x7f\xff\x01\x00" * 7 + b"\x00\x90\x3c\x40\xff\xff\xff\x7f\x80\x3c\x00"
    # Under SMPTE time of 25 frames of 5 ticks all ticks are doubled, beyond what the table holds.
    tables = parsed(LINE, midi_file(long, ticks_per_quarter=0xE705), OTHER_LINE)
    assert tables.pieces["reject_reason"].to_pylist() == [None, "too_large", None]
    assert len(tables.notes) == 16


def test_drums_beside_pitched_notes_are_kept() -> None:
    notes = parsed(midi_file(rising_line(60), DRUMS)).notes
    assert sorted(notes["is_drum"].to_pylist()) == [False] * 8 + [True] * 8


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ZeroDivisionError("x" * 1000), "malformed"), (MemoryError("x" * 1000), "out_of_memory")],
)
def test_a_parser_that_breaks_rejects_the_file(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def broken(data: bytes, config: ParseConfig) -> None:
        raise error

    monkeypatch.setattr(parsing, "read_unsorted", broken)
    (row,) = rows(LINE)
    assert row["reject_reason"] == reason
    assert row["reject_detail"].startswith(f"{type(error).__name__}: xxx")
    assert len(row["reject_detail"]) == 300


def test_a_file_that_could_not_be_had_is_a_row() -> None:
    lost = RejectedFile(RejectReason.TIMED_OUT, "no text: \udcff")
    (tables,) = parse_files([(source(LINE), lost), (source(OTHER_LINE), OTHER_LINE)], CONFIG)
    assert tables.pieces["reject_reason"].to_pylist() == ["timed_out", None]
    assert tables.pieces["reject_detail"][0].as_py() == "no text: ?"


def test_midi_under_the_name_of_a_score_is_midi() -> None:
    assert len(read_pieces(LINE, ".xml", CONFIG)[0]) == 8


def test_scores_and_midi_meet_in_one_table() -> None:
    files = [(source(LINE), LINE), (source(TUNE_ABC, ".abc"), TUNE_ABC)]
    (tables,) = parse_files(files, CONFIG)
    assert tables.pieces["n_notes"].to_pylist() == [8, 11]
    assert len(tables.notes) == 8 + 11


def test_no_files_make_one_empty_chunk() -> None:
    tables = parsed()
    assert [len(table) for table in tables] == [0, 0, 0, 0]
    assert tables.notes.schema.equals(NOTE_SCHEMA)


def test_files_are_parsed_as_they_are_drawn_and_chunks_are_limited() -> None:
    files = [(source(LINE), LINE)] * 600
    chunks = list(parse_files(iter(files), CONFIG))
    assert [len(chunk.pieces) for chunk in chunks] == [512, 88]


def test_the_first_piece_is_one_to_learn_from() -> None:
    data = midi_file(DRUMS, rising_line(), midi_type=2)
    assert len(first_piece(read_pieces(data, ".mid", CONFIG))) == 8
    with pytest.raises(RejectedFile, match="only_drums"):
        first_piece(read_pieces(midi_file(DRUMS), ".mid", CONFIG))


def test_read_pieces_says_why_not() -> None:
    with pytest.raises(RejectedFile, match="truncated"):
        read_pieces(LINE[:-9], ".mid", CONFIG)


def test_notes_survive_parquet(tmp_path: Path) -> None:
    notes = parsed(LINE).notes
    pq.write_table(notes, tmp_path / "n.parquet", **NOTE_PARQUET_OPTIONS)
    assert pq.read_table(tmp_path / "n.parquet").equals(notes)


SYNTHETIC_REJECTS = {
    "data_byte_ge_128.mid": "malformed",
    "delta_overflow_int32.mid": "too_large",
    "div0.mid": "malformed",
    "drums_ch10.mid": "only_drums",
    "empty.mid": "empty_file",
    "header_len_huge.mid": "truncated",  # the header says it is 2 GiB long
    "header_only_1trk.mid": "truncated",  # declares a track, has none
    "html.mid": "not_music",
    "leading_junk.mid": "not_music",
    "magic_only.mid": "truncated",
    "meta_len_huge.mid": "malformed",
    "no_tracks.mid": "no_notes",  # declares none: complete, but empty
    "not_midi.mid": "not_music",
    "ntracks_0.mid": "no_notes",  # its track is not declared
    "one_byte.mid": "not_music",
    "pitchbend_only.mid": "no_notes",
    "running_status_none_first.mid": "malformed",
    "smpte_bad_fps.mid": "malformed",
    "sysex_len_huge.mid": "malformed",
    "sysex_unterminated.mid": "malformed",
    "trk_len_0.mid": "no_notes",  # its events are outside its track
    "trk_len_4GiB.mid": "truncated",
    "trk_len_too_big.mid": "truncated",
    "trk_len_too_small.mid": "malformed",  # the track ends within an event
    "truncated_midevent.mid": "truncated",
    "type3.mid": "unsupported",
    "velocity_200.mid": "malformed",
    "vlq_5_bytes.mid": "malformed",
    "vlq_endless.mid": "malformed",
}
"""What becomes of the files made to be broken; all others are accepted."""


def test_broken_files_of_every_kind_give_rows(test_data: Path) -> None:
    paths = sorted((test_data / "malformed").glob("*/*.mid"))
    files = [(source(data), data) for data in (path.read_bytes() for path in paths)]
    chunks = list(parse_files(files, CONFIG))
    pieces = pa.concat_tables([chunk.pieces for chunk in chunks]).to_pylist()
    assert {row["sha256"] for row in pieces} == {file.sha256 for file, _ in files}
    for row in pieces:
        if row["status"] == "rejected":
            assert row["reject_reason"] in set(RejectReason)
            assert row["reject_detail"]
    assert sum(len(chunk.notes) for chunk in chunks) == sum(row["n_notes"] for row in pieces)
    reason_of = {row["sha256"]: row["reject_reason"] for row in pieces}
    found = {
        path.name: reason_of[file.sha256]
        for path, (file, _) in zip(paths, files, strict=True)
        if path.parent.name == "synthetic" and reason_of[file.sha256]
    }
    assert found == SYNTHETIC_REJECTS


@pytest.mark.parametrize("config", [CONFIG, ParseConfig(repair=True, sustain_pedal="extend")])
def test_mutated_files_give_a_row_each(test_data: Path, config: ParseConfig) -> None:
    rng = random.Random(0)
    paths = sorted((test_data / "midi").glob("*/*.mid"), key=lambda path: path.stat().st_size)[:400]
    files = []
    for path in rng.choices(paths, k=300):
        data = bytearray(path.read_bytes())
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        mutated = bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        files.append((source(mutated), mutated))
    chunks = list(parse_files(files, config))
    found = [sha for chunk in chunks for sha in dict.fromkeys(chunk.pieces["sha256"].to_pylist())]
    assert found == [file.sha256 for file, _ in files]
