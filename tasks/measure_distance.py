"""Measure how far generated music lies from the corpus, beside two references."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd
import pyarrow as pa

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.evaluation.distances import discrepancy, set_distances
from tasks.evaluate import CORPUS, GENERATED, PIECES_NAME, TRAIN
from tasks.stages import stage

CONTROL = "control"
"""Samples of the n-gram model, beside the sets of `tasks.evaluate`."""

DISTANCES_NAME, DISCREPANCIES_NAME = "distances.parquet", "discrepancies.parquet"
_SEED = 0


@stage(kind="distances", schema_version=1)
def measure_distance(draft: Draft, metrics: Artifact, control: Artifact) -> None:
    """Write ``distances.parquet`` (by metric) and ``discrepancies.parquet`` (all metrics together).

    `metrics` are those of a run's samples, `control` of the n-gram model's. Each is a row, or several, by ``set``
    and ``temperature``: "generated" at each temperature; "train", as near as real music comes to other real music;
    and "control", a weak model, at each temperature of its own. All are measured against the same test pieces.
    """
    figures = draft.store.read_table(metrics, PIECES_NAME).to_pandas()
    of_control = draft.store.read_table(control, PIECES_NAME).to_pandas()
    chosen = [
        figures[figures["set"].isin([GENERATED, TRAIN])],
        of_control[of_control["set"] == GENERATED].assign(set=CONTROL),
    ]
    corpus = _metrics_alone(figures[figures["set"] == CORPUS])
    distances, discrepancies = [], []
    by_set = pd.concat(chosen).groupby(["set", "temperature"], sort=False, dropna=False)
    for (name, temperature), pieces in by_set:
        of_set, label = _metrics_alone(pieces), {"set": name, "temperature": temperature}
        distances.append(set_distances(of_set, corpus, _SEED).assign(**label))
        discrepancies.append(label | asdict(discrepancy(of_set, corpus, _SEED)))
    _write(draft, DISTANCES_NAME, pd.concat(distances, ignore_index=True))
    _write(draft, DISCREPANCIES_NAME, pd.DataFrame(discrepancies))


def _metrics_alone(pieces: pd.DataFrame) -> pd.DataFrame:
    return pieces.drop(columns=["set", "temperature"])


def _write(draft: Draft, name: str, frame: pd.DataFrame) -> None:
    draft.write_table(name, pa.Table.from_pandas(frame, preserve_index=False))
