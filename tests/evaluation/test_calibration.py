"""Models that know how much they know, and models that do not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline_lib.evaluation.calibration import (
    N_BINS,
    chance_ece,
    expected_calibration_error,
    reliability_curve,
)


def ece(confidence: list[float] | NDArray[np.float64], is_hit: object) -> float:
    curve = reliability_curve(np.array(confidence, float), np.array(is_hit, dtype=bool))
    return expected_calibration_error(curve)


def test_a_perfectly_calibrated_model_has_no_error() -> None:
    # Of four at 3/4 three are hits, of two at 1/2 one: in whatever order they come.
    assert ece([0.75, 0.5, 0.75, 0.75, 0.5, 0.75], [1, 0, 0, 1, 1, 1]) == 0


def test_four_targets_by_hand() -> None:
    # Each is a bin of its own: |0 - 0.2|, |1 - 0.4|, |0 - 0.6|, |1 - 0.8|; mean 1.6 / 4.
    assert ece([0.6, 0.2, 0.8, 0.4], [0, 0, 1, 1]) == pytest.approx(0.4)
    # In two bins: 1/2 of them are hits at 0.3, and 1/2 at 0.7: 0.2 each.
    curve = reliability_curve(np.array([0.6, 0.2, 0.8, 0.4]), np.array([0, 0, 1, 1], bool), 2)
    assert curve["n_targets"].tolist() == [2, 2]
    assert curve["confidence"].tolist() == pytest.approx([0.3, 0.7])
    assert curve["accuracy"].tolist() == [0.5, 0.5]
    assert expected_calibration_error(curve) == pytest.approx(0.2)


def test_a_model_that_is_always_equally_sure_has_one_bin() -> None:
    curve = reliability_curve(np.full(1000, 0.25), np.arange(1000) < 300)
    assert len(curve) == 1
    assert expected_calibration_error(curve) == pytest.approx(0.05)


def test_bins_hold_equal_numbers() -> None:
    rng = np.random.default_rng(0)
    curve = reliability_curve(rng.beta(0.3, 3.0, 1500), np.zeros(1500, bool))
    assert curve["n_targets"].tolist() == [100] * 15
    assert curve["confidence"].is_monotonic_increasing


def test_of_hits_drawn_with_the_confidence_only_chance_remains() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0, 1, 20_000)
    is_hit = rng.uniform(0, 1, 20_000) < confidence
    by_chance = 0.4 * np.sqrt(15 / 20_000)
    assert ece(confidence, is_hit) < 1.5 * by_chance
    # Half as sure as it should be, it is off by half of the mean confidence, 1/2.
    assert ece(confidence / 2, is_hit) == pytest.approx(0.25, abs=0.01)
    # A root is always above: of mean 2/3 instead of 1/2.
    assert ece(np.sqrt(confidence), is_hit) == pytest.approx(2 / 3 - 1 / 2, abs=0.01)


def test_of_nothing_nothing_is_known() -> None:
    assert np.isnan(ece([], []))


def test_a_coin_that_knows_itself_has_the_error_of_chance() -> None:
    # 0.4 sqrt(15 / 1500) = 0.04. Confidences hardly differ from 1/2, so that each bin is 100 tosses.
    rng = np.random.default_rng(0)
    tosses = rng.random((200, 1500)) < 0.5
    confidence = 0.5 + np.linspace(0, 1e-6, 1500)
    errors = [ece(confidence, is_hit) for is_hit in tosses]
    assert chance_ece(1500, N_BINS) == pytest.approx(0.04)
    assert np.mean(errors) == pytest.approx(chance_ece(1500), rel=0.03)
