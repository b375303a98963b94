"""What a corpus is: contents under sorted paths, dealt into buckets by path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_lib.notes.corpus.scanning import scan_corpus
from pipeline_lib.notes.corpus.snapshot import (
    SNAPSHOT_SCHEMA,
    CorpusSnapshot,
    SourceFile,
    file_suffix,
    snapshot_table,
)
from pipeline_lib.notes.table import RejectReason
from tests.notes.tiny_archives import zip_of

Write = Callable[[dict[str, bytes]], Path]

MANY = {f"{i}.mid": bytes([i]) for i in range(40)}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def source(path: str, content: bytes = b"", archive: str | None = None) -> SourceFile:
    return SourceFile(path, sha256(content), file_suffix(path), len(content), archive)


def bucket_values(snapshot: CorpusSnapshot) -> dict[int, object]:
    return {bucket.index: bucket.cache_value() for bucket in snapshot.buckets(16)}


def n_changed(before: CorpusSnapshot, after: CorpusSnapshot) -> int:
    old, new = bucket_values(before), bucket_values(after)
    return len([i for i in old | new if old.get(i) != new.get(i)])


def test_a_piece_is_named_by_its_files_content() -> None:
    assert source("a.mid", b"one").piece_id == sha256(b"one")[:16]
    assert source("b.kar", b"one").piece_id == source("a.mid", b"one").piece_id


def test_pieces_of_one_file_have_names_of_their_own() -> None:
    names = [source("a.abc", b"one").tune_id(tune) for tune in (1, 2)]
    assert names[0] == sha256(f"{sha256(b'one')}/1".encode())[:16]
    assert len({*names, source("a.abc", b"one").piece_id}) == 3


@pytest.mark.parametrize(
    ("path", "suffix"),
    [("a.MID", ".mid"), ("a/b.c/d", ""), ("x.Tar.GZ", ".tar.gz"), ("a.mid/", ""), (".mid", "")],
)
def test_a_suffix_is_in_lower_case(path: str, suffix: str) -> None:
    assert file_suffix(path) == suffix


def test_a_moved_corpus_is_the_same_corpus(write_corpus: Write, tmp_path: Path) -> None:
    root = write_corpus({"a.mid": b"1", "b.mid": b"2"})
    before = scan_corpus(root)
    after = scan_corpus(root.rename(tmp_path / "elsewhere"))
    assert after.cache_value() == before.cache_value()
    assert after.sha256 == before.sha256
    assert n_changed(before, after) == 0


def test_a_reason_counts_as_the_content_of_a_file_that_cannot_be_read() -> None:
    reasons = ["cut off", "cut off", "no such device"]
    one, same, other = (
        CorpusSnapshot(
            "",
            "",
            (SourceFile("a.mid", None, ".mid", 0, None, RejectReason.UNREADABLE, reason),),
        )
        for reason in reasons
    )
    assert one.sha256 == same.sha256 != other.sha256


@pytest.mark.parametrize("change", ["edit", "add", "remove"])
def test_one_changed_file_changes_one_bucket(write_corpus: Write, change: str) -> None:
    root = write_corpus(MANY)
    before = scan_corpus(root)
    if change == "remove":
        (root / "7.mid").unlink()
    else:
        (root / ("7.mid" if change == "edit" else "new.mid")).write_bytes(b"changed")
    assert n_changed(before, scan_corpus(root)) == 1


def test_a_renamed_file_changes_two_buckets_at_most(write_corpus: Write) -> None:
    root = write_corpus(MANY)
    before = scan_corpus(root)
    (root / "7.mid").rename(root / "z.mid")
    after = scan_corpus(root)
    assert after.cache_value() != before.cache_value()
    assert n_changed(before, after) == 2


def test_paths_do_not_count_within_a_bucket(write_corpus: Write) -> None:
    root = write_corpus({"a.mid": b"1"})
    (before,) = scan_corpus(root).buckets(1)
    (root / "a.mid").rename(root / "z.mid")
    (after,) = scan_corpus(root).buckets(1)
    assert after.cache_value() == before.cache_value()


def test_buckets_hold_every_readable_file_once_and_none_is_empty() -> None:
    files = tuple(source(f"{i:03}.mid", bytes([i])) for i in range(100))
    lost = SourceFile("lost.mid", None, ".mid", 0, None, RejectReason.UNREADABLE, "gone")
    buckets = CorpusSnapshot("root", "name", (*files, lost)).buckets(64)
    assert sorted(f.path for b in buckets for f in b.files) == [f.path for f in files]
    assert all(b.files for b in buckets)


def test_without_readable_files_there_are_no_buckets() -> None:
    assert CorpusSnapshot("root", "name", ()).buckets(64) == ()


@pytest.mark.parametrize(
    ("archive", "n_shelves"), [("c.tar.gz", 1), ("c.txz", 1), ("c.zip", 8), ("c.tar", 8)]
)
def test_an_archives_members_share_few_buckets(archive: str, n_shelves: int) -> None:
    files = tuple(source(f"{archive}/{i}.mid", bytes([i]), archive) for i in range(200))
    assert len({file.shelf for file in files}) == n_shelves
    assert len(CorpusSnapshot("", "", files).buckets(128)) <= n_shelves


def test_one_changed_member_of_a_zip_file_changes_one_bucket(write_corpus: Write) -> None:
    root = write_corpus({"a.zip": zip_of(list(MANY.items()))})
    before = scan_corpus(root)
    write_corpus({"a.zip": zip_of(list({**MANY, "7.mid": b"changed"}.items()))})
    assert n_changed(before, scan_corpus(root)) == 1


def test_the_table_holds_the_snapshot(write_corpus: Write) -> None:
    snapshot = scan_corpus(write_corpus({"a.mid": b"1", "b.abc": b"22", "c.zip": b""}))
    table = snapshot_table(snapshot)
    assert table.schema.equals(SNAPSHOT_SCHEMA, check_metadata=True)
    assert table["path"].to_pylist() == ["a.mid", "b.abc", "c.zip"]
    assert table["n_bytes"].to_pylist() == [1, 2, 0]
    assert table["sha256"].to_pylist() == [sha256(b"1"), sha256(b"22"), None]
    assert table["reject_reason"].to_pylist() == [None, None, "unreadable"]


def test_a_name_that_is_not_utf8_is_shown_in_hexadecimal() -> None:
    snapshot = CorpusSnapshot("", "", (source(os.fsdecode(b"caf\xe9.mid")),))
    assert snapshot_table(snapshot)["path"].to_pylist() == ["caf\\xe9.mid"]
    snapshot_table(snapshot).validate(full=True)
    assert len(snapshot.sha256) == 64
