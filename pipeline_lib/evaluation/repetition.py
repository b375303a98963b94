"""How much a piece repeats itself.

Music repeats: in folk melodies about half of all 4-grams have been heard before in the piece. Models that
forget their own phrases fall far below that, models stuck in a loop far above, and neither shows in pitch
or rhythm statistics.

Conventions
-----------
- A note of the top line (`pipeline_lib.evaluation.pitch.top_line`) is described by the interval that
  leads to it and by its duration, so a transposed repeat counts as a repeat. The first note, which no
  interval leads to, has no description.
- Longer pieces have more to repeat: compare pieces of like length.
- NaN where a piece has too few notes to tell; each function says when.
"""

from __future__ import annotations

import zlib
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline_lib.evaluation.pitch import intervals, top_line
from pipeline_lib.evaluation.statistics import mean
from pipeline_lib.notes.grid import GridNotes, IntArray

BAR_LAGS = (1, 2, 4, 8)
"""Distances, in bars, at which phrases of regular length come back."""


def interval_durations(notes: GridNotes) -> IntArray:
    """(interval, duration) of every note of the top line but the first.

    Returns
    -------
    int64 array, shape (n_onsets - 1, 2)
        Semitones from the note before, and grid steps. Empty with fewer than two onsets.
    """
    return np.stack([intervals(notes), top_line(notes).duration_step[1:]], axis=1)


def note_repetition_rate(notes: GridNotes) -> float:
    """Share of the top line's notes that repeat the pitch before them.

    ``intervals equal to 0 / intervals``.

    Returns
    -------
    float
        A share. NaN with fewer than two onsets.
    """
    return mean(intervals(notes) == 0)


def ngram_repetition(notes: GridNotes, n: int) -> float:
    """Share of the (interval, duration) n-grams that occurred earlier in the piece.

    ``1 − unique n-grams / n-grams``.

    Parameters
    ----------
    notes : GridNotes
    n : int
        Notes per n-gram, at least 1.

    Returns
    -------
    float
        A share. NaN with n onsets or fewer: the first note takes no part.
    """
    pairs = interval_durations(notes)
    if len(pairs) < n:
        return float("nan")
    ngrams = sliding_window_view(pairs, n, axis=0).reshape(-1, 2 * n)
    return 1 - len(np.unique(ngrams, axis=0)) / len(ngrams)


def compression_ratio(notes: GridNotes) -> float:
    """Bytes out / bytes in of the (interval, duration) string under zlib.

    The string has one byte per note of the top line but the first: the rank of its (interval, duration)
    among the distinct ones of the piece, sorted (modulo 256, should a piece have more). It knows nothing
    of key, tempo or grid. Compressed at zlib's default level; its frame of some 10 bytes counts, so that
    only pieces of like length compare.

    Returns
    -------
    float
        A ratio: small for repetitive pieces, above 1 for very short ones. NaN with fewer than two onsets.
    """
    pairs = interval_durations(notes)
    if not len(pairs):
        return float("nan")
    _, rank = np.unique(pairs, axis=0, return_inverse=True)
    text = rank.astype(np.uint8).tobytes()
    return len(zlib.compress(text)) / len(text)


def bar_self_similarity(notes: GridNotes) -> float:
    """How often a bar equals the one 1, 2, 4 or 8 bars earlier.

    ``mean over lags of (equal pairs of bars / pairs of bars)``. Two bars are equal when the notes that
    start in them have the same positions, pitches and durations. Pairs of bars in which no note starts
    say nothing and are left out, and so are lags without a pair.

    Returns
    -------
    float
        A share. NaN with fewer than two bars.
    """
    bars = _bar_contents(notes)
    return mean([_equal_share(bars, lag) for lag in BAR_LAGS])


def _bar_contents(notes: GridNotes) -> list[bytes]:
    """What starts in each bar, up to the end of the last note; empty for none."""
    bar, position_step = np.divmod(notes.onset_step, notes.steps_per_bar)
    rows = np.stack([position_step, notes.pitch, notes.duration_step], axis=1)
    n_bars = -(-notes.end_step // notes.steps_per_bar)
    bounds = np.searchsorted(bar, np.arange(n_bars + 1))
    return [rows[start:stop].tobytes() for start, stop in pairwise(bounds)]


def _equal_share(bars: list[bytes], lag: int) -> float:
    pairs = zip(bars, bars[lag:], strict=False)
    return mean([earlier == later for earlier, later in pairs if earlier or later])
