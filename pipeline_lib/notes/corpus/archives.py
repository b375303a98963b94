"""Zip and tar archives, whose members are read in place.

Members are read in the order in which they lie in their archive, which for a compressed tar file is the only
order that there is (`is_sequential`). Nothing is ever unpacked to disk. Archives within archives are not opened.
"""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.table import RejectReason

_ZIP = ".zip"
_TAR = ".tar"
_COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

_SUFFIXES = (_ZIP, _TAR, *_COMPRESSED_TARS)

MAX_FILE_BYTES = 64 << 20
"""Larger files hold no piece of music: a symphony is below one megabyte."""

_ENCRYPTED = 0x1
"""The bit of a zip member's flags that says so."""

_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)
"""Not bzip2, of which `zipfile` unpacks gigabytes at once if a member is made for it."""

_READ_BYTES = 1 << 16
"""Read from a file at once: more than most hold."""

_STEP_BYTES = 4096
"""Unpacked at once from a zip file, or a few thousand times as much."""

ArchiveError = (
    OSError,
    EOFError,
    RuntimeError,  # a password is asked for
    ValueError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
)
"""What Python's readers raise on a bad archive."""


def archive_suffix(path: str) -> str:
    """Such as ".tar.gz"; empty for what is no archive."""
    name = path.lower()
    # Nearly all files are no archives, which one comparison tells.
    return next(s for s in _SUFFIXES if name.endswith(s)) if name.endswith(_SUFFIXES) else ""


def is_sequential(path: str) -> bool:
    """Whether members can only be read one after another."""
    return archive_suffix(path) in _COMPRESSED_TARS


def read_members(
    path: Path, is_wanted: Callable[[str], bool]
) -> Iterator[tuple[str, bytes | RejectedFile]]:
    """Read an archive's files in the order in which they lie in it; hidden ones are left out.

    Parameters
    ----------
    path : Path
    is_wanted : callable
        Told the name of each file; whether to read it.

    Yields
    ------
    name : str
    content : bytes or RejectedFile
        What is in it, or why that cannot be had.

    Raises
    ------
    RejectedFile
        The archive itself cannot be read, from here on.
    """

    def is_read(name: str) -> bool:
        return not _is_hidden(name) and is_wanted(name)

    members = _zip_members if archive_suffix(str(path)) == _ZIP else _tar_members
    try:
        yield from members(path, is_read)
    except ArchiveError as error:
        raise unreadable(error) from None


def read_file(path: str) -> bytes:
    """All of a file; at a quarter of the cost of `Path.read_bytes`, which counts for a hundred thousand files."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        parts = list(iter(partial(os.read, descriptor, _READ_BYTES), b""))
    finally:
        os.close(descriptor)
    return b"".join(parts)


def unreadable(error: BaseException) -> RejectedFile:
    """What the file system or an archive said, as the reason of a row."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return RejectedFile(RejectReason.UNREADABLE, said)


def too_large(n_bytes: int) -> RejectedFile:
    """The reason of a row for more than `MAX_FILE_BYTES`."""
    return RejectedFile(
        RejectReason.TOO_LARGE, f"{n_bytes} bytes; at most {MAX_FILE_BYTES} are read"
    )


def _is_hidden(name: str) -> bool:
    # "__MACOSX" is what Macs add to archives: resource forks under the names of the real files.
    parts = set(PurePosixPath(name).parts) - {".."}
    return any(p.startswith(".") or p == "__MACOSX" for p in parts)


def _zip_members(
    path: Path, is_read: Callable[[str], bool]
) -> Iterator[tuple[str, bytes | RejectedFile]]:
    with zipfile.ZipFile(path) as archive:
        # Of members with one name the last counts, as when unpacking.
        members = {i.filename: i for i in archive.infolist() if not i.is_dir()}
        for name, info in members.items():
            if is_read(name):
                yield name, _zip_member(archive, info)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | RejectedFile:
    if info.flag_bits & _ENCRYPTED:
        return RejectedFile(RejectReason.UNSUPPORTED, "encrypted")
    if info.compress_type not in _ZIP_METHODS:
        return RejectedFile(RejectReason.UNSUPPORTED, f"zip compression {info.compress_type}")
    if info.file_size > MAX_FILE_BYTES:
        return too_large(info.file_size)
    try:
        # A false size in the archive's list cannot make this longer: zipfile stops at it, and then
        # finds the checksum wrong.
        with archive.open(info) as stream:
            return b"".join(iter(partial(stream.read, _STEP_BYTES), b""))
    except ArchiveError as error:
        return unreadable(error)


def _tar_members(
    path: Path, is_read: Callable[[str], bool]
) -> Iterator[tuple[str, bytes | RejectedFile]]:
    seen: set[str] = set()
    with _open_tar(path) as tar:
        while member := tar.next():
            tar.members.clear()  # type: ignore[attr-defined]  # or all would be remembered
            if member.size < 0:  # the next one would be before this one, for ever
                raise tarfile.ReadError("a member of negative size")
            # Of members with one name the first counts: a later one is known only at the end.
            if member.isfile() and member.name not in seen and is_read(member.name):
                seen.add(member.name)
                yield member.name, _tar_member(tar, member)
        _check_end(tar)


def _open_tar(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path)
    except tarfile.ReadError:  # its message lists what each decompressor said
        raise tarfile.ReadError("no tar archive, or its beginning is broken") from None


def _tar_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | RejectedFile:
    if member.size > MAX_FILE_BYTES:
        return too_large(member.size)
    stream = tar.extractfile(member)
    assert stream is not None, "only regular files are asked for"
    return stream.read()


def _check_end(tar: tarfile.TarFile) -> None:
    """Tell the end of an archive from a broken header, at which `tarfile` ends just the same."""
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise RejectedFile(
            RejectReason.TRUNCATED, "cut off, or a broken header: members may be missing"
        )
    while tar.fileobj.read(tarfile.RECORDSIZE):
        pass  # a compressed file's checksum is at its end
