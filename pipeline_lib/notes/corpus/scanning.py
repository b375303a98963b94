"""Scans of a folder: a `CorpusSnapshot` of every music file in it, hashed or with the reason why not.

What was hashed once is not read again: an index remembers each file's size, times and inode beside its
checksum, as version control systems do. An entry counts only if all of them are as they were. A file that
was changed less than `_RACY_NS` before a scan is not indexed: it could change again within the same tick of
the file system's clock.

Folders are followed through symbolic links, each real folder once. Hidden files and folders (names that
start with a dot) are no part of a corpus.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus.archives import (
    MAX_FILE_BYTES,
    archive_suffix,
    read_file,
    read_members,
    too_large,
    unreadable,
)
from pipeline_lib.notes.corpus.snapshot import (
    SOURCE_SUFFIXES,
    CorpusSnapshot,
    SourceFile,
    file_suffix,
    shown,
)
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.table import RejectReason

Stamp = tuple[int, int, int, int]
"""Size, modification time, change time (both in nanoseconds) and inode of a file."""

_RACY_NS = 2_000_000_000
"""Tick of the coarsest clock of a file system in use (FAT): two seconds."""

_INDEX_SCHEMA = pa.schema(
    [
        pa.field("source", pa.binary(), nullable=False),  # names need not be UTF-8
        pa.field("size", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("ctime_ns", pa.int64(), nullable=False),
        pa.field("inode", pa.uint64(), nullable=False),
        pa.field("path", pa.binary(), nullable=False),
        pa.field("sha256", pa.string()),
        pa.field("suffix", pa.string(), nullable=False),
        pa.field("n_bytes", pa.int64(), nullable=False),
        pa.field("archive", pa.binary()),
        pa.field("reject_reason", pa.string()),
        pa.field("reject_detail", pa.string()),
    ],
    metadata={"schema": "scan_index/1"},
)
"""One row per file or member; ``source`` is the path of what was read for it.

An index with another schema is made anew: give this one a new number when a scan finds other things in a file."""


def scan_corpus(
    root: Path,
    *,
    index: Path | None = None,
    keep_index: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> CorpusSnapshot:
    """List and hash the music files in a folder and the folders in it, and in archives there.

    Parameters
    ----------
    root : Path
        The corpus folder.
    index : Path, optional
        A file that holds the last scan; made anew where it is missing or unreadable.
    keep_index : bool
        Whether to bring the index up to date; otherwise it is only read.
    progress : callable, optional
        Called with (files looked at, files in all) now and then.

    Raises
    ------
    CorpusError
        The folder is missing, is no folder, or holds no file with one of `SOURCE_SUFFIXES` and no archive.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "tune.mid").write_bytes(b"MThd")
    ...     _ = (Path(folder) / "notes.txt").write_text("two tunes")
    ...     snapshot = scan_corpus(Path(folder))
    >>> [(file.path, file.n_bytes) for file in snapshot.files]
    [('tune.mid', 4)]
    >>> snapshot.ignored
    {'.txt': 1}
    """
    started_ns = time.time_ns()
    found = find_sources(root)
    known = _read_index(index) if index is not None else {}
    scanned: dict[str, tuple[Stamp, list[SourceFile]]] = {}
    n_read = 0
    for n, (path, stamp) in enumerate(found.sources):
        before = known.get(path)
        if before is None or before[0] != stamp:
            scanned[path] = (stamp, _read_source(root, path, stamp))
            n_read += 1
        else:
            scanned[path] = before
        if progress is not None and (n_read or n + 1 == len(found.sources)):
            progress(n + 1, len(found.sources))
    if index is not None and keep_index and (n_read or len(known) != len(scanned)):
        _write_index(index, scanned, started_ns)
    files = [*found.rejected, *(file for _, files in scanned.values() for file in files)]
    files.sort(key=lambda file: os.fsencode(file.path))
    return CorpusSnapshot(
        str(root.absolute()), root.resolve().name, tuple(files), dict(found.ignored)
    )


class FoundSources:
    """The files of a corpus folder, before any is opened."""

    def __init__(self) -> None:
        self.sources: list[tuple[str, Stamp]] = []
        """Relative path and stamp of every music file and archive."""
        self.rejected: list[SourceFile] = []
        """Files and folders that are there, but cannot be read."""
        self.ignored: Counter[str] = Counter()
        """Number of other files by suffix."""


def find_sources(root: Path) -> FoundSources:
    """List the music files and archives in a folder and the folders in it, without opening any.

    Raises
    ------
    CorpusError
        As for `scan_corpus`.
    """
    if not root.is_dir():
        problem = (
            "the corpus is not a folder" if root.exists() else "there is no such corpus folder"
        )
        raise CorpusError(
            problem, path=root, remedy="name a folder of MIDI or score files, such as data/raw/mine"
        )
    found = FoundSources()
    _walk(root, found)
    if not found.sources and not found.rejected:
        held = ", ".join(f"{n} × {suffix}" for suffix, n in found.ignored.most_common())
        raise CorpusError(
            f"no music files in this folder; it holds {held or 'no files at all'}",
            path=root,
            remedy=f"put files there that end in {', '.join(sorted(SOURCE_SUFFIXES))}, "
            "or .zip or .tar archives of such, or name another folder",
        )
    return found


def _walk(root: Path, found: FoundSources) -> None:
    """Look into all folders, however deep, a folder's own folders before the next one."""
    visited: set[tuple[int, int]] = set()
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            entries = _list(root / folder, visited)
        except OSError as error:
            found.rejected.append(_rejected(f"{folder or '.'}/", unreadable(error)))
            continue
        inner: list[str] = []
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                inner.append(path)
            elif file_suffix(path) in SOURCE_SUFFIXES or archive_suffix(path):
                _look_at(entry, path, found)
            else:
                found.ignored[shown(file_suffix(path)) or "no suffix"] += 1
        folders += reversed(inner)


def _list(folder: Path, visited: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """Entries of a folder that are not hidden, sorted by name; none where the folder was visited before."""
    status = os.stat(folder)
    place = (status.st_dev, status.st_ino)
    if place in visited:
        return []
    visited.add(place)
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself
        return False


def _look_at(entry: os.DirEntry[str], path: str, found: FoundSources) -> None:
    try:
        status = entry.stat()
    except OSError as error:  # such as a link to nowhere
        found.rejected.append(_rejected(path, unreadable(error)))
        return
    stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    if not stat.S_ISREG(status.st_mode):
        found.rejected.append(
            _rejected(path, RejectedFile(RejectReason.UNREADABLE, "not a regular file"))
        )
    elif status.st_size > MAX_FILE_BYTES and not archive_suffix(path):
        found.rejected.append(_rejected(path, too_large(status.st_size), status.st_size))
    else:
        found.sources.append((path, stamp))


def _read_source(root: Path, path: str, stamp: Stamp) -> list[SourceFile]:
    """Hash one file, or the members of an archive."""
    suffix = file_suffix(path)
    if suffix not in SOURCE_SUFFIXES:
        return _read_archive(root, path, stamp)
    try:
        data = read_file(f"{root}/{path}")
    except OSError as error:
        return [_rejected(path, unreadable(error), stamp[0])]
    return [SourceFile(path, hashlib.sha256(data).hexdigest(), suffix, len(data))]


def _read_archive(root: Path, path: str, stamp: Stamp) -> list[SourceFile]:
    members: list[SourceFile] = []
    try:
        for name, content in read_members(root / path, is_music):
            member = f"{path}/{name}"
            if isinstance(content, RejectedFile):
                members.append(_rejected(member, content, archive=path))
            else:
                sha256 = hashlib.sha256(content).hexdigest()
                suffix = file_suffix(name)
                members.append(SourceFile(member, sha256, suffix, len(content), path))
        if not members:
            raise RejectedFile(RejectReason.NOT_MUSIC, "no music files in this archive")
    except RejectedFile as rejected:
        members.append(_rejected(path, rejected, stamp[0]))
    return members


def is_music(name: str) -> bool:
    """Whether a member of an archive belongs to the corpus, by its name."""
    return file_suffix(name) in SOURCE_SUFFIXES


def _rejected(
    path: str, rejected: RejectedFile, n_bytes: int = 0, archive: str | None = None
) -> SourceFile:
    return SourceFile(
        path, None, file_suffix(path), n_bytes, archive, rejected.reason, rejected.detail
    )


def _read_index(path: Path) -> dict[str, tuple[Stamp, list[SourceFile]]]:
    """Stamps and files of the last scan by path on disk; empty where there is no readable index."""
    try:
        table = pq.read_table(path)
    except (OSError, ValueError, pa.ArrowException):
        return {}
    if not table.schema.equals(_INDEX_SCHEMA, check_metadata=True):
        return {}
    known: dict[str, tuple[Stamp, list[SourceFile]]] = {}
    for row in zip(*table.to_pydict().values(), strict=True):
        source, *stamp, file_path, sha256, suffix, n_bytes, archive, reason, detail = row
        file = SourceFile(
            os.fsdecode(file_path),
            sha256,
            suffix,
            n_bytes,
            None if archive is None else os.fsdecode(archive),
            None if reason is None else RejectReason(reason),
            detail,
        )
        known.setdefault(os.fsdecode(source), (tuple(stamp), []))[1].append(file)
    return known


def _write_index(
    path: Path, scanned: dict[str, tuple[Stamp, list[SourceFile]]], started_ns: int
) -> None:
    """Replace the index as a whole, so that a reader sees the old one or the new one."""
    rows = [
        (
            os.fsencode(source),
            *stamp,
            os.fsencode(file.path),
            file.sha256,
            file.suffix,
            file.n_bytes,
            None if file.archive is None else os.fsencode(file.archive),
            file.reject_reason,
            file.reject_detail,
        )
        for source, (stamp, files) in scanned.items()
        if max(stamp[1], stamp[2]) < started_ns - _RACY_NS and _is_settled(files)
        for file in files
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(_INDEX_SCHEMA)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, _INDEX_SCHEMA, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=_INDEX_SCHEMA)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, scratch = tempfile.mkstemp(dir=path.parent)
    os.close(descriptor)
    pq.write_table(table, scratch, compression="zstd")
    os.replace(scratch, path)


def _is_settled(files: list[SourceFile]) -> bool:
    """Whether what was found depends on the file alone: a failing disk or network may recover."""
    return all(f.reject_reason != RejectReason.UNREADABLE or f.archive is not None for f in files)
