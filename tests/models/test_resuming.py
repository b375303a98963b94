"""A training that was stopped, in whatever way, ends as if it never had been."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline_lib.config import CheckpointConfig
from pipeline_lib.models.training.loop import TrainedNetwork, train_network
from tests.conftest import REPOSITORY
from tests.models.tiny_corpus import ARCHITECTURES, run_config, training_data

EVERY = CheckpointConfig(every_n_steps=7)

STREAMS: dict[str, Any] = {
    "regime": "streams",
    "batch_tokens": 32,
    "model": ARCHITECTURES[2],
    "optimizer": "adamw",
    "warmup_steps": 5,
}
WINDOWS: dict[str, Any] = {"model": ARCHITECTURES[4]}


class Stop(Exception):  # noqa: N818
    """Somebody asked for it."""


def train(folder: Path, stop_at: int | None = None, **changes: Any) -> TrainedNetwork:
    def progress(step: int, n_steps: int, text: str) -> None:
        if stop_at is not None and step >= stop_at:
            raise Stop

    return train_network(run_config(**changes), training_data(), folder, EVERY, progress)


def digest(trained: TrainedNetwork) -> str:
    weights = b"".join(w.tobytes() for w in trained.network.get_weights())
    return hashlib.sha256(weights).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("settings", [STREAMS, WINDOWS], ids=["streams", "windows"])
def test_a_training_that_was_asked_to_stop_goes_on_as_if_nothing_had_been(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    whole = train(tmp_path, **settings)
    for stop_at in (3, 17, 25):
        with pytest.raises(Stop):
            train(tmp_path, stop_at, **settings)
    resumed = train(tmp_path, **settings)
    assert resumed.steps.equals(whole.steps)  # losses, norms and learning rates of every step
    assert resumed.history.equals(whole.history)
    assert digest(resumed) == digest(whole)


@pytest.mark.slow
def test_a_checkpoint_that_is_not_whole_does_not_count(tmp_path: Path) -> None:
    whole = train(tmp_path)
    with pytest.raises(Stop):
        train(tmp_path, stop_at=30)
    newest = max(tmp_path.glob("step-*.npz"))
    newest.write_bytes(newest.read_bytes()[:-1000])
    (tmp_path / "step-000000039.writing").write_bytes(b"half")
    assert digest(train(tmp_path)) == digest(whole)
    assert not tmp_path.exists() or list(tmp_path.iterdir()) == []


SETTINGS: dict[str, Any] = {**STREAMS, "max_epochs": 60, "patience": 60}

SERVER = """
import os, sys
from pathlib import Path
from tests.models.test_resuming import SETTINGS, digest, train
for line in sys.stdin:
    folder = Path(line.strip())
    child = os.fork()
    if not child:
        Path(f"{folder}.digest").write_text(digest(train(folder, **SETTINGS)))
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


class Trainings:
    """Starts trainings in processes of their own; they come from one that has loaded TensorFlow and done no more."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=REPOSITORY,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )

    def start(self, folder: Path) -> int:
        """Begin, or go on with, the training of a folder; returns the process's number."""
        self._write(str(folder))
        return int(self._read())

    def wait(self) -> None:
        """Until the training has ended, in whatever way."""
        assert self._read() == "ended"

    def run(self, folder: Path) -> str:
        """Train to the end; returns the digest of the weights."""
        self.start(folder)
        self.wait()
        return folder.with_name(f"{folder.name}.digest").read_text()

    def end(self) -> None:
        self._server.kill()
        self._server.communicate()

    def _write(self, line: str) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(f"{line}\n")

    def _read(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()


@pytest.fixture
def trainings() -> Iterator[Trainings]:
    running = Trainings()
    yield running
    running.end()


@pytest.mark.slow
def test_killed_at_ten_random_moments_it_ends_with_the_same_weights(
    trainings: Trainings, tmp_path: Path
) -> None:
    whole = trainings.run(tmp_path / "whole")
    assert len(whole) == 64
    random_moment = random.Random(0)
    killed = tmp_path / "killed"
    for n_killed in range(10):
        process = trainings.start(killed)
        # Counted from the first sign of life, so that a slow start does not spend all the moments.
        seen = newest_step(killed)
        while newest_step(killed) == seen and not finished(killed):
            time.sleep(0.01)
        time.sleep(random_moment.uniform(0.0, 0.5))
        if finished(killed):
            pytest.fail(f"the training ended before it had been killed {n_killed + 1} times")
        os.kill(process, signal.SIGKILL)
        trainings.wait()
    assert trainings.run(killed) == whole


def finished(folder: Path) -> bool:
    return folder.with_name(f"{folder.name}.digest").exists()


def newest_step(folder: Path) -> str:
    return max((path.name for path in folder.glob("step-*.npz")), default="")


@pytest.mark.slow
def test_the_rates_of_a_resumed_training_go_on(tmp_path: Path) -> None:
    settings = {"schedule": "cosine", "warmup_steps": 10}
    with pytest.raises(Stop):
        train(tmp_path, stop_at=20, **settings)
    rates = train(tmp_path, **settings).steps["learning_rate"].to_numpy()
    step = np.arange(40)
    expected = 0.02 * np.where(
        step < 10, (step + 1) / 10, 0.5 * (1 + np.cos(np.pi * (step - 10) / 30))
    )
    assert rates == pytest.approx(expected, rel=1e-5)
