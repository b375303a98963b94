"""The vocabulary: which tokens there are, and their ids.

A token's id is its position. Special tokens come first, then the tokens of the train split by falling
count, ties by name, so that the same notes always give the same ids. Tokens seen fewer than ``min_count``
times become `UNKNOWN`, which so has examples to be learnt from, and unseen tokens of other splits a home.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

START, END, UNKNOWN = "<start>", "<end>", "<unknown>"
SPECIAL_TOKENS = (START, END, UNKNOWN)
START_ID, END_ID, UNKNOWN_ID = range(3)

VOCABULARY_SCHEMA = pa.schema(
    [
        pa.field("token_id", pa.int32(), nullable=False),
        pa.field("token", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ],
    metadata={"schema": "vocabulary/1"},
)
"""``count`` is over the train split; `UNKNOWN` counts the tokens that it stands for."""


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by id.

    Parameters
    ----------
    tokens : tuple of str
        `SPECIAL_TOKENS` first.
    """

    tokens: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token to id."""
        return {token: token_id for token_id, token in enumerate(self.tokens)}

    def encode(self, tokens: Iterable[str]) -> NDArray[np.int32]:
        """Ids of tokens, shape (n_tokens,); `UNKNOWN_ID` for those not in the vocabulary."""
        return np.array([self.ids.get(token, UNKNOWN_ID) for token in tokens], dtype=np.int32)

    def decode(self, token_ids: Iterable[int]) -> list[str]:
        """Tokens of ids."""
        return [self.tokens[token_id] for token_id in token_ids]


def build_vocabulary(
    counts: Counter[str], n_pieces: int, min_count: int
) -> tuple[Vocabulary, pa.Table]:
    """The vocabulary of the train split, and its table with counts.

    Parameters
    ----------
    counts : Counter of str
        Tokens of the train split only, without special tokens.
    n_pieces : int
        Pieces that they were counted in; each has a start and an end.
    min_count : int
        Rarer tokens are left out.
    """
    kept = sorted((t for t, n in counts.items() if n >= min_count), key=lambda t: (-counts[t], t))
    n_unknown = counts.total() - sum(counts[t] for t in kept)
    tokens_by_id = (*SPECIAL_TOKENS, *kept)
    table = pa.table(
        {
            "token_id": np.arange(len(tokens_by_id), dtype=np.int32),
            "token": tokens_by_id,
            "count": [n_pieces, n_pieces, n_unknown, *(counts[t] for t in kept)],
        },
        schema=VOCABULARY_SCHEMA,
    )
    return Vocabulary(tokens_by_id), table


def vocabulary_from_table(table: pa.Table) -> Vocabulary:
    """The vocabulary that was saved as a table."""
    return Vocabulary(tuple(table.column("token").to_pylist()))
