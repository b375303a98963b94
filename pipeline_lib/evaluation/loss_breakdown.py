"""Where in pieces the loss lies, from their beginning to their end.

Losses are in nats. All models are scored on the same targets, so their breakdowns have the same rows, and models compare
pair by pair.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from pipeline_lib.evaluation.statistics import equal_mass_bins

N_PLACE_BINS = 10


def losses_by_place(scores: pa.Table, n_bins: int = N_PLACE_BINS) -> pd.DataFrame:
    """The loss over the places of targets in their pieces, in tokens since the start.

    Later bins hold long pieces only.

    Parameters
    ----------
    scores : pyarrow.Table
        With `likelihood.SCORE_SCHEMA`.
    n_bins : int
        At most, of about as many targets each; a place is in one bin.

    Returns
    -------
    DataFrame
        One row for each bin, from early to late: ``first_place``, ``last_place``, ``mean_place``, ``n_targets`` and
        ``loss_nat`` (mean per target).
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
