"""From ticks to steps of a grid, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.notes.quantising import quantise_ticks


@pytest.mark.parametrize(
    ("tick", "step"), [(0, 0), (9, 0), (10, 1), (20, 1), (29, 1), (30, 2), (480, 24)]
)
def test_ticks_go_to_the_nearest_step_and_halves_up(tick: int, step: int) -> None:
    # 480 ticks per quarter on 24 steps: 20 ticks a step, so 10 ticks are exactly half.
    assert quantise_ticks(np.array([tick]), 480, 24).tolist() == [step]
