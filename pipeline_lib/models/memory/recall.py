"""The memory of a piece: which tokens have followed, earlier in it, contexts like the current one.

A tune repeats itself literally, and a model that was trained on other tunes cannot know what. This memory
knows nothing but the current piece so far. For every token that the piece has played it recalls the longest
context, ending here, that the token has followed before, and how often it rather than another token did: the
statistics of a variable-order n-gram model that is counted anew in each piece, the short-term model of
Conklin and Witten (1995) and Pearce (2005), with contexts as long as they match (PPM*, Cleary and Teahan 1997).

A phrase comes back at the same position of a bar. So the memory looks twice: at all places that the piece has played,
and at those that lie whole pairs of bars before the place in question.

`pipeline_lib.models.memory.gate` learns how far to trust it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.tokens.metre import PieceMetre

IntArray = NDArray[np.int64]

LONGEST_CONTEXT = 64
"""Longest context that is told from longer ones, in tokens: longer matches count as this long."""

_ALIGNED_BARS = 2
"""Phrases come back at the same position of the same bar of so many (see EXPERIMENTS.md)."""

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Contexts:
    """The longest context, ending just before a place, that each recalled token has followed earlier in the piece.

    Parameters
    ----------
    length : int64 array, shape (n_entries,)
        Tokens of the context, 0 to `LONGEST_CONTEXT`; -1 for a token that was not played where it was looked for.
    share : float64 array, shape (n_entries,)
        Of all earlier times of the context, the share that the token followed; above 0, at most 1.
    distance : float64 array, shape (n_entries,)
        How far before the place the token last followed the context.
    """

    length: IntArray
    share: NDArray[np.float64]
    distance: NDArray[np.float64]

    def take(self, entries: NDArray[np.bool_]) -> Contexts:
        """Select some of the entries; ``entries`` has the shape (n_entries,)."""
        return Contexts(self.length[entries], self.share[entries], self.distance[entries])


@dataclass(frozen=True, eq=False)
class Recalled:
    """The tokens that the memory recalls: for each row, a place in a piece, one entry per token played before it.

    Parameters
    ----------
    n_rows : int
        Number of places for which tokens are recalled.
    row : int64 array, shape (n_entries,)
        The row that each entry belongs to, from 0, ascending.
    token_id : int64 array, shape (n_entries,)
        The token that is recalled.
    anywhere : Contexts
        From all places before; distances are in tokens.
    aligned : Contexts
        From the places before that lie whole pairs of bars away, at the same position of the same bar of a pair, where a
        phrase comes back; distances are in bars.
    """

    n_rows: int
    row: IntArray
    token_id: IntArray
    anywhere: Contexts
    aligned: Contexts

    def only(self, wanted: NDArray[np.bool_]) -> Recalled:
        """Select some of the rows, which are numbered anew; ``wanted`` has the shape (n_rows,)."""
        kept = wanted[self.row]
        return Recalled(
            n_rows=int(wanted.sum()),
            row=(np.cumsum(wanted) - 1)[self.row[kept]],
            token_id=self.token_id[kept],
            anywhere=self.anywhere.take(kept),
            aligned=self.aligned.take(kept),
        )


class Clock(NamedTuple):
    """The metre of several places.

    Parameters
    ----------
    onset_step : int64 array, shape (n_rows, n_places)
        Grid step at which each token before the place begins.
    now_step : int64 array, shape (n_rows,)
        Grid step of the place itself.
    bar_step : int64 array, shape (n_rows,)
        Grid steps in a bar.
    """

    onset_step: IntArray
    now_step: IntArray
    bar_step: IntArray

    @property
    def is_aligned(self) -> NDArray[np.bool_]:
        """Which tokens lie whole pairs of bars before the place, shape (n_rows, n_places)."""
        period = _ALIGNED_BARS * self.bar_step[:, None]
        aligned: NDArray[np.bool_] = (self.now_step[:, None] - self.onset_step) % period == 0
        return aligned


def join_recalled(parts: Sequence[Recalled]) -> Recalled:
    """Join what was recalled in several parts, one after the other; rows are numbered on."""
    n_rows = [part.n_rows for part in parts]
    offsets = np.cumsum([0, *n_rows[:-1]])
    return Recalled(
        n_rows=sum(n_rows),
        row=np.concatenate([part.row + n for part, n in zip(parts, offsets, strict=True)]),
        token_id=np.concatenate([part.token_id for part in parts]),
        anywhere=_join_contexts([part.anywhere for part in parts]),
        aligned=_join_contexts([part.aligned for part in parts]),
    )


def _join_contexts(parts: Sequence[Contexts]) -> Contexts:
    joined = zip(*((part.length, part.share, part.distance) for part in parts), strict=True)
    return Contexts(*map(np.concatenate, joined))


def recall(
    tokens: NDArray[np.int32], matches: NDArray[np.int16], clock: Clock, vocab_size: int
) -> Recalled:
    """Recall tokens for several rows at once.

    Parameters
    ----------
    tokens : int32 array, shape (n_rows, n_places)
        Tokens that each row's piece has played.
    matches : int16 array, shape (n_rows, n_places)
        Length of the match at each place: how many tokens just before it are the same as those just before the row's
        next token; -1 for places that are not to be looked at.
    clock : Clock
    vocab_size : int
    """
    found = _look(tokens, matches, vocab_size)
    row = found.key // vocab_size
    n_played = matches.shape[1] - np.argmax((matches >= 0)[:, ::-1], axis=1)
    aligned = _look(tokens, np.where(clock.is_aligned, matches, -1), vocab_size)
    entry = np.searchsorted(found.key, aligned.key)  # what is aligned is among what is anywhere
    steps = clock.now_step[row[entry]] - clock.onset_step[row[entry], aligned.last_place]
    return Recalled(
        n_rows=len(matches),
        row=row,
        token_id=found.key % vocab_size,
        anywhere=Contexts(
            found.length, found.share, (n_played[row] - found.last_place).astype(np.float64)
        ),
        aligned=Contexts(
            _spread(aligned.length, entry, len(row), -1),
            _spread(aligned.share, entry, len(row), 1.0),
            _spread(np.maximum(steps / clock.bar_step[row[entry]], 1.0), entry, len(row), 1.0),
        ),
    )


class _Look(NamedTuple):
    """Tokens played at some places: a key for each row and token, ascending, and what was found of it."""

    key: IntArray
    length: IntArray
    share: NDArray[np.float64]
    last_place: IntArray


def _look(tokens: NDArray[np.int32], matches: NDArray[np.int16], vocab_size: int) -> _Look:
    """Find the longest context of every token among the places whose match is not -1."""
    row, place = np.nonzero(matches >= 0)
    length = matches[row, place].astype(np.int64)
    keys, entry = np.unique(row * vocab_size + tokens[row, place], return_inverse=True)
    longest = _largest(length, entry, len(keys))
    at_longest = length == longest[entry]
    times = np.bincount(entry[at_longest], minlength=len(keys))
    last = _largest(place[at_longest], entry[at_longest], len(keys))
    share = times / _at_least(length, row, len(matches))[keys // vocab_size, longest]
    return _Look(keys, longest, share, last)


def _spread(values: NDArray[Any], entry: IntArray, n_entries: int, empty: Any) -> NDArray[Any]:
    """The values at their entries, and `empty` at all others."""
    spread = np.full(n_entries, empty, values.dtype)
    spread[entry] = values
    return spread


def _largest(values: IntArray, group: IntArray, n_groups: int) -> IntArray:
    """The largest value of each group."""
    largest = np.zeros(n_groups, np.int64)
    np.maximum.at(largest, group, values)
    return largest


def _at_least(length: IntArray, row: IntArray, n_rows: int) -> IntArray:
    """Number of a row's lengths that are at least n, for every n; shape (n_rows, LONGEST_CONTEXT + 1)."""
    n_lengths = LONGEST_CONTEXT + 1
    exactly = np.bincount(row * n_lengths + length, minlength=n_rows * n_lengths)
    # (n_rows, n_lengths), summed from the longest to the shortest
    return exactly.reshape(n_rows, n_lengths)[:, ::-1].cumsum(axis=1)[:, ::-1]


def next_matches(
    matches: NDArray[np.int16], tokens: NDArray[np.int32], token_ids: NDArray[np.int32]
) -> NDArray[np.int16]:
    """Update the lengths of matches by one more token.

    Parameters
    ----------
    matches : int16 array, shape (n_rows, n_places)
        Lengths of matches before the token is played, as in `recall`. The first place is the start of a piece, which
        nothing leads to: -1.
    tokens : int32 array, shape (n_rows, n_places)
        The tokens played before it.
    token_ids : int32 array, shape (n_rows,)
        The token that each row plays.

    Returns
    -------
    int16 array, shape (n_rows, n_places + 1)
        Lengths of matches after it.
    """
    same = tokens == token_ids[:, None]
    longer = np.where(same, np.minimum(np.maximum(matches, 0) + 1, LONGEST_CONTEXT), 0)
    nothing = np.full((len(matches), 1), -1)
    return np.concatenate([nothing, longer], axis=1).astype(np.int16)


def recall_piece(
    piece: NDArray[np.int32], metre: PieceMetre, first_target: int, vocab_size: int
) -> Iterator[Recalled]:
    """Recall, before each token of a piece, what the piece has played so far.

    Parameters
    ----------
    piece : int32 array, shape (n_tokens,)
    metre : PieceMetre
        The piece's.
    first_target : int
        Place of the first token to recall for, at least 1.
    vocab_size : int

    Yields
    ------
    Recalled
        A row for each of some hundreds of tokens, in order.

    Examples
    --------
    After the start token and the notes 3 4 3, of a bar each, the piece has played 3 twice and 4 once, and 4 followed a 3
    two tokens ago, two bars before. No 3 has followed a 3: for it, only the empty context has come before, of three
    times in all, and never two bars ago.

    >>> metre = PieceMetre(onset_step=np.array([0, 0, 4, 8, 12]), bar_step=4)
    >>> (recalled,) = recall_piece(np.array([0, 3, 4, 3, 4], np.int32), metre, first_target=4, vocab_size=5)
    >>> recalled.token_id, recalled.anywhere.length, recalled.anywhere.distance
    (array([3, 4]), array([0, 1]), array([1., 2.]))
    >>> recalled.anywhere.share.round(3)
    array([0.667, 1.   ])
    >>> recalled.aligned.length, recalled.aligned.distance
    (array([-1,  1]), array([1., 2.]))
    """
    matches = np.full((1, 0), -1, np.int16)
    held: list[NDArray[np.int16]] = []
    for target in range(1, len(piece)):
        matches = next_matches(matches, piece[None, : target - 1], piece[target - 1 : target])
        if target >= first_target:
            held.append(matches[0])
        if len(held) == _ROWS_AT_ONCE or (held and target == len(piece) - 1):
            rows = np.full((len(held), target), -1, np.int16)
            for row, of_target in zip(rows, held, strict=True):
                row[: len(of_target)] = of_target
            places = np.arange(target - len(held) + 1, target + 1)
            clock = Clock(
                np.broadcast_to(metre.onset_step[:target], rows.shape),
                metre.onset_step[places],
                np.full(len(held), metre.bar_step),
            )
            yield recall(np.broadcast_to(piece[:target], rows.shape), rows, clock, vocab_size)
            held = []
