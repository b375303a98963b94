"""Interpolated n-gram models: the controls that a network has to beat.

From short contexts to long ones, starting from the uniform distribution, the counts after a context are mixed
into what the context without its oldest token predicts:

    P(w | c) = share(c w) + back_off(c) * P(w | c without its oldest token)

An unseen context changes nothing. The two smoothings differ in what they leave for shorter contexts:

- **Witten-Bell**: ``share = count(c w) / (total(c) + types(c))``, ``back_off = types(c) / (total(c) + types(c))``,
  where ``types(c)`` is the number of different tokens seen after ``c``. Source: Witten and Bell (1991),
  interpolated as in Chen and Goodman (1999), section 2.6; the escape of PPM-C (Moffat 1990; Cleary and Witten
  1984).
- **Kneser-Ney**: ``share = max(count(c w) - D, 0) / total(c)``, ``back_off = D * types(c) / total(c)``, with one
  discount D = n1 / (n1 + 2 n2) for each order (n1, n2: n-grams counted once, twice). In all orders but the longest
  an n-gram counts once for every different token before it. Sources: Kneser and Ney (1995); interpolated as in
  Chen and Goodman (1999), section 2.8. It degrades where written-out repeats double the counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.models.ngrams.counts import IntArray, NgramCounts

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Order:
    """The n-grams of one length, and what remains for shorter ones after each of their contexts."""

    keys: IntArray
    shares: FloatArray
    back_off: FloatArray


class NgramModel:
    """Next-token probabilities; use `witten_bell` or `kneser_ney` to make one.

    Parameters
    ----------
    orders : list, one entry per length from 1
    vocab_size : int
    """

    def __init__(self, orders: list[_Order], vocab_size: int) -> None:
        self._orders = orders
        self.vocab_size = vocab_size

    @property
    def order(self) -> int:
        """Tokens of the longest n-gram."""
        return len(self._orders)

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[FloatArray]:
        """As `pipeline_lib.models.protocols.Predictor` says; the last ``order - 1`` tokens are read."""
        for piece in pieces:
            # Of the n-grams of each length that end before each token of the piece.
            ids = [np.zeros(len(piece), dtype=np.int64)]
            for length in range(1, self.order):
                ids.append(np.append(-1, self.gram_ids(length, ids[-1], piece))[: len(piece)])
            yield self.next_log_probabilities([of_order[first_target:] for of_order in ids])

    def gram_ids(self, length: int, context_ids: IntArray, tokens: NDArray[np.int32]) -> IntArray:
        """Ids of the n-grams of a length that are these contexts with a token after each.

        Those that were never seen have the id -1.
        """
        known_keys = self._orders[length - 1].keys
        keys = context_ids * self.vocab_size + tokens
        ranks = np.searchsorted(known_keys, keys)
        known = np.append(known_keys, -1)[ranks] == keys  # no key is -1: past the end is unseen
        return np.where((context_ids >= 0) & known, ranks, -1)

    def next_log_probabilities(self, context_ids: Sequence[IntArray]) -> FloatArray:
        """Natural logarithms of the next token's probabilities.

        Parameters
        ----------
        context_ids : sequence of int64 arrays, each of shape (n,)
            Ids of the contexts of 0, 1, ... ``order - 1`` tokens; -1 where there is none.

        Returns
        -------
        float64 array, shape (n, vocab_size)
        """
        shape = len(context_ids[0]), self.vocab_size
        probabilities = np.full(shape, 1.0 / self.vocab_size)
        for ids, order in zip(context_ids, self._orders, strict=True):
            self._interpolate(probabilities, ids, order)
        return np.log(probabilities)

    def _interpolate(self, probabilities: FloatArray, ids: IntArray, order: _Order) -> None:
        """Mix the counts after each context into the shorter contexts' probabilities, in place."""
        begin = np.searchsorted(order.keys, ids * self.vocab_size)
        end = np.searchsorted(order.keys, (ids + 1) * self.vocab_size)
        types = np.where(ids >= 0, end - begin, 0)
        rows = np.repeat(np.arange(len(ids)), types)
        nth = np.arange(types.sum()) - np.repeat(np.cumsum(types) - types, types)
        entries = np.repeat(begin, types) + nth
        probabilities *= np.append(order.back_off, 1.0)[ids][:, None]  # the last entry is for -1
        probabilities[rows, order.keys[entries] % self.vocab_size] += order.shares[entries]


class NgramStepper:
    """One token at a time, as `pipeline_lib.models.protocols.Stepper` says."""

    def __init__(self, model: NgramModel) -> None:
        self._model = model
        self._ids: list[IntArray] = []

    def reset(self, batch_size: int) -> None:
        """Begin new sequences: no context but the empty one."""
        empty, none = np.zeros(batch_size, np.int64), np.full(batch_size, -1)
        self._ids = [empty, *[none] * (self._model.order - 1)]

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Read one token per sequence, shape (batch,); logits of the next, (batch, vocab_size)."""
        longer = [
            self._model.gram_ids(length, ids, token_ids)
            for length, ids in enumerate(self._ids[:-1], start=1)
        ]
        self._ids = [self._ids[0], *longer]
        return self._model.next_log_probabilities(self._ids).astype(np.float32)


def witten_bell(counts: NgramCounts, order: int) -> NgramModel:
    """The model that uses n-grams up to a length, smoothed after Witten and Bell."""
    orders = []
    for n in range(order):
        found = counts.orders[n]
        contexts, n_contexts = _contexts(counts, n)
        types = np.bincount(contexts, minlength=n_contexts)
        total = np.bincount(contexts, found.counts, minlength=n_contexts)
        divisor = np.maximum(total + types, 1)
        back_off = np.where(types > 0, types / divisor, 1.0)
        orders.append(_Order(found.keys, found.counts / divisor[contexts], back_off))
    return NgramModel(orders, counts.vocab_size)


def kneser_ney(counts: NgramCounts, order: int) -> NgramModel:
    """The model that uses n-grams up to a length, smoothed after Kneser and Ney.

    An n-gram that only begins pieces has nothing before it: it counts as often as it was seen.
    """
    orders = []
    for n in range(order):
        found = counts.orders[n]
        use_before = (n < order - 1) & (found.n_before > 0)
        times = np.where(use_before, found.n_before, found.counts)
        contexts, n_contexts = _contexts(counts, n)
        total = np.bincount(contexts, times, minlength=n_contexts)
        types = np.bincount(contexts, times > 0, minlength=n_contexts)
        discount = _discount(times)
        divisor = np.maximum(total, 1)
        back_off = np.where(total > 0, discount * types / divisor, 1.0)
        shares = np.maximum(times - discount, 0) / divisor[contexts]
        orders.append(_Order(found.keys, shares, back_off))
    return NgramModel(orders, counts.vocab_size)


SMOOTHINGS = {"witten_bell": witten_bell, "kneser_ney": kneser_ney}
"""Ways to make a model from counts and an order, by name."""


def _contexts(counts: NgramCounts, n: int) -> tuple[IntArray, int]:
    """The context of each n-gram in the n-th order from 0, and how many contexts there are."""
    n_contexts = len(counts.orders[n - 1].keys) if n else 1
    return counts.orders[n].keys // counts.vocab_size, n_contexts


def _discount(times: IntArray) -> float:
    """What is taken off every count of an order; one half where none was counted once."""
    once, twice = int((times == 1).sum()), int((times == 2).sum())
    return once / (once + 2 * twice) if once else 0.5
