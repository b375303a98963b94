"""Many pieces as columns of notes, from which metrics are computed.

Most pieces are short, so that calling NumPy costs more than counting their notes. Metrics therefore take a set of
pieces at once and give one figure for each; a set of one is measured by the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.evaluation.statistics import FloatArray, ratio
from pipeline_lib.notes.grid import GridNotes, IntArray


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences of values, one for each piece, laid one after the other.

    Parameters
    ----------
    values : array, shape (n_values, ...)
    piece : int64 array, shape (n_values,)
        Number of the piece that each value belongs to, ascending.
    n_pieces : int
        Number of pieces, some of which may have no value.

    Examples
    --------
    >>> two = Sequences(np.array([1, 3, 7, 8, 9]), piece=np.array([0, 0, 1, 1, 1]), n_pieces=2)
    >>> two.mean()
    array([2., 8.])
    >>> two.differences().by_piece()
    [array([2]), array([1, 1])]
    """

    values: NDArray[Any]
    piece: IntArray
    n_pieces: int

    @cached_property
    def bounds(self) -> IntArray:
        """Places where the pieces' values begin, and where the last piece's end; shape (n_pieces + 1,)."""
        return np.searchsorted(self.piece, np.arange(self.n_pieces + 1))

    @property
    def lengths(self) -> IntArray:
        """Number of values of each piece, shape (n_pieces,)."""
        return np.diff(self.bounds)

    def at(self, rows: Any) -> Sequences:
        """The values at some rows, given as anything that indexes an array and keeps the order."""
        return Sequences(self.values[rows], self.piece[rows], self.n_pieces)

    def holding(self, values: NDArray[Any]) -> Sequences:
        """Other values, shape (n_values, ...), in the same places as these."""
        return Sequences(values, self.piece, self.n_pieces)

    def neighbours(self) -> tuple[Sequences, Sequences]:
        """All pairs of neighbours in a piece: the earlier values, and the later values."""
        same = self.piece[1:] == self.piece[:-1]
        return self.at(slice(None, -1)).at(same), self.at(slice(1, None)).at(same)

    def differences(self) -> Sequences:
        """Differences of neighbours, later minus earlier."""
        earlier, later = self.neighbours()
        return later.holding(later.values - earlier.values)

    def is_new(self) -> NDArray[np.bool_]:
        """Whether each value differs from the one before it, shape (n_values,); true of the first of a piece."""
        is_new = np.ones(len(self.values), np.bool_)
        is_new[1:] = self.values[1:] != self.values[:-1]
        is_new[self.bounds[:-1][self.lengths > 0]] = True
        return is_new

    def runs(self) -> tuple[Sequences, IntArray]:
        """Runs of equal values: each run's value once, and for each value the number of its run, (n_values,)."""
        first = np.flatnonzero(self.is_new())
        run = np.repeat(np.arange(len(first)), np.diff(first, append=len(self.values)))
        return self.at(first), run

    def by_piece(self) -> list[NDArray[Any]]:
        """The values as a list with an array for each piece."""
        return [self.values[start:stop] for start, stop in pairwise(self.bounds.tolist())]

    def sum(self) -> FloatArray:
        """Sum of each piece's values, shape (n_pieces,); 0 where it has none."""
        return np.bincount(self.piece, self.values, self.n_pieces).astype(np.float64)

    def mean(self) -> FloatArray:
        """Mean of each piece's values, shape (n_pieces,); NaN where it has none."""
        return ratio(self.sum(), self.lengths)

    def reduced(self, function: np.ufunc) -> FloatArray:
        """Each piece's values reduced to one, such as by `numpy.maximum`; shape (n_pieces, ...), NaN without values."""
        result = np.full((self.n_pieces, *self.values.shape[1:]), np.nan)
        has_values = self.lengths > 0
        result[has_values] = function.reduceat(self.values, self.bounds[:-1][has_values])
        return result

    def entropy_bits(self) -> FloatArray:
        """Entropy of the values of each piece, by their counts, in bits; shape (n_pieces,), NaN where it has none."""
        kinds, kind = np.unique(self.values, return_inverse=True)
        keys, counts = np.unique(self.piece * len(kinds) + kind, return_counts=True)
        piece = keys // max(len(kinds), 1)
        p = counts / self.lengths[piece]
        entropy = np.bincount(piece, p * np.log2(1 / p), self.n_pieces)
        return np.where(self.lengths > 0, entropy, np.nan)

    def find(self, wanted: Sequences) -> IntArray:
        """Find values in their pieces.

        The values searched must be whole numbers, not negative, and ascend within each piece; those that are wanted
        need be none of this.

        Parameters
        ----------
        wanted : Sequences
            The values to find, each in the piece of its number.

        Returns
        -------
        int64 array, shape (n_wanted,)
            The place of each wanted value; −1 where its piece does not have it.
        """
        if not len(self.values):
            return np.full(len(wanted.values), -1)
        span = max(self.values.max(), wanted.values.max(initial=0)) + 1
        own, key = (s.piece * span + s.values for s in (self, wanted))
        place = np.searchsorted(own, key).clip(max=len(own) - 1)
        return np.where((own[place] == key) & (wanted.values >= 0), place, -1)


@dataclass(frozen=True, eq=False)
class Pieces:
    """The notes of several pieces, which are numbered from 0; made by `Pieces.of`.

    Parameters
    ----------
    onset_step, duration_step, pitch, piece : int64 arrays, shape (n_notes,)
        Onset and duration in grid steps and pitch of each note, as in `GridNotes`, and the number of its piece; sorted
        by piece, onset, pitch.
    steps_per_quarter, steps_per_bar : int64 arrays, shape (n_pieces,)
        Number of grid steps in a quarter note and in a bar of each piece.

    Examples
    --------
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1, "2/4")
    >>> pieces = Pieces.of([notes, notes])
    >>> pieces.piece
    array([0, 0, 0, 0, 1, 1, 1, 1])
    >>> pieces.n_bars
    array([2, 2])
    """

    onset_step: IntArray
    duration_step: IntArray
    pitch: IntArray
    piece: IntArray
    steps_per_quarter: IntArray
    steps_per_bar: IntArray

    @classmethod
    def of(cls, pieces: Sequence[GridNotes]) -> Pieces:
        """Put pieces together; each may have a grid of its own."""
        nothing = np.empty(0, np.int64)
        onset_step, duration_step, pitch = (
            np.concatenate([nothing, *(getattr(notes, column) for notes in pieces)])
            for column in ("onset_step", "duration_step", "pitch")
        )
        return cls(
            onset_step,
            duration_step,
            pitch,
            piece=np.repeat(np.arange(len(pieces)), [len(notes) for notes in pieces]),
            steps_per_quarter=np.array([p.steps_per_quarter for p in pieces], np.int64),
            steps_per_bar=np.array([p.steps_per_bar for p in pieces], np.int64),
        )

    def __len__(self) -> int:
        return len(self.steps_per_quarter)

    def sequences(self, values: NDArray[Any]) -> Sequences:
        """Sequences of values of the notes, one value for each note."""
        return Sequences(values, self.piece, len(self))

    @cached_property
    def offset_step(self) -> IntArray:
        """Grid step at which each note ends, shape (n_notes,)."""
        return self.onset_step + self.duration_step

    @cached_property
    def end_step(self) -> IntArray:
        """Grid step at which each piece's last note ends, 0 without notes; shape (n_pieces,)."""
        last = self.sequences(self.offset_step)
        return np.where(last.lengths > 0, last.reduced(np.maximum), 0).astype(np.int64)

    @cached_property
    def n_bars(self) -> IntArray:
        """Number of bars of each piece from step 0 to the end of its last note, shape (n_pieces,)."""
        return -(-self.end_step // self.steps_per_bar)

    @cached_property
    def bar(self) -> IntArray:
        """The bar in which each note starts, from 0; shape (n_notes,)."""
        return self.onset_step // self.steps_per_bar[self.piece]

    @cached_property
    def top_line(self) -> Pieces:
        """The highest note at each onset, with its own duration: the skyline of Uitdenbogerd & Zobel (1999).

        Of a melody that is the melody itself, of a chord its top note. A note that starts under a higher one that
        is still held does count. Of the same pitch struck twice at once, the last one stands.
        """
        # Notes are sorted by onset, then pitch: the last of each onset is the highest.
        is_last = np.roll(self.sequences(self.onset_step).is_new(), -1)
        return Pieces(
            self.onset_step[is_last],
            self.duration_step[is_last],
            self.pitch[is_last],
            self.piece[is_last],
            self.steps_per_quarter,
            self.steps_per_bar,
        )
