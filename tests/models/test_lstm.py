"""The network in its three roles (window, step, predictor) is one function of the same weights."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline_lib.config import LstmConfig
from pipeline_lib.errors import ArtifactError
from pipeline_lib.models.checkpoints import load_weights, save_weights
from pipeline_lib.models.lstm import LstmPredictor, LstmStepper, build_lstm

VOCAB_SIZE = 11


def small(**changes: object) -> LstmConfig:
    return LstmConfig(**{"layers": 3, "units": 8, "embedding_size": 6, **changes})  # type: ignore[arg-type]


def tokens(n: int, length: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, VOCAB_SIZE, (n, length)).astype(np.int32)


@pytest.mark.parametrize("token_input", ["embedding", "one_hot"])
def test_step_by_step_logits_are_those_of_the_whole_window(token_input: str) -> None:
    model = build_lstm(small(token_input=token_input), VOCAB_SIZE, seed=1)
    window = tokens(4, 20)
    whole = model.predict_on_batch(window)
    stepper = LstmStepper(model)
    stepper.reset(len(window))
    steps = np.stack([stepper.step(column) for column in window.T], axis=1)
    assert whole.shape == (4, 20, VOCAB_SIZE)
    assert np.abs(steps - whole).max() < 1e-5


@pytest.mark.parametrize("first_target", [1, 2, 4, 6])
def test_the_predictor_reads_the_last_seq_length_tokens_of_the_piece(first_target: int) -> None:
    model = build_lstm(small(), VOCAB_SIZE, seed=1)
    pieces = [tokens(1, length)[0] for length in (12, 3, 1, 5, 9)]
    predicted = list(LstmPredictor(model, seq_length=4).log_probabilities(pieces, first_target))
    assert [len(rows) for rows in predicted] == [max(len(p) - first_target, 0) for p in pieces]
    for piece, rows in zip(pieces, predicted, strict=True):
        for row, target in zip(rows, range(first_target, len(piece)), strict=True):
            context = piece[max(target - 4, 0) : target]
            logits = model.predict_on_batch(context[None])[0, -1].astype(np.float64)
            assert np.allclose(row, logits - np.log(np.exp(logits).sum()), atol=1e-5)


def test_the_seed_alone_decides_the_weights() -> None:
    first, same, other = (build_lstm(small(), VOCAB_SIZE, seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_one_hot_input_is_the_identity_and_is_not_trained() -> None:
    model = build_lstm(small(token_input="one_hot"), VOCAB_SIZE, seed=1)
    table = model.get_layer("tokens")
    assert np.array_equal(table.get_weights()[0], np.eye(VOCAB_SIZE))
    assert not table.trainable_weights


def test_the_parameter_count_is_the_textbook_one() -> None:
    model = build_lstm(small(), VOCAB_SIZE, seed=0)
    first, others = 4 * (6 + 8 + 1) * 8, 4 * (8 + 8 + 1) * 8
    assert model.count_params() == VOCAB_SIZE * 6 + first + 2 * others + (8 + 1) * VOCAB_SIZE


def test_saved_weights_come_back_and_give_the_same_bytes(tmp_path: Path) -> None:
    model = build_lstm(small(), VOCAB_SIZE, seed=1)
    save_weights(model, tmp_path / "a.npz")
    other = build_lstm(small(), VOCAB_SIZE, seed=2)
    load_weights(other, tmp_path / "a.npz")
    save_weights(other, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert np.array_equal(
        model.predict_on_batch(tokens(2, 5)), other.predict_on_batch(tokens(2, 5))
    )


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save_weights(build_lstm(small(units=16), VOCAB_SIZE, seed=1), tmp_path / "a.npz")
    with pytest.raises(ArtifactError, match="weights of another model"):
        load_weights(build_lstm(small(), VOCAB_SIZE, seed=1), tmp_path / "a.npz")


def test_dropout_is_off_when_predicting() -> None:
    model = build_lstm(small(dropout=0.9), VOCAB_SIZE, seed=1)
    assert isinstance(model, keras.Model)
    assert np.array_equal(
        model.predict_on_batch(tokens(2, 5)), model.predict_on_batch(tokens(2, 5))
    )
