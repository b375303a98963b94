"""The same flow on a Dask cluster: two workers, of which one is killed while it works."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import runners
from flows.journal import Journal, load_journal
from flows.runners import make_runner
from pipeline_lib.artifacts import ArtifactStore
from pipeline_lib.errors import ConfigError
from tests.flows.conftest import write_tune

pytestmark = [
    pytest.mark.slow,
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),  # Dask's and Prefect's own
]

N_FILES = 60
SETTINGS = {"ingest.n_shards": 6}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "tunes"
    folder.mkdir()
    for n in range(N_FILES):
        write_tune(folder / f"{n:02d}.mid", seed=n)
    return folder


@pytest.fixture(scope="module")
def here(
    tunes: Path, tmp_path_factory: pytest.TempPathFactory, prefect_server: None
) -> dict[str, str]:
    """What this machine computes."""
    return outcome(ingest(tunes, tmp_path_factory.mktemp("here"), workers=2))


def ingest(tunes: Path, artifacts: Path, **machines: object) -> Journal:
    from flows.music_pipeline import ingest_corpus

    ingest_corpus(corpus=str(tunes), settings=SETTINGS, artifacts=str(artifacts), **machines)
    journal = load_journal(ArtifactStore(artifacts))
    assert journal is not None
    return journal


def outcome(journal: Journal) -> dict[str, str]:
    return {entry.stage: entry.artifact for entry in journal.stages}


def test_a_cluster_computes_what_this_machine_does(
    here: dict[str, str], cluster: Any, tunes: Path, tmp_path: Path
) -> None:
    there = ingest(tunes, tmp_path, dask_address=cluster.scheduler_address)
    assert outcome(there) == here
    again = ingest(tunes, tmp_path, dask_address=cluster.scheduler_address)
    assert {entry.state for entry in again.stages} == {"cached"}


def test_a_killed_worker_costs_a_retry_and_not_the_run(
    here: dict[str, str], cluster: Any, tunes: Path, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill_when_the_first_shard_is_there() -> None:
        while not list(tmp_path.glob("notes/*/manifest.json")):
            time.sleep(0.01)
        pid = next(iter(cluster.workers.values())).pid
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    killer = threading.Thread(target=kill_when_the_first_shard_is_there, daemon=True)
    killer.start()
    journal = ingest(tunes, tmp_path, dask_address=cluster.scheduler_address)
    killer.join(timeout=1)
    assert killed
    assert journal.state == "completed"
    assert outcome(journal) == here


def test_a_cluster_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "_CONNECT_SEC", 1)
    with pytest.raises(ConfigError, match="no Dask scheduler answers"):
        make_runner(None, "tcp://127.0.0.1:9")


def test_workers_and_a_cluster_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        make_runner(4, "tcp://127.0.0.1:8786")
