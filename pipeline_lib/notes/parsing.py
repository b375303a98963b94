"""From the files of one bucket to note and piece tables.

A file that cannot be read becomes a rejected row with its reason, whatever a parser does. What kind a
file is of is decided by its first bytes, then by its suffix: MIDI under the name of a score is MIDI.

A content that occurs twice is parsed once. Rows do not depend on paths, so a bucket whose files were
renamed gives the same bytes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus import SCORE_SUFFIXES, Bucket, SourceFile
from pipeline_lib.notes.duplicates import notes_digest
from pipeline_lib.notes.midi import read_midi
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile
from pipeline_lib.notes.scores import read_score
from pipeline_lib.notes.table import NOTE_SCHEMA, SHARD_PIECE_SCHEMA, RejectReason, Status

_MAX_DETAIL = 300
"""Characters kept of a parser's message."""


def read_piece(data: bytes, suffix: str) -> ParsedPiece:
    """Read a music file of any kind that we know.

    Parameters
    ----------
    data : bytes
        The whole file.
    suffix : str
        Of its name, in lower case, such as ".abc".

    Raises
    ------
    RejectedFile
        It cannot be used.
    """
    try:
        is_score = suffix in SCORE_SUFFIXES and not data.startswith(b"MThd")
        piece = read_score(data, suffix) if is_score else read_midi(data)
    except RejectedFile:
        raise
    except Exception as error:  # whatever a parser trips over is the file's fault, not the run's
        detail = f"{type(error).__name__}: {error}"
        raise RejectedFile(RejectReason.MALFORMED, detail) from error
    if not len(piece):
        raise RejectedFile(RejectReason.NO_NOTES, f"{piece.n_tracks} tracks without notes")
    if not _n_pitched(piece):
        raise RejectedFile(RejectReason.ONLY_DRUMS, f"{len(piece)} notes, all of percussion")
    return piece


def parse_bucket(bucket: Bucket, min_notes: int) -> tuple[pa.Table, pa.Table]:
    """Parse all files of a bucket.

    Parameters
    ----------
    bucket : Bucket
    min_notes : int
        Pieces with fewer pitched notes are rejected; percussion does not count.

    Returns
    -------
    notes : pyarrow.Table
        With `NOTE_SCHEMA`, sorted by piece_id, onset, track, pitch.
    pieces : pyarrow.Table
        With `SHARD_PIECE_SCHEMA`, one row per distinct content, sorted by piece_id.

    Raises
    ------
    CorpusError
        A file is not what it was when the corpus was scanned.
    """
    distinct = {file.sha256: file for file in sorted(bucket.files, key=lambda f: f.suffix)}
    accepted: list[tuple[str, ParsedPiece]] = []
    rows = []
    for _, file in sorted(distinct.items()):
        data = _read_scanned(Path(bucket.root) / file.path, file.sha256)
        try:
            piece = _long_enough(read_piece(data, file.suffix), min_notes)
        except RejectedFile as rejected:
            rows.append(_rejected_row(file, rejected))
        else:
            accepted.append((file.piece_id, piece))
            rows.append(_accepted_row(file, piece))
    return _note_table(accepted), pa.Table.from_pylist(rows, schema=SHARD_PIECE_SCHEMA)


def _read_scanned(path: Path, sha256: str) -> bytes:
    """A file's bytes, if they still are what the scan saw; results are cached under that hash."""
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CorpusError(
            "a file was changed or removed after the corpus was scanned",
            path=path,
            remedy="run the same command again; it scans the corpus anew",
        )
    return data


def _n_pitched(piece: ParsedPiece) -> int:
    return int((~piece.is_drum).sum())


def _long_enough(piece: ParsedPiece, min_notes: int) -> ParsedPiece:
    n_pitched = _n_pitched(piece)
    if n_pitched < min_notes:
        raise RejectedFile(
            RejectReason.TOO_FEW_NOTES, f"{n_pitched} pitched notes, fewer than {min_notes}"
        )
    return piece


def _rejected_row(file: SourceFile, rejected: RejectedFile) -> dict[str, Any]:
    return {
        "piece_id": file.piece_id,
        "sha256": file.sha256,
        "suffix": file.suffix,
        "status": Status.REJECTED,
        "reject_reason": rejected.reason,
        "reject_detail": rejected.detail[:_MAX_DETAIL],
        "n_notes": 0,
    }


def _accepted_row(file: SourceFile, piece: ParsedPiece) -> dict[str, Any]:
    return {
        "piece_id": file.piece_id,
        "sha256": file.sha256,
        "suffix": file.suffix,
        "status": Status.ACCEPTED,
        "ticks_per_quarter": piece.ticks_per_quarter,
        "tempo_qpm": piece.tempo_qpm,
        "time_signature": piece.time_signature,
        "key_signature": piece.key_signature,
        "n_tracks": piece.n_tracks,
        "n_notes": len(piece),
        "duration_quarter": piece.duration_quarter,
        "notes_sha256": notes_digest(piece),
    }


def _note_table(accepted: list[tuple[str, ParsedPiece]]) -> pa.Table:
    """All notes of pieces that come in the order of their ids, each sorted within."""
    lengths = [len(piece) for _, piece in accepted]
    piece_ids = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(len(accepted), dtype=np.int32), lengths)),
        pa.array([piece_id for piece_id, _ in accepted], pa.string()),
    )
    columns = [piece_ids]
    for field in NOTE_SCHEMA:
        if field.name != "piece_id":
            parts = [getattr(piece, field.name) for _, piece in accepted]
            columns.append(_column(parts, field.type))
    return pa.Table.from_arrays(columns, schema=NOTE_SCHEMA)


def _column(parts: list[Any], arrow_type: pa.DataType) -> pa.Array:
    values = np.concatenate([np.empty(0, arrow_type.to_pandas_dtype()), *parts])
    return pa.array(values).cast(arrow_type)
