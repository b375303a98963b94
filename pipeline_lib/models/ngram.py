"""Interpolated n-gram model with Witten-Bell smoothing: the control that a network has to beat.

The probability of token ``w`` after context ``c`` is, from short contexts to long ones,

    P(w | c) = (count(c w) + types(c) * P(w | c without its oldest token)) / (total(c) + types(c))

starting from the uniform distribution, where ``types(c)`` is the number of different tokens seen after
``c``. An unseen context changes nothing. Source: Witten and Bell (1991), interpolated as in Chen and
Goodman (1999), section 2.6. Kneser-Ney discounts degrade where written-out repeats double the counts.

Counts are sorted integer arrays: an n-gram is the pair (id of its first n - 1 tokens, last token), so that
every order is one array look-up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

NGRAM_SCHEMA = pa.schema(
    [
        pa.field("order", pa.int8(), nullable=False),
        pa.field("context_id", pa.int64(), nullable=False),
        pa.field("token_id", pa.int32(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ],
    metadata={"schema": "ngrams/1"},
)
"""One row per distinct n-gram, sorted by order, context and token. The id of an n-gram, which is the
``context_id`` of longer ones, is its rank among the rows of its order."""


@dataclass(frozen=True, eq=False)
class _Order:
    """All n-grams of one length; ``keys`` = context_id * vocab_size + token_id, sorted."""

    keys: IntArray
    counts: IntArray


class NgramModel:
    """Next-token probabilities from counts.

    Parameters
    ----------
    orders : list of counts, one per length from 1
    vocab_size : int
    """

    def __init__(self, orders: list[_Order], vocab_size: int) -> None:
        self._orders = orders
        self.vocab_size = vocab_size

    @property
    def order(self) -> int:
        """Tokens of the longest n-gram."""
        return len(self._orders)

    def truncated(self, order: int) -> NgramModel:
        """The same counts, using n-grams up to a shorter length."""
        return NgramModel(self._orders[:order], self.vocab_size)

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[NDArray[np.float64]]:
        """As `pipeline_lib.evaluation.likelihood.Predictor` says; the last ``order - 1`` tokens are read."""
        for piece in pieces:
            n_targets = max(len(piece) - first_target, 0)
            probabilities = np.full((n_targets, self.vocab_size), 1.0 / self.vocab_size)
            # Ids of the n-grams that end before each token of the piece; -1 where there is no such.
            context_ids = np.zeros(len(piece), dtype=np.int64)
            for counts in self._orders:
                self._interpolate(probabilities, context_ids[first_target:], counts)
                grams = self._gram_ids(context_ids, piece, counts)
                context_ids = np.append(-1, grams)[: len(piece)]
            yield np.log(probabilities)

    def _gram_ids(
        self, context_ids: IntArray, tokens: NDArray[np.int32], counts: _Order
    ) -> IntArray:
        """Ids of the n-grams that are these contexts with a token after each; -1 where never seen."""
        keys = context_ids * self.vocab_size + tokens
        ranks = np.searchsorted(counts.keys, keys)
        known = np.append(counts.keys, -1)[ranks] == keys  # no key is -1: past the end is unseen
        return np.where((context_ids >= 0) & known, ranks, -1)

    def _interpolate(
        self, probabilities: NDArray[np.float64], context_ids: IntArray, counts: _Order
    ) -> None:
        """Mix the counts after each context into the shorter contexts' probabilities, in place."""
        begin = np.searchsorted(counts.keys, context_ids * self.vocab_size)
        end = np.searchsorted(counts.keys, (context_ids + 1) * self.vocab_size)
        types = np.where(context_ids >= 0, end - begin, 0)
        rows = np.repeat(np.arange(len(context_ids)), types)
        nth = np.arange(types.sum()) - np.repeat(np.cumsum(types) - types, types)
        entries = np.repeat(begin, types) + nth
        totals = np.bincount(rows, counts.counts[entries], minlength=len(context_ids))
        seen = types > 0
        weight = np.where(seen, types, 1) / np.where(seen, totals + types, 1)
        probabilities *= weight[:, None]
        shares = counts.counts[entries] / (totals + types)[rows]
        probabilities[rows, counts.keys[entries] % self.vocab_size] += shares

    def to_table(self) -> pa.Table:
        """The counts, with `NGRAM_SCHEMA`."""
        keys = np.concatenate([o.keys for o in self._orders])
        return pa.table(
            {
                "order": np.repeat(
                    np.arange(1, self.order + 1, dtype=np.int8), [len(o.keys) for o in self._orders]
                ),
                "context_id": keys // self.vocab_size,
                "token_id": (keys % self.vocab_size).astype(np.int32),
                "count": np.concatenate([o.counts for o in self._orders]),
            },
            schema=NGRAM_SCHEMA,
        )

    @classmethod
    def from_table(cls, table: pa.Table, vocab_size: int) -> NgramModel:
        """The model that was saved as a table."""
        order_of_row = table.column("order").to_numpy()
        keys = (
            table.column("context_id").to_numpy() * vocab_size + table.column("token_id").to_numpy()
        )
        counts = table.column("count").to_numpy()
        orders = [
            _Order(keys[order_of_row == n], counts[order_of_row == n])
            for n in range(1, int(order_of_row.max()) + 1)
        ]
        return cls(orders, vocab_size)


def count_ngrams(
    token_ids: NDArray[np.int32], spans: IntArray, vocab_size: int, max_order: int
) -> NgramModel:
    """Count the n-grams of all lengths up to `max_order` within pieces.

    Parameters
    ----------
    token_ids : int32 array, shape (n_tokens,)
        The flat array of all pieces.
    spans : int64 array, shape (n_pieces, 2)
        Start and length of the pieces to count. Their first token is context only, never a target.
    vocab_size, max_order : int
    """
    position = np.concatenate([np.arange(length) for _, length in spans])
    tokens = np.concatenate([token_ids[s : s + n] for s, n in spans]).astype(np.int64)
    orders: list[_Order] = []
    context_ids = np.zeros(len(tokens), dtype=np.int64)
    for order in range(1, max_order + 1):
        # The n-gram that ends at i extends the (n-1)-gram that ends at i - 1.
        grams = context_ids * vocab_size + tokens
        usable = position >= order - 1
        keys, inverse = np.unique(grams[usable], return_inverse=True)
        is_target = position[usable] >= 1
        counts = np.bincount(inverse, weights=is_target, minlength=len(keys)).astype(np.int64)
        orders.append(_Order(keys, counts))
        ranks = np.full(len(tokens), -1, dtype=np.int64)
        ranks[usable] = inverse
        context_ids = np.concatenate([[-1], ranks[:-1]])
    return NgramModel(orders, vocab_size)
