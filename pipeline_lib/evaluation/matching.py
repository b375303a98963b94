"""Passages of some pieces that occur in others, too: the same notes, or the same notes in another key.

What a passage is, and which are the same, is defined in `pipeline_lib.evaluation.top_lines`.

All passages of n notes that are sought share their first n − 1 notes with passages of the level before: they are the
nodes of a trie of depth n. Every note of the corpus walks down from the root, all at once and level by level, and is
left behind where the trie ends; a branch that no note of the corpus has reached is cut. So each level costs what is
left of both sides, which soon is little, nothing has to be kept between levels or runs, and as a node stands for its
notes and not for a hash of them, what is found is there. A suffix automaton (Blumer et al. 1985) finds the same, a
note at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline_lib.evaluation.top_lines import Likeness, Lines
from pipeline_lib.notes.grid import IntArray

_BLOCK = 1 << 18
"""Notes of the corpus that are looked up at once, so that they stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class SharedPassages:
    """All passages of one length that lines share with a corpus.

    Parameters
    ----------
    n_notes : int
        Their length.
    at, node : int64 arrays, shape (n,)
        Notes of the lines, ascending, at which such passages begin, and which passage: equal ones have equal numbers.
    corpus_at, corpus_node : int64 arrays, shape (m,)
        The same for the corpus.
    first_at : int64 array
        For each passage, where it begins first in the corpus.
    """

    n_notes: int
    at: IntArray
    node: IntArray
    corpus_at: IntArray
    corpus_node: IntArray
    first_at: IntArray


def shared_passages(lines: Lines, corpus: Lines, likeness: Likeness) -> Iterator[SharedPassages]:
    """What lines share with a corpus: passages of one note, of two, and so on as long as there are any.

    Parameters
    ----------
    lines, corpus : Lines
    likeness : Likeness

    Yields
    ------
    SharedPassages
    """
    spelled, spelled_corpus = lines.spelled(likeness), corpus.spelled(likeness)
    alphabet = np.unique(np.concatenate(spelled))
    alphabet = alphabet[alphabet > 0]
    first, following = (_ranks(codes, alphabet) for codes in spelled)
    corpus_first, corpus_following = (_ranks(codes, alphabet) for codes in spelled_corpus)

    at, corpus_at = np.flatnonzero(first), np.flatnonzero(corpus_first)
    key, corpus_key = first[at], corpus_first[corpus_at]
    for n_notes in itertools.count(1):
        keys = np.unique(key)
        corpus_node = _ranks(corpus_key, keys) - 1
        is_known = corpus_node >= 0
        corpus_at, corpus_node = corpus_at[is_known], corpus_node[is_known]
        if not len(corpus_at):
            return
        first_at = np.full(len(keys), -1)
        # Of several values for one place the last one stays: the first in the corpus.
        first_at[corpus_node[::-1]] = corpus_at[::-1]
        node = np.searchsorted(keys, key)
        is_shared = first_at[node] >= 0
        at, node = at[is_shared], node[is_shared]
        yield SharedPassages(n_notes, at, node, corpus_at, corpus_node, first_at)
        at, key = _extended(at, node, following, n_notes, len(alphabet))
        corpus_at, corpus_key = _extended(
            corpus_at, corpus_node, corpus_following, n_notes, len(alphabet)
        )


def _ranks(values: IntArray, known: IntArray) -> IntArray:
    """Place of each value among the known ones, which are sorted, counted from 1; 0 if it is not there."""
    ranks = np.zeros(len(values), np.int64)
    if len(known):
        for start in range(0, len(values), _BLOCK):
            block = values[start : start + _BLOCK]
            place = np.searchsorted(known, block).clip(max=len(known) - 1)
            ranks[start : start + _BLOCK] = np.where(known[place] == block, place + 1, 0)
    return ranks


def _extended(
    at: IntArray, node: IntArray, following: IntArray, n_notes: int, n_symbols: int
) -> tuple[IntArray, IntArray]:
    """The passages that go on for another note, and a number for each: of its node and that note."""
    inside = at + n_notes < len(following)
    at, node = at[inside], node[inside]
    symbol = following[at + n_notes]
    goes_on = symbol > 0
    return at[goes_on], node[goes_on] * (n_symbols + 1) + symbol[goes_on]


@dataclass(frozen=True, eq=False)
class Matches:
    """The longest passage of each piece that a corpus has, too; of several as long the first of the piece.

    All are int64 arrays of shape (n_pieces,).

    Parameters
    ----------
    n_notes
        Its length; 0 for none, and then the rest means nothing.
    start
        Which note of the piece it begins with, from 0.
    source
        Which piece of the corpus has it; the first of several, or of those that are the same piece throughout.
    source_start
        Which note it begins with there.
    semitones
        How much higher the piece plays it.
    """

    n_notes: IntArray
    start: IntArray
    source: IntArray
    source_start: IntArray
    semitones: IntArray


def longest_matches(lines: Lines, corpus: Lines, likeness: Likeness) -> Matches:
    """Find the longest passage of each piece that occurs in a corpus.

    Parameters
    ----------
    lines, corpus : Lines
    likeness : Likeness

    Returns
    -------
    Matches
    """
    n_notes, start, corpus_at = np.zeros((3, len(lines.names)), np.int64)
    # Level by level, a copy of a long piece would take as many levels as it has notes.
    copied = _whole_copies(lines, corpus, likeness)
    is_copy = copied >= 0
    n_notes[is_copy] = lines.lengths[is_copy]
    corpus_at[is_copy] = corpus.starts[copied[is_copy]]
    others = np.flatnonzero(~is_copy)
    sought = lines.of(others)
    for shared in shared_passages(sought, corpus, likeness):
        pieces, firsts = np.unique(sought.piece[shared.at], return_index=True)
        n_notes[others[pieces]] = shared.n_notes
        start[others[pieces]] = shared.at[firsts] - sought.starts[pieces]
        corpus_at[others[pieces]] = shared.first_at[shared.node[firsts]]
    is_match = n_notes > 0
    source, source_start, semitones = np.zeros((3, len(lines.names)), np.int64)
    at, corpus_at = (lines.starts[:-1] + start)[is_match], corpus_at[is_match]
    source[is_match] = corpus.piece[corpus_at]
    source_start[is_match] = corpus_at - corpus.starts[corpus.piece[corpus_at]]
    semitones[is_match] = lines.pitch[at] - corpus.pitch[corpus_at]
    return Matches(n_notes, start, source, source_start, semitones)


def _whole_copies(lines: Lines, corpus: Lines, likeness: Likeness) -> IntArray:
    """The first piece of the corpus that each piece is the same as from beginning to end; −1 for none."""
    known: dict[bytes, int] = {}
    for number, text in enumerate(_texts(corpus, likeness)):
        known.setdefault(text, number)
    return np.array([known.get(text, -1) if text else -1 for text in _texts(lines, likeness)], int)


def _texts(lines: Lines, likeness: Likeness) -> Iterator[bytes]:
    """Each piece as a passage; the same text for the same passage."""
    first, following = lines.spelled(likeness)
    for start, stop in itertools.pairwise(lines.starts.tolist()):
        yield first[start : start + 1].tobytes() + following[start + 1 : stop].tobytes()
