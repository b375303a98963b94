"""Several devices, and several updates in one call, move the weights as one device and single updates do."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.training.checkpoints import to_numpy
from pipeline_lib.models.training.optimisation import (
    clip_by_global_norm,
    learning_rates,
    make_optimizer,
    mean_loss,
)
from pipeline_lib.models.training.updates import make_updates
from tests.conftest import REPOSITORY
from tests.models.tiny_corpus import ARCHITECTURES, TOKEN_IDS, VOCABULARY, run_config

STARTS = np.arange(6 * 8, dtype=np.int32).reshape(6, 8) * 13


def weights_after(calls: list[np.ndarray], **changes: Any) -> list[np.ndarray]:
    config = run_config(**{"model": ARCHITECTURES[2], **changes})
    network = Network(config, VOCABULARY)
    optimizer = make_optimizer(config, learning_rates(config, 6), network.trainable_variables)
    updates = make_updates(network, optimizer, config, carries_state=False)
    updates.load(TOKEN_IDS)
    for starts in calls:
        updates.run(starts, network.initial_state(8))
    return network.get_weights()


@pytest.mark.slow
def test_updates_in_one_call_are_those_of_many_calls() -> None:
    at_once = weights_after([STARTS])
    one_by_one = weights_after([STARTS[n : n + 1] for n in range(6)])
    assert all(np.array_equal(a, b) for a, b in zip(at_once, one_by_one, strict=True))


ON_TWO_DEVICES = """
import sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pathlib import Path
from tests.models.tiny_corpus import ARCHITECTURES, run_config, training_data
from pipeline_lib.config import LstmConfig
from pipeline_lib.models.training.loop import train_network
model = LstmConfig(layers=2, units=16, embedding_size=8, dropout=0.0)
trained = [
    train_network(run_config(model=model, n_devices=n, max_epochs=2), training_data(), Path(sys.argv[1]))
    for n in (1, 2)
]
losses = [t.steps["loss"].to_numpy() for t in trained]
print(float(np.abs(losses[0] - losses[1]).max()), losses[0][0], losses[0][-1])
"""


@pytest.mark.slow
def test_two_devices_learn_what_one_does(tmp_path: Any) -> None:
    # In a process of its own: devices are counted when TensorFlow starts.
    done = subprocess.run(
        [sys.executable, "-c", ON_TWO_DEVICES, str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    difference, first, last = map(float, done.stdout.split())
    assert last < first - 0.5  # it did learn
    assert difference < 1e-4


def test_the_loss_is_the_cross_entropy_in_nats() -> None:
    logits = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]], np.float32))
    targets = np.array([[0, 1]], np.int32)
    plain = -(np.log(0.5) + np.log(0.8)) / 2
    of_all = -(np.log([0.5, 0.25, 0.25]).mean() + np.log([0.1, 0.8, 0.1]).mean()) / 2
    assert float(mean_loss(logits, targets, 0.0)) == pytest.approx(plain)
    assert float(mean_loss(logits, targets, 0.2)) == pytest.approx(0.8 * plain + 0.2 * of_all)


@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_gradients_are_clipped_by_their_common_norm(scale: float) -> None:
    gradients = [np.array([3.0, 0.0], np.float32) * scale, np.array([[4.0]], np.float32) * scale]
    (a, b), norm = clip_by_global_norm(gradients, 2.5, scale)
    assert float(norm) == pytest.approx(5.0)
    assert to_numpy(a) == pytest.approx([1.5 * scale, 0.0])
    assert to_numpy(b) == pytest.approx(2.0 * scale)
    kept, _ = clip_by_global_norm(gradients, 10.0, scale)
    assert to_numpy(kept[0]) == pytest.approx(gradients[0])


def test_the_rate_rises_then_falls_or_stays() -> None:
    constant = learning_rates(run_config(schedule="constant", warmup_steps=4), 8)
    assert constant == pytest.approx([0.005, 0.01, 0.015, 0.02, 0.02, 0.02, 0.02, 0.02])
    cosine = learning_rates(run_config(schedule="cosine"), 4)
    assert cosine == pytest.approx([0.02, 0.02 * 0.853553, 0.01, 0.02 * 0.146447], rel=1e-5)


def test_decay_spares_biases_and_scales() -> None:
    config = run_config(model=ARCHITECTURES[2], optimizer="adamw", weight_decay=1.0)
    network = Network(config, VOCABULARY)
    rates = learning_rates(config, 10)
    optimizer = make_optimizer(config, rates, network.trainable_variables)
    before = [to_numpy(v.value) for v in network.trainable_variables]
    optimizer.apply([np.zeros_like(w) for w in before], network.trainable_variables)
    for variable, old in zip(network.trainable_variables, before, strict=True):
        is_spared = variable.path.split("/")[-1] in ("bias", "gamma", "beta")
        expected = old if is_spared else old * (1 - rates[0])
        assert to_numpy(variable.value) == pytest.approx(expected, rel=1e-5), variable.path
