"""The token corpus: all pieces as one flat array of ids, and where each piece begins.

Every piece is wrapped in a start and an end token, so that a model can learn how music opens and closes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.notes.grid import GridNotes, bar_step
from pipeline_lib.notes.quantising import quantise_notes
from pipeline_lib.notes.selection import PieceNotes
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.metre import PieceMetre, piece_metres
from pipeline_lib.tokens.sequences import TokenSequences
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.tokens.vocabulary import END, START, UNKNOWN_ID, Vocabulary

TOKEN_SCHEMA = pa.schema(
    [
        pa.field("token_id", pa.int32(), nullable=False),
        pa.field("token", pa.dictionary(pa.int32(), pa.string()), nullable=False),
    ],
    metadata={"schema": "tokens/1"},
)
"""The flat array, one row per token. ``token`` is what the piece has, also where the vocabulary does not know it."""

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
        pa.field("augmented_semitones", pa.int8(), nullable=False),
    ],
    metadata={"schema": "token_pieces/2"},
)
"""One row per piece: where its tokens lie in the flat array, start and end token included.

A train piece has a further row for every other key that it is learnt in: ``augmented_semitones`` up.
"""

_KEPT_COLUMNS = ("time_signature", "tempo_qpm", "key_signature", "augmented_semitones")


@dataclass(frozen=True, eq=False)
class TokenCorpus:
    """Token ids of all pieces.

    Parameters
    ----------
    table : pyarrow.Table
        The flat array, with `TOKEN_SCHEMA`.
    pieces : pyarrow.Table
        Where the pieces lie in it, with `TOKEN_PIECE_SCHEMA`.
    vocabulary : Vocabulary
        The tokens by id.
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
        """Start and length of each piece of a split in every key it is in, shape (n_lines, 2)."""
        chosen = np.array(self.pieces.column("split").to_pylist()) == split.value
        starts = self.pieces.column("start").to_numpy()
        lengths = self.pieces.column("length").to_numpy()
        return np.stack([starts, lengths], axis=1)[chosen]

    def metres(self, split: Split, steps_per_quarter: int) -> list[PieceMetre]:
        """The metre of each piece of a split, in the order of `spans`."""
        pieces = pieces_at(self.token_ids, self.spans(split))
        of_split = np.array(self.pieces.column("split").to_pylist()) == split.value
        signatures = np.array(self.pieces.column("time_signature").to_pylist())[of_split]
        bar_steps = [bar_step(signature, steps_per_quarter) for signature in signatures.tolist()]
        return piece_metres(pieces, self.vocabulary.features.advance_step, bar_steps)

    def rows(self, split: Split) -> list[dict[str, Any]]:
        """Rows of `pieces` that belong to a split, each piece in its own key only."""
        return [
            row
            for row in self.pieces.to_pylist()
            if row["split"] == split.value and not row["augmented_semitones"]
        ]

    def excerpt(
        self, row: dict[str, Any], start: int, stop: int, tokeniser: Tokeniser
    ) -> GridNotes:
        """Decode tokens ``start`` to ``stop`` of a piece to notes, those unknown to the vocabulary included.

        Parameters
        ----------
        row : dict
            Row of the piece in `pieces`.
        start, stop : int
            First token and the one after the last, counted from the piece's first note or rest.
        tokeniser : Tokeniser
            What wrote the tokens.
        """
        begin = row["start"] + 1
        end = row["start"] + row["length"] - 1
        first, last = min(begin + start, end), min(begin + stop, end)
        return tokeniser.decode(
            self.table.column("token").slice(first, last - first).to_pylist(),
            time_signature=row["time_signature"],
            tempo_qpm=row["tempo_qpm"],
            key_signature=row["key_signature"],
        )


def pieces_at(token_ids: NDArray[np.int32], spans: NDArray[np.int64]) -> list[NDArray[np.int32]]:
    """Slice the tokens of pieces out of the flat array, given their starts and lengths, shape (n_pieces, 2)."""
    return [token_ids[start : start + length] for start, length in spans]


def encode_piece(notes: PieceNotes, tokeniser: Tokeniser) -> list[str]:
    """Encode the selected notes of one piece as tokens, all tracks merged.

    Parameters
    ----------
    notes : PieceNotes
        The notes that are learnt from.
    tokeniser : Tokeniser
        What writes the tokens; onsets and ends are rounded to its grid.

    Examples
    --------
    A quarter note that starts a little late, of 480 ticks:

    >>> from pipeline_lib.config import NoteEventConfig
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> notes = PieceNotes(
    ...     track=np.array([0]),
    ...     is_drum=np.array([False]),
    ...     pitch=np.array([60]),
    ...     onset_tick=np.array([3]),
    ...     duration_tick=np.array([480]),
    ...     ticks_per_quarter=480,
    ... )
    >>> encode_piece(notes, make_tokeniser(NoteEventConfig()))
    ['Pitch_60:1']
    """
    return tokeniser.encode(quantise_notes(notes, tokeniser.steps_per_quarter))


def build_corpus(
    pieces: Sequence[dict[str, Any]], lines: TokenSequences, vocabulary: Vocabulary
) -> TokenCorpus:
    """Build the token corpus: wrap each piece in a start and an end token, encode it, and join all pieces.

    Parameters
    ----------
    pieces : sequence of dict
        For each piece the columns of `TOKEN_PIECE_SCHEMA` that the piece table has, and ``line``, the name of
        its sequence of tokens.
    lines : TokenSequences
        Sequences of tokens by name.
    vocabulary : Vocabulary
        The tokens by id.

    Examples
    --------
    A corpus of one piece, whose second token the vocabulary does not know:

    >>> from pipeline_lib.config import NoteEventConfig
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> from pipeline_lib.tokens.vocabulary import SPECIAL_TOKENS
    >>> tokeniser = make_tokeniser(NoteEventConfig())
    >>> vocabulary = Vocabulary.of((*SPECIAL_TOKENS, "Pitch_60:1"), tokeniser)
    >>> sequences = TokenSequences()
    >>> sequences.add("reel", ["Pitch_60:1", "Pitch_62:1"])
    >>> piece = {
    ...     "piece_id": "reel",
    ...     "line": "reel",
    ...     "split": "train",
    ...     "time_signature": "4/4",
    ...     "tempo_qpm": 120.0,
    ...     "key_signature": None,
    ...     "augmented_semitones": 0,
    ... }
    >>> corpus = build_corpus([piece], sequences, vocabulary)
    >>> corpus.token_ids.tolist(), vocabulary.decode(corpus.token_ids)
    ([0, 3, 2, 1], ['<start>', 'Pitch_60:1', '<unknown>', '<end>'])
    >>> corpus.spans(Split.TRAIN).tolist()
    [[0, 4]]
    >>> corpus.excerpt(piece | {"start": 0, "length": 4}, 0, 2, tokeniser).pitch.tolist()
    [60, 62]
    """
    texts = [START, END, *lines.texts]
    start, end = np.int32(0), np.int32(1)
    wrapped = [np.concatenate([[start], lines[row["line"]] + 2, [end]]) for row in pieces]
    lengths = np.array([len(line) for line in wrapped], dtype=np.int64)
    position = np.concatenate([np.empty(0, np.int32), *wrapped]).astype(np.int32)
    token_id = vocabulary.encode(texts)[position]
    flat = pa.table(
        {
            "token_id": token_id,
            "token": pa.DictionaryArray.from_arrays(pa.array(position), pa.array(texts)),
        },
        schema=TOKEN_SCHEMA,
    )
    starts = np.cumsum(lengths) - lengths
    unknown_before = np.append(0, np.cumsum(token_id == UNKNOWN_ID))
    columns = ("piece_id", "split", *_KEPT_COLUMNS)
    piece_table = pa.table(
        {
            **{name: [row[name] for row in pieces] for name in columns},
            "start": starts,
            "length": lengths,
            "n_unknown": unknown_before[starts + lengths] - unknown_before[starts],
        }
    )
    piece_table = piece_table.select(TOKEN_PIECE_SCHEMA.names).cast(TOKEN_PIECE_SCHEMA)
    return TokenCorpus(flat, piece_table, vocabulary)
