"""Likelihood of held-out music under a model: loss, perplexity, accuracy, bits per note, calibration.

Every model is asked for the same targets and reads only the tokens before them, so that models can be compared.
The loss is the mean negative log-likelihood (nll) of the targets, in nats per token; perplexity is its exponential.

Bits per note are ``Σ nll / Σ notes / ln 2`` over all targets together: the cost of a note, with rests and the ends of
pieces included. Every pitch of a chord is a note, a rest is none. Unlike the loss, bits per note compare across
tokenisations, as far as their targets are the same notes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.evaluation.calibration import expected_calibration_error, reliability_curve
from pipeline_lib.evaluation.token_parts import TokenParts
from pipeline_lib.models.protocols import Predictor
from pipeline_lib.tokens.corpus import pieces_at
from pipeline_lib.tokens.vocabulary import UNKNOWN_ID

SCORE_SCHEMA = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("piece", pa.int32(), nullable=False),
        pa.field("place", pa.int32(), nullable=False),
        pa.field("token_id", pa.int32(), nullable=False),
        pa.field("n_notes", pa.int16(), nullable=False),
        pa.field("nll_nat", pa.float64(), nullable=False),
        pa.field("pitch_nll_nat", pa.float64(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("top_probability", pa.float64(), nullable=False),
    ],
    metadata={"schema": "scores/2"},
)
"""Columns of scores: one row per target. ``position`` is its place in the flat token array, ``piece`` the number of
its piece among those that were scored, ``place`` how many tokens of the piece stand before it, ``n_notes`` how many
notes it holds, ``nll_nat`` its negative log-likelihood. ``pitch_nll_nat`` is the part of this that is due to the pitch;
the rest is due to the duration (`token_parts`). ``rank`` is the number of tokens to which the model gave a higher
probability, or the same and a smaller id (0: a hit); ``top_probability`` is that of the likeliest token."""

_TOP = 5
"""Rank below which a target counts in the top-5 accuracy."""
_NAT_PER_BIT = math.log(2)


def score_targets(
    predictor: Predictor,
    token_ids: NDArray[np.int32],
    spans: NDArray[np.int64],
    n_context: int,
    parts: TokenParts,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pa.Table:
    """Score a model on every known token with at least `n_context` tokens of its piece before it.

    Targets that the vocabulary does not know are left out, since to guess that a token is unknown is not to predict
    music; `summarise_scores` reports their share.

    Parameters
    ----------
    predictor : Predictor
    token_ids : int32 array, shape (n_tokens,)
        The flat array of all pieces.
    spans : int64 array, shape (n_pieces, 2)
        Start and length of the pieces to predict.
    n_context : int
        Number of tokens of a piece before its first target; the same for all models that are compared.
    parts : TokenParts
        Pitch and duration of the vocabulary's tokens.
    progress : callable
        A function that is told the pieces done and the number of pieces.

    Returns
    -------
    pyarrow.Table
        One row per target, with `SCORE_SCHEMA`.

    Examples
    --------
    An n-gram model of order 1, on the piece that it was counted on; to it, both notes are equally likely:

    >>> from pipeline_lib.config import NoteEventConfig
    >>> from pipeline_lib.models.ngrams.counts import count_ngrams
    >>> from pipeline_lib.models.ngrams.smoothed import witten_bell
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> from pipeline_lib.tokens.vocabulary import Vocabulary
    >>> tokens = ["<start>", "<end>", "<unknown>", "Pitch_60:1", "Pitch_62:1"]
    >>> parts = TokenParts.of(Vocabulary.of(tokens, make_tokeniser(NoteEventConfig())).features)
    >>> piece, spans = np.array([0, 3, 4, 3, 4, 1], np.int32), np.array([[0, 6]])
    >>> model = witten_bell(count_ngrams(piece, spans, vocab_size=5, max_order=1), order=1)
    >>> scores = score_targets(model, piece, spans, n_context=1, parts=parts)
    >>> scores.column("rank").to_pylist()
    [0, 1, 0, 1, 2]
    >>> np.exp(scores.column("nll_nat").to_numpy()).round(3)  # 45/14 for the notes, 45/9 for the end
    array([3.214, 3.214, 3.214, 3.214, 5.   ])
    """
    predicted = predictor.log_probabilities(pieces_at(token_ids, spans), n_context)
    (table,) = score_side_by_side([predicted], token_ids, spans, n_context, parts, progress)
    return table


def score_side_by_side(
    predicted: Sequence[Iterable[NDArray[np.float64]]],
    token_ids: NDArray[np.int32],
    spans: NDArray[np.int64],
    n_context: int,
    parts: TokenParts,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[pa.Table]:
    """Score the predictions of several models, piece by piece, so that two may share what one network computes.

    Parameters
    ----------
    predicted : sequence of iterables
        For each model, the distributions that `Predictor.log_probabilities` yields.
    token_ids, spans, n_context, parts, progress
        As for `score_targets`.

    Returns
    -------
    list of pyarrow.Table
        One for each model, with `SCORE_SCHEMA`.
    """
    pieces = pieces_at(token_ids, spans)
    tables = [[SCORE_SCHEMA.empty_table()] for _ in predicted]
    for n, of_piece in enumerate(zip(*predicted, strict=True)):
        place = np.arange(n_context, len(pieces[n]))
        where = {"position": spans[n, 0] + place, "piece": np.full(len(place), n), "place": place}
        for table, log_p in zip(tables, of_piece, strict=True):
            table.append(_scored(log_p, pieces[n][n_context:], where, parts))
        progress(n + 1, len(pieces))
    return [pa.concat_tables(table).combine_chunks() for table in tables]


def _scored(
    log_p: NDArray[np.float64],
    targets: NDArray[np.int32],
    where: dict[str, NDArray[np.int64]],
    parts: TokenParts,
) -> pa.Table:
    """Score one piece: its rows of `SCORE_SCHEMA`.

    Parameters
    ----------
    log_p : float64 array, shape (n_targets, vocab_size)
    targets : int32 array, shape (n_targets,)
    where : dict
        The columns ``position``, ``piece`` and ``place``.
    parts : TokenParts
    """
    of_target = log_p[np.arange(len(targets)), targets]
    columns = {
        **where,
        "token_id": targets,
        "n_notes": parts.n_notes[targets],
        "nll_nat": -of_target,
        "pitch_nll_nat": -parts.pitch_log_probabilities(log_p, targets),
        "rank": _ranks(log_p, targets, of_target),
        "top_probability": np.exp(log_p.max(axis=1)),
    }
    known = targets != UNKNOWN_ID
    return pa.table({name: c[known] for name, c in columns.items()}).cast(SCORE_SCHEMA)


def _ranks(
    log_p: NDArray[np.float64], targets: NDArray[np.int32], of_target: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Ranks of the targets: the number of tokens before each by falling probability, then by rising id."""
    ranks = np.count_nonzero(log_p > of_target[:, None], axis=1)
    equal = log_p == of_target[:, None]
    (tied,) = np.nonzero(
        np.count_nonzero(equal, axis=1) > 1
    )  # rare: only these are looked at again
    is_before = np.arange(log_p.shape[1]) < targets[tied, None]
    ranks[tied] += np.count_nonzero(equal[tied] & is_before, axis=1)
    return ranks


def mean_loss_nat(
    predictor: Predictor, token_ids: NDArray[np.int32], spans: NDArray[np.int64], n_context: int
) -> float:
    """Mean loss of a model in nats per token, which is enough to choose between models.

    Parameters
    ----------
    predictor, token_ids, spans, n_context
        As for `score_targets`; at least one known target.

    Examples
    --------
    An n-gram model of order 1, on the piece that it was counted on:

    >>> from pipeline_lib.models.ngrams.counts import count_ngrams
    >>> from pipeline_lib.models.ngrams.smoothed import witten_bell
    >>> piece, spans = np.array([0, 3, 4, 3, 4, 1], np.int32), np.array([[0, 6]])
    >>> model = witten_bell(count_ngrams(piece, spans, vocab_size=5, max_order=1), order=1)
    >>> loss_nat = mean_loss_nat(model, piece, spans, n_context=1)
    >>> round(loss_nat, 3)  # four targets of probability 14/45, one of 9/45
    1.256
    >>> round(math.exp(loss_nat), 3)  # perplexity
    3.511
    """
    pieces = pieces_at(token_ids, spans)
    nll_nat = []
    for piece, log_p in zip(pieces, predictor.log_probabilities(pieces, n_context), strict=True):
        targets = piece[n_context:]
        (known,) = np.nonzero(targets != UNKNOWN_ID)
        nll_nat.append(-log_p[known, targets[known]])
    return float(np.concatenate(nll_nat).mean())


def summarise_scores(scores: pa.Table, n_asked: int) -> dict[str, float]:
    """Summarise a model's scores: loss, perplexity, accuracy, bits per note, calibration.

    Parameters
    ----------
    scores : pyarrow.Table
        One row per target, with `SCORE_SCHEMA`; at least one row.
    n_asked : int
        Number of targets, with those that were left out since the vocabulary does not know them.

    Returns
    -------
    dict
        ``loss_nat`` (per token) and its two parts, ``pitch_loss_nat`` and ``duration_loss_nat``; ``perplexity``; ``accuracy``
        and ``top5_accuracy`` (0 to 1); ``bits_per_note``, NaN where no target holds a note; ``ece`` (expected calibration error,
        0 to 1); ``n_targets``, ``n_notes``; ``unknown_share`` (0 to 1), the share of `n_asked` that was left out.

    Examples
    --------
    Two targets of a note each, of probabilities 1/2 (a hit) and 1/8, so that they cost 1 and 3 bits:

    >>> scores = pa.table(
    ...     {
    ...         "n_notes": [1, 1],
    ...         "nll_nat": np.log([2.0, 8.0]),
    ...         "pitch_nll_nat": np.log([2.0, 4.0]),
    ...         "rank": [0, 2],
    ...         "top_probability": [0.5, 0.5],
    ...     }
    ... )
    >>> summary = summarise_scores(scores, n_asked=2)
    >>> {name: round(summary[name], 3) for name in ("perplexity", "bits_per_note", "accuracy", "ece")}
    {'perplexity': 4.0, 'bits_per_note': 2.0, 'accuracy': 0.5, 'ece': 0.0}
    """
    columns = {name: scores.column(name).to_numpy() for name in scores.column_names}
    nll_nat, rank, n_notes = columns["nll_nat"], columns["rank"], int(columns["n_notes"].sum())
    loss, pitch_loss = float(nll_nat.mean()), float(columns["pitch_nll_nat"].mean())
    return {
        "loss_nat": loss,
        "pitch_loss_nat": pitch_loss,
        "duration_loss_nat": loss - pitch_loss,
        "perplexity": float(np.exp(loss)),
        "accuracy": float((rank == 0).mean()),
        "top5_accuracy": float((rank < _TOP).mean()),
        "bits_per_note": float(nll_nat.sum()) / n_notes / _NAT_PER_BIT if n_notes else math.nan,
        "ece": expected_calibration_error(reliability(scores)),
        "n_targets": len(rank),
        "n_notes": n_notes,
        "unknown_share": 1.0 - len(rank) / n_asked,
    }


def reliability(scores: pa.Table) -> pd.DataFrame:
    """Reliability curve of a model, from its scores (`calibration.reliability_curve`).

    Parameters
    ----------
    scores : pyarrow.Table
        One row per target, with `SCORE_SCHEMA`.
    """
    return reliability_curve(
        scores.column("top_probability").to_numpy(), scores.column("rank").to_numpy() == 0
    )
