"""Calibration: whether a model is right as often as its probabilities say.

A model gives its likeliest token a probability, the *confidence*. Among targets of one confidence, the share for
which this token is right, the *accuracy*, should be as large. Targets are put into bins by confidence, of as equal
numbers as possible (Nguyen and O'Connor 2015); most bins of equal width would be empty:

    ECE = Σ over bins of n_bin / n * |accuracy of the bin - mean confidence of the bin|

Sources: expected calibration error and reliability diagrams after Guo et al. (2017). Of finitely many targets not even
a perfectly calibrated model's ECE is 0; see `chance_ece`.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline_lib.evaluation.statistics import equal_mass_bins

N_BINS = 15
"""Number of bins, at most, of a reliability curve."""


def chance_ece(n_targets: int, n_bins: int = N_BINS) -> float:
    """ECE that a perfectly calibrated model has at most on average, by chance alone: 0.4 sqrt(n_bins / n).

    The accuracy of a bin of m targets has a standard deviation of at most 0.5 / sqrt(m), and a normal variable lies
    0.8 standard deviations from its mean on average. It is less where the model is surer than 50 %.
    """
    return 0.4 * math.sqrt(n_bins / n_targets)


def reliability_curve(
    confidence: NDArray[np.float64], is_hit: NDArray[np.bool_], n_bins: int = N_BINS
) -> pd.DataFrame:
    """Compare confidence and accuracy, bin by bin from low to high confidence.

    Parameters
    ----------
    confidence : float64 array, shape (n_targets,)
        Probability of the likeliest token before each target, 0 to 1.
    is_hit : bool array, shape (n_targets,)
        Whether the likeliest token was the target.
    n_bins : int
        Number of bins at most. Targets of equal confidence share a bin, so a model that is always equally sure has one.

    Returns
    -------
    DataFrame
        One row for each bin: ``n_targets``, ``confidence`` (mean) and ``accuracy``.

    Examples
    --------
    >>> confidence = np.array([0.5, 0.5, 0.9, 0.9])
    >>> reliability_curve(confidence, np.array([True, False, True, True]), n_bins=2)
       n_targets  confidence  accuracy
    0          2         0.5       0.5
    1          2         0.9       1.0
    """
    targets = pd.DataFrame({"confidence": confidence, "is_hit": is_hit})
    bins = targets.groupby(equal_mass_bins(confidence, n_bins))
    curve = bins.agg(
        n_targets=("is_hit", "size"), confidence=("confidence", "mean"), accuracy=("is_hit", "mean")
    )
    return curve.reset_index(drop=True)


def expected_calibration_error(curve: pd.DataFrame) -> float:
    """Expected calibration error (ECE) of a model, from 0 to 1; NaN without targets.

    Parameters
    ----------
    curve : DataFrame
        Confidence and accuracy of each bin, from `reliability_curve`.

    Examples
    --------
    >>> confidence = np.array([0.5, 0.5, 0.9, 0.9])
    >>> curve = reliability_curve(confidence, np.array([True, False, True, True]), n_bins=2)
    >>> round(expected_calibration_error(curve), 3)  # the mean of 0 and 0.1
    0.05
    """
    if curve.empty:
        return float("nan")
    gaps = (curve["accuracy"] - curve["confidence"]).abs()
    return float(np.average(gaps, weights=curve["n_targets"]))
