"""Shards: from the files of one bucket to four Parquet files, written while the files are read.

Reading happens in another process (`pipeline_lib.workers`), for a parser may crash, hang or eat all
memory. That costs the one file, which becomes a rejected row; the others are then read again. A file that took
too long is blamed at once. Otherwise it is tried once more, in a new process: the old one may have been killed
for another's fault, or been full of others' memory.

A content that occurs twice is parsed once. Rows do not depend on paths, so a bucket whose files were renamed
gives the same bytes: files come in the order of their checksums, members of an archive behind them in its
own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import groupby
from pathlib import Path

import pyarrow.compute as pc

from pipeline_lib.config import ParseConfig
from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus.archives import read_file, read_members
from pipeline_lib.notes.corpus.shard_tables import ShardTables
from pipeline_lib.notes.corpus.snapshot import Bucket, SourceFile
from pipeline_lib.notes.parsing import parse_files
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.table import RejectReason
from pipeline_lib.workers import Limits, LossReason, Mark, ProcessLost, run_isolated

OpenShard = Callable[[], AbstractContextManager[Callable[[ShardTables], None]]]
"""Begins to write a shard; what the context gives adds the tables of further pieces."""

Lost = Mapping[str, RejectedFile]
"""Rejections of the files that a process was lost to, by checksum."""


def write_shard(open_shard: OpenShard, bucket: Bucket, config: ParseConfig) -> int:
    """Read all files of a bucket and write its shard.

    Parameters
    ----------
    open_shard : callable
        Begins the shard. It is called in another process, and again when that is lost; such as
        `stores.notes.open_shard`.
    bucket : Bucket
        The files to read.
    config : ParseConfig
        How to read them, and how much time and memory that may take.

    Returns
    -------
    int
        Number of rejected pieces.

    Raises
    ------
    CorpusError
        A file is not what it was when the corpus was scanned.
    """
    files = _in_reading_order(bucket)
    limits = Limits(config.file_limit_sec, config.memory_limit_mib)
    lost: dict[str, RejectedFile] = {}
    suspected: set[str] = set()
    while True:
        try:
            return run_isolated(
                _parse_and_write, limits, open_shard, bucket.root, files, config, lost
            )
        except ProcessLost as loss:
            if loss.position is None:
                raise
            sha256 = str(files[loss.position].sha256)
            if loss.reason != LossReason.TIMED_OUT and sha256 not in suspected:
                suspected.add(sha256)
            else:
                lost[sha256] = RejectedFile(RejectReason(loss.reason), loss.detail)


def _in_reading_order(bucket: Bucket) -> list[SourceFile]:
    """One file of each content: plain files by checksum, then each archive's members as they lie in it.

    The members come sorted by path here; an archive is read from front to back whatever their order.
    """
    by_content = sorted(bucket.files, key=lambda f: (f.suffix, f.archive or ""))
    distinct = {file.sha256: file for file in reversed(by_content)}
    return sorted(distinct.values(), key=lambda f: (f.archive or "", f.sha256))


def _parse_and_write(
    mark: Mark,
    open_shard: OpenShard,
    root: str,
    files: list[SourceFile],
    config: ParseConfig,
    lost: Lost,
) -> int:
    """Parse files and write their tables, in the isolated process; returns the number of rejected pieces."""
    n_rejected = 0
    with open_shard() as add:
        watch = _Watch(mark)
        contents = _read(watch.mark, Path(root), files, lost)
        for tables in parse_files(contents, config, before_tune=watch.mark_again):
            add(tables)
            n_rejected += pc.sum(pc.is_valid(tables.pieces["reject_reason"])).as_py() or 0
    return n_rejected


class _Watch:
    """Marker of the file in progress; marks it again for each of its tunes, whose time counts anew."""

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._position = 0

    def mark(self, position: int) -> None:
        self._position = position
        self._mark(position)

    def mark_again(self) -> None:
        self._mark(self._position)


def _read(
    mark: Mark, root: Path, files: list[SourceFile], lost: Lost
) -> Iterator[tuple[SourceFile, bytes | RejectedFile]]:
    """Read the files' contents; each is marked before it is read, and in progress until the next one is."""
    for file in files:
        if str(file.sha256) in lost:
            yield file, lost[str(file.sha256)]
    readable = {file.path: n for n, file in enumerate(files) if str(file.sha256) not in lost}
    for archive, paths in groupby(readable, key=lambda path: files[readable[path]].archive):
        unread = {path: readable[path] for path in paths}
        try:
            for path, content in _contents(mark, root, archive, unread):
                file = files[unread.pop(path)]
                if hashlib.sha256(content).hexdigest() != file.sha256:
                    raise _changed(root / path)
                yield file, content
                if not unread:  # what comes after in an archive may be broken
                    break
        except (OSError, RejectedFile):
            raise _changed(root / (archive or next(iter(unread)))) from None
        if unread:
            raise _changed(root / next(iter(unread)))


def _contents(
    mark: Mark, root: Path, archive: str | None, unread: Mapping[str, int]
) -> Iterator[tuple[str, bytes]]:
    """Read plain files, or an archive's members: their paths and contents."""
    if archive is None:
        for path, position in list(unread.items()):
            mark(position)
            yield path, read_file(f"{root}/{path}")
        return

    def is_wanted(name: str) -> bool:
        position = unread.get(f"{archive}/{name}")
        if position is not None:
            mark(position)
        return position is not None

    for name, content in read_members(root / archive, is_wanted):
        if isinstance(content, RejectedFile):
            raise content
        yield f"{archive}/{name}", content


def _changed(path: Path) -> CorpusError:
    return CorpusError(
        "a file was changed or removed after the corpus was scanned",
        path=path,
        remedy="run the same command again; it scans the corpus anew",
    )
