"""What the notes of a piece say about pitch.

Conventions
-----------
- Counts are per note: a long note weighs as much as a short one, as in MusPy (Dong et al. 2020).
- Melodic metrics read the *top line* (`top_line`), the skyline of Uitdenbogerd & Zobel (1999): the
  highest pitch at each onset. Of a melody that is the melody itself, of a chord its top note. A note that
  starts under a higher one that is still held does count.
- Intervals are signed, in semitones, later pitch minus earlier pitch, and reach across rests.
- NaN where a piece has too few notes to tell; each function says when.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline_lib.evaluation.statistics import FloatArray, entropy_bits, mean
from pipeline_lib.notes.grid import GridNotes, IntArray

MAX_INTERVAL_SEMITONES = 12
"""Histograms put larger intervals, either way, in their last bins."""

_MAJOR_SCALE = np.isin(np.arange(12), (0, 2, 4, 5, 7, 9, 11))
# Row k is the major scale on pitch class k. A natural minor scale has the pitch classes of its relative
# major, so these 12 rows are all 24 scales.
_SCALES = np.stack([np.roll(_MAJOR_SCALE, tonic) for tonic in range(12)])


def top_line(notes: GridNotes) -> GridNotes:
    """The highest note at each onset, with its own duration (the skyline).

    Empty where there are no notes. Of the same pitch struck twice at once, the last one stands.
    """
    # Notes are sorted by onset, then pitch: the last of each onset is the highest.
    last = np.flatnonzero(np.diff(notes.onset_step, append=-1))
    return replace(
        notes,
        onset_step=notes.onset_step[last],
        duration_step=notes.duration_step[last],
        pitch=notes.pitch[last],
    )


def intervals(notes: GridNotes) -> IntArray:
    """Signed intervals between neighbours of the top line.

    Returns
    -------
    int64 array, shape (n_onsets - 1,)
        Semitones, positive upwards; empty with fewer than two onsets.
    """
    return np.diff(top_line(notes).pitch)


def interval_histogram(*pieces: GridNotes) -> FloatArray:
    """Share of each signed interval, in one piece or pooled over several.

    Returns
    -------
    float64 array, shape (25,)
        Shares of −12, …, +12 semitones, summing to 1. The first bin also holds everything below −12, the
        last everything above +12. All NaN where no piece has two onsets.
    """
    counts = np.zeros(2 * MAX_INTERVAL_SEMITONES + 1, dtype=np.float64)
    for notes in pieces:
        clipped = intervals(notes).clip(-MAX_INTERVAL_SEMITONES, MAX_INTERVAL_SEMITONES)
        counts += np.bincount(clipped + MAX_INTERVAL_SEMITONES, minlength=len(counts))
    return counts / counts.sum() if counts.any() else np.full_like(counts, np.nan)


def pitch_entropy(notes: GridNotes) -> float:
    """Entropy of the pitches, ``−Σ p log2 p`` over note counts (MusPy ``pitch_entropy``).

    Returns
    -------
    float
        Bits, 0 (one pitch) to 7 (all 128 alike). NaN without notes.
    """
    return entropy_bits(np.bincount(notes.pitch))


def pitch_class_entropy(notes: GridNotes) -> float:
    """Entropy of the pitch classes, ``−Σ p log2 p`` over note counts (Wu & Yang 2020).

    Low for music with a clear key, near its ceiling for music without one.

    Returns
    -------
    float
        Bits, 0 (one pitch class) to log2 12 = 3.585. NaN without notes.
    """
    return entropy_bits(np.bincount(notes.pitch % 12))


def scale_consistency(notes: GridNotes) -> float:
    """Share of the notes that lie in the best-fitting major or natural minor scale.

    ``max over 24 scales of (notes in the scale / notes)`` (Mogren 2016, C-RNN-GAN).

    Returns
    -------
    float
        A share, at least 7/12 (the mean over all scales). NaN without notes.
    """
    if not len(notes):
        return float("nan")
    counts = np.bincount(notes.pitch % 12, minlength=12)
    return float((_SCALES @ counts).max() / len(notes))


def pitch_range(notes: GridNotes) -> float:
    """Highest minus lowest pitch, in semitones. NaN without notes, 0 with one."""
    return float(np.ptp(notes.pitch)) if len(notes) else float("nan")


def leap_rate(notes: GridNotes, threshold_semitones: int) -> float:
    """Share of the top line's intervals with ``|interval| > threshold_semitones``.

    The threshold decides the figure: above 2, a third is a leap; above 4, a fourth is the first one.

    Returns
    -------
    float
        A share. NaN with fewer than two onsets.
    """
    return mean(np.abs(intervals(notes)) > threshold_semitones)
