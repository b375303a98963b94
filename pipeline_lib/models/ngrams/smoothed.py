"""Interpolated n-gram models: the baselines that a network has to beat.

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
    """Smoothed n-grams of one length: what each adds to its token's probability, and what its context backs off."""

    keys: IntArray
    """Keys of the n-grams, as in `OrderCounts`; shape (n_ngrams,)."""
    shares: FloatArray
    """The formula's ``share`` of each n-gram, shape (n_ngrams,)."""
    back_off: FloatArray
    """The formula's ``back_off`` of each context, shape (n_contexts,)."""


class NgramModel:
    """An interpolated n-gram model, a `protocols.Predictor`; `witten_bell` and `kneser_ney` make one.

    Parameters
    ----------
    orders : list
        The smoothed n-grams of each length, from 1.
    vocab_size : int
    """

    def __init__(self, orders: list[_Order], vocab_size: int) -> None:
        self._orders = orders
        self.vocab_size = vocab_size

    @property
    def order(self) -> int:
        """Length of the longest n-grams, in tokens."""
        return len(self._orders)

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[FloatArray]:
        """Yield the distributions of the next token, as `protocols.Predictor` says.

        The last ``order - 1`` tokens before a target are read.
        """
        for piece in pieces:
            # Ids of the n-grams, of each length, that end before each token of the piece.
            ids = [np.zeros(len(piece), dtype=np.int64)]
            for length in range(1, self.order):
                ids.append(np.append(-1, self.gram_ids(length, ids[-1], piece))[: len(piece)])
            yield self.next_log_probabilities([of_order[first_target:] for of_order in ids])

    def gram_ids(self, length: int, context_ids: IntArray, tokens: NDArray[np.int32]) -> IntArray:
        """Ids of the n-grams that these contexts form with the token after each; -1 for those never seen.

        Parameters
        ----------
        length : int
            Length of the n-grams, in tokens.
        context_ids : int64 array, shape (n,)
            Ids of the n-grams of ``length - 1`` tokens before the tokens.
        tokens : int32 array, shape (n,)
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
            Ids of the contexts of 0, 1, ... ``order - 1`` tokens; -1 where a context was never seen.

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
    """An n-gram model as a `protocols.Stepper`: it reads one token at a time and remembers the last few.

    Parameters
    ----------
    model : NgramModel
    """

    def __init__(self, model: NgramModel) -> None:
        self._model = model
        self._ids: list[IntArray] = []

    def reset(self, batch_size: int) -> None:
        """Begin `batch_size` new sequences, of which nothing has been read."""
        empty, none = np.zeros(batch_size, np.int64), np.full(batch_size, -1)
        self._ids = [empty, *[none] * (self._model.order - 1)]

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Read one token of each sequence, shape (batch,); return the logits of the next, (batch, vocab_size)."""
        longer = [
            self._model.gram_ids(length, ids, token_ids)
            for length, ids in enumerate(self._ids[:-1], start=1)
        ]
        self._ids = [self._ids[0], *longer]
        return self._model.next_log_probabilities(self._ids).astype(np.float32)


def witten_bell(counts: NgramCounts, order: int) -> NgramModel:
    """Make the n-gram model that is smoothed after Witten and Bell.

    Parameters
    ----------
    counts : NgramCounts
    order : int
        Length of the longest n-grams used, in tokens.

    Examples
    --------
    >>> from pipeline_lib.models.ngrams.counts import count_ngrams
    >>> piece = np.array([0, 3, 4, 3, 4, 1], np.int32)  # start, four notes, end
    >>> counts = count_ngrams(piece, np.array([[0, 6]]), vocab_size=5, max_order=2)
    >>> (log_p,) = witten_bell(counts, order=2).log_probabilities([piece], first_target=1)
    >>> np.exp(log_p[1]).round(3)  # after 3, which 4 followed twice: 2/3 + 1/3 of its own 14/45
    array([0.03 , 0.067, 0.03 , 0.104, 0.77 ])
    """
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
    """Make the n-gram model that is smoothed after Kneser and Ney.

    An n-gram that only begins pieces has nothing before it: it counts as often as it was seen.

    Parameters
    ----------
    counts : NgramCounts
    order : int
        Length of the longest n-grams used, in tokens.

    Examples
    --------
    >>> from pipeline_lib.models.ngrams.counts import count_ngrams
    >>> piece = np.array([0, 3, 4, 3, 4, 1], np.int32)  # start, four notes, end
    >>> counts = count_ngrams(piece, np.array([[0, 6]]), vocab_size=5, max_order=2)
    >>> (log_p,) = kneser_ney(counts, order=2).log_probabilities([piece], first_target=1)
    >>> np.exp(log_p[1]).round(4)  # after 3, with D = 0.6: (2 - 0.6) / 2 + 0.3 of 4's own 0.2
    array([0.0225, 0.06  , 0.0225, 0.135 , 0.76  ])
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
    """Context ids of the n-grams of length ``n + 1``, and how many contexts there are."""
    n_contexts = len(counts.orders[n - 1].keys) if n else 1
    return counts.orders[n].keys // counts.vocab_size, n_contexts


def _discount(times: IntArray) -> float:
    """The discount D that is taken off every count of an order; 0.5 where no n-gram was counted once."""
    once, twice = int((times == 1).sum()), int((times == 2).sum())
    return once / (once + 2 * twice) if once else 0.5
