"""Starting the flow from a terminal, and planning it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.journal import Journal, artifacts_by_label, load_journal
from flows.terminal import ProgressDisplay, quiet_output
from pipeline_lib.artifacts import ArtifactStore
from pipeline_lib.errors import ArtifactError, PipelineError
from pipeline_lib.notes.corpus import list_sources, scan_corpus
from pipeline_lib.presets import PresetName, build_config
from tasks.prepare import prepare
from tasks.progress import add_listener, reporter

if TYPE_CHECKING:
    from flows.execution import PlannedCall

LOG_NAME = "music-pipeline.log"


def run_flow(corpus: str, preset: PresetName, settings: dict[str, Any], artifacts: Path) -> Journal:
    """Run the flow in this process; all that libraries print goes to ``artifacts/music-pipeline.log``.

    Raises
    ------
    PipelineError
        What went wrong; unexpected errors are in the log with their traceback, and are named here.
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
            with _explained(log):
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
    """Say which stages a run with these settings would run."""
    config = build_config(preset, settings)
    with quiet_output(artifacts / LOG_NAME) as console, ProgressDisplay(console) as display:
        stop_listening = add_listener(display)
        try:
            from flows.execution import Planner
            from flows.music_pipeline import experiment

            store = ArtifactStore(artifacts)
            planner = Planner(store, artifacts_by_label(load_journal(store)))
            snapshot = scan_corpus(prepare(corpus, progress=reporter("prepare")))
            experiment(planner, snapshot, config)
        finally:
            stop_listening()
    return planner.calls


def _load_flow() -> Any:
    """Import the flow, and wait until Prefect's API answers; it starts its own server where none is set."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from prefect.client.orchestration import get_client

    from flows.music_pipeline import music_pipeline

    with get_client(sync_client=True) as client:
        client.hello()
    return music_pipeline


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
