"""The sections on the music itself: its metrics and its distance from the corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipeline_lib.evaluation.sets import GENERATED
from pipeline_lib.stores.measures import Distances, Metrics


@dataclass(frozen=True, eq=False)
class Measures:
    """Fields of `content.ReportContent`."""

    metrics: pd.DataFrame
    leaps: pd.DataFrame
    distances: pd.DataFrame
    discrepancies: pd.DataFrame


def build_measures(metrics: Mapping[str, Metrics], distances: Mapping[str, Distances]) -> Measures:
    """Put the music of all runs beside each other; both mappings are by their names."""
    return Measures(
        metrics=_stack({name: found.summary for name, found in metrics.items()}),
        leaps=_with_references({name: found.leaps for name, found in metrics.items()}),
        distances=_with_references({name: found.by_metric for name, found in distances.items()}),
        discrepancies=_with_references({name: found.together for name, found in distances.items()}),
    )


def _stack(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The frames of all runs below each other, with the run's name in front."""
    named = [frame.assign(run=name) for name, frame in frames.items()]
    stacked = pd.concat(named, ignore_index=True)
    stacked.insert(0, "run", stacked.pop("run"))
    return stacked


def _with_references(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of every run, which gives the set its name, and once those of other sets, the same beside each."""
    frame = _stack(frames)
    is_run = frame["set"] == GENERATED
    chosen = frame[is_run | (frame["run"] == next(iter(frames)))]
    labelled = chosen.assign(set=chosen["run"].where(is_run, chosen["set"]))
    return labelled.drop(columns="run").reset_index(drop=True)
