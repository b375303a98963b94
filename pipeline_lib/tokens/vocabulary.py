"""The vocabulary: which tokens there are, and their ids.

A token's id is its position. Special tokens come first, then the tokens of the train split by falling
count, ties by name, so that the same notes always give the same ids. Tokens seen fewer than ``min_count``
times become `UNKNOWN`, which so has examples to be learnt from, and unseen tokens of other splits a home.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.tokens.features import TokenFeatures, describe_tokens
from pipeline_lib.tokens.tokenisers.base import TokenDescription, Tokeniser

START, END, UNKNOWN = "<start>", "<end>", "<unknown>"
SPECIAL_TOKENS = (START, END, UNKNOWN)
START_ID, END_ID, UNKNOWN_ID = range(3)

VOCABULARY_SCHEMA = pa.schema(
    [
        pa.field("token_id", pa.int32(), nullable=False),
        pa.field("token", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("pitches", pa.list_(pa.int16()), nullable=False),
        pa.field("advance_step", pa.int32(), nullable=False),
        pa.field("pitch_part", pa.string(), nullable=False),
        pa.field("duration_part", pa.string(), nullable=False),
        pa.field("is_event", pa.bool_(), nullable=False),
    ],
    metadata={"schema": "vocabulary/2"},
)
"""One row per token, in the order of ids, with the fields of its `TokenDescription`; ``count`` is over the train split,
and `UNKNOWN` counts the tokens that it stands for."""


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by id, and what they stand for.

    Parameters
    ----------
    tokens : tuple of str
        All tokens in the order of their ids, `SPECIAL_TOKENS` first.
    described : tuple of TokenDescription
        What each token stands for.

    Examples
    --------
    >>> from pipeline_lib.config import NoteEventConfig
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> tokeniser = make_tokeniser(NoteEventConfig())
    >>> vocabulary = Vocabulary.of((*SPECIAL_TOKENS, "Pitch_60:1", "Rest:1"), tokeniser)
    >>> vocabulary.encode(["Rest:1", "Pitch_60:1", "Pitch_61:1"]).tolist()
    [4, 3, 2]
    >>> vocabulary.decode([4, 3, 2])
    ['Rest:1', 'Pitch_60:1', '<unknown>']
    """

    tokens: tuple[str, ...]
    described: tuple[TokenDescription, ...]

    @classmethod
    def of(cls, tokens: Sequence[str], tokeniser: Tokeniser) -> Vocabulary:
        """Make the vocabulary of some tokens, which their tokeniser describes."""
        return cls(tuple(tokens), tuple(describe_tokens(tokens, tokeniser)))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of each token."""
        return {token: token_id for token_id, token in enumerate(self.tokens)}

    @cached_property
    def features(self) -> TokenFeatures:
        """Features of all tokens, as arrays."""
        return TokenFeatures(self.described)

    def encode(self, tokens: Iterable[str]) -> NDArray[np.int32]:
        """Look up the ids of tokens, shape (n_tokens,); `UNKNOWN_ID` for those not in the vocabulary."""
        return np.array([self.ids.get(token, UNKNOWN_ID) for token in tokens], dtype=np.int32)

    def decode(self, token_ids: Iterable[int]) -> list[str]:
        """Look up the tokens of ids."""
        return [self.tokens[token_id] for token_id in token_ids]


def build_vocabulary(
    counts: Counter[str], n_pieces: int, min_count: int, tokeniser: Tokeniser
) -> tuple[Vocabulary, pa.Table]:
    """Build the vocabulary of the train split, and its table with counts.

    Parameters
    ----------
    counts : Counter of str
        How often each token occurs in the train split, special tokens left out.
    n_pieces : int
        Number of pieces that they were counted in; each has a start and an end.
    min_count : int
        Least count of a token that is kept.
    tokeniser : Tokeniser
        What writes the tokens, and says what they stand for.

    Returns
    -------
    vocabulary : Vocabulary
        The special tokens and those kept.
    table : pyarrow.Table
        The same with counts, with `VOCABULARY_SCHEMA`.

    Examples
    --------
    >>> from pipeline_lib.config import NoteEventConfig
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> tokeniser = make_tokeniser(NoteEventConfig())
    >>> counts = Counter({"Pitch_60:1": 5, "Rest:1": 7, "Pitch_61:1": 1})
    >>> vocabulary, table = build_vocabulary(counts, 2, min_count=2, tokeniser=tokeniser)
    >>> vocabulary.tokens
    ('<start>', '<end>', '<unknown>', 'Rest:1', 'Pitch_60:1')
    >>> table["count"].to_pylist()
    [2, 2, 1, 7, 5]
    """
    kept = sorted((t for t, n in counts.items() if n >= min_count), key=lambda t: (-counts[t], t))
    n_unknown = counts.total() - sum(counts[t] for t in kept)
    vocabulary = Vocabulary.of((*SPECIAL_TOKENS, *kept), tokeniser)
    by_id = [n_pieces, n_pieces, n_unknown, *(counts[t] for t in kept)]
    rows = [
        {"token_id": token_id, "count": count, **row}
        for token_id, (count, row) in enumerate(
            zip(by_id, vocabulary_rows(vocabulary), strict=True)
        )
    ]
    return vocabulary, pa.Table.from_pylist(rows, schema=VOCABULARY_SCHEMA)


def vocabulary_rows(vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """Rows of tokens and what they stand for, as JSON values; `vocabulary_from_rows` reads them."""
    return [
        {"token": token, **described._asdict(), "pitches": list(described.pitches)}
        for token, described in zip(vocabulary.tokens, vocabulary.described, strict=True)
    ]


def vocabulary_from_rows(rows: Iterable[dict[str, Any]]) -> Vocabulary:
    """Read the vocabulary that was saved as rows, of a table or of JSON."""
    rows = list(rows)
    described = [
        TokenDescription(
            tuple(row["pitches"]),
            row["advance_step"],
            row["pitch_part"],
            row["duration_part"],
            row["is_event"],
        )
        for row in rows
    ]
    return Vocabulary(tuple(row["token"] for row in rows), tuple(described))
