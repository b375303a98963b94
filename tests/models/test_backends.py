"""The same weights give the same scores on every backend, and each backend trains."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline_lib.config import ComposeConfig
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.networks.saved import save_weights
from pipeline_lib.models.sampling.network_loop import Sampler
from pipeline_lib.models.training.checkpoints import to_numpy
from pipeline_lib.tokens.constraints import constrain
from pipeline_lib.tokens.prompts import Prompt
from tests.conftest import REPOSITORY
from tests.models.tiny_corpus import ACROSS_BACKENDS, TOKENISER, VOCABULARY, random_ids, run_config

ELSEWHERE = """
import sys
from pathlib import Path
import keras, numpy as np
from pipeline_lib.config import CheckpointConfig
from pipeline_lib.models.training.checkpoints import to_numpy
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.networks.saved import load_weights
from pipeline_lib.models.training.loop import train_network
from tests.models.test_backends import music_of
from tests.models.tiny_corpus import *

assert keras.backend.backend() == sys.argv[1]
folder = Path(sys.argv[2])
for n, model in enumerate(ACROSS_BACKENDS):
    network = Network(run_config(model=model, seed=9), VOCABULARY)
    load_weights(network, folder / f"{n}.npz")
    ids = random_ids(3, 20)
    np.save(folder / f"{n}-{sys.argv[1]}.npy", to_numpy(network(ids, network.initial_state(3))[0]))
    np.save(folder / f"{n}-{sys.argv[1]}-music.npy", music_of(network))


class Stop(Exception):
    pass


def stop(step, n_steps, text):
    if step >= 12:
        raise Stop


for model, regime in ((ARCHITECTURES[2], "streams"), (ARCHITECTURES[4], "windows")):
    config = run_config(model=model, regime=regime, max_epochs=2)
    whole = train_network(config, training_data(), folder / "whole")
    try:
        train_network(config, training_data(), folder / "stopped", CheckpointConfig(every_n_steps=5), stop)
    except Stop:
        pass
    resumed = train_network(config, training_data(), folder / "stopped")
    assert all(map(np.array_equal, whole.network.get_weights(), resumed.network.get_weights()))
    losses = whole.steps["loss"].to_pylist()
    assert losses[-1] < losses[0] - 0.5, losses
"""


def music_of(network: Network) -> NDArray[np.int32]:
    """The notes of three samples, one after the other."""
    prompts = [Prompt("none", (), "4/4", 120.0, None)] * 3
    rules = constrain(ComposeConfig(), prompts, VOCABULARY, TOKENISER)
    sampler = Sampler(network, ComposeConfig(top_p=0.9, repetition_penalty=1.2))
    given = [np.empty(0, np.int32)] * 3
    return np.concatenate(sampler.sample(given, rules, length=20, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_gives_the_same_scores_and_music_and_trains_and_resumes(
    backend: str, tmp_path: Path
) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: it is no requirement, being several gigabytes")
    here, music = [], []
    for n, model in enumerate(ACROSS_BACKENDS):
        network = Network(run_config(model=model, seed=n), VOCABULARY)
        save_weights(network, tmp_path / f"{n}.npz")
        here.append(to_numpy(network(random_ids(3, 20), network.initial_state(3))[0]))
        music.append(music_of(network))
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, backend, str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for n, logits in enumerate(here):
        assert np.abs(np.load(tmp_path / f"{n}-{backend}.npy") - logits).max() < 1e-4
        assert np.load(tmp_path / f"{n}-{backend}-music.npy").tolist() == music[n].tolist()
