"""Judge the lab report's claims by the runs of an experiment."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import RunConfig
from pipeline_lib.evaluation.claims import finding_table
from pipeline_lib.studies.lab_report.claims import LabRun, lab_curves
from pipeline_lib.studies.lab_report.claims import judge_claims as judge_by_runs
from tasks.evaluate import CORPUS, GENERATED
from tasks.stages import stage

FINDINGS_NAME, CURVES_NAME = "findings.parquet", "curves.parquet"


@stage(kind="claims", schema_version=1)
def judge_claims(draft: Draft, runs: Sequence[Artifact], metrics: Sequence[Artifact]) -> None:
    """Write ``findings.parquet`` (every comparison that bears on a claim, and the verdicts) and ``curves.parquet``."""
    store = draft.store
    figures = [store.read_table(artifact, "pieces.parquet").to_pandas() for artifact in metrics]
    lab_runs = [_lab_run(store, run, pieces) for run, pieces in zip(runs, figures, strict=True)]
    # The corpus stands beside every run, and is the same there.
    corpus = figures[0][figures[0]["set"] == CORPUS]
    draft.write_table(FINDINGS_NAME, finding_table(judge_by_runs(lab_runs, corpus, seed=0)))
    curves = pa.Table.from_pandas(lab_curves(lab_runs), preserve_index=False)
    draft.write_table(CURVES_NAME, curves)


def _lab_run(store: ArtifactStore, run: Artifact, figures: pd.DataFrame) -> LabRun:
    made = figures[figures["set"] == GENERATED]
    return LabRun(
        config=RunConfig.model_validate(store.read_json(run, "run.json")["config"]),
        losses=store.read_table(run, "steps.parquet")["loss"].to_numpy(),
        pieces=made.assign(sample=made.groupby("temperature").cumcount()),
    )
