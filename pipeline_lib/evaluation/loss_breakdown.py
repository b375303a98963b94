"""Breakdown of the loss by place: how well a model predicts the beginnings of pieces, and how well their ends.

Losses are in nats per target. All models are scored on the same targets, so their breakdowns have the same rows, and
models compare row by row.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from pipeline_lib.evaluation.statistics import equal_mass_bins

N_PLACE_BINS = 10
"""Number of bins of places, at most."""


def losses_by_place(scores: pa.Table, n_bins: int = N_PLACE_BINS) -> pd.DataFrame:
    """Average the loss over bins of places; a target's place is the number of its piece's tokens before it.

    Later bins hold targets of long pieces only.

    Parameters
    ----------
    scores : pyarrow.Table
        One row per target, with `likelihood.SCORE_SCHEMA`.
    n_bins : int
        Number of bins at most, of about as many targets each; all targets of one place share a bin.

    Returns
    -------
    DataFrame
        One row for each bin, from early to late: ``first_place``, ``last_place``, ``mean_place``, ``n_targets`` and
        ``loss_nat`` (mean per target).

    Examples
    --------
    >>> scores = pa.table({"place": [1, 2, 3, 4], "nll_nat": [4.0, 2.0, 1.0, 1.0]})
    >>> losses_by_place(scores, n_bins=2)
       first_place  last_place  mean_place  n_targets  loss_nat
    0            1           2         1.5          2       3.0
    1            3           4         3.5          2       1.0
    """
    targets = scores.select(["place", "nll_nat"]).to_pandas()
    bins = targets.groupby(equal_mass_bins(targets["place"].to_numpy(), n_bins))
    losses = bins.agg(
        first_place=("place", "min"),
        last_place=("place", "max"),
        mean_place=("place", "mean"),
        n_targets=("place", "size"),
        loss_nat=("nll_nat", "mean"),
    )
    return losses.reset_index(drop=True)
