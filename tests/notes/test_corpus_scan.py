"""What a corpus is: contents under sorted paths, dealt into buckets by path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus import (
    SNAPSHOT_SCHEMA,
    CorpusSnapshot,
    SourceFile,
    list_sources,
    scan_corpus,
    snapshot_files,
    snapshot_table,
)

Write = Callable[[dict[str, bytes]], Path]


def test_files_are_listed_by_sorted_path_with_their_hash(write_corpus: Write) -> None:
    root = write_corpus({"b.mid": b"two", "a/Z.MID": b"one", "notes.txt": b"no music"})
    snapshot = scan_corpus(root)
    assert snapshot.name == "corpus"
    assert snapshot.files == (
        SourceFile("a/Z.MID", hashlib.sha256(b"one").hexdigest(), ".mid", 3),
        SourceFile("b.mid", hashlib.sha256(b"two").hexdigest(), ".mid", 3),
    )
    assert snapshot.files[0].piece_id == hashlib.sha256(b"one").hexdigest()[:16]


def test_hidden_files_and_folders_are_ignored(write_corpus: Write) -> None:
    root = write_corpus({"a.mid": b"1", ".b.mid": b"2", ".git/c.mid": b"3", "d/.e/f.mid": b"4"})
    assert [f.path for f in scan_corpus(root).files] == ["a.mid"]


def test_a_corpus_in_a_hidden_folder_is_still_found(write_corpus: Write) -> None:
    root = write_corpus({".hidden/a.mid": b"1"})
    assert [f.path for f in scan_corpus(root / ".hidden").files] == ["a.mid"]


def test_progress_counts_every_file(write_corpus: Write) -> None:
    calls: list[tuple[int, int]] = []
    scan_corpus(write_corpus({"a.mid": b"1", "b.abc": b"2"}), lambda *call: calls.append(call))
    assert calls == [(1, 2), (2, 2)]


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such corpus folder") as caught:
        scan_corpus(tmp_path / "nowhere")
    assert caught.value.path == tmp_path / "nowhere"
    assert caught.value.remedy


def test_a_file_is_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"")
    with pytest.raises(CorpusError, match="not a folder"):
        scan_corpus(tmp_path / "a.mid")


def test_a_folder_without_music_says_what_it_holds(write_corpus: Write) -> None:
    root = write_corpus({"a.mp3": b"", "b.mp3": b"", "README": b""})
    with pytest.raises(CorpusError, match=r"2 × \.mp3, 1 × no suffix"):
        scan_corpus(root)


def test_an_empty_folder_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no files at all"):
        scan_corpus(tmp_path)


@pytest.mark.parametrize("name", [b"caf\xe9.mid", b"caf\xe9/a.mid"])
def test_a_name_that_is_not_utf8_is_refused_and_readable(write_corpus: Write, name: bytes) -> None:
    root = write_corpus({"a.mid": b"1"})
    path = root / os.fsdecode(name)
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"2")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    with pytest.raises(CorpusError, match="is not UTF-8") as caught:
        list_sources(root)
    assert "caf\\xe9" in str(caught.value)
    assert "rename it" in caught.value.remedy
    str(caught.value).encode()


def test_names_in_any_script_are_welcome(write_corpus: Write) -> None:
    root = write_corpus({"茉莉花.mid": b"1", "cafe\u0301.mid": b"2"})
    assert len(list_sources(root)) == 2


def test_a_moved_corpus_is_the_same_corpus(write_corpus: Write, tmp_path: Path) -> None:
    root = write_corpus({"a.mid": b"1", "b.mid": b"2"})
    before = scan_corpus(root)
    after = scan_corpus(root.rename(tmp_path / "elsewhere"))
    assert after.cache_value() == before.cache_value()
    assert after.sha256 == before.sha256
    assert [b.cache_value() for b in after.buckets(4)] == [
        b.cache_value() for b in before.buckets(4)
    ]


def bucket_values(snapshot: CorpusSnapshot) -> dict[int, object]:
    return {bucket.index: bucket.cache_value() for bucket in snapshot.buckets(16)}


MANY = {f"{i}.mid": bytes([i]) for i in range(40)}


@pytest.mark.parametrize("change", ["edit", "add", "remove"])
def test_one_changed_file_changes_one_bucket(write_corpus: Write, change: str) -> None:
    root = write_corpus(MANY)
    before = bucket_values(scan_corpus(root))
    if change == "remove":
        (root / "7.mid").unlink()
    else:
        (root / ("7.mid" if change == "edit" else "new.mid")).write_bytes(b"changed")
    after = bucket_values(scan_corpus(root))
    assert len([i for i in before | after if before.get(i) != after.get(i)]) == 1


def test_a_renamed_file_changes_two_buckets_at_most(write_corpus: Write) -> None:
    root = write_corpus(MANY)
    before = scan_corpus(root)
    (root / "7.mid").rename(root / "z.mid")
    after = scan_corpus(root)
    assert after.cache_value() != before.cache_value()
    old, new = bucket_values(before), bucket_values(after)
    assert len([i for i in old | new if old.get(i) != new.get(i)]) == 2


def test_paths_do_not_count_within_a_bucket(write_corpus: Write) -> None:
    root = write_corpus({"a.mid": b"1"})
    (before,) = scan_corpus(root).buckets(1)
    (root / "a.mid").rename(root / "z.mid")
    (after,) = scan_corpus(root).buckets(1)
    assert after.cache_value() == before.cache_value()


def test_buckets_hold_every_file_once_and_none_is_empty() -> None:
    files = tuple(
        SourceFile(f"{i:03}.mid", hashlib.sha256(bytes([i])).hexdigest(), ".mid", 1)
        for i in range(100)
    )
    buckets = CorpusSnapshot("root", "name", files).buckets(64)
    assert sorted(f.path for b in buckets for f in b.files) == [f.path for f in files]
    assert all(b.files for b in buckets)


def test_the_table_holds_the_snapshot(write_corpus: Write) -> None:
    snapshot = scan_corpus(write_corpus({"a.mid": b"1", "b.abc": b"22"}))
    table = snapshot_table(snapshot)
    assert table.schema.equals(SNAPSHOT_SCHEMA, check_metadata=True)
    assert table["n_bytes"].to_pylist() == [1, 2]
    assert snapshot_files(table) == snapshot.files
