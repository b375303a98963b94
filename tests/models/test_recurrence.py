"""The fast LSTM layer is Keras's in everything but time."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline_lib.models.networks import recurrence_cpu
from pipeline_lib.models.networks.recurrence import LSTM

UNITS, N_INPUTS = 5, 3


def pair(**changes: Any) -> tuple[keras.layers.LSTM, keras.layers.LSTM]:
    """Keras's layer and ours with equal weights."""
    settings = {"return_sequences": True, "return_state": True, "name": "lstm", **changes}
    stock, fast = keras.layers.LSTM(UNITS, **settings), LSTM(UNITS, **settings)
    for layer in (stock, fast):
        layer.build((None, None, N_INPUTS))
    weights = [np.random.default_rng(0).normal(0, 0.5, w.shape) for w in stock.weights]
    stock.set_weights(weights)
    fast.set_weights(weights)
    return stock, fast


def arrays(n_windows: int, seq_length: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    rng = np.random.default_rng(1)
    shapes = ((n_windows, seq_length, N_INPUTS), (n_windows, UNITS), (n_windows, UNITS))
    x, h, c = (tf.constant(rng.normal(size=shape), tf.float32) for shape in shapes)
    return x, h, c


def outcome(layer: keras.layers.LSTM, x: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> list[np.ndarray]:
    """Outputs, states, and the gradients of a sum that weighs each of their numbers differently."""
    with tf.GradientTape() as tape:
        tape.watch([x, h, c])
        results = layer(x, initial_state=[h, c])
        loss = tf.add_n([tf.reduce_sum(tf.sin(3.0 * y + 1.0)) for y in results])
    gradients = tape.gradient(loss, [x, h, c, *(w.value for w in layer.weights)])
    return [np.asarray(value) for value in (*results, *gradients)]


def assert_same(ours: list[np.ndarray], stock: list[np.ndarray]) -> None:
    for a, b in zip(ours, stock, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= 1e-5 * max(1.0, np.abs(b).max())


@pytest.mark.parametrize("seq_length", [1, 7])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_values_states_and_gradients_are_those_of_keras(
    seq_length: int, return_sequences: bool
) -> None:
    stock, fast = pair(return_sequences=return_sequences)
    inputs = arrays(4, seq_length)
    assert_same(outcome(fast, *inputs), outcome(stock, *inputs))


def test_shapes_may_be_known_at_run_time_only() -> None:
    stock, fast = pair()
    signature = [tf.TensorSpec(shape) for shape in ((None, None, N_INPUTS), *[(None, UNITS)] * 2)]
    compiled = tf.function(lambda *inputs: outcome_in_graph(fast, *inputs), signature)
    for size in ((4, 7), (2, 1), (1, 9)):
        assert_same(
            [np.asarray(v) for v in compiled(*arrays(*size))], outcome(stock, *arrays(*size))
        )


def outcome_in_graph(layer: keras.layers.LSTM, x: Any, h: Any, c: Any) -> list[Any]:
    results = layer(x, initial_state=[h, c])
    loss = tf.add_n([tf.reduce_sum(tf.sin(3.0 * y + 1.0)) for y in results])
    return [*results, *tf.gradients(loss, [x, h, c, *(w.value for w in layer.weights)])]


@pytest.mark.slow
def test_gradients_are_differences_of_values() -> None:
    rng = np.random.default_rng(2)
    shapes = [(2, 3, 1), (2, 2), (2, 2), (1, 8), (2, 8), (8,)]
    inputs = [tf.constant(rng.normal(0, 0.7, shape)) for shape in shapes]  # float64
    weights = [tf.constant(rng.normal(size=shape)) for shape in ((2, 3, 2), (2, 2), (2, 2))]

    def loss(*values: tf.Tensor) -> tf.Tensor:
        results = recurrence_cpu.lstm(*values)
        return tf.add_n([tf.reduce_sum(w * y) for w, y in zip(weights, results, strict=True)])

    analytic, numeric = tf.test.compute_gradient(loss, inputs, delta=1e-5)
    for a, b in zip(analytic, numeric, strict=True):
        assert np.abs(a - b).max() < 1e-8


def network(layer: type[keras.layers.LSTM]) -> keras.Model:
    keras.utils.set_random_seed(0)
    token_ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(11, N_INPUTS, name="tokens")(token_ids)
    for n in (1, 2):
        x = layer(UNITS, return_sequences=True, name=f"lstm_{n}")(x)
    return keras.Model(token_ids, keras.layers.Dense(11, name="logits")(x))


def trained(model: keras.Model) -> list[np.ndarray]:
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(3)
    for tokens in rng.integers(0, 11, (3, 4, 7)):
        model.train_on_batch(tokens[:, :-1], tokens[:, 1:])
    return model.get_weights()


@pytest.mark.slow
def test_a_network_trains_to_the_same_bits_again() -> None:
    tf.config.experimental.enable_op_determinism()
    first, again = trained(network(LSTM)), trained(network(LSTM))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_names_settings_and_saved_weights_are_those_of_keras(tmp_path: Path) -> None:
    stock, fast = network(keras.layers.LSTM), network(LSTM)
    assert [w.path for w in fast.weights] == [w.path for w in stock.weights]
    assert fast.get_layer("lstm_1").get_config() == stock.get_layer("lstm_1").get_config()
    stock.save_weights(tmp_path / "stock.weights.h5")
    fast.load_weights(tmp_path / "stock.weights.h5")
    tokens = np.arange(10)[None]
    assert np.allclose(fast.predict_on_batch(tokens), stock.predict_on_batch(tokens), atol=1e-6)
    fast.save(tmp_path / "fast.keras")
    loaded = keras.models.load_model(tmp_path / "fast.keras")
    assert isinstance(loaded.get_layer("lstm_1"), LSTM)
    assert np.array_equal(loaded.predict_on_batch(tokens), fast.predict_on_batch(tokens))


@pytest.mark.parametrize(
    "changes",
    [{"go_backwards": True}, {"use_bias": False}, {"activation": "relu"}, {"dropout": 0.5}],
)
def test_whatever_is_not_plain_is_left_to_keras(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrence_cpu, "lstm", _not_called)
    stock, fast = pair(**changes)
    inputs = arrays(2, 4)
    assert_same(outcome(fast, *inputs), outcome(stock, *inputs))


def test_masks_are_left_to_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrence_cpu, "lstm", _not_called)
    stock, fast = pair()
    x, _, _ = arrays(2, 4)
    mask = np.array([[True, True, True, False], [True, False, False, False]])
    assert_same(
        [np.asarray(v) for v in fast(x, mask=mask)], [np.asarray(v) for v in stock(x, mask=mask)]
    )


@pytest.mark.slow
def test_two_devices_train_together() -> None:
    """In a process of its own, since devices are chosen once."""
    program = """
        import keras, numpy as np, tensorflow as tf
        from pipeline_lib.models.networks.recurrence import LSTM
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        x, y = np.ones((4, 3, 2), "float32"), np.zeros((4, 3, 2), "float32")
        losses = []
        for strategy in (tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), tf.distribute.get_strategy()):
            with strategy.scope():
                keras.utils.set_random_seed(0)
                model = keras.Sequential([keras.Input((None, 2)), LSTM(2, return_sequences=True)])
                model.compile("sgd", "mse")
            model.fit(x, y, batch_size=4, epochs=2, verbose=0)
            losses.append(model.evaluate(x, y, batch_size=4, verbose=0))
        assert abs(losses[0] - losses[1]) < 1e-6, losses
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)


def _not_called(*values: Any) -> Any:
    raise AssertionError("not a plain layer")
