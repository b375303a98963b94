"""How well a model predicts held-out music: loss, perplexity, accuracy.

Every model is asked for the same targets and sees only the tokens before them, so that its figures can
stand beside any other's. Loss is in nats per token; perplexity is its exponential.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.models.prediction import Predictor
from pipeline_lib.tokens.corpus import pieces_at
from pipeline_lib.tokens.vocabulary import UNKNOWN_ID

SCORE_SCHEMA = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("token_id", pa.int32(), nullable=False),
        pa.field("nll_nat", pa.float64(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
    ],
    metadata={"schema": "scores/1"},
)
"""One row per target. ``position`` is its place in the flat token array, ``rank`` the number of tokens that
the model held more likely (0 = a hit)."""


def score_targets(
    predictor: Predictor,
    token_ids: NDArray[np.int32],
    spans: NDArray[np.int64],
    n_context: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pa.Table:
    """Score a model on every known token with at least `n_context` tokens of its piece before it.

    Guessing that a token is unknown is not predicting music: such targets are left out, and their share is
    reported instead.

    Parameters
    ----------
    predictor : Predictor
    token_ids : int32 array, shape (n_tokens,)
        The flat array of all pieces.
    spans : int64 array, shape (n_pieces, 2)
        Start and length of the pieces to predict.
    n_context : int
        The same for all models that are compared.
    progress : callable
        Told the pieces done and the number of pieces.

    Returns
    -------
    pyarrow.Table
        With `SCORE_SCHEMA`.
    """
    pieces = pieces_at(token_ids, spans)
    predicted = predictor.log_probabilities(pieces, n_context)
    (table,) = score_side_by_side([predicted], token_ids, spans, n_context, progress)
    return table


def score_side_by_side(
    predicted: Sequence[Iterable[NDArray[np.float64]]],
    token_ids: NDArray[np.int32],
    spans: NDArray[np.int64],
    n_context: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[pa.Table]:
    """Score what several models predict, in step: so two may share what one network computes.

    Parameters
    ----------
    predicted : sequence of iterables
        Of each model, what `Predictor.log_probabilities` yields.
    token_ids, spans, n_context, progress
        As for `score_targets`.

    Returns
    -------
    list of pyarrow.Table
        One for each model, with `SCORE_SCHEMA`.
    """
    pieces = pieces_at(token_ids, spans)
    tables = [[SCORE_SCHEMA.empty_table()] for _ in predicted]
    for n, of_piece in enumerate(zip(*predicted, strict=True)):
        for table, log_p in zip(tables, of_piece, strict=True):
            table.append(_scored(log_p, pieces[n][n_context:], spans[n, 0] + n_context))
        progress(n + 1, len(pieces))
    return [pa.concat_tables(table).combine_chunks() for table in tables]


def _scored(
    log_p: NDArray[np.float64], targets: NDArray[np.int32], first_position: int
) -> pa.Table:
    """The rows of one piece."""
    of_target = np.take_along_axis(log_p, targets[:, None].astype(np.int64), axis=1)
    known = targets != UNKNOWN_ID
    return pa.table(
        {
            "position": (first_position + np.arange(len(targets)))[known],
            "token_id": targets[known],
            "nll_nat": -of_target[known, 0],
            "rank": (log_p > of_target).sum(axis=1)[known].astype(np.int32),
        },
        schema=SCORE_SCHEMA,
    )


def summarise_scores(scores: pa.Table, n_asked: int) -> dict[str, float]:
    """Loss (nats per token), perplexity, accuracy, and what they are over.

    Parameters
    ----------
    scores : pyarrow.Table
        With `SCORE_SCHEMA`.
    n_asked : int
        Targets before those that the vocabulary does not know were left out.
    """
    loss = float(scores.column("nll_nat").to_numpy().mean())
    return {
        "loss_nat": loss,
        "perplexity": float(np.exp(loss)),
        "accuracy": float((scores.column("rank").to_numpy() == 0).mean()),
        "n_targets": scores.num_rows,
        "unknown_share": 1.0 - scores.num_rows / n_asked,
    }
