"""Bring everything together in one page, with the tables behind its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import PipelineConfig
from pipeline_lib.evaluation.claims import judgements_from_table
from pipeline_lib.evaluation.lab_claims import CLAIMS
from pipeline_lib.generation.samples import samples_from_table
from pipeline_lib.notes.bundled import BUNDLED_CORPORA
from pipeline_lib.notes.catalogue import count_corpus
from pipeline_lib.notes.table import Status
from pipeline_lib.packages import package_versions
from pipeline_lib.presets import as_command
from pipeline_lib.reports.content import (
    BaselineResult,
    CorpusSummary,
    MemoryResult,
    Reject,
    ReportContent,
    RunResult,
    Sample,
)
from pipeline_lib.reports.page import render_page
from tasks.catalogue import PIECES_NAME
from tasks.evaluate import GENERATED
from tasks.generate import SAMPLES_NAME
from tasks.judge_claims import CURVES_NAME, FINDINGS_NAME
from tasks.measure_distance import DISCREPANCIES_NAME, DISTANCES_NAME
from tasks.score import ALONE, WITH_MEMORY
from tasks.stages import stage

REPORT_NAME = "report.html"
RESULTS_NAME = "results.parquet"
MOST_REJECTS = 200
"""Rejected pieces that the page lists: a folder from the web can have ten thousand."""

RESULT_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("seq_length", pa.int32()),
        pa.field("order", pa.int32()),
        pa.field("learning_rate", pa.float64()),
        pa.field("seed", pa.int64()),
        pa.field("n_parameters", pa.int64()),
        pa.field("n_train_pieces", pa.int64()),
        pa.field("kept_epoch", pa.int32()),
        pa.field("test_loss", pa.float64(), nullable=False),
        pa.field("test_perplexity", pa.float64(), nullable=False),
        pa.field("test_accuracy", pa.float64(), nullable=False),
        pa.field("n_targets", pa.int64(), nullable=False),
        pa.field("unknown_share", pa.float64(), nullable=False),
    ],
    metadata={"schema": "results/2"},
)
"""One row per network (with ``seq_length``) and per n-gram model (with ``order``); then the same with a memory of
the piece, their names and models ending in ``+memory``. Loss is in nats per token; every row is over the same targets, of which ``unknown_share`` (0 to 1) were left out beforehand because
the vocabulary does not know them."""


_FIGURES = ("test_loss", "test_perplexity", "test_accuracy", "n_targets")


@stage(kind="reports", schema_version=2)
def write_report(
    draft: Draft,
    corpus_name: str,
    pieces: Artifact,
    tokens: Artifact,
    baseline_scores: Artifact,
    runs: Sequence[Artifact],
    scores: Sequence[Artifact],
    samples: Sequence[Artifact],
    metrics: Sequence[Artifact],
    claims: Artifact | None,
    config: PipelineConfig,
    distances: Sequence[Artifact] = (),
) -> None:
    """Write ``report.html``, ``results.parquet``, ``metrics.parquet`` and ``leaps.parquet``."""
    store = draft.store
    results = tuple(_run_result(store, r, s) for r, s in zip(runs, scores, strict=True))
    names = [result.name for result in results]
    baselines = _baseline_results(store, baseline_scores)
    long_term = next(
        b
        for b in baselines
        if b.model == store.read_json(baseline_scores, "models.json")["long_term"]
    )
    ancestors = [pieces, tokens, *runs, *scores, baseline_scores, *samples, *metrics, *distances]
    content = ReportContent(
        corpus=_corpus_summary(store, corpus_name, pieces, tokens, baseline_scores),
        runs=results,
        baselines=baselines,
        with_memory=(
            *(_with_memory(store, r, s) for r, s in zip(results, scores, strict=True)),
            _with_memory(store, long_term, baseline_scores),
        ),
        metrics=_stack(store, names, metrics, "summary.parquet", "run"),
        leaps=_with_references(store, names, metrics, "leaps.parquet"),
        distances=_with_references(store, names, distances, DISTANCES_NAME),
        discrepancies=_with_references(store, names, distances, DISCREPANCIES_NAME),
        samples=tuple(_samples(store, names, samples, config)),
        parameters=config.model_dump(mode="json"),
        packages=package_versions(),
        lineage=tuple((a.kind, a.relpath) for a in ancestors),
        command=as_command(_as_argument(corpus_name), config),
        **(_judged(store, claims) if claims else {}),
    )
    draft.path(REPORT_NAME).write_text(render_page(content), encoding="utf-8")
    draft.write_table(RESULTS_NAME, _result_table(content))
    draft.write_table(
        "metrics.parquet", pa.Table.from_pandas(content.metrics, preserve_index=False)
    )
    draft.write_table("leaps.parquet", pa.Table.from_pandas(content.leaps, preserve_index=False))


def _judged(store: ArtifactStore, claims: Artifact) -> dict[str, Any]:
    judgements = judgements_from_table(CLAIMS, store.read_table(claims, FINDINGS_NAME))
    curves = store.read_table(claims, CURVES_NAME).to_pandas()
    return {"claims": tuple(judgements), "curves": curves}


def _corpus_summary(
    store: ArtifactStore, name: str, pieces: Artifact, tokens: Artifact, scores: Artifact
) -> CorpusSummary:
    table = store.read_table(pieces, PIECES_NAME)
    rejected = table.filter(pc.equal(table["status"], Status.REJECTED.value))
    return CorpusSummary(
        name=name,
        counts=count_corpus(table),
        n_pieces_by_split=dict(Counter(table["split"].drop_null().to_pylist())),
        vocab_size=store.read_table(tokens, "vocabulary.parquet").num_rows,
        rejects=tuple(
            Reject(_piece_path(row), row["reject_reason"], row["reject_detail"] or "")
            for row in rejected.slice(0, MOST_REJECTS).to_pylist()
        ),
        unknown_share=store.read_json(scores, "summary.json")[WITH_MEMORY]["unknown_share"],
    )


def _piece_path(row: dict[str, Any]) -> str:
    return f"{row['path']} #{row['tune']}" if row["tune"] else str(row["path"])


def _as_argument(corpus_name: str) -> str:
    """What to give as ``--corpus``; where another's folder lies is not for a report to say."""
    return corpus_name if corpus_name in BUNDLED_CORPORA else f"path/to/{corpus_name}"


def _run_result(store: ArtifactStore, run: Artifact, score: Artifact) -> RunResult:
    described = store.read_json(run, "run.json")
    config = described["config"]
    return RunResult(
        name=described["name"],
        model=described["name"].rpartition("-L")[0],
        seq_length=config["seq_length"],
        learning_rate=config["learning_rate"],
        seed=config["seed"],
        kept_epoch=described["kept_epoch"],
        n_parameters=described["n_parameters"],
        n_train_pieces=described["n_train_pieces"],
        history=store.read_table(run, "history.parquet").to_pandas(),
        **_test_figures(store, score, ALONE),
    )


def _baseline_results(store: ArtifactStore, scores: Artifact) -> tuple[BaselineResult, ...]:
    return tuple(
        BaselineResult(**ngram, **_test_figures(store, scores, ngram["model"]))
        for ngram in store.read_json(scores, "models.json")["ngrams"]
    )


def _with_memory(
    store: ArtifactStore, base: RunResult | BaselineResult, scores: Artifact
) -> MemoryResult:
    return MemoryResult(base=base, **_test_figures(store, scores, WITH_MEMORY))


def _test_figures(store: ArtifactStore, scores: Artifact, model: str) -> dict[str, Any]:
    summary = store.read_json(scores, "summary.json")[model]
    return {
        "test_loss": summary["loss_nat"],
        "test_perplexity": summary["perplexity"],
        "test_accuracy": summary["accuracy"],
        "n_targets": summary["n_targets"],
    }


def _stack(
    store: ArtifactStore,
    names: Sequence[str],
    artifacts: Sequence[Artifact],
    file: str,
    column: str,
) -> pd.DataFrame:
    """One table of every artifact, below each other, with the run's name in front."""
    frames = [store.read_table(artifact, file).to_pandas() for artifact in artifacts]
    for name, frame in zip(names, frames, strict=True):
        frame.insert(0, column, name)
    return pd.concat(frames, ignore_index=True)


def _with_references(
    store: ArtifactStore, names: Sequence[str], artifacts: Sequence[Artifact], file: str
) -> pd.DataFrame:
    """The rows of every run, which gives the set its name, and once those of other sets, the same beside each."""
    if not artifacts:
        return pd.DataFrame()
    frame = _stack(store, names, artifacts, file, "run")
    is_run = frame["set"] == GENERATED
    chosen = frame[is_run | (frame["run"] == names[0])]
    labelled = chosen.assign(set=chosen["run"].where(is_run, chosen["set"]))
    return labelled.drop(columns="run").reset_index(drop=True)


def _samples(
    store: ArtifactStore, names: Sequence[str], samples: Sequence[Artifact], config: PipelineConfig
) -> Iterator[Sample]:
    steps = config.tokens.steps_per_quarter
    for run, artifact in zip(names, samples, strict=True):
        made = samples_from_table(store.read_table(artifact, SAMPLES_NAME))
        for sample in (s for s in made if s.number < config.generate.n_rendered):
            name = sample.name
            sound = store.read_json(artifact, f"{name}.json")
            yield Sample(
                run=run,
                name=name,
                temperature=sample.temperature,
                prompt_notes=len(sample.prompt.continued((), steps)),
                notes=sample.notes(steps),
                musicxml=store.path(artifact, f"{name}.musicxml").read_text(encoding="utf-8"),
                midi=store.path(artifact, f"{name}.mid").read_bytes(),
                mp3=store.path(artifact, f"{name}.mp3").read_bytes(),
                audio_backend=sound["audio_backend"],
                audio_font=sound["audio_font"],
            )


def _result_table(content: ReportContent) -> pa.Table:
    alone: list[RunResult | BaselineResult] = [*content.runs, *content.baselines]
    rows = [_result_row(result) for result in alone]
    for result in content.with_memory:
        row = _result_row(result.base)
        of_memory = {name: getattr(result, name) for name in _FIGURES}
        names = {name: f"{row[name]}+memory" for name in ("name", "model")}
        rows.append(row | names | of_memory)
    for row in rows:
        row["unknown_share"] = content.corpus.unknown_share
    return pa.Table.from_pylist(rows, schema=RESULT_SCHEMA)


def _result_row(result: RunResult | BaselineResult) -> dict[str, Any]:
    return {name: getattr(result, name, None) for name in RESULT_SCHEMA.names}
