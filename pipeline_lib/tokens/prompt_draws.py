"""Prompts drawn at random from validation pieces.

All prompts of a draw have the same number of tokens, every one known to the vocabulary. Where it knows too few
tokens in a row for the length asked for (large chords are rarely seen twice), all are shorter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.vocabulary import UNKNOWN_ID

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class _Piece:
    """A validation piece: its row, and its tokens without start and end."""

    row: dict[str, Any]
    token_ids: NDArray[np.int32]

    def longest_known(self) -> int:
        """Length of the longest stretch of known tokens."""
        unknown = np.flatnonzero(self.token_ids == UNKNOWN_ID)
        return int(np.diff(unknown, prepend=-1, append=len(self.token_ids)).max()) - 1

    def known_starts(self, length: int) -> NDArray[np.intp]:
        """Positions at which `length` known tokens in a row begin."""
        unknown_before = np.append(0, np.cumsum(self.token_ids == UNKNOWN_ID))
        return np.flatnonzero(unknown_before[length:] == unknown_before[:-length])

    def prompt(self, corpus: TokenCorpus, start: int, length: int) -> Prompt:
        """Make a prompt of `length` tokens from a position on."""
        stretch = self.token_ids[start : start + length]
        return Prompt(
            source=self.row["piece_id"],
            tokens=tuple(corpus.vocabulary.decode(stretch.tolist())),
            time_signature=self.row["time_signature"],
            tempo_qpm=self.row["tempo_qpm"],
            key_signature=self.row["key_signature"],
        )


def random_prompts(corpus: TokenCorpus, n_prompts: int, n_tokens: int, seed: int) -> list[Prompt]:
    """Draw openings of validation pieces: their first `n_tokens` known tokens in a row.

    Each piece comes once before any comes twice.

    Parameters
    ----------
    corpus : TokenCorpus
        The pieces to draw from.
    n_prompts, n_tokens : int
        Number of prompts, and of tokens in each.
    seed : int
        Seed of the draw.

    Raises
    ------
    ConfigError
        The vocabulary knows no token of any validation piece.
    """
    pieces, length = _pieces(corpus, n_tokens)
    rng = np.random.default_rng(seed)
    drawn: list[_Piece] = []
    while len(drawn) < n_prompts:
        drawn += [pieces[n] for n in rng.permutation(len(pieces))]
    return [
        piece.prompt(corpus, piece.known_starts(length)[0], length) for piece in drawn[:n_prompts]
    ]


def window_prompts(corpus: TokenCorpus, n_prompts: int, n_tokens: int, seed: int) -> list[Prompt]:
    """Draw stretches from anywhere in validation pieces, at whatever place in the bar.

    Pieces take turns, each with another stretch, until none has any left; only then do stretches come again.
    Those with the same tokens count as one.

    Parameters
    ----------
    corpus, n_prompts, n_tokens, seed
        As for `random_prompts`.

    Raises
    ------
    ConfigError
        The vocabulary knows no token of any validation piece.
    """
    pieces, length = _pieces(corpus, n_tokens)
    rng = np.random.default_rng(seed)
    order = [pieces[n] for n in rng.permutation(len(pieces))]
    different: dict[tuple[str, ...], Prompt] = {}
    for prompt in _in_turn(_stretches(corpus, piece, length, rng) for piece in order):
        different.setdefault(prompt.tokens, prompt)
        if len(different) == n_prompts:
            break
    return list(islice(cycle(different.values()), n_prompts))


def _pieces(corpus: TokenCorpus, n_tokens: int) -> tuple[list[_Piece], int]:
    """Validation pieces that hold prompts, and the number of tokens of these: `n_tokens`, or fewer for all."""
    rows = corpus.rows(Split.VALID)
    inner = [(row["start"] + 1, row["start"] + row["length"] - 1) for row in rows]
    pieces = [
        _Piece(row, corpus.token_ids[start:end])
        for row, (start, end) in zip(rows, inner, strict=True)
    ]
    longest = [piece.longest_known() for piece in pieces]
    length = min(n_tokens, max(longest, default=0))
    if not length:
        raise ConfigError(
            "the vocabulary knows no token of any validation piece",
            remedy="use a larger corpus, or a smaller tokens.min_count",
        )
    return [p for p, n in zip(pieces, longest, strict=True) if n >= length], length


def _stretches(
    corpus: TokenCorpus, piece: _Piece, length: int, rng: np.random.Generator
) -> Iterator[Prompt]:
    """Iterate over the stretches of a piece in random order; they are shuffled when the first is asked for."""
    for start in rng.permutation(piece.known_starts(length)):
        yield piece.prompt(corpus, start, length)


def _in_turn(piles: Iterable[Iterator[T]]) -> Iterator[T]:
    """Iterate over the first item of each pile, then over the second of each, until all are used up."""
    left = list(piles)
    while left:
        more = []
        for pile in left:
            for item in islice(pile, 1):
                yield item
                more.append(pile)
        left = more
