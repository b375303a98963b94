"""The memory of a piece: which tokens have followed, earlier in it, contexts like the current one.

A tune repeats itself literally, and a model that was trained on other tunes cannot know what. This memory
knows nothing but the current piece so far. For every token that the piece has played it recalls the longest
context, ending here, that the token has followed before, and how often it rather than another token did: the
statistics of a variable-order n-gram model that is counted anew in each piece, the short-term model of
Conklin and Witten (1995) and Pearce (2005), with contexts as long as they match (PPM*, Cleary and Teahan 1997).

`pipeline_lib.models.memory.gate` learns how far to trust it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

LONGEST_CONTEXT = 64
"""Longest context that is told from longer ones, in tokens: longer matches count as this long."""

_ROWS_AT_ONCE = 256


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
    length : int64 array, shape (n_entries,)
        Length of the longest context, ending just before the place, that the token has followed earlier in the piece:
        0 to `LONGEST_CONTEXT` tokens.
    share : float64 array, shape (n_entries,)
        Of all earlier times of this context, the share that this token followed; above 0, at most 1.
    distance : int64 array, shape (n_entries,)
        How many tokens before the place the token last followed this context, from 1.
    """

    n_rows: int
    row: IntArray
    token_id: IntArray
    length: IntArray
    share: NDArray[np.float64]
    distance: IntArray

    def only(self, wanted: NDArray[np.bool_]) -> Recalled:
        """Select some of the rows, which are numbered anew; ``wanted`` has the shape (n_rows,)."""
        kept = wanted[self.row]
        return Recalled(
            n_rows=int(wanted.sum()),
            row=(np.cumsum(wanted) - 1)[self.row[kept]],
            token_id=self.token_id[kept],
            length=self.length[kept],
            share=self.share[kept],
            distance=self.distance[kept],
        )


def join_recalled(parts: Sequence[Recalled]) -> Recalled:
    """Join what was recalled in several parts, one after the other; rows are numbered on."""
    n_rows = [part.n_rows for part in parts]
    offsets = np.cumsum([0, *n_rows[:-1]])
    return Recalled(
        n_rows=sum(n_rows),
        row=np.concatenate([part.row + n for part, n in zip(parts, offsets, strict=True)]),
        token_id=np.concatenate([part.token_id for part in parts]),
        length=np.concatenate([part.length for part in parts]),
        share=np.concatenate([part.share for part in parts]),
        distance=np.concatenate([part.distance for part in parts]),
    )


def recall(tokens: NDArray[np.int32], matches: NDArray[np.int16], vocab_size: int) -> Recalled:
    """Recall tokens for several rows at once.

    Parameters
    ----------
    tokens : int32 array, shape (n_rows, n_places)
        Tokens that each row's piece has played.
    matches : int16 array, shape (n_rows, n_places)
        Length of the match at each place: how many tokens just before it are the same as those just before the row's
        next token; -1 for places that are not to be looked at.
    vocab_size : int
    """
    row, place = np.nonzero(matches >= 0)
    length = matches[row, place].astype(np.int64)
    keys, entry = np.unique(row * vocab_size + tokens[row, place], return_inverse=True)
    row_of = keys // vocab_size
    longest = _largest(length, entry, len(keys))
    at_longest = length == longest[entry]
    times = np.bincount(entry[at_longest], minlength=len(keys))
    last = _largest(place[at_longest], entry[at_longest], len(keys))
    next_place = _largest(place, row, len(matches)) + 1
    return Recalled(
        n_rows=len(matches),
        row=row_of,
        token_id=keys % vocab_size,
        length=longest,
        share=times / _at_least(length, row, len(matches))[row_of, longest],
        distance=next_place[row_of] - last,
    )


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
    piece: NDArray[np.int32], first_target: int, vocab_size: int
) -> Iterator[Recalled]:
    """Recall, before each token of a piece, what the piece has played so far.

    Parameters
    ----------
    piece : int32 array, shape (n_tokens,)
    first_target : int
        Place of the first token to recall for, at least 1.
    vocab_size : int

    Yields
    ------
    Recalled
        A row for each of some hundreds of tokens, in order.

    Examples
    --------
    After the start token and the notes 3 4 3, the piece has played 3 twice and 4 once, and 4 followed a 3 two tokens
    ago. No 3 has followed a 3: for it, only the empty context has come before, of three times in all.

    >>> (recalled,) = recall_piece(np.array([0, 3, 4, 3, 4], np.int32), first_target=4, vocab_size=5)
    >>> recalled.token_id, recalled.length, recalled.distance
    (array([3, 4]), array([0, 1]), array([1, 2]))
    >>> recalled.share.round(3)
    array([0.667, 1.   ])
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
            yield recall(np.broadcast_to(piece[:target], rows.shape), rows, vocab_size)
            held = []
