"""How new music measures: the kinds ``metrics``, ``distances`` and ``novelty``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.evaluation.novelty import CopyBaseline
from pipeline_lib.stores import file_names
from pipeline_lib.stores.frames import read_frame, write_frame


@dataclass(frozen=True, eq=False)
class Metrics:
    """The metrics of new music beside those of real music.

    Parameters
    ----------
    summary : DataFrame
        ``temperature``, then the columns of `evaluation.metrics.summarise`.
    pieces : DataFrame
        Every piece's figures: ``temperature`` (NaN for real music), the metrics, ``set`` (see `evaluation.sets`).
    leaps : DataFrame
        ``temperature``, the columns of `evaluation.metrics.leap_distribution`, ``set``.
    """

    summary: pd.DataFrame
    pieces: pd.DataFrame
    leaps: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Distances:
    """How far sets of pieces lie from the corpus.

    Parameters
    ----------
    by_metric : DataFrame
        The columns of `evaluation.distances.set_distances`, ``set``, ``temperature``.
    together : DataFrame
        ``set``, ``temperature``, then the fields of `evaluation.distances.Discrepancy`.
    """

    by_metric: pd.DataFrame
    together: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Copies:
    """What new and held-out music has in common with the training pieces.

    Parameters
    ----------
    pieces : pyarrow.Table
        A row per piece, with `evaluation.novelty.NOVELTY_SCHEMA`.
    rates : DataFrame
        Of each set, from `evaluation.novelty.copy_rates_by_set`.
    baseline : CopyBaseline
        Above which a piece is flagged.
    """

    pieces: pa.Table
    rates: pd.DataFrame
    baseline: CopyBaseline


def write_metrics(draft: Draft, metrics: Metrics) -> None:
    """Write the metrics of one run's samples."""
    write_frame(draft, file_names.METRIC_SUMMARY, metrics.summary)
    write_frame(draft, file_names.PIECES, metrics.pieces)
    write_frame(draft, file_names.LEAPS, metrics.leaps)


def read_metrics(store: ArtifactStore, metrics: Artifact) -> Metrics:
    """The metrics of one run's samples."""
    return Metrics(
        read_frame(store, metrics, file_names.METRIC_SUMMARY),
        read_frame(store, metrics, file_names.PIECES),
        read_frame(store, metrics, file_names.LEAPS),
    )


def write_distances(draft: Draft, distances: Distances) -> None:
    """Write how far one run's samples and others lie from the corpus."""
    write_frame(draft, file_names.DISTANCES, distances.by_metric)
    write_frame(draft, file_names.DISCREPANCIES, distances.together)


def read_distances(store: ArtifactStore, distances: Artifact) -> Distances:
    """How far one run's samples and others lie from the corpus."""
    return Distances(
        read_frame(store, distances, file_names.DISTANCES),
        read_frame(store, distances, file_names.DISCREPANCIES),
    )


def write_copies(draft: Draft, copies: Copies) -> None:
    """Write what was found of one run's samples."""
    draft.write_table(file_names.NOVELTY, copies.pieces)
    write_frame(draft, file_names.COPIED, copies.rates)
    # JSON has no NaN.
    known = {n: None if math.isnan(v) else v for n, v in vars(copies.baseline).items()}
    draft.write_json(file_names.COPY_BASELINE, known)


def read_copies(store: ArtifactStore, novelty: Artifact) -> Copies:
    """What was found of one run's samples."""
    known = store.read_json(novelty, file_names.COPY_BASELINE)
    return Copies(
        store.read_table(novelty, file_names.NOVELTY),
        read_frame(store, novelty, file_names.COPIED),
        CopyBaseline(**{n: math.nan if v is None else v for n, v in known.items()}),
    )
