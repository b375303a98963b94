"""Metrics of rhythm: how dense and how varied the notes of pieces are in time, and how alike their bars.

Conventions
-----------
- Every metric takes `Pieces` and gives a float64 array with one figure for each.
- An inter-onset interval (IOI) lies between neighbouring *distinct* onsets, over all notes: a chord is
  one onset. IOIs are in quarter notes, so that pieces on different grids compare.
- A beat is a quarter note whatever the time signature says, as in MusPy; a bar is a bar of the time
  signature. Both are counted from step 0 to the end of the last note.
- NaN where a piece has too few notes to tell; each function says when. Percussion is no note of a piece.
- Examples measure a 2/4 piece of two eighths, a quarter and a half note, on a grid of two steps to a quarter, unless
  they say otherwise.

Deviations from MusPy 0.5.0, on purpose: `groove_consistency` works on sixteenths (at a fine resolution
nearly all positions of two bars are empty in both, and it tends to 1) and adds no empty bar to a piece
that ends on a bar line; in `empty_beat_rate` the beat on which a note ends is not filled by that note.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline_lib.evaluation.pieces import Pieces, Sequences
from pipeline_lib.evaluation.statistics import (
    FloatArray,
    count_table,
    jensen_shannon_divergence,
    ratio,
)
from pipeline_lib.notes.grid import IntArray

GROOVE_STEPS_PER_BEAT = 4
"""Number of positions per beat that `groove_consistency` compares: sixteenths."""
GROOVE_POSITIONS_PER_BAR = 64
"""Number of positions per bar that `grooving_similarity` compares, as in its paper."""


def inter_onset_intervals(pieces: Pieces) -> Sequences:
    """Times between neighbouring distinct onsets.

    Returns
    -------
    Sequences
        Quarter notes, all positive; n_onsets − 1 of each piece, none with fewer than two onsets.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> onsets, durations = np.array([0, 1, 2, 4]), np.array([1, 1, 2, 4])
    >>> notes = GridNotes(onsets, durations, np.array([60, 62, 64, 60]), 2, "2/4")
    >>> inter_onset_intervals(Pieces.of([notes])).values
    array([0.5, 0.5, 1. ])
    """
    line = pieces.top_line  # has one note for each onset
    between_step = line.sequences(line.onset_step).differences()
    return between_step.holding(between_step.values / pieces.steps_per_quarter[between_step.piece])


def ioi_histogram(pieces: Pieces) -> pd.Series[float]:
    """Share of each inter-onset interval, pooled over the pieces.

    Every distinct IOI is a bin of its own: the grid has already rounded them.

    Returns
    -------
    Series, index ``ioi_quarter``, name ``share``
        Sorted by IOI, summing to 1. Empty where no piece has two onsets.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> onsets, durations = np.array([0, 1, 2, 4]), np.array([1, 1, 2, 4])
    >>> notes = GridNotes(onsets, durations, np.array([60, 62, 64, 60]), 2, "2/4")
    >>> ioi_histogram(Pieces.of([notes])).round(3).to_dict()
    {0.5: 0.667, 1.0: 0.333}
    """
    ioi_quarter = inter_onset_intervals(pieces).values
    kinds, counts = np.unique(ioi_quarter, return_counts=True)
    index = pd.Index(kinds, name="ioi_quarter")
    return pd.Series(counts / max(len(ioi_quarter), 1), index=index, name="share")


def note_density(pieces: Pieces) -> FloatArray:
    """Number of notes per quarter note, ``notes / quarters``, from step 0 to the end of the last note.

    The notes of a chord count each; jSymbolic's Note Density (McKay 2010) is the same in seconds.

    Returns
    -------
    float64 array, shape (n_pieces,)
        Notes per quarter. NaN without notes.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> onsets, durations = np.array([0, 1, 2, 4]), np.array([1, 1, 2, 4])
    >>> notes = GridNotes(onsets, durations, np.array([60, 62, 64, 60]), 2, "2/4")
    >>> note_density(Pieces.of([notes]))  # four notes in four quarters
    array([1.])
    """
    return ratio(pieces.sequences(pieces.pitch).lengths * pieces.steps_per_quarter, pieces.end_step)


def ioi_entropy(pieces: Pieces) -> FloatArray:
    """Entropy of the inter-onset intervals, ``−Σ p log2 p`` over their counts.

    Returns
    -------
    float64 array, shape (n_pieces,)
        Bits, 0 where all onsets are equally spaced. NaN with fewer than two onsets.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> onsets, durations = np.array([0, 1, 2, 4]), np.array([1, 1, 2, 4])
    >>> notes = GridNotes(onsets, durations, np.array([60, 62, 64, 60]), 2, "2/4")
    >>> ioi_entropy(Pieces.of([notes])).round(3)  # of 0.5, 0.5 and 1
    array([0.918])
    """
    return inter_onset_intervals(pieces).entropy_bits()


def ioi_variability(pieces: Pieces) -> FloatArray:
    """Variability of neighbouring inter-onset intervals: the nPVI of Grabe & Low (2002).

    ``100 · mean over neighbours of |a − b| / ((a + b) / 2)``, used for music since Patel & Daniele (2003). Unlike
    `ioi_entropy` it depends on their order: long and short in turn vary more than all the long, then all the short.

    Returns
    -------
    float64 array, shape (n_pieces,)
        An index, 0 (even) to 200; 67 where every IOI is twice or half the one before. NaN with fewer than three
        onsets.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> onsets, durations = np.array([0, 1, 2, 4]), np.array([1, 1, 2, 4])
    >>> notes = GridNotes(onsets, durations, np.array([60, 62, 64, 60]), 2, "2/4")
    >>> ioi_variability(Pieces.of([notes])).round(1)  # 100 times the mean of 0 and 0.5 / 0.75
    array([33.3])
    """
    earlier, later = inter_onset_intervals(pieces).neighbours()
    a, b = earlier.values, later.values
    return 100 * later.holding(np.abs(a - b) / ((a + b) / 2)).mean()


def rhythmic_consistency(pieces: Pieces, reference: pd.Series[float]) -> FloatArray:
    """Similarity of a piece's rhythm to that of a reference set, ``1 − JSD(piece, reference)``.

    JSD is the base-2 Jensen-Shannon divergence between IOI histograms.

    Parameters
    ----------
    pieces : Pieces
    reference : Series
        `ioi_histogram` of the reference set.

    Returns
    -------
    float64 array, shape (n_pieces,)
        0 (no IOI in common) to 1 (the same histogram). NaN where either has no IOI.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> onsets, durations = np.array([0, 1, 2, 4]), np.array([1, 1, 2, 4])
    >>> notes = GridNotes(onsets, durations, np.array([60, 62, 64, 60]), 2, "2/4")
    >>> pieces = Pieces.of([notes])
    >>> rhythmic_consistency(pieces, ioi_histogram(pieces))
    array([1.])
    """
    ioi = inter_onset_intervals(pieces)
    kinds = np.union1d(ioi.values, reference.index.to_numpy(np.float64))
    expected = reference.reindex(kinds, fill_value=0.0).to_numpy()
    own = count_table(ioi.piece, np.searchsorted(kinds, ioi.values), (len(pieces), len(kinds)))
    return 1 - jensen_shannon_divergence(own, expected)


def groove_consistency(pieces: Pieces) -> FloatArray:
    """Similarity of the onset patterns of neighbouring bars.

    ``1 − mean over adjacent bars of (positions that differ / positions per bar)``, where a position is a
    sixteenth and holds an onset or not: the normalised Hamming distance of Wu & Yang (2020), on adjacent
    bars as in MusPy.

    Each onset goes to the nearest position; one that would round past the end of the piece stays in the
    last. A bar that is no whole number of sixteenths is divided into the nearest number of positions.

    Returns
    -------
    float64 array, shape (n_pieces,)
        A share. NaN with fewer than two bars.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> onsets, durations = np.array([0, 1, 2, 4]), np.array([1, 1, 2, 4])
    >>> notes = GridNotes(onsets, durations, np.array([60, 62, 64, 60]), 2, "2/4")
    >>> groove_consistency(Pieces.of([notes]))  # bars of eight sixteenths differ at two
    array([0.75])
    """
    sixteenths = pieces.steps_per_bar * GROOVE_STEPS_PER_BEAT / pieces.steps_per_quarter
    n_positions = np.rint(sixteenths).astype(np.int64).clip(min=1)
    bar, pattern = _onset_patterns(pieces, n_positions)
    n_bars = pieces.n_bars
    # Each bar is compared with the one before and with the one after; bars without onsets have no row.
    n_compared = (bar.values > 0).astype(np.int64) + (bar.values < n_bars[bar.piece] - 1)
    n_onsets = bar.holding(np.einsum("ij->i", pattern) * n_compared).sum()
    is_next_bar = (np.diff(bar.values) == 1) & (np.diff(bar.piece) == 0)
    in_both = np.einsum("ij,ij->i", pattern[1:], pattern[:-1]) * is_next_bar
    differing = n_onsets - 2 * bar.at(slice(1, None)).holding(in_both).sum()
    return 1 - ratio(differing, n_positions * (n_bars - 1).clip(min=0))


def grooving_similarity(pieces: Pieces) -> FloatArray:
    """Similarity of the onset patterns of all bars: the grooving pattern similarity (GS) of Wu & Yang (2020).

    ``1 − mean over all pairs of bars of (positions that differ / 64)``: a bar has 64 positions, whatever its time
    signature, that hold an onset or not. Onsets go to positions as in `groove_consistency`. MusDr, the paper's
    code, draws 1,000 pairs where there are more; here all count.

    Most positions are empty in all bars, so that figures lie close to 1.

    Returns
    -------
    float64 array, shape (n_pieces,)
        A share. NaN with fewer than two bars.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> onsets, durations = np.array([0, 1, 2, 4]), np.array([1, 1, 2, 4])
    >>> notes = GridNotes(onsets, durations, np.array([60, 62, 64, 60]), 2, "2/4")
    >>> grooving_similarity(Pieces.of([notes]))  # the two bars differ at 2 of 64 positions
    array([0.96875])
    """
    n_positions = GROOVE_POSITIONS_PER_BAR
    bar, pattern = _onset_patterns(pieces, np.full(len(pieces), n_positions))
    n_with = bar.holding(pattern).reduced(np.add)
    n_bars = pieces.n_bars.astype(np.float64)
    # At a position, each bar with an onset differs from each bar without one.
    differing = (n_with * (n_bars[:, np.newaxis] - n_with)).sum(axis=1)
    n_pairs = n_bars * (n_bars - 1) / 2
    return 1 - ratio(differing, n_positions * n_pairs)


def empty_beat_rate(pieces: Pieces) -> FloatArray:
    """Share of the beats in which no note sounds.

    ``empty beats / beats``, over the quarter notes from step 0 to the end of the last note. A note fills
    every beat that it sounds in, so not the beat on which it ends: quarter, rest, quarter gives 1/3.

    Returns
    -------
    float64 array, shape (n_pieces,)
        A share. NaN without notes.

    Examples
    --------
    A quarter, a rest of a quarter, and another quarter:

    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.array([0, 2]), np.array([1, 1]), np.array([60, 62]), 1)
    >>> empty_beat_rate(Pieces.of([notes])).round(3)
    array([0.333])
    """
    per_quarter = pieces.steps_per_quarter[pieces.piece]
    start_beat = pieces.onset_step // per_quarter
    end_beat = (pieces.offset_step - 1) // per_quarter + 1
    n_beats = -(-pieces.end_step // pieces.steps_per_quarter)
    n_filled = pieces.sequences(_newly_covered(start_beat, end_beat, pieces.piece)).sum()
    return ratio(n_beats - n_filled, n_beats)


def polyphony(pieces: Pieces) -> FloatArray:
    """Mean number of pitches that sound at once, over the time in which any does.

    ``Σ over pitches of steps in which it sounds / steps in which anything sounds`` (MusPy
    ``polyphony``). A pitch that two notes hold at once counts once.

    Returns
    -------
    float64 array, shape (n_pieces,)
        Pitches, at least 1. NaN without notes.

    Examples
    --------
    A half note over a quarter note, begun together:

    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.array([0, 0]), np.array([1, 2]), np.array([60, 64]), 1)
    >>> polyphony(Pieces.of([notes]))  # (1 + 2) steps of pitches in 2 steps of sound
    array([1.5])
    """
    start, end, voice = pieces.onset_step, pieces.offset_step, pieces.piece * 128 + pieces.pitch
    order = np.argsort(voice, kind="stable")
    by_pitch = _newly_covered(start[order], end[order], voice[order])
    at_all = _newly_covered(start, end, pieces.piece)
    # Sorting by voice leaves the notes of a piece together.
    return ratio(pieces.sequences(by_pitch).sum(), pieces.sequences(at_all).sum())


def _onset_patterns(pieces: Pieces, n_positions: IntArray) -> tuple[Sequences, NDArray[np.float32]]:
    """Bars in which notes start, and their patterns, shape (n_bars, n_positions): 1 at positions with an onset."""
    steps_per_bar = pieces.steps_per_bar[pieces.piece]
    per_bar = n_positions[pieces.piece]
    # Nearest integer to onset / steps_per_bar * n_positions, halves upwards, without floats.
    position = (2 * pieces.onset_step * per_bar + steps_per_bar) // (2 * steps_per_bar)
    position = np.minimum(position, (pieces.n_bars * n_positions - 1)[pieces.piece])
    bar_of_note, position_in_bar = np.divmod(position, per_bar)
    bar, row = pieces.sequences(bar_of_note).runs()
    width = n_positions.max(initial=1)
    pattern = np.zeros(len(bar.values) * width, np.float32)
    pattern[row * width + position_in_bar] = 1
    return bar, pattern.reshape(-1, width)


def _newly_covered(start: IntArray, end: IntArray, group: IntArray) -> IntArray:
    """Length of each half-open stretch [start, end) that no earlier stretch of its group covers.

    Stretches are sorted by group, then start.
    """
    # Each group gets a stretch of time of its own.
    shift = group * (end.max(initial=0) + 1)
    from_, until = start + shift, np.maximum.accumulate(end + shift)
    from_[1:] = np.maximum(from_[1:], until[:-1])
    return until - from_
