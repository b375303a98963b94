"""Files to tables: every file gets a row, whatever is in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_files import TUNE_ABC, TWO_NOTES, midi_file, rising_line

from pipeline_lib.errors import CorpusError
from pipeline_lib.notes import parsing
from pipeline_lib.notes.corpus import Bucket, scan_corpus
from pipeline_lib.notes.table import (
    NOTE_PARQUET_OPTIONS,
    NOTE_SCHEMA,
    SHARD_PIECE_SCHEMA,
    RejectReason,
)

Write = Callable[[dict[str, bytes]], Path]

LINE = midi_file(rising_line(60))
OTHER_LINE = midi_file(rising_line(70), ticks_per_quarter=240)
DRUMS = b"\x00\x99\x24\x40\x81\x70\x89\x24\x00" * 8  # channel 10


def bucket_of(root: Path) -> Bucket:
    (bucket,) = scan_corpus(root).buckets(1)
    return bucket


def test_notes_of_two_files(write_corpus: Write) -> None:
    bucket = bucket_of(write_corpus({"a.mid": LINE, "b.mid": OTHER_LINE}))
    notes, pieces = parsing.parse_bucket(bucket, min_notes=8)
    assert notes.schema.equals(NOTE_SCHEMA, check_metadata=True)
    assert pieces.schema.equals(SHARD_PIECE_SCHEMA, check_metadata=True)
    ids = sorted(f.piece_id for f in bucket.files)
    assert pieces["piece_id"].to_pylist() == ids
    assert notes["piece_id"].to_pylist() == [ids[0]] * 8 + [ids[1]] * 8
    by_path = {f.path: f.piece_id for f in bucket.files}
    of_a = notes.filter(pa.array([i == by_path["a.mid"] for i in notes["piece_id"].to_pylist()]))
    assert of_a["pitch"].to_pylist() == list(range(60, 68))
    assert of_a["onset_tick"].to_pylist() == [480 * i for i in range(8)]
    assert set(of_a["duration_tick"].to_pylist()) == {480}


def test_what_is_said_of_an_accepted_piece(write_corpus: Write) -> None:
    _, pieces = parsing.parse_bucket(bucket_of(write_corpus({"b.MID": OTHER_LINE})), 8)
    (row,) = pieces.to_pylist()
    assert row["suffix"] == ".mid"
    assert (row["status"], row["reject_reason"], row["reject_detail"]) == ("accepted", None, None)
    assert (row["ticks_per_quarter"], row["n_tracks"], row["n_notes"]) == (240, 1, 8)
    assert row["duration_quarter"] == 16.0
    assert (row["tempo_qpm"], row["time_signature"], row["key_signature"]) == (120.0, "4/4", None)


def test_a_content_that_occurs_twice_is_one_row(write_corpus: Write) -> None:
    notes, pieces = parsing.parse_bucket(bucket_of(write_corpus({"a.mid": LINE, "b.kar": LINE})), 8)
    assert (len(notes), len(pieces)) == (8, 1)


def test_renaming_files_changes_no_row(write_corpus: Write) -> None:
    root = write_corpus({"a.mid": LINE, "b.mid": OTHER_LINE, "c.mid": b"broken"})
    before = parsing.parse_bucket(bucket_of(root), 8)
    (root / "a.mid").rename(root / "z.mid")
    after = parsing.parse_bucket(bucket_of(root), 8)
    assert all(b.equals(a) for b, a in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty_file"),
        (b"no MIDI", "not_music"),
        (LINE[:-9], "truncated"),
        (midi_file(b""), "no_notes"),
        (midi_file(DRUMS), "only_drums"),
        (midi_file(TWO_NOTES), "too_few_notes"),
        (midi_file(TWO_NOTES, DRUMS), "too_few_notes"),
    ],
)
def test_rejected_files_are_rows_without_notes(
    write_corpus: Write, content: bytes, reason: str
) -> None:
    notes, pieces = parsing.parse_bucket(bucket_of(write_corpus({"a.mid": content})), 8)
    assert notes.schema.equals(NOTE_SCHEMA)
    assert len(notes) == 0
    (row,) = pieces.to_pylist()
    assert (row["status"], row["reject_reason"], row["n_notes"]) == ("rejected", reason, 0)
    assert row["reject_detail"]
    assert row["notes_sha256"] is None


def test_drums_beside_enough_pitched_notes_are_kept(write_corpus: Write) -> None:
    line_and_drums = midi_file(rising_line(60), DRUMS)
    notes, _ = parsing.parse_bucket(bucket_of(write_corpus({"a.mid": line_and_drums})), 8)
    assert sorted(notes["is_drum"].to_pylist()) == [False] * 8 + [True] * 8


def test_a_parser_that_breaks_rejects_the_file(
    write_corpus: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(data: bytes) -> None:
        raise ZeroDivisionError("x" * 1000)

    monkeypatch.setattr(parsing, "read_midi", broken)
    _, pieces = parsing.parse_bucket(bucket_of(write_corpus({"a.mid": LINE})), 8)
    (row,) = pieces.to_pylist()
    assert row["reject_reason"] == "malformed"
    assert row["reject_detail"].startswith("ZeroDivisionError: xxx")
    assert len(row["reject_detail"]) == 300


def test_midi_under_the_name_of_a_score_is_midi() -> None:
    assert len(parsing.read_piece(LINE, ".xml")) == 8


def test_scores_and_midi_meet_in_one_table(write_corpus: Write) -> None:
    bucket = bucket_of(write_corpus({"a.mid": LINE, "b.abc": TUNE_ABC}))
    notes, pieces = parsing.parse_bucket(bucket, 8)
    assert len(notes) == 8 + 11
    assert set(pieces["suffix"].to_pylist()) == {".mid", ".abc"}


@pytest.mark.parametrize("happening", ["changed", "removed"])
def test_a_file_that_is_not_what_was_scanned_stops_the_run(
    write_corpus: Write, happening: str
) -> None:
    root = write_corpus({"a.mid": LINE})
    bucket = bucket_of(root)
    if happening == "changed":
        (root / "a.mid").write_bytes(OTHER_LINE)
    else:
        (root / "a.mid").unlink()
    with pytest.raises(CorpusError, match="after the corpus was scanned"):
        parsing.parse_bucket(bucket, 8)


def test_notes_survive_parquet(write_corpus: Write, tmp_path: Path) -> None:
    notes, _ = parsing.parse_bucket(bucket_of(write_corpus({"a.mid": LINE})), 8)
    pq.write_table(notes, tmp_path / "n.parquet", **NOTE_PARQUET_OPTIONS)
    assert pq.read_table(tmp_path / "n.parquet").equals(notes)


def test_broken_files_of_every_kind_give_rows(test_data: Path) -> None:
    bucket = bucket_of(test_data / "malformed")
    notes, pieces = parsing.parse_bucket(bucket, min_notes=1)
    rows = {row["sha256"]: row for row in pieces.to_pylist()}
    assert set(rows) == {f.sha256 for f in bucket.files}
    for row in rows.values():
        if row["status"] == "rejected":
            assert row["reject_reason"] in set(RejectReason)
            assert row["reject_detail"]
    assert len(notes) == sum(row["n_notes"] for row in rows.values())
    expected = {
        "synthetic/ok_simple.mid": None,
        "synthetic/unterminated.mid": None,
        "synthetic/delta_overflow_int32.mid": "too_large",
        "synthetic/truncated_midevent.mid": "truncated",
        "synthetic/smpte_25_40.mid": "unsupported",
        "synthetic/div0.mid": "malformed",
        "synthetic/html.mid": "not_music",
    }
    sha256_of = {f.path: f.sha256 for f in bucket.files}
    assert {p: rows[sha256_of[p]]["reject_reason"] for p in expected} == expected
