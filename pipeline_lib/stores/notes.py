"""Shards, the kind ``notes``: what was read from one bucket of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.notes.corpus.shard_tables import ShardTables
from pipeline_lib.notes.selection import PieceNotes
from pipeline_lib.notes.table import (
    CHANGE_PARQUET_OPTIONS,
    CHANGE_SCHEMA,
    NOTE_PARQUET_OPTIONS,
    NOTE_SCHEMA,
    SHARD_PIECE_SCHEMA,
    TRACK_SCHEMA,
)
from pipeline_lib.stores import file_names

_NOTE_COLUMNS = ("track", "is_drum", "pitch", "onset_tick", "duration_tick")


class _ShardFile(NamedTuple):
    name: str
    schema: pa.Schema
    options: dict[str, Any]


SHARD_FILES = {
    "notes": _ShardFile(file_names.NOTES, NOTE_SCHEMA, NOTE_PARQUET_OPTIONS),
    "pieces": _ShardFile(file_names.PIECES, SHARD_PIECE_SCHEMA, {}),
    "tracks": _ShardFile(file_names.TRACKS, TRACK_SCHEMA, {}),
    "changes": _ShardFile(file_names.CHANGES, CHANGE_SCHEMA, CHANGE_PARQUET_OPTIONS),
}
"""Each table of `ShardTables`: its file, its schema, and how it is written."""


class AcceptedPiece(NamedTuple):
    """A piece that has notes."""

    piece_id: str
    notes: PieceNotes
    track_names: list[str | None]


@contextmanager
def open_shard(draft: Draft) -> Iterator[Callable[[ShardTables], None]]:
    """A shard that is written while its files are read.

    Yields
    ------
    callable
        Adds the tables of further pieces.
    """
    with ExitStack() as stack:
        writers = {
            table: stack.enter_context(draft.open_table(name, schema, **options))
            for table, (name, schema, options) in SHARD_FILES.items()
        }

        def add(tables: ShardTables) -> None:
            for table, writer in writers.items():
                writer.write_table(getattr(tables, table))

        yield add


def read_shard_pieces(store: ArtifactStore, shard: Artifact) -> pa.Table:
    """All pieces of a shard, rejected ones too, with `SHARD_PIECE_SCHEMA`."""
    return store.read_table(shard, file_names.PIECES)


def read_shard_notes(store: ArtifactStore, shard: Artifact) -> Iterator[AcceptedPiece]:
    """The accepted pieces of a shard, in its order."""
    notes = store.read_table(shard, file_names.NOTES, columns=["piece_id", *_NOTE_COLUMNS])
    columns = {name: notes[name].to_numpy() for name in _NOTE_COLUMNS}
    rows = store.read_table(shard, file_names.PIECES, ["piece_id", "ticks_per_quarter", "n_notes"])
    names = _track_names(store.read_table(shard, file_names.TRACKS, ["piece_id", "name"]))
    start = 0
    for row in rows.to_pylist():
        # Both tables have the pieces in the same order; rejected ones have no notes.
        stop = start + row["n_notes"]
        if stop > start:
            part = {name: column[start:stop] for name, column in columns.items()}
            piece = PieceNotes(**part, ticks_per_quarter=row["ticks_per_quarter"])
            yield AcceptedPiece(row["piece_id"], piece, names[row["piece_id"]])
        start = stop


def _track_names(tracks: pa.Table) -> dict[str, list[str | None]]:
    """Names of the tracks of each piece, by piece_id."""
    names: dict[str, list[str | None]] = {}
    ids = tracks["piece_id"].cast(pa.string()).to_pylist()
    for piece_id, name in zip(ids, tracks["name"].to_pylist(), strict=True):
        names.setdefault(piece_id, []).append(name)
    return names
