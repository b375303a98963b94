"""Starting the flow from a terminal, and planning it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from flows.journal import Journal, artifacts_by_label, last_journal, require_journal
from flows.terminal import ProgressDisplay, quiet_output, unwritable
from pipeline_lib.artifacts import ArtifactStore
from pipeline_lib.errors import ArtifactError, PipelineError
from pipeline_lib.notes.corpus.catalogue import CorpusCounts, count_corpus
from pipeline_lib.notes.corpus.scanning import find_sources
from pipeline_lib.notes.table import Status
from pipeline_lib.presets import PresetName, build_config
from pipeline_lib.studies.lab_report.settings import Scale
from pipeline_lib.tokens.constraints import check_length
from pipeline_lib.tokens.prompt_sources import read_prompt
from pipeline_lib.tokens.tokenisers import make_tokeniser
from tasks.prepare import prepare
from tasks.progress import reporter, request_stop
from tasks.scan import take_snapshot

if TYPE_CHECKING:
    from rich.console import Console

    from flows.execution import PlannedCall

LOG_NAME = "music-pipeline.log"
INTERRUPTED = 130
"""Exit status of a process that Ctrl-C has ended: 128 + SIGINT."""


def run_flow(
    corpus: str,
    preset: PresetName,
    scale: Scale | None,
    settings: dict[str, Any],
    artifacts: Path,
    **machines: int | str | None,
) -> Journal:
    """Run the flow in this process; all that libraries print goes to ``artifacts/music-pipeline.log``.

    Parameters
    ----------
    corpus, preset, scale, settings, artifacts, **machines
        As for `flows.music_pipeline.music_pipeline`.

    Raises
    ------
    PipelineError
        What went wrong; unexpected errors are in the log with their traceback, and are named here.
    KeyboardInterrupt
        The user stopped it; all stages have ended.
    """
    config = build_config(preset, settings, scale)
    # A wrong setting or prompt should wait neither for Prefect to start nor for a corpus to be written.
    tokeniser = make_tokeniser(config.tokens)
    check_length(config.generate, tokeniser)
    read_prompt(config.prompts, config.parse, config.select, tokeniser)
    _run_prefect_flow(
        "music_pipeline",
        corpus,
        artifacts,
        preset=preset,
        scale=scale,
        settings=settings,
        **machines,
    )
    return require_journal(ArtifactStore(artifacts))


@dataclass(frozen=True)
class Ingestion:
    """What reading a corpus came to.

    Parameters
    ----------
    corpus : str
        The folder.
    counts : CorpusCounts
    ignored : dict of str to int
        Files that are no part of the corpus, by suffix.
    rejected : list of dict
        ``path``, ``tune``, ``reason`` and ``detail`` of every rejected piece.
    pieces : str
        Path of the table of pieces.
    seconds : float
        Time that the stages took, all together.
    n_cached, n_ran : int
        Stage calls.
    """

    corpus: str
    counts: CorpusCounts
    ignored: dict[str, int]
    rejected: list[dict[str, Any]]
    pieces: str
    seconds: float
    n_cached: int
    n_ran: int


def run_ingestion(
    corpus: str, settings: dict[str, Any], artifacts: Path, **machines: int | str | None
) -> Ingestion:
    """Run the first stages as a flow of their own; otherwise as `run_flow`."""
    build_config(settings=settings)
    path = _run_prefect_flow("ingest_corpus", corpus, artifacts, settings=settings, **machines)
    journal = require_journal(ArtifactStore(artifacts))
    pieces = pq.read_table(path)
    is_rejected = pc.equal(pieces["status"], Status.REJECTED.value)
    rejected = pieces.filter(is_rejected).select(["path", "tune", "reject_reason", "reject_detail"])
    folder = prepare(corpus)
    return Ingestion(
        corpus=str(folder.absolute()),
        counts=count_corpus(pieces),
        ignored=dict(find_sources(folder).ignored.most_common()),
        rejected=rejected.rename_columns(["path", "tune", "reason", "detail"]).to_pylist(),
        pieces=path,
        seconds=journal.seconds,
        n_cached=sum(entry.state == "cached" for entry in journal.stages),
        n_ran=sum(entry.state == "ran" for entry in journal.stages),
    )


def _run_prefect_flow(flow_name: str, corpus: str, artifacts: Path, **parameters: Any) -> str:
    """Run one of the flows, show its progress, and return what it returns: a path."""
    log = artifacts / LOG_NAME
    with quiet_output(log) as console, ProgressDisplay(console) as display:
        # Prefect takes seconds to start: what can be refused is refused before.
        find_sources(prepare(corpus, progress=reporter("prepare")))
        with display.waiting("start Prefect"):
            flow = _load_flow(flow_name)
        with _explained(log), _stopping_on_interrupt(console):
            return str(flow(corpus=corpus, artifacts=str(artifacts), **parameters))


def plan_flow(
    corpus: str,
    preset: PresetName,
    scale: Scale | None,
    settings: dict[str, Any],
    artifacts: Path,
) -> list[PlannedCall]:
    """Say which stages a run with these settings would run; writes nothing under `artifacts`.

    Raises
    ------
    PipelineError
        A run would be refused for this.
    """
    config = build_config(preset, settings, scale)
    _refuse_unwritable(artifacts)
    with quiet_output(Path(os.devnull)) as console, ProgressDisplay(console):
        from flows.execution import Planner
        from flows.experiment import experiment

        store = ArtifactStore(artifacts)
        planner = Planner(store, artifacts_by_label(last_journal(store)))
        folder = prepare(corpus, progress=reporter("prepare"))
        experiment(planner, take_snapshot(store, folder, keep_index=False), config)
    return planner.calls


def _refuse_unwritable(artifacts: Path) -> None:
    """Raise if the folder can be neither written to nor made, as far as that can be told from outside."""
    place = artifacts.absolute()
    try:
        nearest = next(p for p in (place, *place.parents) if p.exists())
    except OSError as error:
        raise unwritable(artifacts, error.strerror or str(error)) from None
    if not nearest.is_dir():
        raise unwritable(artifacts, f"{nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise unwritable(artifacts, f"{nearest} may not be written to")


def _load_flow(name: str) -> Any:
    """Import a flow, and wait until Prefect's API answers; it starts its own server where none is set."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # As in pyproject.toml, which Prefect reads in the project's directory only: 20 s are too few at times.
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    from prefect.client.orchestration import get_client

    from flows import music_pipeline

    with _shielded_from_interrupts(), get_client(sync_client=True) as client:
        client.hello()
    return getattr(music_pipeline, name)


@contextlib.contextmanager
def _shielded_from_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach, though it goes to all processes of a terminal.

    Were Prefect's server to end before the flow, the flow would wait minutes for it to come back.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _explained(log: Path) -> Iterator[None]:
    """Turn what nobody foresaw into one message that says where the details are."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        import traceback

        with log.open("a", encoding="utf-8") as stream:
            stream.write(time.strftime("%Y-%m-%d %H:%M:%S ") + traceback.format_exc())
        raise ArtifactError(
            f"the run failed unexpectedly: {type(error).__name__}: {error}",
            path=log.resolve(),
            remedy="read the end of that log; `music-pipeline doctor` checks this machine. "
            "Finished stages are kept",
        ) from error


@contextlib.contextmanager
def _stopping_on_interrupt(console: Console) -> Iterator[None]:
    """Let the first interrupt stop all stages, and a second one end the process at once.

    Prefect holds an interrupt back until its threads have ended, so the signal's own handler tells them.
    """
    interrupted = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, lambda *_: _end_at_once(console))
        request_stop()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except Exception:
        if interrupted:  # a stopped stage, or whatever Prefect makes of one
            raise KeyboardInterrupt from None
        raise
    finally:
        if not interrupted:
            signal.signal(signal.SIGINT, before)


def _end_at_once(console: Console) -> None:
    """End this process without more ado, and the server that it started with it."""
    from prefect.server.api.server import SubprocessASGIServer

    server = SubprocessASGIServer().server_process
    if server is not None:
        server.terminate()
    with contextlib.suppress(RuntimeError, ValueError):  # the console may be writing, or closed
        console.show_cursor()
    os._exit(INTERRUPTED)
