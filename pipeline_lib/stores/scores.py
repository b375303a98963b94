"""How well models predict the test split: the kind ``scores``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.stores import file_names
from pipeline_lib.stores.frames import read_frame, write_frame

ALONE, WITH_MEMORY = "alone", "with_memory"
"""Names of a network's scores; n-gram models are scored alone under their own names."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What the scores of one or several models come to.

    Parameters
    ----------
    summaries : dict of dict
        By the models' names, figures of `evaluation.likelihood.summarise_scores`.
    reliability : DataFrame
        ``model``, then the columns of `evaluation.calibration.reliability_curve`.
    loss_by_place : DataFrame
        ``model``, then the columns of `evaluation.loss_breakdown.losses_by_place`.
    """

    summaries: dict[str, dict[str, float]]
    reliability: pd.DataFrame
    loss_by_place: pd.DataFrame


@dataclass(frozen=True)
class NgramOrders:
    """Which n-gram models were scored.

    Parameters
    ----------
    orders : dict of str to int
        By name, tokens of the longest n-gram.
    long_term_name : str
        The one that predicts the valid split best.
    """

    orders: dict[str, int]
    long_term_name: str


def write_scores(draft: Draft, tables: Mapping[str, pa.Table], scores: Scores) -> None:
    """Write scores.

    Parameters
    ----------
    draft : Draft
    tables : mapping of str to pyarrow.Table
        By the models' names, a row per test target, with `evaluation.likelihood.SCORE_SCHEMA`.
    scores : Scores
    """
    for name, table in tables.items():
        draft.write_table(_table_name(name), table)
    # JSON has no NaN.
    summaries = {
        name: {n: None if math.isnan(value) else value for n, value in figures.items()}
        for name, figures in scores.summaries.items()
    }
    draft.write_json(file_names.SCORE_SUMMARY, summaries)
    write_frame(draft, file_names.RELIABILITY, scores.reliability)
    write_frame(draft, file_names.LOSS_BY_PLACE, scores.loss_by_place)


def read_scores(store: ArtifactStore, scores: Artifact) -> Scores:
    """What the scores come to."""
    summaries = store.read_json(scores, file_names.SCORE_SUMMARY)
    return Scores(
        {
            name: {n: math.nan if value is None else value for n, value in figures.items()}
            for name, figures in summaries.items()
        },
        read_frame(store, scores, file_names.RELIABILITY),
        read_frame(store, scores, file_names.LOSS_BY_PLACE),
    )


def read_score_table(store: ArtifactStore, scores: Artifact, model: str) -> pa.Table:
    """The scores of one model, a row per test target, with `evaluation.likelihood.SCORE_SCHEMA`."""
    return store.read_table(scores, _table_name(model))


def write_ngram_orders(draft: Draft, ngrams: NgramOrders) -> None:
    """Write which n-gram models were scored."""
    models = [{"model": name, "order": order} for name, order in ngrams.orders.items()]
    draft.write_json(
        file_names.NGRAM_MODELS, {"ngrams": models, "long_term": ngrams.long_term_name}
    )


def read_ngram_orders(store: ArtifactStore, scores: Artifact) -> NgramOrders:
    """Which n-gram models were scored, in their order."""
    known = store.read_json(scores, file_names.NGRAM_MODELS)
    orders = {model["model"]: model["order"] for model in known["ngrams"]}
    return NgramOrders(orders, known["long_term"])


def _table_name(model: str) -> str:
    return f"{model}.parquet"
