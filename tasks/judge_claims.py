"""Judge the lab report's claims by the runs of an experiment."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.evaluation.sets import CORPUS, GENERATED
from pipeline_lib.stores.claims import write_claims
from pipeline_lib.stores.measures import read_metrics
from pipeline_lib.stores.runs import read_run, read_update_losses
from pipeline_lib.studies.lab_report.claims import LabRun, lab_curves
from pipeline_lib.studies.lab_report.claims import judge_claims as judge_by_runs
from tasks.stages import stage


@stage(kind="claims", schema_version=1)
def judge_claims(draft: Draft, runs: Sequence[Artifact], metrics: Sequence[Artifact]) -> None:
    """Write ``findings.parquet`` (every comparison that bears on a claim, and the verdicts) and ``curves.parquet``."""
    store = draft.store
    figures = [read_metrics(store, artifact).pieces for artifact in metrics]
    lab_runs = [_lab_run(store, run, pieces) for run, pieces in zip(runs, figures, strict=True)]
    # The corpus stands beside every run, and is the same there.
    corpus = figures[0][figures[0]["set"] == CORPUS]
    write_claims(draft, judge_by_runs(lab_runs, corpus, seed=0), lab_curves(lab_runs))


def _lab_run(store: ArtifactStore, run: Artifact, figures: pd.DataFrame) -> LabRun:
    made = figures[figures["set"] == GENERATED]
    return LabRun(
        config=read_run(store, run).config,
        losses=read_update_losses(store, run),
        pieces=made.assign(sample=made.groupby("temperature").cumcount()),
    )
