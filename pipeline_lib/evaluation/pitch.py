"""Metrics of pitch: how many pitches pieces use, how their lines move, how well they keep to a scale.

Conventions
-----------
- Every metric takes `Pieces` and gives a float64 array with one figure for each.
- Counts are per note: a long note weighs as much as a short one, as in MusPy (Dong et al. 2020).
- Melodic metrics read the *top line*, the highest pitch at each onset (`Pieces.top_line`).
- Intervals are signed, in semitones, later pitch minus earlier pitch, and reach across rests.
- NaN where a piece has too few notes to tell; each function says when. Percussion is no note of a piece.
- Examples measure the quarter notes C4 D4 E4 C4, on a grid of one step to a quarter, unless they say otherwise.
"""

from __future__ import annotations

import numpy as np

from pipeline_lib.evaluation.pieces import Pieces, Sequences
from pipeline_lib.evaluation.statistics import FloatArray, count_table, entropy_bits, ratio
from pipeline_lib.notes.grid import IntArray

MAX_INTERVAL_SEMITONES = 12
"""Largest interval that has a bin of its own in histograms; larger ones, up or down, count in the last bins."""

_MAJOR_SCALE = np.isin(np.arange(12), (0, 2, 4, 5, 7, 9, 11))
# Row k is the major scale on pitch class k. A natural minor scale has the pitch classes of its relative
# major, so these 12 rows are all 24 scales.
_SCALES = np.stack([np.roll(_MAJOR_SCALE, tonic) for tonic in range(12)])


def intervals(pieces: Pieces) -> Sequences:
    """Signed intervals between neighbours of the top line.

    Returns
    -------
    Sequences
        Semitones, positive upwards; n_onsets − 1 of each piece, none with fewer than two onsets.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> intervals(Pieces.of([notes])).values
    array([ 2,  2, -4])
    """
    line = pieces.top_line
    return line.sequences(line.pitch).differences()


def interval_histogram(pieces: Pieces) -> FloatArray:
    """Share of each signed interval, pooled over the pieces.

    Returns
    -------
    float64 array, shape (25,)
        Shares of −12, …, +12 semitones, summing to 1. The first bin also holds everything below −12, the
        last everything above +12. All NaN where no piece has two onsets.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> interval_histogram(Pieces.of([notes]))[[8, 14]].round(3)  # -4 and +2 semitones
    array([0.333, 0.667])
    """
    largest = MAX_INTERVAL_SEMITONES
    clipped = intervals(pieces).values.clip(-largest, largest)
    return ratio(np.bincount(clipped + largest, minlength=2 * largest + 1), len(clipped))


def pitch_entropy(pieces: Pieces) -> FloatArray:
    """Entropy of the pitches, ``−Σ p log2 p`` over note counts (MusPy ``pitch_entropy``).

    Returns
    -------
    float64 array, shape (n_pieces,)
        Bits, 0 (one pitch) to 7 (all 128 alike). NaN without notes.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> pitch_entropy(Pieces.of([notes]))
    array([1.5])
    """
    return entropy_bits(count_table(pieces.piece, pieces.pitch, (len(pieces), 128)))


def pitch_class_entropy(pieces: Pieces) -> FloatArray:
    """Entropy of the pitch classes, ``−Σ p log2 p`` over note counts (MusPy ``pitch_class_entropy``).

    Low for music with a clear key, near its ceiling for music without one.

    Returns
    -------
    float64 array, shape (n_pieces,)
        Bits, 0 (one pitch class) to log2 12 = 3.585. NaN without notes.

    Examples
    --------
    The quarter notes C4 D4 E4 C5, which have four pitches and three pitch classes:

    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 72]), 1)
    >>> pitch_class_entropy(Pieces.of([notes]))
    array([1.5])
    """
    return entropy_bits(count_table(pieces.piece, pieces.pitch % 12, (len(pieces), 12)))


def window_pitch_class_entropy(pieces: Pieces, window_bars: int) -> FloatArray:
    """Mean entropy of the pitch classes within windows of some bars: H1 and H4 of Wu & Yang (2020).

    ``mean over windows of −Σ p log2 p``, with p the shares of pitch classes among the notes that start in the
    window. Windows begin at every bar; those without notes are left out, as in MusDr, the paper's code. Unlike
    there, a piece that is shorter than the window has none.

    Low where single bars keep to few pitch classes, however many the whole piece uses.

    Parameters
    ----------
    pieces : Pieces
    window_bars : int
        Number of bars of a window; 1 and 4 in the paper.

    Returns
    -------
    float64 array, shape (n_pieces,)
        Bits. NaN with fewer bars than a window has.

    Examples
    --------
    In 2/4, the two bars have two pitch classes each:

    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1, "2/4")
    >>> window_pitch_class_entropy(Pieces.of([notes]), window_bars=1)
    array([1.])
    """
    bar, row = pieces.sequences(pieces.bar).runs()
    counts = count_table(row, pieces.pitch % 12, (len(bar.values), 12))
    start = _window_starts(bar, pieces.n_bars, window_bars)
    in_window = np.zeros((len(start.values), 12), np.int64)
    for distance in range(window_bars):
        place = bar.find(start.holding(start.values + distance))
        in_window[place >= 0] += counts[place[place >= 0]]
    return start.holding(entropy_bits(in_window)).mean()


def scale_consistency(pieces: Pieces) -> FloatArray:
    """Share of the notes that lie in the best-fitting major or natural minor scale.

    ``max over 24 scales of (notes in the scale / notes)`` (Mogren 2016, C-RNN-GAN).

    Returns
    -------
    float64 array, shape (n_pieces,)
        A share, at least 7/12 (the mean over all scales). NaN without notes.

    Examples
    --------
    The quarter notes C4 C#4 D4 E4, of which C, D and E lie in C major:

    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 61, 62, 64]), 1)
    >>> scale_consistency(Pieces.of([notes]))
    array([0.75])
    """
    counts = count_table(pieces.piece, pieces.pitch % 12, (len(pieces), 12))
    return ratio((counts @ _SCALES.T).max(axis=1), counts.sum(axis=1))


def pitch_range(pieces: Pieces) -> FloatArray:
    """Range of the pitches: the highest minus the lowest.

    Returns
    -------
    float64 array, shape (n_pieces,)
        Semitones; 0 with one note. NaN without notes.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> pitch_range(Pieces.of([notes]))
    array([4.])
    """
    pitch = pieces.sequences(pieces.pitch)
    return pitch.reduced(np.maximum) - pitch.reduced(np.minimum)


def mean_absolute_interval(pieces: Pieces) -> FloatArray:
    """Mean size of the top line's intervals, ``mean of |interval|`` (jSymbolic's Mean Melodic Interval, McKay 2010).

    Returns
    -------
    float64 array, shape (n_pieces,)
        Semitones. NaN with fewer than two onsets.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> mean_absolute_interval(Pieces.of([notes])).round(3)  # of +2, +2 and -4
    array([2.667])
    """
    steps = intervals(pieces)
    return steps.holding(np.abs(steps.values)).mean()


def leap_rate(pieces: Pieces, threshold_semitones: int) -> FloatArray:
    """Share of the top line's intervals with ``|interval| > threshold_semitones``.

    The threshold decides what counts as a leap: with 2, thirds and larger intervals do; with 4, fourths and larger.

    Returns
    -------
    float64 array, shape (n_pieces,)
        A share. NaN with fewer than two onsets.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> leap_rate(Pieces.of([notes]), threshold_semitones=2).round(3)  # of +2, +2 and -4
    array([0.333])
    """
    steps = intervals(pieces)
    return steps.holding(np.abs(steps.values) > threshold_semitones).mean()


def turn_rate(pieces: Pieces) -> FloatArray:
    """Share of the top line's moves that go the other way than the move before: how often the contour turns.

    ``changes of direction / (moves − 1)``, where a move is an interval other than 0. One over it is about the
    mean length of the rising and falling stretches, which jSymbolic (McKay 2010) calls melodic arcs. Independent
    draws from many pitches turn 2 times in 3 (Bienaymé 1874); 0 is a scale, 1 a zigzag.

    Returns
    -------
    float64 array, shape (n_pieces,)
        A share. NaN with fewer than two moves.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> turn_rate(Pieces.of([notes]))  # up, up, down: one of two moves turns
    array([0.5])
    """
    steps = intervals(pieces)
    moves = steps.at(steps.values != 0)
    earlier, later = moves.neighbours()
    return later.holding((earlier.values > 0) != (later.values > 0)).mean()


def _window_starts(bar: Sequences, n_bars: IntArray, window_bars: int) -> Sequences:
    """First bars of all windows of `window_bars` that lie within their piece and hold at least one of the bars."""
    span = n_bars.max(initial=0) + 1
    starts = bar.values[:, np.newaxis] - np.arange(window_bars)
    is_inside = (starts >= 0) & (starts + window_bars <= n_bars[bar.piece][:, np.newaxis])
    keys = np.unique((bar.piece[:, np.newaxis] * span + starts)[is_inside])
    return Sequences(keys % span, keys // span, bar.n_pieces)
