"""A corpus as given to us: which files, with which content.

A folder's path says nothing about what is in it, so a corpus enters the pipeline as a `CorpusSnapshot`:
the sorted paths with the SHA-256 of every file. Files are then dealt into buckets, the unit of caching.

Which bucket a file is in depends on its path, so that a file that was edited stays where it was: one
changed, new or removed file touches one bucket. (By content it would leave one bucket and enter another.)
What decides a bucket's result is contents alone: moving a corpus, or renaming a file within its bucket,
touches none; any other renaming touches two, and since pieces are named by content, nothing is learnt anew.

Paths are relative to the corpus folder and use forward slashes on every system.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.table import PIECE_ID_LENGTH

MIDI_SUFFIXES = frozenset({".mid", ".midi", ".kar"})
SCORE_SUFFIXES = frozenset({".abc", ".krn", ".musicxml", ".mxl", ".xml"})
SOURCE_SUFFIXES = MIDI_SUFFIXES | SCORE_SUFFIXES
"""Files with these suffixes, in lower or upper case, belong to a corpus; all others are ignored."""

SNAPSHOT_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("suffix", pa.string(), nullable=False),
        pa.field("n_bytes", pa.int64(), nullable=False),
    ],
    metadata={"schema": "snapshot/1"},
)
"""One row per file of a corpus, sorted by path."""

_BUCKET_DIGITS = 8
"""Hex digits of the SHA-256 of a file's path that choose its bucket."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a corpus.

    Parameters
    ----------
    path : str
        Relative to the corpus folder, with forward slashes.
    sha256 : str
        Of its content.
    suffix : str
        In lower case, such as ".mid".
    n_bytes : int
        Its size.
    """

    path: str
    sha256: str
    suffix: str
    n_bytes: int

    @property
    def piece_id(self) -> str:
        """The name of the piece in it; the same for every copy of the file."""
        return self.sha256[:PIECE_ID_LENGTH]


@dataclass(frozen=True)
class Bucket:
    """Some files of a corpus, chosen by a hash of their paths; what one ingestion task reads.

    Parameters
    ----------
    index : int
        Which bucket.
    root : str
        The corpus folder.
    files : tuple of SourceFile
        Its files, sorted by path.
    """

    index: int
    root: str
    files: tuple[SourceFile, ...]

    def cache_value(self) -> dict[str, Any]:
        """All that decides the bucket's notes: contents and kinds of its files, not where they are."""
        contents = sorted({(f.sha256, f.suffix) for f in self.files})
        return {"index": self.index, "contents": [list(pair) for pair in contents]}


@dataclass(frozen=True)
class CorpusSnapshot:
    """What a corpus folder held when it was scanned.

    Parameters
    ----------
    root : str
        The corpus folder.
    name : str
        Its last part, such as "ryans-mammoth".
    files : tuple of SourceFile
        Sorted by path.
    """

    root: str
    name: str
    files: tuple[SourceFile, ...]

    def cache_value(self) -> list[list[str]]:
        """Paths and contents, as JSON; not the folder, so that a moved corpus is the same corpus."""
        return [[f.path, f.sha256] for f in self.files]

    @property
    def sha256(self) -> str:
        """Checksum over all paths and contents; what ``data/corpora.toml`` records."""
        return hashlib.sha256(json.dumps(self.cache_value()).encode()).hexdigest()

    def buckets(self, n_shards: int) -> tuple[Bucket, ...]:
        """The files dealt into at most `n_shards` buckets by path; empty buckets are left out."""
        dealt: dict[int, list[SourceFile]] = {}
        for file in self.files:
            path_sha256 = hashlib.sha256(file.path.encode()).hexdigest()
            dealt.setdefault(int(path_sha256[:_BUCKET_DIGITS], 16) % n_shards, []).append(file)
        return tuple(Bucket(i, self.root, tuple(dealt[i])) for i in sorted(dealt))


def scan_corpus(root: Path, progress: Callable[[int, int], None] | None = None) -> CorpusSnapshot:
    """List and hash the music files in a folder and the folders in it.

    Hidden files and folders (names starting with a dot) are ignored.

    Parameters
    ----------
    root : Path
        The corpus folder.
    progress : callable, optional
        Called with (files hashed, files in all) after each file.

    Raises
    ------
    CorpusError
        The folder is missing, is no folder, or holds no file with one of `SOURCE_SUFFIXES`; or a name is
        not UTF-8.
    """
    paths = list_sources(root)
    files = []
    for path in paths:
        files.append(_source_file(root, path))
        if progress is not None:
            progress(len(files), len(paths))
    return CorpusSnapshot(str(root), root.resolve().name, tuple(files))


def snapshot_table(snapshot: CorpusSnapshot) -> pa.Table:
    """The snapshot's files as a table with `SNAPSHOT_SCHEMA`."""
    columns = {
        field.name: [getattr(f, field.name) for f in snapshot.files] for field in SNAPSHOT_SCHEMA
    }
    return pa.table(columns, schema=SNAPSHOT_SCHEMA)


def snapshot_files(table: pa.Table) -> tuple[SourceFile, ...]:
    """Inverse of `snapshot_table`, without the folder."""
    return tuple(SourceFile(**row) for row in table.to_pylist())


def list_sources(root: Path) -> list[Path]:
    """The music files in a folder and the folders in it, sorted by relative path; none is opened.

    Raises
    ------
    CorpusError
        As for `scan_corpus`.
    """
    visible = _visible_files(root)
    paths = [p for p in visible if p.suffix.lower() in SOURCE_SUFFIXES]
    if not paths:
        raise CorpusError(
            f"no music files in this folder; it holds {_count_by_suffix(visible)}",
            path=root,
            remedy=f"put files there that end in {', '.join(sorted(SOURCE_SUFFIXES))}, "
            "or name another folder",
        )
    for path in (root.absolute(), *paths):
        _refuse_unless_utf8(path)
    return paths


def _refuse_unless_utf8(path: Path) -> None:
    """Paths go into tables, keys and pages, all of which are UTF-8."""
    readable = os.fsencode(path).decode("utf-8", "backslashreplace")
    if readable != str(path):
        raise CorpusError(
            f"the name {Path(readable).name!r} is not UTF-8",
            path=readable,
            remedy="rename it, or move it out of the corpus folder",
        )


def _visible_files(root: Path) -> list[Path]:
    """All files under `root` without hidden ones, sorted by relative posix path."""
    if not root.is_dir():
        problem = (
            "the corpus is not a folder" if root.exists() else "there is no such corpus folder"
        )
        raise CorpusError(
            problem, path=root, remedy="name a folder of MIDI or score files, such as data/raw/mine"
        )
    relative = (p.relative_to(root) for p in root.rglob("*"))
    shown = (p for p in relative if not any(part.startswith(".") for part in p.parts))
    return [root / p for p in sorted(shown, key=lambda p: p.as_posix()) if (root / p).is_file()]


def _count_by_suffix(paths: list[Path]) -> str:
    counts = Counter(p.suffix.lower() or "no suffix" for p in paths)
    return ", ".join(f"{n} × {suffix}" for suffix, n in counts.most_common()) or "no files at all"


def _source_file(root: Path, path: Path) -> SourceFile:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(
            f"cannot read a file ({error.strerror})",
            path=path,
            remedy="make it readable, or move it out of the corpus folder",
        ) from None
    return SourceFile(
        path=path.relative_to(root).as_posix(),
        sha256=hashlib.sha256(data).hexdigest(),
        suffix=path.suffix.lower(),
        n_bytes=len(data),
    )
