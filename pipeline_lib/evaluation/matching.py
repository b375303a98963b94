"""Matching: passages of pieces that occur in a corpus too, with the same notes or in another key.

What a passage is, and when two are the same, is defined in `pipeline_lib.evaluation.top_lines`.

All passages of n notes that are sought share their first n − 1 notes with passages of the level before: they are the
nodes of a trie of depth n. Every note of the corpus walks down from the root, all at once and level by level, and is
left behind where the trie ends; a branch that no note of the corpus has reached is cut. So each level costs as much as
is left of both sides, which soon is little, and nothing has to be kept between levels or runs. As a node stands for
its notes and not for a hash of them, there are no false matches. A suffix automaton (Blumer et al. 1985) finds the
same, a note at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline_lib.evaluation.top_lines import Likeness, Lines
from pipeline_lib.notes.grid import IntArray

_BLOCK = 1 << 18
"""Number of notes of the corpus that are looked up at once, so that they stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class SharedPassages:
    """All passages of one length that lines share with a corpus.

    Parameters
    ----------
    n_notes : int
        Length of the passages.
    at, node : int64 arrays, shape (n,)
        Notes of the lines at which shared passages begin, ascending, and the number of the passage that begins there:
        equal passages have equal numbers.
    corpus_at, corpus_node : int64 arrays, shape (m,)
        Notes of the corpus at which these passages begin, ascending, and their numbers.
    first_at : int64 array
        For each number of a passage, the note of the corpus at which the passage first begins.
    """

    n_notes: int
    at: IntArray
    node: IntArray
    corpus_at: IntArray
    corpus_node: IntArray
    first_at: IntArray


def shared_passages(lines: Lines, corpus: Lines, likeness: Likeness) -> Iterator[SharedPassages]:
    """Find the passages that lines share with a corpus: those of one note, of two, and so on as long as there are any.

    Parameters
    ----------
    lines, corpus : Lines
    likeness : Likeness
        When two passages are the same.

    Yields
    ------
    SharedPassages
        The shared passages of one length, from one note on.

    Examples
    --------
    The quarter notes G4 A4 B4 C4, of which the first three are C4 D4 E4 in another key:

    >>> from pipeline_lib.evaluation.top_lines import join_lines
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> beat, quarter = np.arange(4), np.ones(4, int)
    >>> made = join_lines({"made": GridNotes(beat, quarter, np.array([67, 69, 71, 60]), 1)})
    >>> real = join_lines({"real": GridNotes(beat, quarter, np.array([60, 62, 64, 65]), 1)})
    >>> found = shared_passages(made, real, Likeness.TRANSPOSED)
    >>> [(shared.n_notes, shared.at.tolist()) for shared in found]
    [(1, [0, 1, 2, 3]), (2, [0, 1]), (3, [0])]
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
    """Place of each value among the known ones, which are sorted, counted from 1; 0 for a value that is not known."""
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
    """Extend passages by a note: where those that go on begin, and a number for each, from its node and that note."""
    inside = at + n_notes < len(following)
    at, node = at[inside], node[inside]
    symbol = following[at + n_notes]
    goes_on = symbol > 0
    return at[goes_on], node[goes_on] * (n_symbols + 1) + symbol[goes_on]


@dataclass(frozen=True, eq=False)
class Matches:
    """Longest passage of each piece that occurs in a corpus too; the piece's first of several as long.

    All are int64 arrays of shape (n_pieces,).

    Parameters
    ----------
    n_notes
        Length of the passage; 0 where there is none, and then the other arrays mean nothing.
    start
        Number, from 0, of the note at which the passage begins in the piece.
    source
        Number of the piece of the corpus that has it: the first of several, or of those that are the same piece
        throughout.
    source_start
        Number, from 0, of the note at which the passage begins there.
    semitones
        How many semitones higher the piece plays it.
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
        When two passages are the same.

    Returns
    -------
    Matches

    Examples
    --------
    The quarter notes G4 A4 B4 C4, of which the first three are C4 D4 E4 in another key:

    >>> from pipeline_lib.evaluation.top_lines import join_lines
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> beat, quarter = np.arange(4), np.ones(4, int)
    >>> made = join_lines({"made": GridNotes(beat, quarter, np.array([67, 69, 71, 60]), 1)})
    >>> real = join_lines({"real": GridNotes(beat, quarter, np.array([60, 62, 64, 65]), 1)})
    >>> matches = longest_matches(made, real, Likeness.TRANSPOSED)
    >>> matches.n_notes, matches.start, matches.semitones
    (array([3]), array([0]), array([7]))
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
    """Number of the first piece of the corpus that each piece equals from beginning to end; −1 for none."""
    known: dict[bytes, int] = {}
    for number, text in enumerate(_texts(corpus, likeness)):
        known.setdefault(text, number)
    return np.array([known.get(text, -1) if text else -1 for text in _texts(lines, likeness)], int)


def _texts(lines: Lines, likeness: Likeness) -> Iterator[bytes]:
    """Bytes that spell each piece as one passage: the same for the same passage."""
    first, following = lines.spelled(likeness)
    for start, stop in itertools.pairwise(lines.starts.tolist()):
        yield first[start : start + 1].tobytes() + following[start + 1 : stop].tobytes()
