"""The whole job, top to bottom: a folder of music becomes trained models, new music and a report.

`experiment` is the diagram: it is written once, and either run with Prefect or only planned.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from prefect import flow, runtime
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.execution import Executor, PrefectExecutor
from flows.journal import Journal, artifacts_by_label, last_journal
from flows.prefect_artifacts import TrainingProgress, publish_results
from pipeline_lib.artifacts import Artifact, ArtifactStore
from pipeline_lib.config import PipelineConfig
from pipeline_lib.notes.corpus import CorpusSnapshot, scan_corpus
from pipeline_lib.presets import DEFAULT_CORPUS, PresetName, build_config
from pipeline_lib.reports.audio import available_backend
from tasks.choose_prompts import choose_prompts, read_prompt
from tasks.encode import encode
from tasks.evaluate import evaluate
from tasks.fit_ngram import fit_ngram
from tasks.generate import generate
from tasks.index_windows import index_windows
from tasks.ingest import ingest
from tasks.prepare import prepare
from tasks.progress import Stopped, reporter
from tasks.scan import scan
from tasks.score import score, score_ngram
from tasks.split import split
from tasks.train import train
from tasks.write_report import REPORT_NAME, RESULTS_NAME, write_report

MAX_CONCURRENT_STAGES = 2
"""Stages run side by side in threads; a network uses about one core when it is small."""


_THREADS: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=MAX_CONCURRENT_STAGES)


def experiment(run: Executor, snapshot: CorpusSnapshot, config: PipelineConfig) -> Artifact:
    """Every stage in order; returns the report.

    Parameters
    ----------
    run : Executor
        What turns calls into artifacts.
    snapshot : CorpusSnapshot
        The files to learn from.
    config : PipelineConfig
    """
    new, steps = config.generate, config.tokens.steps_per_quarter
    given = read_prompt(config.prompts.source, config.prompts.length, config.tokens)

    corpus = run(scan.call("scan", snapshot))
    shards = run.all(
        [
            ingest.call(f"ingest/{bucket.index:02x}", bucket, config.ingest.min_notes)
            for bucket in snapshot.buckets(config.ingest.n_shards)
        ]
    )
    pieces = run(
        split.call("split", corpus, shards, config.split, config.ingest.max_rejected_fraction)
    )
    tokens = run(encode.call("encode", pieces, shards, config.tokens))

    prompts = run(
        choose_prompts.call(
            "choose_prompts",
            tokens,
            given,
            new.n_samples,
            config.prompts.length,
            config.prompts.seed,
        )
    )

    lengths = config.windows.seq_lengths
    windows = dict(
        zip(
            lengths,
            run.all(
                [
                    index_windows.call(f"index_windows/L{n}", tokens, n, config.windows.stride)
                    for n in lengths
                ]
            ),
            strict=True,
        )
    )

    # All models are asked for the same targets: those that even the longest window can predict.
    n_context = max(lengths)
    ngram = run(fit_ngram.call("fit_ngram", tokens, n_context, config.ngram))
    ngram_scores = run(score_ngram.call("score/ngram", tokens, ngram, n_context))

    points = config.runs
    runs = run.all(
        [train.call(f"train/{p.name}", tokens, windows[p.seq_length], p) for p in points]
    )
    scores = run.all(
        [
            score.call(f"score/{p.name}", tokens, r, n_context)
            for p, r in zip(points, runs, strict=True)
        ]
    )

    backend = available_backend()
    samples = run.all(
        [
            generate.call(f"generate/{p.name}", tokens, r, prompts, new, steps, backend)
            for p, r in zip(points, runs, strict=True)
        ]
    )
    metrics = run.all(
        [
            evaluate.call(
                f"evaluate/{p.name}",
                tokens,
                s,
                config.prompts.length,
                new.length,
                steps,
                config.evaluate,
            )
            for p, s in zip(points, samples, strict=True)
        ]
    )
    return run(
        write_report.call(
            "write_report",
            snapshot.name,
            pieces,
            tokens,
            ngram_scores,
            runs,
            scores,
            samples,
            metrics,
            config,
        )
    )


@flow(
    name="music-pipeline",
    task_runner=_THREADS,
)
def music_pipeline(
    corpus: str = DEFAULT_CORPUS,
    preset: PresetName = "quick",
    seq_lengths: list[int] | None = None,
    learning_rates: list[float] | None = None,
    temperature: float | None = None,
    settings: dict[str, Any] | None = None,
    artifacts: str = "artifacts",
) -> str:
    # Prefect's page takes the parameters' descriptions from a docstring in Google's format, and no other.
    """Turn a folder of music into trained sequence models, new music and a report.

    Stages whose inputs have not changed are taken from the cache.

    Args:
        corpus: Name of the bundled corpus, or path of a folder of MIDI or scores.
        preset: Settings to start from. quick: minutes on two cores; full: hours; tiny: to see it run.
        seq_lengths: Input tokens per window; a run for each. The preset's if empty.
        learning_rates: Learning rates of Adam, each above 0 and at most 1; a run for each. The preset's
            if empty.
        temperature: Sampling temperature, above 0 and at most 5; lower is safer. The preset's if empty.
        settings: Any other settings by dotted name, such as {"train.max_epochs": 20}.
        artifacts: Folder that results are kept in; relative to the project's directory.

    Returns
    -------
        Path of the report.
    """
    overrides = dict(settings or {})
    for name, value in (
        ("windows.seq_lengths", seq_lengths),
        ("train.learning_rates", learning_rates),
        ("generate.temperature", temperature),
    ):
        if value is not None:
            overrides[name] = value
    config = build_config(preset, overrides)
    store = ArtifactStore(Path(artifacts))
    folder = prepare(corpus, progress=reporter("prepare"))
    snapshot = scan_corpus(folder, progress=reporter("scan"))
    return str(run_experiment(store, snapshot, config))


def run_experiment(store: ArtifactStore, snapshot: CorpusSnapshot, config: PipelineConfig) -> Path:
    """Run the experiment inside a flow run, keep its journal, publish its results.

    Returns
    -------
    Path
        The report's HTML file.
    """
    last = last_journal(store)
    execute = PrefectExecutor(store, artifacts_by_label(last))
    journal = Journal(
        corpus=snapshot.name,
        config=config.model_dump(mode="json"),
        flow_run=str(runtime.flow_run.name),
        started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        stages=execute.entries,
        known=dict(last.known) if last else {},
    )
    started = time.perf_counter()
    try:
        with TrainingProgress():
            report = experiment(execute, snapshot, config)
        page = store.path(report, REPORT_NAME).resolve()
        journal.report = str(page)
        journal.results = store.read_table(report, RESULTS_NAME).to_pylist()
        journal.state = "completed"
    except (KeyboardInterrupt, Stopped):
        journal.state = "stopped"
        raise
    except BaseException:
        journal.state = "failed"
        raise
    finally:
        journal.seconds = round(time.perf_counter() - started, 3)
        journal.save(store)
    publish_results(journal)
    return page
