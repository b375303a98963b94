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
"""Number of hex digits of a file's SHA-256 that name a piece."""

_PIECE_ID = pa.dictionary(pa.int32(), pa.string())


def _nullable(field: pa.Field) -> pa.Field:
    return field.with_nullable(True)


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

_ONSETS_AS_DELTAS = {"column_encoding": {"onset_tick": "DELTA_BINARY_PACKED"}}
_STATISTICS_OF_PIECES = {"write_statistics": ["piece_id"]}
"""Parquet statistics for ``piece_id`` alone: other columns hold nearly the same values in all row groups."""

NOTE_PARQUET_OPTIONS: dict[str, Any] = {
    "row_group_size": 131_072,
    "use_dictionary": [f.name for f in NOTE_SCHEMA if not f.name.endswith("_tick")],
    **_ONSETS_AS_DELTAS,
    **_STATISTICS_OF_PIECES,
}
"""Options that note tables are written with: half the bytes of Parquet's defaults, since onsets only grow in a piece."""

TRACK_SCHEMA = pa.schema(
    [
        pa.field("piece_id", _PIECE_ID, nullable=False),
        pa.field("track", pa.uint16(), nullable=False),
        pa.field("name", pa.string()),
        pa.field("program", pa.uint8(), nullable=False),
        pa.field("is_drum", pa.bool_(), nullable=False),
        pa.field("n_notes", pa.int32(), nullable=False),
    ],
    metadata={"schema": "tracks/1"},
)
"""One row per track of an accepted piece, with or without notes, in the order of ``track``."""

CHANGE_SCHEMA = pa.schema(
    [
        pa.field("piece_id", _PIECE_ID, nullable=False),
        pa.field("onset_tick", pa.int32(), nullable=False),
        pa.field("tempo_qpm", pa.float64()),
        pa.field("time_signature", pa.dictionary(pa.int32(), pa.string())),
        pa.field("key_signature", pa.dictionary(pa.int32(), pa.string())),
    ],
    metadata={"schema": "changes/1"},
)
"""One row per tempo, metre or key that a piece states, its first ones included; the other two are null.

Sorted by piece, then onset, then in the order of the columns. What repeats the value in force is left out,
as is what no music can have (a tempo of 0, a metre of 3/0).
"""

CHANGE_PARQUET_OPTIONS: dict[str, Any] = {
    "use_dictionary": [f.name for f in CHANGE_SCHEMA if f.name != "onset_tick"],
    **_ONSETS_AS_DELTAS,
    **_STATISTICS_OF_PIECES,
}
"""Options that tables of changes are written with."""

SHARD_PIECE_SCHEMA = pa.schema(
    [
        pa.field("piece_id", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("tune", pa.int32()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reject_reason", pa.string()),
        pa.field("reject_detail", pa.string()),
        pa.field("repair", pa.string()),
        pa.field("ticks_per_quarter", pa.int32()),
        pa.field("tempo_qpm", pa.float64()),
        pa.field("time_signature", pa.string()),
        pa.field("key_signature", pa.string()),
        pa.field("n_tracks", pa.int32()),
        pa.field("n_notes", pa.int32(), nullable=False),
        pa.field("n_unended", pa.int32()),
        pa.field("n_zero_length", pa.int32()),
        pa.field("n_warnings", pa.int32()),
        pa.field("warning", pa.string()),
        pa.field("duration_quarter", pa.float64()),
        pa.field("duration_sec", pa.float64()),
    ],
    metadata={"schema": "shard_pieces/3"},
)
"""One row per piece in a shard, accepted or not; copies of one file content are one row.

``sha256`` is that of the file. ``tune`` numbers the pieces of a file that holds several, from 1; it is null
where the file is one piece. ``repair`` says what had to be repaired before the file could be read, where
repairs are allowed. ``tempo_qpm`` (120 where the file has none), ``time_signature`` ("4/4" where it has none)
and ``key_signature`` (such as "G major"; null where it has none) are the first of the piece.
``n_unended`` counts notes that never end, ``n_zero_length`` notes of no length: neither is in the note table.
``n_warnings`` counts what the reader of a score could not make sense of, and ``warning`` is the first of it.
``duration_quarter`` and ``duration_sec`` reach from tick 0 to the end of the last note, the latter through
every change of tempo.
"""

SELECTION_SCHEMA = pa.schema(
    [
        pa.field("piece_id", pa.string(), nullable=False),
        pa.field("reject_reason", pa.string()),
        pa.field("reject_detail", pa.string()),
        pa.field("selected_tracks", pa.list_(pa.uint16())),
        pa.field("n_selected", pa.int32(), nullable=False),
        pa.field("estimated_key", pa.string()),
        pa.field("transposed_semitones", pa.int8()),
        pa.field("mean_rounding_quarter", pa.float64()),
        pa.field("max_rounding_quarter", pa.float64()),
        pa.field("notes_sha256", pa.string()),
        pa.field("melody_sha256", pa.string()),
        pa.field("minhash", pa.binary()),
    ],
    metadata={"schema": "selections/1"},
)
"""One row per piece that a parser accepted: which of its notes are learnt from, and what was done to them.

``reject_reason`` is set where too few notes or too many were left, or where the track asked for is missing.
``estimated_key`` is the key it was transposed from (null where transposition is off).
``mean_rounding_quarter`` and ``max_rounding_quarter`` are how far onsets are moved to reach the grid.
``notes_sha256`` is equal for pieces with the same notes up to tempo and resolution, ``melody_sha256`` up to
transposition too; ``minhash`` is a sketch of the piece's phrases. All three are of the selected notes as the
file has them, before any transposition of ours.
"""

PIECE_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("suffix", pa.string(), nullable=False),
        pa.field("n_bytes", pa.int64(), nullable=False),
        *(_nullable(f) for f in SHARD_PIECE_SCHEMA if f.name not in ("status", "n_notes")),
        pa.field("status", pa.string(), nullable=False),
        pa.field("n_notes", pa.int32(), nullable=False),
        *(
            _nullable(f)
            for f in SELECTION_SCHEMA
            if f.name not in ("piece_id", "reject_reason", "reject_detail", "minhash")
        ),
        pa.field("duplicate_group", pa.int32()),
        pa.field("duplicate_kind", pa.string()),
        pa.field("split", pa.string()),
    ],
    metadata={"schema": "pieces/3"},
)
"""One row per piece of every input file, sorted by path, then tune; a rejected file is one row.

A file whose bytes are the same as another's has ``status`` "duplicate": its notes count once, under the
first path. ``duplicate_group`` numbers groups of pieces that are the same music in some sense, and
``duplicate_kind`` says in which sense a piece repeats one before it in its group (see `DuplicateKind`); the
first of a group has none. ``split`` and ``duplicate_group`` are null for rejects.
"""


class Status(StrEnum):
    """Outcome for a file or piece of the corpus."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"


class Split(StrEnum):
    """Part of the corpus that a piece belongs to."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


class DuplicateKind(StrEnum):
    """Sense in which a piece repeats another one, the strictest that holds."""

    EXACT = "exact"
    """The same bytes."""
    SAME_NOTES = "same_notes"
    """The same selected notes up to tempo and resolution, in whatever file."""
    TRANSPOSED = "transposed"
    """The same selected notes, but in another key."""
    NEAR = "near"
    """At least the share `DuplicateConfig.min_similarity` of their phrases in common, in any key."""


class RejectReason(StrEnum):
    """Reason why a file or piece is not used; there is no other."""

    UNREADABLE = "unreadable"
    """The file system or an archive did not give the file's bytes."""
    EMPTY_FILE = "empty_file"
    NOT_MUSIC = "not_music"
    """Neither MIDI nor a score format, whatever the name says."""
    TRUNCATED = "truncated"
    """The file ends before its own headers say it should."""
    MALFORMED = "malformed"
    """Right kind of file, but its content breaks the format."""
    UNSUPPORTED = "unsupported"
    """A valid file of a kind that is not read (an encrypted archive member, a MIDI type above 2, …)."""
    NO_NOTES = "no_notes"
    ONLY_DRUMS = "only_drums"
    """Percussion only: there is no pitched note to learn from."""
    TOO_LARGE = "too_large"
    """Longer or denser than any piece of music (bytes, ticks or notes beyond the limits)."""
    CRASHED = "crashed"
    """The process that read the file died of it, twice."""
    TIMED_OUT = "timed_out"
    """Reading the file took longer than a file may take."""
    OUT_OF_MEMORY = "out_of_memory"
    """Reading the file took more memory than a process may have."""
    NO_SUCH_TRACK = "no_such_track"
    """No track has the name that is asked for."""
    TOO_FEW_NOTES = "too_few_notes"
    TOO_MANY_NOTES = "too_many_notes"
