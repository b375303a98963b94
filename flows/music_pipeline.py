"""The Prefect flows: the whole job, and its first stages alone.

What they run is in `flows.experiment`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import flow, runtime
from prefect.task_runners import TaskRunner

from flows.execution import PrefectExecutor
from flows.experiment import experiment, read_corpus
from flows.journal import Journal, artifacts_by_label, last_journal
from flows.prefect_artifacts import TrainingProgress, publish_results
from flows.runners import make_runner
from pipeline_lib.artifacts import ArtifactStore
from pipeline_lib.config import PipelineConfig
from pipeline_lib.notes.corpus.snapshot import CorpusSnapshot
from pipeline_lib.presets import DEFAULT_CORPUS, PresetName, build_config
from pipeline_lib.stores.pieces import pieces_path
from pipeline_lib.stores.reports import page_path, read_results
from pipeline_lib.studies.lab_report.settings import Scale
from tasks.prepare import prepare
from tasks.progress import Stopped, reporter
from tasks.scan import take_snapshot


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
    """Turn a folder of music into trained sequence models, new music and a report; returns the report's path.

    Stages whose inputs have not changed are taken from the cache.

    Args:
        corpus: Name of the bundled corpus, or path of a folder of MIDI or scores.
        preset: Settings to start from. quick: minutes on two cores; full: hours; tiny: to see it run;
            lab-report: the experiment with learning rates, lengths and temperatures, and its claims tested.
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
        journal.report = str(page_path(store, report).resolve())
        journal.results = read_results(store, report)
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
    """Read a folder of music into note tables, as the first stages of the whole job do; returns the table's path.

    Args:
        corpus: Name of the bundled corpus, or path of a folder of MIDI or scores.
        settings: Settings by dotted name, such as {"select.skyline": true}.
        artifacts: Folder that results are kept in; relative to the project's directory.
        workers: Stages computed side by side on this machine; one per core if empty.
        dask_address: Address of a Dask scheduler to compute on instead, such as tcp://10.0.0.5:8786.
    """
    config = build_config(settings=settings)
    store = ArtifactStore(Path(artifacts))
    snapshot = take_snapshot(store, prepare(corpus, progress=reporter("prepare")))
    with journalled(store, snapshot, config, make_runner(workers, dask_address)) as (run, _):
        pieces, _ = read_corpus(run, snapshot, config)
    return str(pieces_path(store, pieces).resolve())


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
