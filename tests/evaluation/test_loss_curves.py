"""Curves small enough to read off."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.loss_curves import (
    BLOCK_UPDATES,
    blocks,
    plateau_interval,
    plateau_update,
    roughness,
)


def steps(*levels: float) -> np.ndarray:
    """A curve that stays at each level for one block."""
    return np.repeat(np.array(levels), BLOCK_UPDATES)


def test_an_unfinished_block_is_left_out() -> None:
    assert blocks(np.arange(7.0), n_updates=3).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_straight_line_is_not_rough_however_steep() -> None:
    assert roughness(np.linspace(9, 1, 2 * BLOCK_UPDATES)) == pytest.approx([0, 0], abs=1e-12)


def test_roughness_is_the_scatter_about_the_line() -> None:
    # ±0.1 in the order + - - + about a line: no slope fits it better, so the squares are 50 x 0.01.
    zigzag = np.resize([0.1, -0.1, -0.1, 0.1], 48)
    curve = np.concatenate([zigzag, [0.0, 0.0]])
    slope_free = 48 * 0.01 / (BLOCK_UPDATES - 2)
    assert roughness(curve)[0] == pytest.approx(np.sqrt(slope_free), rel=0.01)
    assert roughness(2 * curve)[0] == pytest.approx(2 * roughness(curve)[0])


def test_a_curve_levels_off_after_the_last_block_that_is_well_above_its_end() -> None:
    # From 5 to 1 it falls by 4: all within 0.4 of the end, 1.4 at most, counts as level.
    assert plateau_update(steps(5, 3, 1.3, 1.2, 1)) == 2 * BLOCK_UPDATES
    assert plateau_update(steps(5, 1.3, 3, 1.2, 1)) == 3 * BLOCK_UPDATES


@pytest.mark.parametrize("curve", [[], [1.0], steps(1), steps(1, 1), steps(1, 2)])
def test_without_a_fall_there_is_no_plateau(curve: list[float]) -> None:
    assert np.isnan(plateau_update(curve))


def test_the_interval_of_curves_without_noise_is_a_point() -> None:
    curve = steps(5, 3, 1.3, 1.2, 1)
    assert plateau_interval([curve], seed=0) == (2 * BLOCK_UPDATES, 2 * BLOCK_UPDATES)


def test_the_interval_covers_curves_that_differ() -> None:
    early, late = steps(5, 1, 1, 1, 1), steps(5, 5, 5, 5, 1)
    low, high = plateau_interval([early, late], seed=0)
    assert (low, high) == (BLOCK_UPDATES, 4 * BLOCK_UPDATES)
