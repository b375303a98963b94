"""The token corpus: all pieces as one flat array of ids, and where each piece begins.

Every piece is wrapped in a start and an end token, so that a model can learn how music opens and closes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.config import TokenConfig
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.note_tokens import decode_tokens, encode_notes, quantise_ticks
from pipeline_lib.tokens.vocabulary import END, START, UNKNOWN_ID, Vocabulary

TOKEN_SCHEMA = pa.schema(
    [
        pa.field("token_id", pa.int32(), nullable=False),
        pa.field("token", pa.dictionary(pa.int32(), pa.string()), nullable=False),
    ],
    metadata={"schema": "tokens/1"},
)
"""The flat array. ``token`` is what was written in the piece, also where the vocabulary does not know it."""

TOKEN_PIECE_SCHEMA = pa.schema(
    [
        pa.field("piece_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("n_unknown", pa.int64(), nullable=False),
        pa.field("time_signature", pa.string(), nullable=False),
        pa.field("tempo_qpm", pa.float64(), nullable=False),
        pa.field("key_signature", pa.string()),
    ],
    metadata={"schema": "token_pieces/1"},
)
"""One row per piece: where its tokens lie in the flat array, start and end token included."""


@dataclass(frozen=True, eq=False)
class TokenCorpus:
    """Token ids of all pieces.

    Parameters
    ----------
    table : pyarrow.Table
        The flat array, with `TOKEN_SCHEMA`.
    pieces : pyarrow.Table
        With `TOKEN_PIECE_SCHEMA`.
    vocabulary : Vocabulary
    """

    table: pa.Table
    pieces: pa.Table
    vocabulary: Vocabulary

    @cached_property
    def token_ids(self) -> NDArray[np.int32]:
        """Token ids of all pieces, shape (n_tokens,)."""
        token_ids: NDArray[np.int32] = self.table.column("token_id").to_numpy()
        return token_ids

    def spans(self, split: Split) -> NDArray[np.int64]:
        """Start and length of each piece of a split, shape (n_pieces, 2)."""
        chosen = np.array(self.pieces.column("split").to_pylist()) == split.value
        starts = self.pieces.column("start").to_numpy()
        lengths = self.pieces.column("length").to_numpy()
        return np.stack([starts, lengths], axis=1)[chosen]

    def rows(self, split: Split) -> list[dict[str, Any]]:
        """The rows of a split's pieces, in the order of `spans`."""
        return [row for row in self.pieces.to_pylist() if row["split"] == split.value]

    def excerpt(
        self, row: dict[str, Any], start: int, stop: int, steps_per_quarter: int
    ) -> GridNotes:
        """Notes of tokens ``start`` to ``stop`` of a piece; its first note or rest is token 0.

        They are the piece's own, known to the vocabulary or not.
        """
        begin = row["start"] + 1
        end = row["start"] + row["length"] - 1
        first, last = min(begin + start, end), min(begin + stop, end)
        return decode_tokens(
            self.table.column("token").slice(first, last - first).to_pylist(),
            steps_per_quarter,
            time_signature=row["time_signature"],
            tempo_qpm=row["tempo_qpm"],
            key_signature=row["key_signature"],
        )


def encode_piece(
    notes: Mapping[str, NDArray[Any]], ticks_per_quarter: int, config: TokenConfig
) -> list[str]:
    """The tokens of one piece, all tracks but drums merged into one line.

    Parameters
    ----------
    notes : mapping of str to arrays, each of shape (n_notes,)
        The columns ``is_drum``, ``pitch``, ``onset_tick`` and ``duration_tick`` of the note table.
    ticks_per_quarter : int
    config : TokenConfig
    """
    pitched = ~notes["is_drum"]
    onset_tick = notes["onset_tick"][pitched].astype(np.int64)
    offset_tick = onset_tick + notes["duration_tick"][pitched]
    pitch = notes["pitch"][pitched].astype(np.int64)
    onset = quantise_ticks(onset_tick, ticks_per_quarter, config.steps_per_quarter)
    offset = quantise_ticks(offset_tick, ticks_per_quarter, config.steps_per_quarter)
    order = np.lexsort((pitch, onset))
    duration = np.maximum(offset - onset, 1)
    grid = GridNotes(onset[order], duration[order], pitch[order], config.steps_per_quarter)
    return encode_notes(grid, config.max_duration_quarter)


def build_corpus(
    pieces: Sequence[dict[str, Any]], tokens: Sequence[Sequence[str]], vocabulary: Vocabulary
) -> TokenCorpus:
    """Wrap, encode and join the pieces.

    Parameters
    ----------
    pieces : sequence of dict
        Rows of the piece table, one per entry of `tokens`.
    tokens : sequence of token sequences
    vocabulary : Vocabulary
    """
    wrapped = [[START, *piece, END] for piece in tokens]
    encoded = [vocabulary.encode(piece) for piece in wrapped]
    lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
    columns = ("piece_id", "split", "time_signature", "tempo_qpm", "key_signature")
    piece_table = pa.table(
        {
            **{name: [row[name] for row in pieces] for name in columns},
            "start": np.cumsum(lengths) - lengths,
            "length": lengths,
            "n_unknown": [int((ids == UNKNOWN_ID).sum()) for ids in encoded],
        }
    )
    flat = pa.table(
        {
            "token_id": np.concatenate(encoded),
            "token": pa.array(chain.from_iterable(wrapped)).dictionary_encode(),
        },
        schema=TOKEN_SCHEMA,
    )
    piece_table = piece_table.select(TOKEN_PIECE_SCHEMA.names).cast(TOKEN_PIECE_SCHEMA)
    return TokenCorpus(flat, piece_table, vocabulary)
