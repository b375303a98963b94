"""Metrics of repetition: how much pieces repeat themselves, note by note.

Music repeats: in folk melodies about half of all 4-grams have been heard before in the piece. Models that
forget their own phrases fall far below that, models stuck in a loop far above, and neither shows in pitch
or rhythm statistics.

Conventions
-----------
- Every metric takes `Pieces` and gives a float64 array with one figure for each.
- A note of the top line (`Pieces.top_line`) is described by the interval that leads to it and by its
  duration, so a transposed repeat counts as a repeat. The first note, which no interval leads to, has no
  description.
- Longer pieces have more to repeat: compare pieces of like length.
- NaN where a piece has too few notes to tell; each function says when. Percussion is no note of a piece.
- Examples measure the quarter notes C4 D4 E4 C4, on a grid of one step to a quarter, unless they say otherwise.
"""

from __future__ import annotations

import zlib

import numpy as np

from pipeline_lib.evaluation.pieces import Pieces, Sequences
from pipeline_lib.evaluation.pitch import intervals
from pipeline_lib.evaluation.statistics import FloatArray
from pipeline_lib.notes.grid import IntArray


def interval_durations(pieces: Pieces) -> Sequences:
    """Pairs (interval, duration) of every note of the top line but the first.

    Returns
    -------
    Sequences
        Pairs, shape (n_values, 2): semitones from the note before, and grid steps. None with fewer than two
        onsets.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> interval_durations(Pieces.of([notes])).values
    array([[ 2,  1],
           [ 2,  1],
           [-4,  1]])
    """
    line = pieces.top_line
    _, later = line.sequences(line.duration_step).neighbours()
    return later.holding(np.stack([intervals(pieces).values, later.values], axis=1))


def note_repetition_rate(pieces: Pieces) -> FloatArray:
    """Share of the top line's notes that repeat the pitch before them.

    ``intervals equal to 0 / intervals``.

    Returns
    -------
    float64 array, shape (n_pieces,)
        A share. NaN with fewer than two onsets.

    Examples
    --------
    The quarter notes C4 C4 D4 D4:

    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 60, 62, 62]), 1)
    >>> note_repetition_rate(Pieces.of([notes])).round(3)  # two of the intervals 0, +2, 0
    array([0.667])
    """
    steps = intervals(pieces)
    return steps.holding(steps.values == 0).mean()


def ngram_repetition(pieces: Pieces, n: int) -> FloatArray:
    """Share of the (interval, duration) n-grams that occurred earlier in the piece.

    ``1 − unique n-grams / n-grams``.

    Parameters
    ----------
    pieces : Pieces
    n : int
        Number of notes per n-gram, at least 1.

    Returns
    -------
    float64 array, shape (n_pieces,)
        A share. NaN with n onsets or fewer: the first note takes no part.

    Examples
    --------
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> ngram_repetition(Pieces.of([notes]), n=1).round(3)  # the second +2 of +2, +2, -4
    array([0.333])
    """
    return np.array([_repeated_share(ranks, n) for ranks in _ranks(pieces)])


def compression_ratio(pieces: Pieces) -> FloatArray:
    """Compression ratio, bytes out / bytes in, of a piece's string of (interval, duration) pairs under zlib.

    The string has one byte per note of the top line but the first: the rank of its (interval, duration)
    among the distinct ones of the piece, sorted (modulo 256, should a piece have more). It knows nothing
    of key, tempo or grid. Compressed at zlib's default level; its frame of some 10 bytes counts, so that
    only pieces of like length compare.

    Returns
    -------
    float64 array, shape (n_pieces,)
        A ratio: small for repetitive pieces, above 1 for very short ones. NaN with fewer than two onsets.

    Examples
    --------
    A piece that repeats one note two hundred times:

    >>> from pipeline_lib.notes.grid import GridNotes
    >>> notes = GridNotes(np.arange(200), np.ones(200, int), np.full(200, 60), 1)
    >>> compression_ratio(Pieces.of([notes])) < 0.1
    array([ True])
    """
    texts = [ranks.astype(np.uint8).tobytes() for ranks in _ranks(pieces)]
    return np.array([len(zlib.compress(text)) / len(text) if text else np.nan for text in texts])


def _ranks(pieces: Pieces) -> list[IntArray]:
    """Ranks of each piece's (interval, duration) pairs among the distinct ones of the piece."""
    pairs = interval_durations(pieces)
    interval, duration = pairs.values.T
    # One number for each pair sorts faster than the pair.
    n_durations = duration.max(initial=0) + 1
    span = 256 * n_durations
    key = pairs.piece * span + (interval + 128) * n_durations + duration
    kinds, kind = np.unique(key, return_inverse=True)
    first = np.searchsorted(kinds, np.arange(len(pieces)) * span)
    return pairs.holding(kind - first[pairs.piece]).by_piece()


def _repeated_share(ranks: IntArray, n: int) -> float:
    n_ngrams = len(ranks) - n + 1
    if n_ngrams < 1:
        return float("nan")
    text, width = ranks.tobytes(), ranks.itemsize
    ngrams = {text[i : i + n * width] for i in range(0, n_ngrams * width, width)}
    return 1 - len(ngrams) / n_ngrams
