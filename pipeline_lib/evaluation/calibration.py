"""Whether a model is as often right as it expects to be.

Its likeliest token comes with a probability, the *confidence*; among targets of one confidence, the share in
which this token is the one that comes, the *accuracy*, should be as large. Targets are put into bins of as equal
numbers as possible by confidence (Nguyen and O'Connor 2015), for bins of equal width would leave most of them
empty:

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


def chance_ece(n_targets: int, n_bins: int = N_BINS) -> float:
    """ECE that a perfectly calibrated model has at most on average, by chance alone: 0.4 sqrt(n_bins / n).

    The accuracy of a bin of m targets has a standard deviation of at most 0.5 / sqrt(m), and a normal variable lies
    0.8 standard deviations from its mean on average. It is less where the model is surer than 50 %.
    """
    return 0.4 * math.sqrt(n_bins / n_targets)


def reliability_curve(
    confidence: NDArray[np.float64], is_hit: NDArray[np.bool_], n_bins: int = N_BINS
) -> pd.DataFrame:
    """Confidence and accuracy, bin by bin from unsure to sure.

    Parameters
    ----------
    confidence : float64 array, shape (n,)
        Probability of the likeliest token, 0 to 1.
    is_hit : bool array, shape (n,)
        Whether this token came.
    n_bins : int
        At most; targets of equal confidence are never parted, so a model that is always equally sure has one bin.

    Returns
    -------
    DataFrame
        One row for each bin: ``n_targets``, ``confidence`` (mean) and ``accuracy``.
    """
    targets = pd.DataFrame({"confidence": confidence, "is_hit": is_hit})
    bins = targets.groupby(equal_mass_bins(confidence, n_bins))
    curve = bins.agg(
        n_targets=("is_hit", "size"), confidence=("confidence", "mean"), accuracy=("is_hit", "mean")
    )
    return curve.reset_index(drop=True)


def expected_calibration_error(curve: pd.DataFrame) -> float:
    """ECE, from 0 to 1; NaN without targets.

    Parameters
    ----------
    curve : DataFrame
        As `reliability_curve` gives it.
    """
    if curve.empty:
        return float("nan")
    gaps = (curve["accuracy"] - curve["confidence"]).abs()
    return float(np.average(gaps, weights=curve["n_targets"]))
