"""Starting the flow from a terminal, and planning it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from flows.journal import Journal, artifacts_by_label, last_journal, load_journal
from flows.terminal import ProgressDisplay, quiet_output, unwritable
from pipeline_lib.artifacts import ArtifactStore
from pipeline_lib.errors import ArtifactError, PipelineError
from pipeline_lib.notes.corpus import list_sources, scan_corpus
from pipeline_lib.presets import PresetName, build_config
from tasks.prepare import prepare
from tasks.progress import add_listener, reporter, request_stop

if TYPE_CHECKING:
    from rich.console import Console

    from flows.execution import PlannedCall

LOG_NAME = "music-pipeline.log"
INTERRUPTED = 130
"""Exit status of a process that Ctrl-C has ended: 128 + SIGINT."""


def run_flow(corpus: str, preset: PresetName, settings: dict[str, Any], artifacts: Path) -> Journal:
    """Run the flow in this process; all that libraries print goes to ``artifacts/music-pipeline.log``.

    Raises
    ------
    PipelineError
        What went wrong; unexpected errors are in the log with their traceback, and are named here.
    KeyboardInterrupt
        The user stopped it; all stages have ended.
    """
    build_config(preset, settings)  # a wrong setting should not wait for Prefect to start
    log = artifacts / LOG_NAME
    with quiet_output(log) as console, ProgressDisplay(console) as display:
        stop_listening = add_listener(display)
        try:
            # Prefect takes seconds to start: what can be refused is refused before.
            list_sources(prepare(corpus, progress=reporter("prepare")))
            with display.waiting("start Prefect"):
                music_pipeline = _load_flow()
            with _explained(log), _stopping_on_interrupt(console):
                music_pipeline(
                    corpus=corpus, preset=preset, settings=settings, artifacts=str(artifacts)
                )
        finally:
            stop_listening()
    journal = load_journal(ArtifactStore(artifacts))
    assert journal is not None, "the flow saves its journal before it ends"
    return journal


def plan_flow(
    corpus: str, preset: PresetName, settings: dict[str, Any], artifacts: Path
) -> list[PlannedCall]:
    """Say which stages a run with these settings would run; writes nothing under `artifacts`.

    Raises
    ------
    PipelineError
        A run would be refused for this.
    """
    config = build_config(preset, settings)
    _refuse_unwritable(artifacts)
    with quiet_output(Path(os.devnull)) as console, ProgressDisplay(console) as display:
        stop_listening = add_listener(display)
        try:
            from flows.execution import Planner
            from flows.music_pipeline import experiment

            store = ArtifactStore(artifacts)
            planner = Planner(store, artifacts_by_label(last_journal(store)))
            snapshot = scan_corpus(prepare(corpus, progress=reporter("prepare")))
            experiment(planner, snapshot, config)
        finally:
            stop_listening()
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


def _load_flow() -> Any:
    """Import the flow, and wait until Prefect's API answers; it starts its own server where none is set."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from prefect.client.orchestration import get_client

    from flows.music_pipeline import music_pipeline

    with _shielded_from_interrupts(), get_client(sync_client=True) as client:
        client.hello()
    return music_pipeline


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
