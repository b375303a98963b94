"""Metrics of structure: how much pieces repeat themselves, bar by bar, as phrases and sections that come back.

Conventions
-----------
- Every metric takes `Pieces` and gives a float64 array with one figure for each.
- Two bars are equal when the notes that start in them have the same positions, pitches and durations; a
  transposed repeat does not count. Bars are bars of the time signature.
- Bars in which no note starts say nothing; each function says what becomes of them.
- Longer pieces have more to repeat: compare pieces of like length.
- NaN where a piece has too few bars to tell; each function says when. Percussion is no note of a piece.
- Examples measure the quarter notes C4 D4 C4 D4 in 2/4, two equal bars, on a grid of one step to a quarter.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pipeline_lib.evaluation.pieces import Pieces, Sequences
from pipeline_lib.evaluation.statistics import FloatArray, ratio
from pipeline_lib.notes.grid import IntArray

BAR_LAGS = (1, 2, 4, 8)
"""Distances, in bars, at which phrases of regular length come back."""


def bar_self_similarity(pieces: Pieces) -> FloatArray:
    """Share of the bars that equal the one 1, 2, 4 or 8 bars earlier, averaged over these distances.

    ``mean over lags of (equal pairs of bars / pairs of bars)``. Pairs of bars in which no note starts are left
    out, and so are lags without a pair.

    Returns
    -------
    float64 array, shape (n_pieces,)
        A share. NaN with fewer than two bars.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 60, 62]), 1, "2/4")
    >>> bar_self_similarity(Pieces.of([notes]))
    array([1.])
    """
    bar, content = _bars(pieces)
    shares = np.array([_equal_share(bar, content, pieces.n_bars, lag) for lag in BAR_LAGS])
    return ratio(np.nansum(shares, axis=0), (~np.isnan(shares)).sum(axis=0))


def structureness(pieces: Pieces, shortest_bars: int, longest_bars: int) -> FloatArray:
    """Fitness of a piece's best-repeated passage: how much of the piece it explains (SI of Wu & Yang 2020, symbolic).

    ``max over passages of 2 σ γ / (σ + γ)``, the fitness of Müller, Jiang & Grosche (2013), which joins how well
    and how much of the piece a passage explains beyond itself. Where a passage of n bars occurs K times without
    overlap in a piece of N bars, σ = (K − 1) / K and γ = (K − 1) n / N, so that fitness is
    ``2 (K − 1) n / (K n + N)``: 0 where nothing comes back, 1/2 for a piece of two equal halves, and towards 1 for a
    short passage in a loop.

    The paper reads fitness off a self-similarity matrix of sound. Here the matrix is symbolic: it holds 1 for
    equal bars and nothing else, and time is even, so that all paths in it are straight. Lengths are in bars, not
    in seconds. Both make it stricter: a varied repeat counts for nothing. Bars in which no note starts are left out.

    Parameters
    ----------
    pieces : Pieces
    shortest_bars, longest_bars : int
        Lengths, in bars, of the shortest and of the longest passages looked for.

    Returns
    -------
    float64 array, shape (n_pieces,)
        A share, below 1. NaN with fewer than twice ``shortest_bars`` bars.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 60, 62]), 1, "2/4")
    >>> structureness(Pieces.of([notes]), shortest_bars=1, longest_bars=1)
    array([0.5])
    """
    bar, content = _bars(pieces)
    contents = (own.tolist() for own in bar.holding(content).by_piece())
    return np.array([_best_fitness(own, shortest_bars, longest_bars) for own in contents])


def _bars(pieces: Pieces) -> tuple[Sequences, IntArray]:
    """Bars in which notes start, by their numbers, and a number for the content of each: the same for equal bars."""
    bar = pieces.sequences(pieces.bar)
    position_step = pieces.onset_step - bar.values * pieces.steps_per_bar[bar.piece]
    rows = np.stack([position_step, pieces.pitch, pieces.duration_step], axis=1)
    is_new = bar.is_new()
    text, width = rows.tobytes(), rows.itemsize * 3
    bounds = [*np.flatnonzero(is_new).tolist(), len(rows)]
    known: dict[bytes, int] = {}
    contents = (text[start * width : stop * width] for start, stop in pairwise(bounds))
    numbers = [known.setdefault(content, len(known)) for content in contents]
    return bar.at(is_new), np.array(numbers, np.int64)


def _equal_share(bar: Sequences, content: IntArray, n_bars: IntArray, lag: int) -> FloatArray:
    """Share of the pairs of bars at a distance of `lag` that are equal; NaN where a piece has no such pair."""
    later = bar.find(bar.holding(bar.values + lag))
    is_pair = later >= 0
    is_equal = is_pair & (content[later] == content)
    # A pair of two bars with notes is met twice: from the earlier and from the later bar.
    has_later = bar.values + lag < n_bars[bar.piece]
    has_earlier = bar.values >= lag
    n_pairs = bar.holding(has_later.astype(np.int64) + has_earlier - is_pair).sum()
    return ratio(bar.holding(is_equal).sum(), n_pairs)


def _best_fitness(contents: list[int], shortest: int, longest: int) -> float:
    """Largest fitness of the passages of a piece, which is given by the contents of its bars."""
    n_bars = len(contents)
    if n_bars < 2 * shortest:
        return float("nan")
    best, passages = 0.0, contents
    for length in range(1, min(longest, n_bars // 2) + 1):
        if length > 1:
            # A passage is the one that is a bar shorter, and the bar after it.
            known: dict[tuple[int, int], int] = {}
            longer = zip(passages, contents[length - 1 :], strict=False)
            passages = [known.setdefault(passage, len(known)) for passage in longer]
            if len(known) == len(passages):
                break  # None comes back, so no longer one does.
        if length >= shortest:
            n_times = _most_occurrences(passages, length)
            best = max(best, 2 * (n_times - 1) * length / (n_times * length + n_bars))
    return best


def _most_occurrences(passages: list[int], length: int) -> int:
    """Largest number of times that a passage occurs without overlap; `passages` names the one at every bar."""
    n_times = [0] * (max(passages) + 1)
    free_from = [0] * len(n_times)
    for start, passage in enumerate(passages):
        if start >= free_from[passage]:
            n_times[passage] += 1
            free_from[passage] = start + length
    return max(n_times)
