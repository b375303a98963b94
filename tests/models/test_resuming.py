"""A training that was stopped, in whatever way, ends as if it never had been."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
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


SCRIPT = """
import sys
from pathlib import Path
from tests.models.test_resuming import SETTINGS, digest, train
print(digest(train(Path(sys.argv[1]), **SETTINGS)))
"""
SETTINGS: dict[str, Any] = {**STREAMS, "max_epochs": 60, "patience": 60}


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.slow
def test_killed_at_ten_random_moments_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole").communicate()[0].strip()
    assert len(whole) == 64
    random_moment = random.Random(0)
    n_killed = 0
    while n_killed < 10:
        process = start(tmp_path / "killed")
        # Counted from the first sign of life, so that a slow start does not spend all the moments.
        seen = newest_step(tmp_path / "killed")
        while process.poll() is None and newest_step(tmp_path / "killed") == seen:
            time.sleep(0.01)
        time.sleep(random_moment.uniform(0.0, 0.5))
        if process.poll() is not None:
            pytest.fail(f"the training ended before it had been killed {n_killed + 1} times")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        n_killed += 1
    assert start(tmp_path / "killed").communicate()[0].strip() == whole


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
