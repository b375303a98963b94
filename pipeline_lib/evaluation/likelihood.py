"""How well a model predicts held-out music: loss, perplexity, accuracy.

Every model is asked for the same targets and sees only the tokens before them, so that its figures can
stand beside any other's. Loss is in nats per token; perplexity is its exponential.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

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

_BATCH_SIZE = 512


class Predictor(Protocol):
    """Anything that predicts the next token."""

    def log_probabilities(self, contexts: NDArray[np.int32]) -> NDArray[np.float64]:
        """Shape (n, n_context), oldest token first -> (n, vocab_size), natural logarithms."""


def score_targets(
    predictor: Predictor,
    token_ids: NDArray[np.int32],
    positions: NDArray[np.int64],
    n_context: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pa.Table:
    """Score a model on each target position.

    Parameters
    ----------
    predictor : Predictor
    token_ids : int32 array, shape (n_tokens,)
    positions : int64 array
        Targets, each with at least `n_context` tokens of its piece before it.
    n_context : int
        Tokens shown to the predictor.

    Returns
    -------
    pyarrow.Table
        With `SCORE_SCHEMA`.
    """
    windows = sliding_window_view(token_ids, n_context)
    targets = token_ids[positions]
    nll = np.empty(len(positions))
    rank = np.empty(len(positions), dtype=np.int32)
    for begin in range(0, len(positions), _BATCH_SIZE):
        batch = slice(begin, begin + _BATCH_SIZE)
        log_p = predictor.log_probabilities(windows[positions[batch] - n_context])
        of_target = np.take_along_axis(log_p, targets[batch, None].astype(np.int64), axis=1)
        nll[batch] = -of_target[:, 0]
        rank[batch] = (log_p > of_target).sum(axis=1)
        progress(min(begin + _BATCH_SIZE, len(positions)), len(positions))
    return pa.table(
        {"position": positions, "token_id": targets, "nll_nat": nll, "rank": rank},
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
