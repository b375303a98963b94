"""Archives are read in place, whatever is in them; nothing they hold can do harm."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest

from pipeline_lib.notes.corpus import archives
from pipeline_lib.notes.corpus.archives import archive_suffix, is_sequential, read_members
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.table import RejectReason
from tests.notes.tiny_archives import ARCHIVE_SUFFIXES, Members, archive_of, tar_of, zip_of

TWO: Members = [("z/b.mid", b"two"), ("a.mid", b"one")]
HEADER = tarfile.BLOCKSIZE


def read(folder: Path, name: str, content: bytes) -> list[tuple[str, bytes | str]]:
    """Names and contents, or reasons; the archive's own reason under its name at the end."""
    path = folder / name
    path.write_bytes(content)
    found: list[tuple[str, bytes | str]] = []
    try:
        for member, data in read_members(path, lambda member: member.endswith(".mid")):
            found.append((member, data.reason if isinstance(data, RejectedFile) else data))
    except RejectedFile as rejected:
        found.append((name, rejected.reason))
    return found


@pytest.mark.parametrize("suffix", ARCHIVE_SUFFIXES)
def test_members_are_read_in_the_order_in_which_they_lie(tmp_path: Path, suffix: str) -> None:
    members = [*TWO, ("README.txt", b"none of ours")]
    assert read(tmp_path, f"x{suffix}", archive_of(suffix, members)) == TWO


@pytest.mark.parametrize("suffix", ARCHIVE_SUFFIXES)
def test_what_is_not_wanted_is_not_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix.upper()}"
    path.write_bytes(archive_of(suffix, TWO))
    asked: list[str] = []
    assert list(read_members(path, lambda name: bool(asked.append(name)))) == []
    assert asked == ["z/b.mid", "a.mid"]


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        ("a/b.ZIP", ".zip"),
        ("x.tar.gz", ".tar.gz"),
        ("x.TGZ", ".tgz"),
        ("x.mid.tar", ".tar"),
        ("x.mxl", ""),  # a score, although its bytes are a zip file
        ("x.gz", ""),
        ("tar", ""),
    ],
)
def test_archives_are_known_by_their_names(path: str, suffix: str) -> None:
    assert archive_suffix(path) == suffix


def test_compressed_tars_are_read_from_front_to_back() -> None:
    assert [s for s in ARCHIVE_SUFFIXES if not is_sequential(f"x{s}")] == [".zip", ".tar"]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_hidden_members_are_left_out(tmp_path: Path, suffix: str) -> None:
    hidden = [".a.mid", ".git/a.mid", "d/.e/a.mid", "__MACOSX/a.mid", "d/__MACOSX/._a.mid"]
    members = [(name, b"1") for name in (*hidden, "./seen.mid")]
    assert read(tmp_path, f"x{suffix}", archive_of(suffix, members)) == [("./seen.mid", b"1")]


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
@pytest.mark.parametrize(
    "name", ["../x.mid", "/etc/x.mid", "a/../../x.mid", "C:\\x.mid", "é\n.mid"]
)
def test_a_members_path_is_only_a_name(tmp_path: Path, suffix: str, name: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    assert read(inner, f"x{suffix}", archive_of(suffix, [(name, b"1")])) == [(name, b"1")]
    assert [p.name for p in tmp_path.rglob("*")] == ["inner", f"x{suffix}"]


def test_a_tar_members_name_keeps_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    named = tar_of([("caf?.mid", b"1")]).replace(b"caf?.mid", b"caf\xe9.mid")
    header = bytearray(named)
    header[148:156] = b"%06o\0 " % tarfile.calc_chksums(named[:HEADER])[0]
    assert read(tmp_path, "x.tar", bytes(header)) == [("caf\udce9.mid", b"1")]


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_folders_and_links_are_no_members(tmp_path: Path, suffix: str) -> None:
    if suffix == ".zip":
        content = zip_of([("folder.mid/", b""), ("a.mid", b"1")])
    else:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
                info = tarfile.TarInfo(f"{int(kind)}.mid")
                info.type, info.linkname = kind, "/etc/passwd"
                archive.addfile(info)
            info = tarfile.TarInfo("a.mid")
            info.size = 1
            archive.addfile(info, io.BytesIO(b"1"))
        content = stream.getvalue()
    assert read(tmp_path, f"x{suffix}", content) == [("a.mid", b"1")]


def test_of_a_zip_files_members_with_one_name_the_last_counts(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of what it is asked to write
        content = zip_of([("a.mid", b"old"), ("b.mid", b"1"), ("a.mid", b"new")])
    assert dict(read(tmp_path, "x.zip", content)) == {"a.mid": b"new", "b.mid": b"1"}


def test_of_a_tar_files_members_with_one_name_the_first_counts(tmp_path: Path) -> None:
    content = tar_of([("a.mid", b"old"), ("b.mid", b"1"), ("a.mid", b"new")])
    assert read(tmp_path, "x.tar", content) == [("a.mid", b"old"), ("b.mid", b"1")]


def with_flags(content: bytes, flag_bits: int) -> bytes:
    """A zip file whose first member has other flags, in its own header and in the list."""
    data = bytearray(content)
    data[6:8] = flag_bits.to_bytes(2, "little")
    listed = data.index(b"PK\x01\x02")
    data[listed + 8 : listed + 10] = flag_bits.to_bytes(2, "little")
    return bytes(data)


def test_an_encrypted_member_costs_itself_only(tmp_path: Path) -> None:
    content = with_flags(zip_of([("a.mid", b"1"), ("b.mid", b"2")]), flag_bits=1)
    assert read(tmp_path, "x.zip", content) == [
        ("a.mid", RejectReason.UNSUPPORTED),
        ("b.mid", b"2"),
    ]


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]
)
def test_zip_members_may_be_compressed(tmp_path: Path, compression: int) -> None:
    assert read(tmp_path, "x.zip", zip_of(TWO, compression)) == TWO


def test_a_zip_compression_without_bounds_is_not_unpacked(tmp_path: Path) -> None:
    content = zip_of([("a.mid", b"1")], zipfile.ZIP_BZIP2)
    assert read(tmp_path, "x.zip", content) == [("a.mid", RejectReason.UNSUPPORTED)]


def test_a_zip_member_whose_checksum_is_wrong_costs_itself_only(tmp_path: Path) -> None:
    stored = zip_of([("a.mid", b"right"), ("b.mid", b"2")], zipfile.ZIP_STORED)
    content = stored.replace(b"right", b"wrong")
    assert read(tmp_path, "x.zip", content) == [("a.mid", RejectReason.UNREADABLE), ("b.mid", b"2")]


@pytest.mark.slow
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_member_that_unpacks_to_more_than_it_says_takes_no_memory(
    tmp_path: Path, compression: int
) -> None:
    data = bytearray(zip_of([("a.mid", bytes(120 << 20))], compression))
    listed = data.index(b"PK\x01\x02")
    for place in (22, listed + 24):  # its size, in its own header and in the list
        data[place : place + 4] = (1000).to_bytes(4, "little")
    tracemalloc.start()
    found = read(tmp_path, "x.zip", bytes(data))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [("a.mid", RejectReason.UNREADABLE)]
    assert peak_bytes < 100 << 20


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.xz"])
def test_a_member_that_is_too_large_is_not_unpacked(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_FILE_BYTES", 4)
    content = archive_of(suffix, [("a.mid", b"five!"), ("b.mid", b"four")])
    assert read(tmp_path, f"x{suffix}", content) == [
        ("a.mid", RejectReason.TOO_LARGE),
        ("b.mid", b"four"),
    ]


@pytest.mark.parametrize("suffix", ARCHIVE_SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"no archive", bytes(range(256)) * 8])
def test_what_is_no_archive_says_so(tmp_path: Path, suffix: str, content: bytes) -> None:
    name = f"x{suffix}"
    assert read(tmp_path, name, content) == [(name, RejectReason.UNREADABLE)]


@pytest.mark.parametrize("suffix", ARCHIVE_SUFFIXES)
def test_an_empty_archive_has_no_members(tmp_path: Path, suffix: str) -> None:
    assert read(tmp_path, f"x{suffix}", archive_of(suffix, [])) == []


@pytest.mark.parametrize(
    "n_bytes", [HEADER, HEADER + 1, 2 * HEADER, 2 * HEADER + 100, 3 * HEADER + 1]
)
def test_a_tar_file_that_is_cut_off_gives_what_is_whole_and_says_so(
    tmp_path: Path, n_bytes: int
) -> None:
    content = tar_of([("a.mid", b"1"), ("b.mid", bytes(600))])
    *members, (name, reason) = read(tmp_path, "x.tar", content[:n_bytes])
    assert members == ([("a.mid", b"1")] if n_bytes > HEADER else [])
    assert (name, reason in (RejectReason.TRUNCATED, RejectReason.UNREADABLE)) == ("x.tar", True)


def test_members_after_a_broken_header_are_not_lost_in_silence(tmp_path: Path) -> None:
    content = bytearray(tar_of([("a.mid", b"1"), ("b.mid", b"2"), ("c.mid", b"3")]))
    content[2 * HEADER] ^= 0xFF
    assert read(tmp_path, "x.tar", bytes(content)) == [
        ("a.mid", b"1"),
        ("x.tar", RejectReason.TRUNCATED),
    ]


def test_a_false_checksum_at_the_end_of_a_compressed_tar_is_noticed(tmp_path: Path) -> None:
    content = bytearray(tar_of([("a.mid", b"1")], "w:gz"))
    content[-8] ^= 0xFF
    assert read(tmp_path, "x.tgz", bytes(content)) == [
        ("a.mid", b"1"),
        ("x.tgz", RejectReason.UNREADABLE),
    ]


def test_a_tar_file_that_points_back_into_itself_ends(tmp_path: Path) -> None:
    content = bytearray(tar_of([("a.mid", b"1"), ("b.mid", b"2")]))
    second = slice(2 * HEADER, 3 * HEADER)
    header = content[second]
    header[124:136] = (-1024).to_bytes(12, signed=True)  # its size
    header[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(header))[0]
    content[second] = header
    assert read(tmp_path, "x.tar", bytes(content)) == [
        ("a.mid", b"1"),
        ("x.tar", RejectReason.UNREADABLE),
    ]


def test_a_missing_archive_is_a_reason_too(tmp_path: Path) -> None:
    with pytest.raises(RejectedFile, match="No such file"):
        list(read_members(tmp_path / "x.zip", bool))
