from __future__ import annotations

import math

import pytest

from pipeline_lib.reports.digits import decimals_for, probability, written


@pytest.mark.parametrize(
    ("low", "high", "decimals"),
    [
        (0.9, 1.146, 2),  # 0.25 wide
        (-0.5, 3.25, 1),  # 3.8
        (150, 400, 0),
        (0.0003, 0.0013, 4),  # 0.0010
        (0, 1e-9, 6),
        (2.0, 2.0, 3),
        (math.nan, math.nan, 3),
    ],
)
def test_two_digits_of_an_interval_are_shown(low: float, high: float, decimals: int) -> None:
    assert decimals_for(low, high) == decimals


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1234.567, "−1,234.57"),
        (0.0, "0"),
        (0.004, "< 0.01"),
        (-0.004, "> −0.01"),
        (0.006, "0.01"),
        (math.nan, "—"),
    ],
)
def test_what_rounds_to_nothing_is_told_from_nothing(value: float, text: str) -> None:
    assert written(value, 2) == text


def test_small_probabilities_are_bounded() -> None:
    assert (probability(0.0004), probability(0.0316)) == ("< 0.001", "0.032")
