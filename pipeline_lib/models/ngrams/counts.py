"""Counts of n-grams, from which every n-gram model is made.

Counts are sorted integer arrays: an n-gram is the pair (id of its first n - 1 tokens, its *context*; last token), so
that each order takes one array look-up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.tokens.corpus import pieces_at

IntArray = NDArray[np.int64]

NGRAM_SCHEMA = pa.schema(
    [
        pa.field("order", pa.int8(), nullable=False),
        pa.field("context_id", pa.int64(), nullable=False),
        pa.field("token_id", pa.int32(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("n_before", pa.int64(), nullable=False),
    ],
    metadata={"schema": "ngrams/2"},
)
"""Columns of the counts: one row per distinct n-gram, sorted by order, context and token. The id of an n-gram, which
is the ``context_id`` of longer ones, is its rank among the rows of its order. ``n_before`` is the number of different
tokens that were seen before it, 0 where it only begins pieces and in the longest order."""


@dataclass(frozen=True, eq=False)
class OrderCounts:
    """Counts of all n-grams of one length.

    Parameters
    ----------
    keys : int64 array, shape (n_ngrams,)
        ``context_id * vocab_size + token_id`` of each n-gram, sorted.
    counts, n_before : int64 arrays, shape (n_ngrams,)
        How often each n-gram occurs, and how many different tokens occur before it (`NGRAM_SCHEMA`).
    """

    keys: IntArray
    counts: IntArray
    n_before: IntArray


@dataclass(frozen=True, eq=False)
class NgramCounts:
    """Counts of the n-grams of all lengths.

    Parameters
    ----------
    orders : tuple of OrderCounts
        The counts of each length, from 1.
    vocab_size : int
    """

    orders: tuple[OrderCounts, ...]
    vocab_size: int

    def to_table(self) -> pa.Table:
        """Tabulate the counts, with `NGRAM_SCHEMA`."""
        keys = np.concatenate([o.keys for o in self.orders])
        lengths = np.arange(1, len(self.orders) + 1, dtype=np.int8)
        return pa.table(
            {
                "order": np.repeat(lengths, [len(o.keys) for o in self.orders]),
                "context_id": keys // self.vocab_size,
                "token_id": (keys % self.vocab_size).astype(np.int32),
                "count": np.concatenate([o.counts for o in self.orders]),
                "n_before": np.concatenate([o.n_before for o in self.orders]),
            },
            schema=NGRAM_SCHEMA,
        )

    @classmethod
    def from_table(cls, table: pa.Table, vocab_size: int) -> NgramCounts:
        """Read the counts back from a table that `to_table` made."""
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
        keys = columns["context_id"] * vocab_size + columns["token_id"]
        of_order = [columns["order"] == n for n in range(1, int(columns["order"].max()) + 1)]
        return cls(
            tuple(
                OrderCounts(keys[rows], columns["count"][rows], columns["n_before"][rows])
                for rows in of_order
            ),
            vocab_size,
        )


def count_ngrams(
    token_ids: NDArray[np.int32], spans: IntArray, vocab_size: int, max_order: int
) -> NgramCounts:
    """Count the n-grams of all lengths up to `max_order` within pieces.

    Parameters
    ----------
    token_ids : int32 array, shape (n_tokens,)
        The flat array of all pieces.
    spans : int64 array, shape (n_pieces, 2)
        Start and length of the pieces to count. Their first token is context only, never a target.
    vocab_size : int
    max_order : int
        Length of the longest n-grams, in tokens.

    Examples
    --------
    A piece of a start token (0), the notes 3 4 3 4, and an end token (1):

    >>> piece = np.array([0, 3, 4, 3, 4, 1], np.int32)
    >>> counts = count_ngrams(piece, np.array([[0, 6]]), vocab_size=5, max_order=2)
    >>> counts.orders[0].counts  # of 0, 1, 3 and 4
    array([0, 1, 2, 2])
    >>> counts.orders[1].counts  # of 0 3, 3 4, 4 1 and 4 3
    array([1, 2, 1, 1])
    """
    position = np.concatenate([np.arange(length) for _, length in spans])
    tokens = np.concatenate(pieces_at(token_ids, spans)).astype(np.int64)
    orders: list[OrderCounts] = []
    context_ids = suffix_ids = np.zeros(len(tokens), dtype=np.int64)
    for order in range(1, max_order + 1):
        # The n-gram that ends at i extends the (n-1)-gram that ends at i - 1.
        grams = context_ids * vocab_size + tokens
        usable = position >= order - 1
        keys, first, inverse = np.unique(grams[usable], return_index=True, return_inverse=True)
        if orders:
            suffixes = suffix_ids[usable][first]
            orders[-1].n_before[:] = np.bincount(suffixes, minlength=len(orders[-1].keys))
        is_target = position[usable] >= 1
        counts = np.bincount(inverse, weights=is_target, minlength=len(keys)).astype(np.int64)
        orders.append(OrderCounts(keys, counts, np.zeros(len(keys), np.int64)))
        suffix_ids = np.full(len(tokens), -1, dtype=np.int64)
        suffix_ids[usable] = inverse
        context_ids = np.concatenate([[-1], suffix_ids[:-1]])
    return NgramCounts(tuple(orders), vocab_size)
