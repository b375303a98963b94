"""A corpus as given to us: which files, with which content.

A folder's path says nothing about what is in it, so a corpus enters the pipeline as a `CorpusSnapshot`:
the sorted paths with the SHA-256 of every file, members of archives included. `pipeline_lib.notes.corpus.scanning`
makes one. Files are then dealt into buckets, the unit of caching.

Which bucket a file is in depends on its path, so that a file that was edited stays where it was: one
changed, new or removed file touches one bucket. (By content it would leave one bucket and enter another.)
What decides a bucket's result is contents alone: moving a corpus, or renaming a file within its bucket,
touches none; any other renaming touches two, and since pieces are named by content, nothing is learnt anew.

Paths are relative to the corpus folder and use forward slashes on every system; a member of an archive is
``archive.zip/folder/tune.mid``. Names that are not UTF-8 keep their bytes as surrogates (see
`os.fsdecode`), and are shown with backslashes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline_lib.notes.corpus.archives import archive_suffix, is_sequential
from pipeline_lib.notes.table import PIECE_ID_LENGTH, RejectReason

MIDI_SUFFIXES = frozenset({".mid", ".midi", ".kar", ".rmi"})
SCORE_SUFFIXES = frozenset({".abc", ".krn", ".musicxml", ".mxl", ".xml"})
SOURCE_SUFFIXES = MIDI_SUFFIXES | SCORE_SUFFIXES
"""Files with these suffixes, in lower or upper case, belong to a corpus; so do archives of them."""

SNAPSHOT_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("sha256", pa.string()),
        pa.field("suffix", pa.string(), nullable=False),
        pa.field("n_bytes", pa.int64(), nullable=False),
        pa.field("reject_reason", pa.string()),
        pa.field("reject_detail", pa.string()),
    ],
    metadata={"schema": "snapshot/2"},
)
"""One row per file of a corpus, sorted by path; without a checksum where the file could not be read."""

_BUCKET_BYTES = 4
"""Number of bytes of the SHA-256 of a file's path that choose its bucket."""

_ARCHIVE_SHELVES = 8


class SourceFile(NamedTuple):
    """One file of a corpus, or one member of an archive.

    Parameters
    ----------
    path : str
        Relative to the corpus folder, with forward slashes.
    sha256 : str or None
        SHA-256 of its content in hexadecimal; None where it could not be read.
    suffix : str
        Suffix of its name in lower case, such as ".mid".
    n_bytes : int
        Size of its content, unpacked.
    archive : str or None
        Path of the archive that it is a member of; None for a plain file.
    reject_reason, reject_detail : str or None
        Why it could not be read; None where it was.
    """

    path: str
    sha256: str | None
    suffix: str
    n_bytes: int
    archive: str | None = None
    reject_reason: RejectReason | None = None
    reject_detail: str | None = None

    @property
    def piece_id(self) -> str:
        """Name of the piece in the file; the same for every copy of the file."""
        assert self.sha256 is not None, "only files that were read hold pieces"
        return self.sha256[:PIECE_ID_LENGTH]

    def tune_id(self, tune: int) -> str:
        """Name of one piece of several in the file, which are numbered from 1."""
        return hashlib.sha256(f"{self.sha256}/{tune}".encode()).hexdigest()[:PIECE_ID_LENGTH]

    @property
    def shown_path(self) -> str:
        """The path as UTF-8; see `shown`."""
        return shown(self.path)

    @property
    def shelf(self) -> str:
        """Text of which a hash decides the file's bucket: its path.

        Opening an archive costs its whole list of members, so its members are on a few shelves only; they are on
        one where the archive has to be read from its beginning each time.
        """
        if self.archive is None:
            return self.path
        if is_sequential(self.archive):
            return self.archive
        return f"{self.archive}/{_number(self.path) % _ARCHIVE_SHELVES}"


@dataclass(frozen=True)
class Bucket:
    """Some files of a corpus, chosen by a hash of their paths; what one ingestion task reads.

    Parameters
    ----------
    index : int
        Number of the bucket.
    root : str
        The corpus folder.
    files : tuple of SourceFile
        Its readable files, sorted by path.
    """

    index: int
    root: str
    files: tuple[SourceFile, ...]

    def cache_value(self) -> dict[str, Any]:
        """All that decides the bucket's notes, as JSON values: contents and suffixes of its files, not their paths."""
        contents = sorted({(str(f.sha256), f.suffix) for f in self.files})
        return {"index": self.index, "contents": [list(pair) for pair in contents]}


@dataclass(frozen=True)
class CorpusSnapshot:
    """Files that a corpus folder held when it was scanned.

    Parameters
    ----------
    root : str
        The corpus folder, absolute.
    name : str
        Name of the folder, such as "ryans-mammoth".
    files : tuple of SourceFile
        Files of the corpus, sorted by path.
    ignored : mapping of str to int
        Number of files of each other suffix, which are no part of the corpus.
    """

    root: str
    name: str
    files: tuple[SourceFile, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)

    def cache_value(self) -> list[list[str]]:
        """Paths and contents as JSON values; not the folder, so that a moved corpus is the same corpus."""
        return [
            [f.shown_path, f.sha256 or f"{f.reject_reason}: {f.reject_detail}"] for f in self.files
        ]

    @property
    def sha256(self) -> str:
        """Checksum over all paths and contents; what ``data/corpora.toml`` records."""
        return hashlib.sha256(json.dumps(self.cache_value()).encode()).hexdigest()

    def buckets(self, n_shards: int) -> tuple[Bucket, ...]:
        """Deal the readable files into at most `n_shards` buckets; empty buckets are left out."""
        dealt: dict[int, list[SourceFile]] = {}
        for file in self.files:
            if file.sha256 is not None:
                dealt.setdefault(_number(file.shelf) % n_shards, []).append(file)
        return tuple(Bucket(i, self.root, tuple(dealt[i])) for i in sorted(dealt))


def _number(path: str) -> int:
    """A number that depends on nothing but the path."""
    return int.from_bytes(hashlib.sha256(os.fsencode(path)).digest()[:_BUCKET_BYTES])


def shown(path: str) -> str:
    """A path as UTF-8; bytes that are not are shown in hexadecimal."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def file_suffix(path: str) -> str:
    """Suffix of a path in lower case; of an archive the whole of it.

    Examples
    --------
    >>> file_suffix("folk/Tune.MID"), file_suffix("folk/tunes.tar.gz")
    ('.mid', '.tar.gz')
    """
    stem, dot, end = path.rpartition(".")
    if dot + end.lower() in SOURCE_SUFFIXES and stem and not stem.endswith("/"):
        return dot + end.lower()  # as of nearly all files
    return archive_suffix(path) or os.path.splitext(path)[1].lower()


def snapshot_table(snapshot: CorpusSnapshot) -> pa.Table:
    """Make a table of a snapshot's files, with `SNAPSHOT_SCHEMA`."""
    columns = {
        field.name: [getattr(f, field.name) for f in snapshot.files] for field in SNAPSHOT_SCHEMA
    }
    columns["path"] = [f.shown_path for f in snapshot.files]
    return pa.table(columns, schema=SNAPSHOT_SCHEMA)
