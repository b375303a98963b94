"""A scan sees every music file, reads none twice, and gives a reason for what it cannot read."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus import archives, scanning
from pipeline_lib.notes.corpus.scanning import find_sources, scan_corpus
from pipeline_lib.notes.corpus.snapshot import (
    SOURCE_SUFFIXES,
    CorpusSnapshot,
    SourceFile,
    snapshot_table,
)
from pipeline_lib.notes.table import RejectReason
from tests.notes.tiny_archives import ARCHIVE_SUFFIXES, archive_of, zip_of

Write = Callable[[dict[str, bytes]], Path]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def paths(snapshot: CorpusSnapshot) -> list[str]:
    return [file.path for file in snapshot.files]


def reasons(snapshot: CorpusSnapshot) -> dict[str, str | None]:
    return {file.path: file.reject_reason for file in snapshot.files}


def test_files_are_listed_by_sorted_path_with_their_hash(write_corpus: Write) -> None:
    root = write_corpus({"b.mid": b"two", "a/Z.MID": b"one", "notes.txt": b"no music"})
    snapshot = scan_corpus(root)
    assert (snapshot.name, snapshot.root) == ("corpus", str(root))
    assert snapshot.files == (
        SourceFile("a/Z.MID", sha256(b"one"), ".mid", 3),
        SourceFile("b.mid", sha256(b"two"), ".mid", 3),
    )
    assert snapshot.ignored == {".txt": 1}


@pytest.mark.parametrize("suffix", sorted(SOURCE_SUFFIXES))
def test_every_kind_of_music_file_is_found_in_any_case(write_corpus: Write, suffix: str) -> None:
    names = [f"a{suffix}", f"b{suffix.upper()}", f"c{suffix.title()}"]
    snapshot = scan_corpus(write_corpus(dict.fromkeys(names, b"1")))
    assert paths(snapshot) == names
    assert {file.suffix for file in snapshot.files} == {suffix}


def test_other_files_are_counted_by_suffix(write_corpus: Write) -> None:
    root = write_corpus({"a.mid": b"", "b.txt": b"", "d/c.TXT": b"", "README": b"", ".x": b""})
    assert scan_corpus(root).ignored == {".txt": 2, "no suffix": 1}


def test_hidden_files_and_folders_are_ignored(write_corpus: Write) -> None:
    root = write_corpus({"a.mid": b"1", ".b.mid": b"2", ".git/c.mid": b"3", "d/.e/f.mid": b"4"})
    assert paths(scan_corpus(root)) == ["a.mid"]


def test_a_corpus_in_a_hidden_folder_is_still_found(write_corpus: Write) -> None:
    root = write_corpus({".hidden/a.mid": b"1"})
    assert paths(scan_corpus(root / ".hidden")) == ["a.mid"]


def test_progress_counts_every_file(write_corpus: Write) -> None:
    calls: list[tuple[int, int]] = []
    root = write_corpus({"a.mid": b"1", "b.abc": b"2"})
    scan_corpus(root, progress=lambda *call: calls.append(call))
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
    root = write_corpus({"a.mp3": b"", "b.mp3": b"", "README": b"", os.fsdecode(b"c.\xe9"): b""})
    with pytest.raises(CorpusError, match=r"it holds 2 × \.mp3, 1 ×") as caught:
        scan_corpus(root)
    assert "1 × no suffix" in str(caught.value)
    assert "1 × .\\xe9" in str(caught.value)


def test_an_empty_folder_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no files at all"):
        scan_corpus(tmp_path)


@pytest.mark.parametrize("name", [b"caf\xe9.mid", b"caf\xe9/a.mid", b"caf\xe9.zip"])
def test_names_that_are_not_utf8_are_read(write_corpus: Write, tmp_path: Path, name: bytes) -> None:
    content = zip_of([("a.mid", b"2")]) if name.endswith(b".zip") else b"2"
    try:
        root = write_corpus({"a.mid": b"1", os.fsdecode(name): content})
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    snapshot = scan_corpus(root, index=tmp_path / "index")
    file = snapshot.files[1]
    assert os.fsencode(file.path).startswith(name)
    assert file.sha256 == sha256(b"2")
    assert "caf\\xe9" in file.shown_path
    snapshot_table(snapshot).validate(full=True)


def test_names_in_any_script_are_welcome(write_corpus: Write) -> None:
    root = write_corpus({"茉莉花.mid": b"1", "cafe\u0301.mid": b"2"})
    assert len(scan_corpus(root).files) == 2


# What is no ordinary file


def test_a_folder_is_followed_through_links_but_read_once(write_corpus: Write) -> None:
    root = write_corpus({"a/x.mid": b"1", "b/y.mid": b"2"})
    (root / "a" / "up").symlink_to(root)
    (root / "b" / "again").symlink_to(root / "a")
    (root / "file.mid").symlink_to("a/x.mid")
    assert paths(scan_corpus(root)) == ["a/x.mid", "b/y.mid", "file.mid"]


def test_a_folder_elsewhere_belongs_to_the_corpus_that_links_to_it(
    write_corpus: Write, tmp_path: Path
) -> None:
    root = write_corpus({"a.mid": b"1"})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.mid").write_bytes(b"2")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    assert paths(scan_corpus(root)) == ["a.mid", "link/b.mid"]


@pytest.mark.parametrize("target", ["nowhere", "x.mid"], ids=["nowhere", "itself"])
def test_a_link_that_leads_to_no_file_is_a_row(write_corpus: Write, target: str) -> None:
    root = write_corpus({"a.mid": b"1"})
    (root / "x.mid").symlink_to(target)
    (root / "x.txt").symlink_to(target.replace("mid", "txt"))  # is no music anyway
    snapshot = scan_corpus(root)
    assert reasons(snapshot) == {"a.mid": None, "x.mid": RejectReason.UNREADABLE}
    assert snapshot.files[1].reject_detail


@pytest.mark.parametrize("name", ["pipe.mid", "pipe.zip"])
def test_a_pipe_is_not_waited_for(write_corpus: Write, name: str) -> None:
    root = write_corpus({"a.mid": b"1"})
    os.mkfifo(root / name)
    assert reasons(scan_corpus(root)) == {"a.mid": None, name: RejectReason.UNREADABLE}


@pytest.mark.parametrize("name", ["folder.mid", "folder.zip"])
def test_a_folder_is_a_folder_whatever_its_name(write_corpus: Write, name: str) -> None:
    root = write_corpus({f"{name}/a.mid": b"1"})
    assert paths(scan_corpus(root)) == [f"{name}/a.mid"]


def test_folders_may_be_deep(write_corpus: Write) -> None:
    depth = 1100  # more than Python's functions may be
    folder = root = write_corpus({"a.mid": b"1"})
    for _ in range(depth):
        folder = folder / "d"
        folder.mkdir()
    (folder / "a.mid").write_bytes(b"2")
    snapshot = scan_corpus(root)
    (folder / "a.mid").unlink()
    os.removedirs(folder)  # or pytest would have to, and cannot
    assert paths(snapshot) == ["a.mid", "d/" * depth + "a.mid"]


def test_a_folder_that_cannot_be_listed_is_a_row(
    write_corpus: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_corpus({"a.mid": b"1", "closed.v1/b.mid": b"2"})
    scandir = os.scandir

    def guarded(path: Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "closed.v1":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    file = scan_corpus(root).files[1]
    assert (file.path, file.suffix, file.reject_detail) == ("closed.v1/", "", "Permission denied")


def test_a_file_that_cannot_be_read_is_a_row_and_is_tried_again(
    write_corpus: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = aged(write_corpus({"a.mid": b"1"}))
    with monkeypatch.context() as patch:
        patch.setattr("pipeline_lib.notes.corpus.scanning.read_file", fail_to_read)
        snapshot = scan_corpus(root, index=tmp_path / "index")
    assert reasons(snapshot) == {"a.mid": RejectReason.UNREADABLE}
    assert snapshot.files[0].reject_detail == "Input/output error"
    assert reasons(scan_corpus(root, index=tmp_path / "index")) == {"a.mid": None}


def fail_to_read(path: str) -> bytes:
    raise OSError(5, "Input/output error")


def test_a_file_that_is_too_large_is_not_read(
    write_corpus: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (archives, scanning):
        monkeypatch.setattr(module, "MAX_FILE_BYTES", 4)
    large = zip_of([("in.mid", b"five!"), ("too.mid", b"four")])  # an archive may be larger
    root = write_corpus({"a.mid": b"five!", "b.mid": b"four", "c.zip": large})
    assert reasons(scan_corpus(root)) == {
        "a.mid": RejectReason.TOO_LARGE,
        "b.mid": None,
        "c.zip/in.mid": RejectReason.TOO_LARGE,
        "c.zip/too.mid": None,
    }


# Archives


@pytest.mark.parametrize("suffix", ARCHIVE_SUFFIXES)
def test_members_of_an_archive_are_files(write_corpus: Write, suffix: str) -> None:
    members = [("d/b.MID", b"two"), ("a.abc", b"one"), ("c.txt", b"3"), ("in.zip", zip_of([]))]
    name = f"x{suffix}"
    snapshot = scan_corpus(write_corpus({name: archive_of(suffix, members), "w.mid": b"0"}))
    assert snapshot.files == (
        SourceFile("w.mid", sha256(b"0"), ".mid", 1),
        SourceFile(f"{name}/a.abc", sha256(b"one"), ".abc", 3, name),
        SourceFile(f"{name}/d/b.MID", sha256(b"two"), ".mid", 3, name),
    )
    assert snapshot.ignored == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zip_of([]), RejectReason.NOT_MUSIC),
        (zip_of([("a.txt", b""), ("in.zip", b""), (".a.mid", b"")]), RejectReason.NOT_MUSIC),
        (b"PK no zip", RejectReason.UNREADABLE),
    ],
)
def test_an_archive_without_music_is_one_row(
    write_corpus: Write, content: bytes, reason: RejectReason
) -> None:
    snapshot = scan_corpus(write_corpus({"a.zip": content}))
    assert reasons(snapshot) == {"a.zip": reason}
    assert snapshot.files[0].n_bytes == len(content)


def test_an_archive_that_breaks_off_gives_its_first_members_and_a_row(write_corpus: Write) -> None:
    whole = archive_of(".tar", [("a.mid", b"1"), ("b.mid", b"2")])
    assert reasons(scan_corpus(write_corpus({"x.tar": whole[:1500]}))) == {
        "x.tar": RejectReason.TRUNCATED,
        "x.tar/a.mid": None,
    }


def test_a_compressed_score_is_a_file(write_corpus: Write) -> None:
    content = zip_of([("score.xml", b"<score/>")])
    assert scan_corpus(write_corpus({"a.mxl": content})).files == (
        SourceFile("a.mxl", sha256(content), ".mxl", len(content)),
    )


# The index


def aged(root: Path) -> Path:
    """Wait until the files of a folder count as settled, which is soon after this module's patch."""
    time.sleep(0.02)
    return root


@pytest.fixture(autouse=True)
def _files_settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_RACY_NS", 10_000_000)


@pytest.fixture
def read_paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that scans read, as they do."""
    read: list[str] = []
    read_source = scanning._read_source

    def remember(root: Path, path: str, stamp: scanning.Stamp) -> list[SourceFile]:
        read.append(path)
        return read_source(root, path, stamp)

    monkeypatch.setattr(scanning, "_read_source", remember)
    return read


FILES = {
    "a.mid": b"1",
    "b.mid": b"2",
    "c.zip": zip_of([("x.mid", b"3"), ("y.mid", b"4")]),
    "d.zip": zip_of([]),
}


def test_what_was_read_once_is_not_read_again(
    write_corpus: Write, tmp_path: Path, read_paths: list[str]
) -> None:
    root, index = aged(write_corpus(FILES)), tmp_path / "folder" / "index.parquet"
    first = scan_corpus(root, index=index)
    assert read_paths == list(FILES)
    assert scan_corpus(root, index=index) == first
    assert read_paths == list(FILES)
    assert scan_corpus(root) == first
    assert [p.name for p in index.parent.iterdir()] == ["index.parquet"]


def test_a_changed_file_is_read_again_whatever_its_size_and_time_say(
    write_corpus: Write, tmp_path: Path, read_paths: list[str]
) -> None:
    root, index = aged(write_corpus(FILES)), tmp_path / "index"
    scan_corpus(root, index=index)
    before = (root / "b.mid").stat()
    read_paths.clear()
    (root / "b.mid").write_bytes(b"X")
    os.utime(root / "b.mid", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = scan_corpus(root, index=index)
    assert read_paths == ["b.mid"]
    assert after.files[1].sha256 == sha256(b"X")
    assert after == scan_corpus(root)


def test_a_file_that_another_one_replaces_is_read_again(
    write_corpus: Write, tmp_path: Path, read_paths: list[str]
) -> None:
    root, index = aged(write_corpus(FILES)), tmp_path / "index"
    scan_corpus(root, index=index)
    read_paths.clear()
    (root / "b.mid").rename(root / "a.mid")
    assert scan_corpus(root, index=index).files[0].sha256 == sha256(b"2")
    assert read_paths == ["a.mid"]


def test_a_changed_archive_is_read_again_as_a_whole(write_corpus: Write, tmp_path: Path) -> None:
    root, index = aged(write_corpus(FILES)), tmp_path / "index"
    scan_corpus(root, index=index)
    write_corpus({"c.zip": zip_of([("y.mid", b"4"), ("z.mid", b"5")])})
    assert paths(scan_corpus(root, index=index))[2:4] == ["c.zip/y.mid", "c.zip/z.mid"]


def test_a_file_that_was_changed_just_now_is_not_trusted(
    write_corpus: Write, tmp_path: Path, read_paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "_RACY_NS", 3600 * 10**9)
    root, index = write_corpus(FILES), tmp_path / "index"
    scan_corpus(root, index=index)
    scan_corpus(root, index=index)
    assert read_paths == [*FILES, *FILES]


def test_a_removed_file_is_forgotten(write_corpus: Write, tmp_path: Path) -> None:
    root, index = aged(write_corpus(FILES)), tmp_path / "index"
    scan_corpus(root, index=index)
    (root / "a.mid").unlink()
    assert paths(scan_corpus(root, index=index)) == [
        *("b.mid", "c.zip/x.mid", "c.zip/y.mid", "d.zip")
    ]
    assert b"a.mid" not in pq.read_table(index)["source"].to_pylist()


def test_an_index_that_is_not_kept_is_read_but_not_written(
    write_corpus: Write, tmp_path: Path, read_paths: list[str]
) -> None:
    root, index = aged(write_corpus(FILES)), tmp_path / "folder" / "index"
    first = scan_corpus(root, index=index, keep_index=False)
    assert not index.parent.exists()
    scan_corpus(root, index=index)
    content = index.read_bytes()
    (root / "a.mid").write_bytes(b"X")
    read_paths.clear()
    assert scan_corpus(root, index=index, keep_index=False).files[1:] == first.files[1:]
    assert read_paths == ["a.mid"]
    assert index.read_bytes() == content


def foreign_table(path: Path) -> None:
    pq.write_table(pa.table({"path": ["a.mid"], "sha256": ["0" * 64]}), path)


def other_version(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"schema": "scan_index/0"}), path)


def other_types(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(pa.table({n: pa.nulls(len(table)) for n in table.column_names}), path)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("harm", [foreign_table, other_version, other_types, cut_off, Path.unlink])
def test_an_index_that_cannot_be_trusted_is_made_anew(
    write_corpus: Write,
    tmp_path: Path,
    read_paths: list[str],
    harm: Callable[[Path], None],
) -> None:
    root, index = aged(write_corpus(FILES)), tmp_path / "index"
    first = scan_corpus(root, index=index)
    harm(index)
    read_paths.clear()
    assert scan_corpus(root, index=index) == first
    assert read_paths == list(FILES)
    assert scan_corpus(root, index=index) == first
    assert read_paths == list(FILES)


def test_finding_opens_nothing(write_corpus: Write, read_paths: list[str]) -> None:
    found = find_sources(write_corpus({**FILES, "e.txt": b""}))
    assert [path for path, _ in found.sources] == list(FILES)
    assert (found.rejected, dict(found.ignored), read_paths) == ([], {".txt": 1}, [])
