"""What the notes of a piece say about time.

Conventions
-----------
- An inter-onset interval (IOI) lies between neighbouring *distinct* onsets, over all notes: a chord is
  one onset. IOIs are in quarter notes, so that pieces on different grids compare.
- A beat is a quarter note whatever the time signature says, as in MusPy; a bar is a bar of the time
  signature, counted from step 0 to the end of the last note.
- NaN where a piece has too few notes to tell; each function says when.

Deviations from MusPy 0.5.0, on purpose: `groove_consistency` works on sixteenths (at a fine resolution
nearly all positions of two bars are empty in both, and it tends to 1) and adds no empty bar to a piece
that ends on a bar line; in `empty_beat_rate` the beat on which a note ends is not filled by that note.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline_lib.evaluation.statistics import (
    FloatArray,
    entropy_bits,
    jensen_shannon_divergence,
)
from pipeline_lib.notes.grid import GridNotes, IntArray

GROOVE_STEPS_PER_BEAT = 4


def inter_onset_intervals(notes: GridNotes) -> FloatArray:
    """Times between neighbouring distinct onsets.

    Returns
    -------
    float64 array, shape (n_onsets - 1,)
        Quarter notes, all positive; empty with fewer than two onsets.
    """
    onset_step: IntArray = np.unique(notes.onset_step)
    return np.diff(onset_step) / notes.steps_per_quarter


def ioi_histogram(*pieces: GridNotes) -> pd.Series[float]:
    """Share of each inter-onset interval, in one piece or pooled over several.

    Every distinct IOI is a bin of its own: the grid has already rounded them.

    Returns
    -------
    Series, index ``ioi_quarter``, name ``share``
        Sorted by IOI, summing to 1. Empty where no piece has two onsets.
    """
    ioi_quarter = np.concatenate([np.empty(0), *(inter_onset_intervals(p) for p in pieces)])
    kinds, counts = np.unique(ioi_quarter, return_counts=True)
    index = pd.Index(kinds, name="ioi_quarter")
    return pd.Series(counts / max(len(ioi_quarter), 1), index=index, name="share")


def ioi_entropy(notes: GridNotes) -> float:
    """Entropy of the inter-onset intervals, ``−Σ p log2 p`` over their counts.

    Returns
    -------
    float
        Bits, 0 where all onsets are equally spaced. NaN with fewer than two onsets.
    """
    return entropy_bits(ioi_histogram(notes).to_numpy())


def rhythmic_consistency(notes: GridNotes, reference: pd.Series[float]) -> float:
    """Likeness of a piece's rhythm to a reference set's, ``1 − JSD(piece, reference)``.

    JSD is the base-2 Jensen-Shannon divergence between IOI histograms.

    Parameters
    ----------
    notes : GridNotes
    reference : Series
        `ioi_histogram` of the reference set.

    Returns
    -------
    float
        0 (no IOI in common) to 1 (the same histogram). NaN where either has no IOI.
    """
    piece, reference = ioi_histogram(notes).align(reference, fill_value=0.0)
    return 1 - jensen_shannon_divergence(piece.to_numpy(), reference.to_numpy())


def groove_consistency(notes: GridNotes) -> float:
    """How alike the onset patterns of neighbouring bars are.

    ``1 − mean over adjacent bars of (positions that differ / positions per bar)``, where a position is a
    sixteenth and holds an onset or not: the normalised Hamming distance of Wu & Yang (2020), on adjacent
    bars as in MusPy.

    Each onset goes to the nearest position; one that would round past the end of the piece stays in the
    last. A bar that is no whole number of sixteenths is divided into the nearest number of positions.

    Returns
    -------
    float
        A share. NaN with fewer than two bars.
    """
    steps_per_bar = notes.steps_per_bar
    n_bars = _ceil_divide(notes.end_step, steps_per_bar)
    if n_bars < 2:
        return float("nan")
    sixteenths = steps_per_bar * GROOVE_STEPS_PER_BEAT / notes.steps_per_quarter
    n_positions = max(1, round(sixteenths))
    # Nearest integer to onset / steps_per_bar * n_positions, halves upwards, without floats.
    position = (2 * notes.onset_step * n_positions + steps_per_bar) // (2 * steps_per_bar)
    pattern = np.zeros(n_bars * n_positions, dtype=np.bool_)
    pattern[position.clip(max=len(pattern) - 1)] = True
    bars = pattern.reshape(n_bars, n_positions)
    return float(1 - (bars[1:] != bars[:-1]).mean())


def empty_beat_rate(notes: GridNotes) -> float:
    """Share of the beats in which no note sounds.

    ``empty beats / beats``, over the quarter notes from step 0 to the end of the last note. A note fills
    every beat that it sounds in, so not the beat on which it ends: quarter, rest, quarter gives 1/3.

    Returns
    -------
    float
        A share. NaN without notes.
    """
    if not len(notes):
        return float("nan")
    n_beats = _ceil_divide(notes.end_step, notes.steps_per_quarter)
    first_beat = notes.onset_step // notes.steps_per_quarter
    last_beat = (_offset_step(notes) - 1) // notes.steps_per_quarter
    begun = np.bincount(first_beat, minlength=n_beats + 1)
    ended = np.bincount(last_beat + 1, minlength=n_beats + 1)
    n_sounding = np.cumsum(begun - ended)[:n_beats]
    return float((n_sounding == 0).mean())


def polyphony(notes: GridNotes) -> float:
    """Mean number of pitches that sound at once, over the time in which any does.

    ``Σ over pitches of steps in which it sounds / steps in which anything sounds`` (MusPy
    ``polyphony``). A pitch that two notes hold at once counts once.

    Returns
    -------
    float
        Pitches, at least 1. NaN without notes.
    """
    if not len(notes):
        return float("nan")
    # Each pitch gets a stretch of time of its own, so that notes of different pitch never overlap.
    shift_step = notes.pitch * notes.end_step
    by_pitch = _covered_steps(notes.onset_step + shift_step, _offset_step(notes) + shift_step)
    return by_pitch / _covered_steps(notes.onset_step, _offset_step(notes))


def _covered_steps(start_step: IntArray, end_step: IntArray) -> int:
    """Length of the union of the half-open stretches [start, end)."""
    order = np.argsort(start_step)
    start_step, end_step = start_step[order], end_step[order]
    covered_until = np.maximum.accumulate(end_step)
    new_start = np.maximum(start_step[1:], covered_until[:-1])
    return int(end_step[0] - start_step[0] + (end_step[1:] - new_start).clip(min=0).sum())


def _offset_step(notes: GridNotes) -> IntArray:
    return notes.onset_step + notes.duration_step


def _ceil_divide(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
