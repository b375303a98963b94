"""Measure how far generated music lies from the corpus, beside two references."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.evaluation.distances import discrepancy, set_distances
from pipeline_lib.evaluation.sets import CONTROL, CORPUS, GENERATED, TRAIN
from pipeline_lib.stores.measures import Distances, read_metrics, write_distances
from tasks.stages import stage

_SEED = 0


@stage(kind="distances", schema_version=1)
def measure_distance(draft: Draft, metrics: Artifact, control: Artifact) -> None:
    """Write ``distances.parquet`` (by metric) and ``discrepancies.parquet`` (all metrics together).

    `metrics` are those of a run's samples, `control` of the n-gram model's. Each is a row, or several, by ``set``
    and ``temperature``: "generated" at each temperature; "train", as near as real music comes to other real music;
    and "control", a weak model, at each temperature of its own. All are measured against the same test pieces.
    """
    figures = read_metrics(draft.store, metrics).pieces
    of_control = read_metrics(draft.store, control).pieces
    chosen = [
        figures[figures["set"].isin([GENERATED, TRAIN])],
        of_control[of_control["set"] == GENERATED].assign(set=CONTROL),
    ]
    corpus = _metrics_alone(figures[figures["set"] == CORPUS])
    distances, discrepancies = [], []
    by_set = pd.concat(chosen).groupby(["set", "temperature"], sort=False, dropna=False)
    for (name, temperature), pieces in by_set:
        label: dict[str, Any] = {"set": name, "temperature": temperature}
        of_set = _metrics_alone(pieces)
        distances.append(set_distances(of_set, corpus, _SEED).assign(**label))
        discrepancies.append(label | asdict(discrepancy(of_set, corpus, _SEED)))
    by_metric = pd.concat(distances, ignore_index=True)
    write_distances(draft, Distances(by_metric, pd.DataFrame(discrepancies)))


def _metrics_alone(pieces: pd.DataFrame) -> pd.DataFrame:
    return pieces.drop(columns=["set", "temperature"])
