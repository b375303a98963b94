"""Tables of a shard, made of many pieces at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.notes.batches import Batch, batch_of
from pipeline_lib.notes.changes import Kind, named
from pipeline_lib.notes.midi.packed import UnsortedPiece
from pipeline_lib.notes.piece import (
    DEFAULT_TIME_SIGNATURE,
    IntArray,
    ParsedPiece,
    RejectedFile,
    check_usable,
)
from pipeline_lib.notes.table import (
    CHANGE_SCHEMA,
    NOTE_SCHEMA,
    SHARD_PIECE_SCHEMA,
    TRACK_SCHEMA,
    Status,
)
from pipeline_lib.notes.tempos import DEFAULT_TEMPO_QPM

_MAX_DETAIL = 300
"""Number of characters kept of a parser's message."""


class ShardTables(NamedTuple):
    """The tables of a shard, with `NOTE_SCHEMA`, `SHARD_PIECE_SCHEMA`, `TRACK_SCHEMA` and `CHANGE_SCHEMA`."""

    notes: pa.Table
    pieces: pa.Table
    tracks: pa.Table
    changes: pa.Table


class PieceRow(NamedTuple):
    """One piece of a file, of which a row of the piece table is made."""

    piece_id: str
    sha256: str
    tune: int | None
    content: UnsortedPiece | ParsedPiece | RejectedFile


def shard_tables(rows: Sequence[PieceRow]) -> ShardTables:
    """Make the tables of some pieces, at most `pipeline_lib.notes.batches.MAX_PIECES`."""
    contents = [row.content for row in rows]
    read = batch_of([piece for piece in contents if not isinstance(piece, RejectedFile)])
    rejected = read.rejected(check_usable)
    is_accepted = np.array([number not in rejected for number in range(len(read.pieces))], bool)
    number = iter(range(len(rows)))
    outcomes = [
        content if isinstance(content, RejectedFile) else rejected.get(next(number))
        for content in contents
    ]
    accepted = read.only(is_accepted)
    ids = pa.array(
        [row.piece_id for row, outcome in zip(rows, outcomes, strict=True) if outcome is None],
        pa.string(),
    )
    return ShardTables(
        _note_table(accepted, ids),
        _piece_table(rows, outcomes, accepted),
        _track_table(accepted, ids),
        _change_table(accepted, ids),
    )


def _piece_table(
    rows: Sequence[PieceRow], outcomes: Sequence[RejectedFile | None], accepted: Batch
) -> pa.Table:
    cells_of_accepted = _accepted_cells(accepted)
    cells = [
        (row.piece_id, row.sha256, row.tune)
        + (next(cells_of_accepted) if outcome is None else _rejected_cells(outcome))
        for row, outcome in zip(rows, outcomes, strict=True)
    ]
    columns = zip(*cells, strict=True) if cells else [[]] * len(SHARD_PIECE_SCHEMA)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SHARD_PIECE_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SHARD_PIECE_SCHEMA)


def _rejected_cells(rejected: RejectedFile) -> tuple[Any, ...]:
    """Cells of `SHARD_PIECE_SCHEMA` from ``status`` on, of a rejected piece."""
    return (
        *(Status.REJECTED, rejected.reason, _shortened(rejected.detail), None),
        *(None, None, None, None, None),
        0,
        *(None, None, None, None, None, None),
    )


def _shortened(message: str) -> str:
    """A message of a parser, which may quote what is in a file: without end, or no text at all."""
    return message[:_MAX_DETAIL].encode("utf-8", "replace").decode()


def _accepted_cells(batch: Batch) -> Iterator[tuple[Any, ...]]:
    """Cells of `SHARD_PIECE_SCHEMA` from ``status`` on, of each accepted piece."""
    pieces, changes = batch.pieces, batch.changes
    tempo_qpm, metre, key = (changes.first(kind, len(pieces)) for kind in Kind)
    ticks_per_quarter = np.array([piece.ticks_per_quarter for piece in pieces], np.int64)
    return zip(
        repeat(Status.ACCEPTED),
        repeat(None),
        repeat(None),
        (piece.repair for piece in pieces),
        ticks_per_quarter.tolist(),
        np.where(np.isnan(tempo_qpm), DEFAULT_TEMPO_QPM, tempo_qpm).tolist(),
        (name or DEFAULT_TIME_SIGNATURE for name in named(metre, changes.metres)),
        named(key, changes.keys),
        batch.n_tracks.tolist(),
        batch.n_notes.tolist(),
        (piece.n_unended for piece in pieces),
        batch.n_zero_length.tolist(),
        (len(piece.warnings) for piece in pieces),
        (_shortened(piece.warnings[0]) if piece.warnings else None for piece in pieces),
        (batch.end_tick / ticks_per_quarter).tolist(),
        changes.seconds_until(batch.end_tick, ticks_per_quarter).tolist(),
        strict=False,  # some repeat for ever
    )


def _note_table(batch: Batch, ids: pa.Array) -> pa.Table:
    notes, tracks, track = batch.notes, batch.tracks, batch.track_of_note
    columns = {
        **notes._asdict(),
        "program": np.array([t.program for t in tracks], np.uint8)[track],
        "is_drum": np.array([t.is_drum for t in tracks], bool)[track],
    }
    arrays = [
        _named(notes.piece, ids)
        if field.name == "piece_id"
        else pa.array(columns[field.name]).cast(field.type)
        for field in NOTE_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=NOTE_SCHEMA)


def _track_table(batch: Batch, ids: pa.Array) -> pa.Table:
    tracks = batch.tracks
    columns = {
        "piece_id": _named(np.repeat(np.arange(len(ids)), batch.n_tracks), ids),
        "track": [i for n in batch.n_tracks.tolist() for i in range(n)],
        "name": [track.name for track in tracks],
        "program": [track.program for track in tracks],
        "is_drum": [track.is_drum for track in tracks],
        "n_notes": np.bincount(batch.track_of_note, minlength=len(tracks)),
    }
    return pa.table(columns, schema=TRACK_SCHEMA)


def _change_table(batch: Batch, ids: pa.Array) -> pa.Table:
    stated = batch.changes
    changes = stated[np.argsort(stated.piece << 32 | stated.onset_tick, kind="stable")]
    columns = {
        "piece_id": _named(changes.piece, ids),
        "onset_tick": pa.array(changes.onset_tick, pa.int32()),
        "tempo_qpm": pa.array(changes.value, mask=changes.kind != Kind.TEMPO),
        "time_signature": _names(changes.value, changes.kind == Kind.METRE, changes.metres),
        "key_signature": _names(changes.value, changes.kind == Kind.KEY, changes.keys),
    }
    return pa.table(columns, schema=CHANGE_SCHEMA)


def _names(
    value: NDArray[np.float64], is_named: NDArray[np.bool_], names: list[str]
) -> pa.DictionaryArray:
    """Column of names, null where `is_named` is False."""
    indices = pa.array(value.astype(np.int32), mask=~is_named)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def _named(piece: IntArray, ids: pa.Array) -> pa.DictionaryArray:
    """Column of the ids of pieces, looked up by their numbers."""
    return pa.DictionaryArray.from_arrays(pa.array(piece.astype(np.int32)), ids)
