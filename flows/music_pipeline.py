"""The whole job, top to bottom: a folder of music becomes trained models, new music and a report.

`experiment` is the diagram: it is written once, and either run with Prefect or only planned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import flow, runtime
from prefect.task_runners import TaskRunner

from flows.execution import Executor, PrefectExecutor
from flows.journal import Journal, artifacts_by_label, last_journal
from flows.prefect_artifacts import TrainingProgress, publish_results
from flows.runners import make_runner
from pipeline_lib.artifacts import Artifact, ArtifactStore
from pipeline_lib.config import PipelineConfig, RunConfig
from pipeline_lib.lab_report import Scale
from pipeline_lib.notes.corpus import CorpusSnapshot
from pipeline_lib.presets import DEFAULT_CORPUS, PresetName, build_config
from pipeline_lib.reports.audio import available_backend
from pipeline_lib.tokens.prompt_sources import read_prompt
from tasks.catalogue import PIECES_NAME, catalogue
from tasks.check_novelty import check_novelty
from tasks.choose_prompts import choose_prompts
from tasks.encode import encode
from tasks.evaluate import evaluate
from tasks.fit_baselines import fit_baselines
from tasks.fit_memory import fit_memory
from tasks.generate import generate
from tasks.generate_baseline import generate_baseline
from tasks.index_windows import index_windows
from tasks.ingest import ingest
from tasks.judge_claims import judge_claims
from tasks.measure_distance import measure_distance
from tasks.prepare import prepare
from tasks.progress import Stopped, reporter
from tasks.result_table import RESULTS_NAME
from tasks.scan import scan, take_snapshot
from tasks.score import score, score_baselines
from tasks.select import select
from tasks.split import split
from tasks.stages import Call
from tasks.tokenise import tokenise
from tasks.train import train
from tasks.write_report import REPORT_NAME, write_report


def read_corpus(
    run: Executor, snapshot: CorpusSnapshot, config: PipelineConfig
) -> tuple[Artifact, dict[str, Artifact]]:
    """The first stages: from files to the table of pieces, and the notes in shards.

    Parameters
    ----------
    run : Executor
        What turns calls into artifacts.
    snapshot : CorpusSnapshot
        The files to read.
    config : PipelineConfig
    """
    files = run(scan.call("scan", snapshot))
    buckets = {f"{b.index:02x}": b for b in snapshot.buckets(config.ingest.n_shards)}
    shards = run.all(
        [
            ingest.call(f"ingest/{name}", bucket, config.parse).reading(len(bucket.files))
            for name, bucket in buckets.items()
        ]
    )
    shard_of = dict(zip(buckets, shards, strict=True))
    steps = config.tokens.steps_per_quarter
    selections = run.all(
        [
            select.call(f"select/{name}", shard, config.select, steps)
            for name, shard in shard_of.items()
        ]
    )
    limit = config.ingest.max_rejected_fraction
    pieces = run(catalogue.call("catalogue", files, shards, selections, config.duplicates, limit))
    return pieces, shard_of


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
    given = read_prompt(config.prompts, config.parse, config.select, config.tokens)

    catalogued, shards = read_corpus(run, snapshot, config)
    pieces = run(split.call("split", catalogued, config.split))
    tokenised = run.all(
        [
            tokenise.call(
                f"tokenise/{name}",
                shard,
                config.select,
                steps,
                config.tokens.max_duration_quarter,
            )
            for name, shard in shards.items()
        ]
    )
    tokens = run(encode.call("encode", pieces, tokenised, config.tokens))

    prompts = run(
        choose_prompts.call("choose_prompts", tokens, given, new.n_samples, config.prompts)
    )

    lengths = config.windows.seq_lengths
    windows: dict[int, Artifact | None] = dict.fromkeys(lengths)
    if config.train.regime == "windows":
        stride = config.windows.stride
        calls = [index_windows.call(f"index_windows/L{n}", tokens, n, stride) for n in lengths]
        windows |= zip(lengths, run.all(calls), strict=True)

    # All models are asked for the same targets: those that even the longest window can predict.
    n_context = max(lengths)
    baselines = run(fit_baselines.call("fit_baselines", tokens, n_context, config.baselines))
    baseline_scores = run(score_baselines.call("score/baselines", tokens, baselines, n_context))

    points = config.runs
    detailed = [point for point in points if point.name in config.detailed_runs]
    runs = _of_each(
        run,
        points,
        lambda p: train.call(
            f"train/{p.name}",
            tokens,
            windows[p.seq_length],
            p,
            config.checkpoints,
            config.telemetry,
        ),
    )
    n_fitted = config.baselines.memory_targets
    memories = _of_each(
        run,
        detailed,
        lambda p: fit_memory.call(
            f"fit_memory/{p.name}", tokens, runs[p.name], baselines, n_context, n_fitted
        ),
    )
    scores = _of_each(
        run,
        points,
        lambda p: score.call(
            f"score/{p.name}", tokens, runs[p.name], baselines, memories.get(p.name), n_context
        ),
    )

    backend = available_backend()
    only_measured = new.model_copy(update={"n_rendered": 0})
    samples = _of_each(
        run,
        points,
        lambda p: generate.call(
            f"generate/{p.name}",
            tokens,
            runs[p.name],
            prompts,
            new if p in detailed else only_measured,
            steps,
            backend,
        ),
    )
    control = run(generate_baseline.call("generate/ngram", tokens, baselines, prompts, new, steps))
    made = {**samples, "ngram": control}
    metrics = dict(
        zip(
            made,
            run.all(
                [
                    evaluate.call(f"evaluate/{name}", tokens, s, new.length, steps, config.evaluate)
                    for name, s in made.items()
                ]
            ),
            strict=True,
        )
    )
    of_control = metrics.pop("ngram")
    distances = _of_each(
        run,
        detailed,
        lambda p: measure_distance.call(f"measure_distance/{p.name}", metrics[p.name], of_control),
    )
    novelty = _of_each(
        run,
        detailed,
        lambda p: check_novelty.call(
            f"check_novelty/{p.name}", tokens, samples[p.name], new.length, steps
        ),
    )
    claims = None
    if config.report.claims:
        of_runs = [list(artifacts.values()) for artifacts in (runs, metrics)]
        claims = run(judge_claims.call("judge_claims", *of_runs))
    return run(
        write_report.call(
            "write_report",
            snapshot.name,
            pieces,
            tokens,
            baseline_scores,
            runs,
            scores,
            samples,
            metrics,
            distances,
            novelty,
            claims,
            config,
        )
    )


def _of_each(
    run: Executor, points: Sequence[RunConfig], call: Callable[[RunConfig], Call]
) -> dict[str, Artifact]:
    """What a stage makes of each point, by the point's name."""
    return dict(zip([p.name for p in points], run.all([call(p) for p in points]), strict=True))


@flow(name="music-pipeline")
def music_pipeline(
    corpus: str = DEFAULT_CORPUS,
    preset: PresetName = "quick",
    scale: Scale | None = None,
    seq_lengths: list[int] | None = None,
    learning_rates: list[float] | None = None,
    temperatures: list[float] | None = None,
    settings: dict[str, Any] | None = None,
    artifacts: str = "artifacts",
    workers: int | None = None,
    dask_address: str | None = None,
) -> str:
    # Prefect's page takes the parameters' descriptions from a docstring in Google's format, and no other.
    """Turn a folder of music into trained sequence models, new music and a report.

    Stages whose inputs have not changed are taken from the cache.

    Args:
        corpus: Name of the bundled corpus, or path of a folder of MIDI or scores.
        preset: Settings to start from. quick: minutes on two cores; full: hours; tiny: to see it run;
            lab-report: the experiment with learning rates, lengths and temperatures, and its claims judged.
        scale: Of the preset lab-report, small if empty. original: its three runs; full: days without a GPU.
        seq_lengths: Input tokens per window; a run for each. The preset's if empty.
        learning_rates: Learning rates of Adam, each above 0 and at most 1; a run for each. The preset's
            if empty.
        temperatures: Sampling temperatures, each from 0 to 5, lower is safer; every run writes a set of
            samples for each. The preset's if empty.
        settings: Any other settings by dotted name, such as {"train.max_epochs": 20}.
        artifacts: Folder that results are kept in; relative to the project's directory.
        workers: Stages computed side by side on this machine; one per core if empty.
        dask_address: Address of a Dask scheduler to compute on instead, such as tcp://10.0.0.5:8786.

    Returns
    -------
        Path of the report.
    """
    overrides = dict(settings or {})
    for name, value in (
        ("windows.seq_lengths", seq_lengths),
        ("train.learning_rates", learning_rates),
        ("generate.temperatures", temperatures),
    ):
        if value is not None:
            overrides[name] = value
    config = build_config(preset, overrides, scale)
    store = ArtifactStore(Path(artifacts))
    snapshot = take_snapshot(store, prepare(corpus, progress=reporter("prepare")))
    with journalled(store, snapshot, config, make_runner(workers, dask_address)) as (run, journal):
        with TrainingProgress():
            report = experiment(run, snapshot, config)
        journal.report = str(store.path(report, REPORT_NAME).resolve())
        journal.results = store.read_table(report, RESULTS_NAME).to_pylist()
    publish_results(journal)
    return journal.report


@flow(name="music-pipeline-ingest")
def ingest_corpus(
    corpus: str = DEFAULT_CORPUS,
    settings: dict[str, Any] | None = None,
    artifacts: str = "artifacts",
    workers: int | None = None,
    dask_address: str | None = None,
) -> str:
    """Read a folder of music into note tables, as the first stages of the whole job do.

    Args:
        corpus: Name of the bundled corpus, or path of a folder of MIDI or scores.
        settings: Settings by dotted name, such as {"select.skyline": true}.
        artifacts: Folder that results are kept in; relative to the project's directory.
        workers: Stages computed side by side on this machine; one per core if empty.
        dask_address: Address of a Dask scheduler to compute on instead, such as tcp://10.0.0.5:8786.

    Returns
    -------
        Path of the table of pieces.
    """
    config = build_config(settings=settings)
    store = ArtifactStore(Path(artifacts))
    snapshot = take_snapshot(store, prepare(corpus, progress=reporter("prepare")))
    with journalled(store, snapshot, config, make_runner(workers, dask_address)) as (run, _):
        pieces, _ = read_corpus(run, snapshot, config)
    return str(store.path(pieces, PIECES_NAME).resolve())


@contextmanager
def journalled(
    store: ArtifactStore,
    snapshot: CorpusSnapshot,
    config: PipelineConfig,
    runner: TaskRunner[Any],
) -> Iterator[tuple[PrefectExecutor, Journal]]:
    """Run stages inside a flow run, and keep the journal of what they did, however they end."""
    last = last_journal(store)
    execute = PrefectExecutor(store, artifacts_by_label(last), runner)
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
        with runner:
            yield execute, journal
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
