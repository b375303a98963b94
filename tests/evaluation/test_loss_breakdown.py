"""Losses piece by piece and place by place, of scores written by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline_lib.evaluation.likelihood import SCORE_SCHEMA
from pipeline_lib.evaluation.loss_breakdown import losses_by_place


def scores(*targets: tuple[int, int, int, float]) -> pa.Table:
    """From (piece, place, n_notes, nll_nat) of each target; what else a score has is 0."""
    columns = dict(
        zip(
            ("piece", "place", "n_notes", "nll_nat"),
            np.array(targets).reshape(-1, 4).T,
            strict=True,
        )
    )
    rest = {name: np.zeros(len(targets)) for name in SCORE_SCHEMA.names}
    return pa.table({**rest, **columns}).cast(SCORE_SCHEMA)


# Piece 0 has three targets, piece 1 none, piece 2 one.
FOUR = scores((0, 2, 1, 0.5), (0, 3, 3, 1.5), (0, 4, 0, 1.0), (2, 2, 1, 4.0))


def test_places_are_counted_from_the_start_of_each_piece() -> None:
    # Two bins of four targets: place 2 (twice), then 3 and 4.
    losses = losses_by_place(FOUR, n_bins=2)
    assert losses["first_place"].tolist() == [2, 3]
    assert losses["last_place"].tolist() == [2, 4]
    assert losses["mean_place"].tolist() == [2.0, 3.5]
    assert losses["n_targets"].tolist() == [2, 2]
    assert losses["loss_nat"].tolist() == [2.25, 1.25]


def test_one_target_is_one_bin() -> None:
    losses = losses_by_place(scores((0, 7, 1, 2.0)))
    assert losses.to_dict("list") == {
        "first_place": [7],
        "last_place": [7],
        "mean_place": [7.0],
        "n_targets": [1],
        "loss_nat": [2.0],
    }


def test_no_targets_have_no_bins() -> None:
    assert losses_by_place(SCORE_SCHEMA.empty_table()).empty
