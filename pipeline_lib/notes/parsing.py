"""From files to tables, a chunk at a time.

A file that cannot be read becomes a rejected row with its reason, whatever a parser does. What kind a file
is of is decided by its first bytes, then by its suffix: MIDI under the name of a score is MIDI.

A piece is named by the content of its file (``piece_id``), and by its number where a file holds several.

Most files are small, so what is done for each of them costs more than what is done for each note. Notes are
therefore sorted and put into tables a chunk of files at a time, which also keeps memory flat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.corpus import SCORE_SUFFIXES, SourceFile
from pipeline_lib.notes.midi import UnsortedPiece, read_unsorted, sort_notes
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile
from pipeline_lib.notes.scores import read_scores
from pipeline_lib.notes.table import (
    CHANGE_SCHEMA,
    NOTE_SCHEMA,
    SHARD_PIECE_SCHEMA,
    TRACK_SCHEMA,
    RejectReason,
    Status,
)

_MIDI_MARKS = (b"MThd", b"RIFF")
_MAX_DETAIL = 300
"""Characters kept of a parser's message."""

_CHUNK_FILES = 256
_CHUNK_NOTES = 250_000
"""A chunk is closed when it holds so many files or notes."""

_NO_NUMBERS = np.empty(0)
"""Makes an array even of no arrays."""


class ShardTables(NamedTuple):
    """Tables with `NOTE_SCHEMA`, `SHARD_PIECE_SCHEMA`, `TRACK_SCHEMA` and `CHANGE_SCHEMA`."""

    notes: pa.Table
    pieces: pa.Table
    tracks: pa.Table
    changes: pa.Table


class _Piece(NamedTuple):
    """A row of the piece table to be."""

    piece_id: str
    sha256: str
    tune: int | None
    content: UnsortedPiece | ParsedPiece | RejectedFile


class _Accepted(NamedTuple):
    piece_id: str
    content: ParsedPiece


def read_pieces(data: bytes, suffix: str, config: ParseConfig) -> tuple[ParsedPiece, ...]:
    """Read a music file of any kind that we know.

    Parameters
    ----------
    data : bytes
        The whole file.
    suffix : str
        Of its name, in lower case, such as ".abc".
    config : ParseConfig
        How to read it.

    Returns
    -------
    tuple of ParsedPiece
        At least one, as the file has them: some may have no notes.

    Raises
    ------
    RejectedFile
        It cannot be used.
    """
    pieces = _in_order(_read(data, suffix, config))
    for piece in pieces:
        if isinstance(piece, RejectedFile):
            raise piece
    return tuple(piece for piece in pieces if isinstance(piece, ParsedPiece))


def first_piece(pieces: Sequence[ParsedPiece]) -> ParsedPiece:
    """The first of a file's pieces that there is something to learn from.

    Raises
    ------
    RejectedFile
        There is none.
    """
    why_not = RejectedFile(RejectReason.NO_NOTES, "no pieces")
    for piece in pieces:
        outcome = _usable(piece)
        if isinstance(outcome, ParsedPiece):
            return outcome
        why_not = outcome
    raise why_not


def parse_files(
    files: Iterable[tuple[SourceFile, bytes | RejectedFile]],
    config: ParseConfig,
    before_tune: Callable[[], object] = lambda: None,
) -> Iterator[ShardTables]:
    """Parse files, each as soon as it is drawn.

    Parameters
    ----------
    files : iterable of (SourceFile, content)
        Contents are bytes, or why there are none.
    config : ParseConfig
        How to read them.
    before_tune : callable
        Called before each tune of a file that holds many.

    Yields
    ------
    ShardTables
        A chunk of files, in the order in which they came, pieces of one file by tune. At least one chunk,
        be it empty.
    """
    rows: list[_Piece] = []
    n_files, n_notes, n_chunks = 0, 0, 0
    for file, data in files:
        pieces = (
            [data]
            if isinstance(data, RejectedFile)
            else _read(data, file.suffix, config, before_tune)
        )
        rows += _numbered(file, pieces)
        n_files += 1
        n_notes += sum(len(p) for p in pieces if not isinstance(p, RejectedFile))
        if n_files >= _CHUNK_FILES or n_notes >= _CHUNK_NOTES:
            yield _tables(rows)
            rows, n_files, n_notes, n_chunks = [], 0, 0, n_chunks + 1
    if rows or not n_chunks:
        yield _tables(rows)


def _read(
    data: bytes,
    suffix: str,
    config: ParseConfig,
    before_tune: Callable[[], object] = lambda: None,
) -> Sequence[UnsortedPiece | ParsedPiece | RejectedFile]:
    """The pieces in a file; one rejection if it cannot be read, whatever the parser trips over."""
    try:
        if suffix in SCORE_SUFFIXES and data[:4] not in _MIDI_MARKS:
            pieces: Sequence[UnsortedPiece | ParsedPiece | RejectedFile] = read_scores(
                data, suffix, before_tune
            )
        else:
            pieces = read_unsorted(data, config)
    except RejectedFile as rejected:
        return [rejected]
    except MemoryError as error:
        return [RejectedFile(RejectReason.OUT_OF_MEMORY, f"MemoryError: {error}")]
    except Exception as error:  # it is the file's fault, not the run's
        return [RejectedFile(RejectReason.MALFORMED, f"{type(error).__name__}: {error}")]
    return pieces or [RejectedFile(RejectReason.NO_NOTES, "no pieces")]


def _numbered(
    file: SourceFile, pieces: Sequence[UnsortedPiece | ParsedPiece | RejectedFile]
) -> list[_Piece]:
    assert file.sha256 is not None, "a file that is parsed was read"
    if len(pieces) == 1:
        return [_Piece(file.piece_id, file.sha256, None, pieces[0])]
    return [_Piece(file.tune_id(n), file.sha256, n, p) for n, p in enumerate(pieces, start=1)]


def _in_order(
    pieces: Sequence[UnsortedPiece | ParsedPiece | RejectedFile],
) -> list[ParsedPiece | RejectedFile]:
    """The same pieces, all with their notes sorted."""
    by_now = iter(sort_notes([piece for piece in pieces if isinstance(piece, UnsortedPiece)]))
    return [next(by_now) if isinstance(piece, UnsortedPiece) else piece for piece in pieces]


def _usable(piece: ParsedPiece | RejectedFile) -> ParsedPiece | RejectedFile:
    """The piece, unless there is nothing to learn from it."""
    if isinstance(piece, RejectedFile):
        return piece
    if not len(piece):
        return RejectedFile(RejectReason.NO_NOTES, f"{len(piece.tracks)} tracks without notes")
    if any(track.is_drum for track in piece.tracks) and piece.is_drum.all():
        return RejectedFile(RejectReason.ONLY_DRUMS, f"{len(piece)} notes, all of percussion")
    return piece


def _tables(rows: Sequence[_Piece]) -> ShardTables:
    outcomes = [_usable(piece) for piece in _in_order([row.content for row in rows])]
    accepted = [
        _Accepted(row.piece_id, outcome)
        for row, outcome in zip(rows, outcomes, strict=True)
        if isinstance(outcome, ParsedPiece)
    ]
    notes, n_notes_of_tracks = _note_table(accepted)
    return ShardTables(
        notes,
        _piece_table(rows, outcomes),
        _track_table(accepted, n_notes_of_tracks),
        _change_table(accepted),
    )


def _piece_table(
    rows: Sequence[_Piece], outcomes: Sequence[ParsedPiece | RejectedFile]
) -> pa.Table:
    cells = [
        (row.piece_id, row.sha256, row.tune)
        + (_rejected(outcome) if isinstance(outcome, RejectedFile) else _accepted(outcome))
        for row, outcome in zip(rows, outcomes, strict=True)
    ]
    columns = zip(*cells, strict=True) if cells else [[]] * len(SHARD_PIECE_SCHEMA)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SHARD_PIECE_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SHARD_PIECE_SCHEMA)


def _rejected(rejected: RejectedFile) -> tuple[Any, ...]:
    """Cells of `SHARD_PIECE_SCHEMA` from ``status`` on."""
    # Messages quote what is in the files, so they may hold what is no text.
    detail = rejected.detail[:_MAX_DETAIL].encode("utf-8", "replace").decode()
    return (
        *(Status.REJECTED, rejected.reason, detail, None),
        *(None, None, None, None, None),
        0,
        *(None, None, None, None),
    )


def _accepted(piece: ParsedPiece) -> tuple[Any, ...]:
    """Cells of `SHARD_PIECE_SCHEMA` from ``status`` on."""
    return (
        *(Status.ACCEPTED, None, None, piece.repair),
        piece.ticks_per_quarter,
        piece.tempo_qpm,
        piece.time_signature,
        piece.key_signature,
        len(piece.tracks),
        len(piece),
        piece.n_unended,
        piece.n_zero_length,
        piece.duration_quarter,
        piece.duration_sec,
    )


def _note_table(accepted: Sequence[_Accepted]) -> tuple[pa.Table, NDArray[np.intp]]:
    """All notes, and how many each track has, of pieces each of which is sorted."""
    n_notes = [len(piece) for _, piece in accepted]
    n_tracks = [len(piece.tracks) for _, piece in accepted]
    tracks = [track for _, piece in accepted for track in piece.tracks]
    parts = {
        name: [np.empty(0, np.int8), *(getattr(piece, name) for _, piece in accepted)]
        for name in ("track", "pitch", "velocity", "onset_tick", "duration_tick")
    }
    columns: dict[str, Any] = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    first_track = np.cumsum([0, *n_tracks])[:-1]
    track_of_note = np.repeat(first_track, n_notes) + columns["track"]
    columns["program"] = np.array([t.program for t in tracks], np.uint8)[track_of_note]
    columns["is_drum"] = np.array([t.is_drum for t in tracks], bool)[track_of_note]
    arrays = [
        _piece_ids(accepted, n_notes)
        if field.name == "piece_id"
        else pa.array(columns[field.name]).cast(field.type)
        for field in NOTE_SCHEMA
    ]
    table = pa.Table.from_arrays(arrays, schema=NOTE_SCHEMA)
    return table, np.bincount(track_of_note, minlength=len(tracks))


def _track_table(accepted: Sequence[_Accepted], n_notes: NDArray[np.intp]) -> pa.Table:
    tracks = [track for _, piece in accepted for track in piece.tracks]
    n_tracks = [len(piece.tracks) for _, piece in accepted]
    columns = {
        "piece_id": _piece_ids(accepted, n_tracks),
        "track": [i for n in n_tracks for i in range(n)],
        "name": [track.name for track in tracks],
        "program": [track.program for track in tracks],
        "is_drum": [track.is_drum for track in tracks],
        "n_notes": n_notes,
    }
    return pa.table(columns, schema=TRACK_SCHEMA)


def _change_table(accepted: Sequence[_Accepted]) -> pa.Table:
    """All changes: those of each kind one after another, then sorted."""
    tempos = [piece.tempos for _, piece in accepted]
    metres = [piece.time_signatures for _, piece in accepted]
    keys = [piece.key_signatures for _, piece in accepted]
    tempo_qpm = np.concatenate([_NO_NUMBERS, *(t.tempo_qpm for t in tempos)])
    stated = [*chain.from_iterable(metres), *chain.from_iterable(keys)]
    piece = np.repeat(
        np.tile(np.arange(len(accepted)), 3),
        [len(p) for kind in (tempos, metres, keys) for p in kind],
    )
    tick = np.concatenate(
        [_NO_NUMBERS, *(t.onset_tick for t in tempos), [tick for tick, _ in stated]]
    ).astype(np.int64)
    n_metres = sum(map(len, metres))
    texts = [text for _, text in stated]
    columns = {
        "piece_id": _named(accepted, piece),
        "onset_tick": pa.array(tick, pa.int32()),
        "tempo_qpm": pa.concat_arrays([pa.array(tempo_qpm), pa.nulls(len(texts), pa.float64())]),
        "time_signature": _texts(len(tempo_qpm), texts[:n_metres], len(texts) - n_metres),
        "key_signature": _texts(len(tempo_qpm) + n_metres, texts[n_metres:], 0),
    }
    order = np.argsort(piece << 32 | tick, kind="stable")
    return pa.table(columns, schema=CHANGE_SCHEMA).take(pa.array(order))


def _texts(n_before: int, texts: list[str], n_after: int) -> pa.DictionaryArray:
    """Texts among nulls."""
    values = [*[None] * n_before, *texts, *[None] * n_after]
    return pa.array(values, pa.string()).dictionary_encode()


def _piece_ids(accepted: Sequence[_Accepted], n_rows: Sequence[int]) -> pa.DictionaryArray:
    """The id of each piece as many times as it has rows."""
    return _named(accepted, np.repeat(np.arange(len(accepted)), n_rows))


def _named(accepted: Sequence[_Accepted], piece: NDArray[np.intp]) -> pa.DictionaryArray:
    ids = pa.array([piece_id for piece_id, _ in accepted], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(piece.astype(np.int32)), ids)
