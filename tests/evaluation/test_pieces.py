from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.pieces import Pieces, Sequences
from tests.evaluation.one_piece import alone


def sequences(*values: list[float]) -> Sequences:
    piece = np.repeat(np.arange(len(values)), [len(own) for own in values])
    return Sequences(np.array([v for own in values for v in own]), piece, len(values))


def listed(several: Sequences) -> list[list[float]]:
    return [own.tolist() for own in several.by_piece()]


def test_sums_and_means_of_each_piece():
    several = sequences([], [1, 2, 6], [], [True])
    assert several.lengths.tolist() == [0, 3, 0, 1]
    assert several.sum().tolist() == [0, 9, 0, 1]
    assert several.mean().tolist() == pytest.approx([np.nan, 3, np.nan, 1], nan_ok=True)
    assert several.reduced(np.maximum).tolist() == pytest.approx(
        [np.nan, 6, np.nan, 1], nan_ok=True
    )


def test_neighbours_never_cross_from_piece_to_piece():
    several = sequences([1, 4], [], [9], [2, 2, 7])
    assert listed(several.differences()) == [[3], [], [], [0, 5]]
    earlier, later = several.neighbours()
    assert (listed(earlier), listed(later)) == ([[1], [], [], [2, 2]], [[4], [], [], [2, 7]])


def test_runs_of_equal_values():
    runs, place = sequences([5, 5, 3], [3, 3], [], [5]).runs()
    assert listed(runs) == [[5, 3], [3], [], [5]]
    assert place.tolist() == [0, 0, 1, 2, 2, 3]


def test_entropy_counts_each_piece_apart():
    entropy = sequences([0.5, 0.5, 1, 2], [], [0.5, 1], [7]).entropy_bits()
    assert entropy.tolist() == pytest.approx([1.5, np.nan, 1, 0], nan_ok=True)


def test_find_looks_in_the_same_piece_only():
    several = sequences([0, 2, 5], [], [1, 2])
    wanted = sequences([2, 9, -1], [2], [0, 1])
    assert several.find(wanted).tolist() == [1, -1, -1, -1, -1, 3]
    assert sequences([], []).find(sequences([1], [])).tolist() == [-1]


def test_top_line_is_the_highest_pitch_at_each_onset(triads, make_notes):
    assert alone(triads).top_line.pitch.tolist() == [67, 72, 64, 69]
    # The E under the held C is heard as a new onset and takes part, with its own duration.
    held = make_notes([(0, 60, 6), (0, 72, 96), (24, 64, 12)])
    assert alone(held).top_line.pitch.tolist() == [72, 64]
    assert alone(held).top_line.duration_step.tolist() == [96, 12]


def test_pieces_on_different_grids(make_notes, silence):
    waltz = make_notes([(0, 60, 12), (13, 64, 2)], time_signature="3/4", steps_per_quarter=4)
    pieces = Pieces.of([silence, waltz, make_notes([(0, 60, 96)]), silence])
    assert pieces.steps_per_bar.tolist() == [96, 12, 96, 96]
    assert pieces.end_step.tolist() == [0, 15, 96, 0]
    assert pieces.n_bars.tolist() == [0, 2, 1, 0]
    assert pieces.bar.tolist() == [0, 1, 0]
    assert listed(pieces.sequences(pieces.pitch)) == [[], [60, 64], [60], []]


def test_no_pieces():
    nothing = Pieces.of([])
    assert len(nothing) == len(nothing.end_step) == len(nothing.top_line.pitch) == 0
