"""The note table and the piece table: the two shapes all music takes on its way through the pipeline.

Integer ticks are the truth. An exact onset in quarter notes is ``onset_tick / ticks_per_quarter`` as a
rational number, so no float beats are stored. A piece is identified by the content of its file
(`piece_id`), never by its name: renaming a file changes nothing downstream.

Notes are sorted by piece, onset, track, pitch. Durations are never zero or negative.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pyarrow as pa

PIECE_ID_LENGTH = 16
"""Hex digits of the file's SHA-256 that name a piece."""

_PIECE_ID = pa.dictionary(pa.int32(), pa.string())

NOTE_SCHEMA = pa.schema(
    [
        pa.field("piece_id", _PIECE_ID, nullable=False),
        pa.field("track", pa.uint16(), nullable=False),
        pa.field("program", pa.uint8(), nullable=False),
        pa.field("is_drum", pa.bool_(), nullable=False),
        pa.field("pitch", pa.uint8(), nullable=False),
        pa.field("velocity", pa.uint8(), nullable=False),
        pa.field("onset_tick", pa.int32(), nullable=False),
        pa.field("duration_tick", pa.int32(), nullable=False),
    ],
    metadata={"schema": "notes/1"},
)
"""One row per note. Ticks count from the start of the piece."""

NOTE_PARQUET_OPTIONS: dict[str, Any] = {
    "row_group_size": 131_072,
    "use_dictionary": [f.name for f in NOTE_SCHEMA if f.name != "onset_tick"],
    "column_encoding": {"onset_tick": "DELTA_BINARY_PACKED"},
}
"""How note tables are written: half the bytes of Parquet's defaults, since onsets only grow in a piece."""

SHARD_PIECE_SCHEMA = pa.schema(
    [
        pa.field("piece_id", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("suffix", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reject_reason", pa.string()),
        pa.field("reject_detail", pa.string()),
        pa.field("ticks_per_quarter", pa.int32()),
        pa.field("tempo_qpm", pa.float64()),
        pa.field("time_signature", pa.string()),
        pa.field("key_signature", pa.string()),
        pa.field("n_tracks", pa.int32()),
        pa.field("n_notes", pa.int32(), nullable=False),
        pa.field("duration_quarter", pa.float64()),
        pa.field("notes_sha256", pa.string()),
    ],
    metadata={"schema": "shard_pieces/1"},
)
"""One row per distinct file content in a shard, accepted or not.

``tempo_qpm`` (120 where the file has none), ``time_signature`` ("4/4" where it has none) and
``key_signature`` (such as "G major"; null where it has none) are the first of the piece.
``notes_sha256`` is equal for pieces with the same notes up to transposition, tempo and resolution.
"""

PIECE_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        *SHARD_PIECE_SCHEMA,
        pa.field("duplicate_group", pa.int32()),
        pa.field("split", pa.string()),
    ],
    metadata={"schema": "pieces/1"},
)
"""One row per input file, sorted by path. ``split`` and ``duplicate_group`` are null for rejects.

A file whose bytes are the same as another's has ``status`` "duplicate": its notes count once, under the
first path.
"""


class Status(StrEnum):
    """What became of a file."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"


class Split(StrEnum):
    """What a piece is used for."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


class RejectReason(StrEnum):
    """Why a file was not used; the whole list."""

    EMPTY_FILE = "empty_file"
    NOT_MUSIC = "not_music"
    """Neither MIDI nor a score format, whatever the name says."""
    TRUNCATED = "truncated"
    """The file ends before its own headers say it should."""
    MALFORMED = "malformed"
    """Right kind of file, but its content breaks the format."""
    UNSUPPORTED = "unsupported"
    """A valid file of a kind not read yet (SMPTE time division, RIFF-wrapped MIDI, …)."""
    NO_NOTES = "no_notes"
    ONLY_DRUMS = "only_drums"
    """Percussion only: there is no pitched note to learn from."""
    TOO_FEW_NOTES = "too_few_notes"
    TOO_LARGE = "too_large"
    """Longer or denser than any piece of music (ticks or notes beyond the table's integers)."""
