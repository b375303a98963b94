"""Bring everything together in one page, with the tables behind its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import PipelineConfig, RunConfig
from pipeline_lib.evaluation.claims import judgements_from_table
from pipeline_lib.generation.samples import samples_from_table
from pipeline_lib.notes.corpus.bundled import BUNDLED_CORPORA
from pipeline_lib.notes.corpus.catalogue import count_corpus
from pipeline_lib.notes.table import Status
from pipeline_lib.packages import package_versions
from pipeline_lib.presets import as_command
from pipeline_lib.reports.content import (
    BaselineResult,
    CorpusSummary,
    MemoryResult,
    Reject,
    ReportContent,
    Result,
    RunResult,
    Sample,
)
from pipeline_lib.reports.page import render_page
from pipeline_lib.studies.lab_report.claims import CLAIMS
from pipeline_lib.tokens.tokenisers import make_tokeniser
from tasks.catalogue import PIECES_NAME, piece_path
from tasks.check_novelty import read_copying
from tasks.evaluate import GENERATED
from tasks.generate import SAMPLES_NAME
from tasks.judge_claims import CURVES_NAME, FINDINGS_NAME
from tasks.measure_distance import DISCREPANCIES_NAME, DISTANCES_NAME
from tasks.result_table import RESULTS_NAME, result_table
from tasks.score import ALONE, BY_PLACE_NAME, RELIABILITY_NAME, WITH_MEMORY
from tasks.stages import stage

REPORT_NAME = "report.html"
MOST_REJECTS = 200
"""Rejected pieces that the page lists: a folder from the web can have ten thousand."""


@stage(kind="reports", schema_version=3)
def write_report(
    draft: Draft,
    corpus_name: str,
    pieces: Artifact,
    tokens: Artifact,
    baseline_scores: Artifact,
    runs: Mapping[str, Artifact],
    scores: Mapping[str, Artifact],
    samples: Mapping[str, Artifact],
    metrics: Mapping[str, Artifact],
    distances: Mapping[str, Artifact],
    novelty: Mapping[str, Artifact],
    claims: Artifact | None,
    config: PipelineConfig,
) -> None:
    """Write ``report.html``, ``results.parquet``, and the other tables behind its figures.

    Artifacts come by the names of their runs. All runs are in the table of results and in the breakdowns of the loss;
    those with distances and novelty are shown in detail.
    """
    store, detailed = draft.store, list(distances)
    results = {name: _run_result(store, runs[name], scores[name]) for name in runs}
    baselines = _baseline_results(store, baseline_scores)
    long_term = store.read_json(baseline_scores, "models.json")["long_term"]
    best_ngram = next(baseline for baseline in baselines if baseline.model == long_term)
    measured: list[_Measured] = [
        *((results[name], scores[name], ALONE) for name in runs),
        *((baseline, baseline_scores, baseline.model) for baseline in baselines),
        *((_with_memory(store, results[n], scores[n]), scores[n], WITH_MEMORY) for n in detailed),
        (_with_memory(store, best_ngram, baseline_scores), baseline_scores, WITH_MEMORY),
    ]
    of_detailed = [{name: artifacts[name] for name in detailed} for artifacts in (samples, metrics)]
    shown_samples, shown_metrics = of_detailed
    ancestors = [pieces, tokens, *runs.values(), *scores.values(), baseline_scores]
    ancestors += [*samples.values(), *metrics.values(), *distances.values(), *novelty.values()]
    content = ReportContent(
        corpus=_corpus_summary(store, corpus_name, pieces, tokens, baseline_scores),
        runs=tuple(results.values()),
        detailed=tuple(detailed),
        baselines=baselines,
        with_memory=tuple(r for r, _, _ in measured if isinstance(r, MemoryResult)),
        reliability=_breakdown(store, measured, RELIABILITY_NAME),
        loss_by_place=_breakdown(store, measured, BY_PLACE_NAME),
        metrics=_stack(store, shown_metrics, "summary.parquet"),
        leaps=_with_references(store, shown_metrics, "leaps.parquet"),
        distances=_with_references(store, distances, DISTANCES_NAME),
        discrepancies=_with_references(store, distances, DISCREPANCIES_NAME),
        copying=read_copying(
            draft,
            detailed,
            list(shown_samples.values()),
            list(novelty.values()),
            tokens,
            pieces,
        ),
        samples=tuple(_samples(store, shown_samples, config)),
        parameters=config.model_dump(mode="json"),
        packages=package_versions(),
        lineage=tuple((a.kind, a.relpath) for a in ancestors),
        command=as_command(_as_argument(corpus_name), config),
        **(_judged(store, claims) if claims else {}),
    )
    draft.path(REPORT_NAME).write_text(render_page(content), encoding="utf-8")
    draft.write_table(RESULTS_NAME, result_table(content))
    frames: dict[str, pd.DataFrame] = {
        **{
            name: getattr(content, name)
            for name in (
                "reliability",
                "loss_by_place",
                "metrics",
                "leaps",
                "distances",
                "discrepancies",
            )
        },
        "novelty": content.copying.novelty,
        "copied": content.copying.copied,
    }
    for name, frame in frames.items():
        draft.write_table(f"{name}.parquet", pa.Table.from_pandas(frame, preserve_index=False))


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
            Reject(piece_path(row), row["reject_reason"], row["reject_detail"] or "")
            for row in rejected.slice(0, MOST_REJECTS).to_pylist()
        ),
        unknown_share=store.read_json(scores, "summary.json")[WITH_MEMORY]["unknown_share"],
    )


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
        batch_size=RunConfig.model_validate(config).n_windows,
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
    bits_per_note = summary["bits_per_note"]
    return {
        "test_loss": summary["loss_nat"],
        "test_pitch_loss": summary["pitch_loss_nat"],
        "test_duration_loss": summary["duration_loss_nat"],
        "test_perplexity": summary["perplexity"],
        "test_accuracy": summary["accuracy"],
        "test_top5_accuracy": summary["top5_accuracy"],
        "test_bits_per_note": float("nan") if bits_per_note is None else bits_per_note,
        "test_ece": summary["ece"],
        "n_targets": summary["n_targets"],
    }


_Measured = tuple[Result, Artifact, str]
"""A result, the scores that it comes from, and the name that it has among them."""


def _breakdown(store: ArtifactStore, measured: Sequence[_Measured], file: str) -> pd.DataFrame:
    """One breakdown of the scores of all results, with their names in front."""
    frames = []
    for result, scores, model in measured:
        frame = store.read_table(scores, file).to_pandas()
        frames.append(frame[frame["model"] == model].drop(columns="model"))
        frames[-1].insert(0, "name", result.name)
    return pd.concat(frames, ignore_index=True)


def _stack(store: ArtifactStore, artifacts: Mapping[str, Artifact], file: str) -> pd.DataFrame:
    """One table of every run's artifact, below each other, with the run's name in front."""
    frames = [store.read_table(artifact, file).to_pandas() for artifact in artifacts.values()]
    for name, frame in zip(artifacts, frames, strict=True):
        frame.insert(0, "run", name)
    return pd.concat(frames, ignore_index=True)


def _with_references(
    store: ArtifactStore, artifacts: Mapping[str, Artifact], file: str
) -> pd.DataFrame:
    """The rows of every run, which gives the set its name, and once those of other sets, the same beside each."""
    frame = _stack(store, artifacts, file)
    is_run = frame["set"] == GENERATED
    chosen = frame[is_run | (frame["run"] == next(iter(artifacts)))]
    labelled = chosen.assign(set=chosen["run"].where(is_run, chosen["set"]))
    return labelled.drop(columns="run").reset_index(drop=True)


def _samples(
    store: ArtifactStore, samples: Mapping[str, Artifact], config: PipelineConfig
) -> Iterator[Sample]:
    tokeniser = make_tokeniser(config.tokens)
    for run, artifact in samples.items():
        made = samples_from_table(store.read_table(artifact, SAMPLES_NAME))
        for sample in (s for s in made if s.number < config.generate.n_rendered):
            name = sample.name
            sound = store.read_json(artifact, f"{name}.json")
            yield Sample(
                run=run,
                name=name,
                temperature=sample.temperature,
                prompt_notes=len(sample.prompt.continued((), tokeniser)),
                notes=sample.notes(tokeniser),
                musicxml=store.path(artifact, f"{name}.musicxml").read_text(encoding="utf-8"),
                midi=store.path(artifact, f"{name}.mid").read_bytes(),
                mp3=store.path(artifact, f"{name}.mp3").read_bytes(),
                audio_backend=sound["audio_backend"],
                audio_font=sound["audio_font"],
            )
