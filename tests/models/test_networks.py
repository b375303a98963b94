"""Every architecture, whole windows or step by step, is one function of the same weights."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline_lib.config import LstmConfig, NetworkConfig
from pipeline_lib.errors import ArtifactError
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.networks.saved import load_weights, save_weights
from pipeline_lib.models.networks.stepper import NetworkStepper
from pipeline_lib.models.scoring import PiecePredictor, WindowPredictor
from pipeline_lib.models.training.checkpoints import to_numpy
from tests.models.tiny_corpus import (
    ARCHITECTURES,
    FURTHER_KINDS,
    PLAIN,
    TOKENS,
    VOCAB_SIZE,
    VOCABULARY,
    each,
    random_ids,
    run_config,
)

# An LSTM and one with attention; the others are slow.
every_architecture = each(
    [*(ARCHITECTURES[n] for n in (0, 4, 5)), *ARCHITECTURES[1:4], *ARCHITECTURES[6:]], fast=2
)


@cache
def network(model: NetworkConfig = PLAIN, **changes: Any) -> Network:
    """No test changes the weights of a network that it has not made anew, with a seed of its own."""
    return Network(run_config(model=model, **changes), VOCABULARY)


def logits(net: Network, ids: np.ndarray, **options: Any) -> np.ndarray:
    return to_numpy(net(ids, net.initial_state(len(ids)), **options)[0])


@every_architecture
@pytest.mark.parametrize("n_steps", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_steps_give_what_the_whole_window_gives(model: NetworkConfig, n_steps: int) -> None:
    # Also beyond seq_length, which is as far as attention looks.
    net, ids = network(model, seq_length=6), random_ids(3, n_steps)
    stepper = NetworkStepper(net)
    stepper.reset(len(ids))
    steps = np.stack([stepper.step(column) for column in ids.T], axis=1)
    assert steps.shape == (3, n_steps, VOCAB_SIZE)
    assert np.abs(steps - logits(net, ids)).max() < 1e-5


@pytest.mark.slow
@every_architecture
def test_what_comes_later_changes_nothing_before(model: NetworkConfig) -> None:
    net, ids = network(model), random_ids(2, 12)
    changed = ids.copy()
    changed[:, 7:] = (changed[:, 7:] + 1) % VOCAB_SIZE
    before, after = logits(net, ids), logits(net, changed)
    assert np.array_equal(before[:, :7], after[:, :7])
    assert np.abs(before[:, 7:] - after[:, 7:]).max() > 1e-4


@every_architecture
def test_the_last_position_alone_is_scored_as_among_the_others(model: NetworkConfig) -> None:
    net, ids = network(model), random_ids(2, 9)
    assert logits(net, ids, last_only=True) == pytest.approx(logits(net, ids)[:, -1:], abs=1e-6)


@each([*ARCHITECTURES[:4], *(kind for kind in FURTHER_KINDS if kind.carries_state)])
def test_a_window_goes_on_from_the_state_that_the_one_before_left(model: NetworkConfig) -> None:
    net, ids = network(model), random_ids(2, 12)
    _, state = net(ids[:, :5], net.initial_state(2))
    rest, _ = net(ids[:, 5:], state)
    assert to_numpy(rest) == pytest.approx(logits(net, ids)[:, 5:], abs=1e-6)


def test_attention_looks_no_further_than_the_seq_length() -> None:
    net, ids = network(ARCHITECTURES[6], seq_length=4), random_ids(1, 10)
    changed = ids.copy()
    changed[:, 0] = (changed[:, 0] + 1) % VOCAB_SIZE
    # One block: position 3 sees position 0, position 4 does not.
    different = np.abs(logits(net, ids) - logits(net, changed)).max(axis=(0, 2)) > 1e-6
    assert different.tolist() == [True] * 4 + [False] * 6


@pytest.mark.slow
@pytest.mark.parametrize("model", [ARCHITECTURES[3], ARCHITECTURES[4]], ids=["lstm", "attention"])
def test_the_seed_alone_decides_the_weights(model: NetworkConfig) -> None:
    configs = [run_config(model=model, seed=seed) for seed in (1, 1, 2)]
    first, same, other = (Network(config, VOCABULARY).get_weights() for config in configs)
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_one_hot_input_is_the_identity_and_is_not_trained() -> None:
    net = network(ARCHITECTURES[1])
    assert np.array_equal(to_numpy(net.embedding.embeddings.value), np.eye(VOCAB_SIZE))
    assert all("tokens" not in v.path for v in net.trainable_variables)


def test_tied_scores_are_products_with_the_embeddings() -> None:
    # Without LSTM layers between: as wide as the embedding, no dense layer is needed to fit it.
    model = LstmConfig(layers=1, units=8, embedding_size=8, output="tied")
    net = network(model)
    x = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    assert to_numpy(net.logits(x)) == pytest.approx(
        x @ to_numpy(net.embedding.embeddings.value).T, abs=1e-5
    )
    assert sum(VOCAB_SIZE in v.shape for v in net.trainable_variables) == 2  # vectors and a bias


def test_a_factored_vector_is_the_sum_of_its_parts() -> None:
    net = network(ARCHITECTURES[3])
    vectors = to_numpy(net.embedding(np.arange(VOCAB_SIZE, dtype=np.int32)))
    of = dict(zip(TOKENS, vectors, strict=True))
    # Vectors of their own are zero at the start: a longer duration adds the same to every pitch.
    added = [of[f"Pitch_{p}:2"] - of[f"Pitch_{p}:1"] for p in (60, 62, 64)]
    assert added[1] == pytest.approx(added[0], abs=1e-6)
    assert added[2] == pytest.approx(added[0], abs=1e-6)
    assert np.abs(added[0]).max() > 0.01
    own = net.embedding.own.embeddings
    assert to_numpy(own.value).shape == (VOCAB_SIZE, 8)
    assert not to_numpy(own.value).any()


def test_scores_by_pitch_and_duration_add_up() -> None:
    net = network(ARCHITECTURES[3])
    scores = logits(net, random_ids(1, 5))[0, -1]
    of = dict(zip(TOKENS, scores.tolist(), strict=True))
    # Biases are zero at the start: what a longer duration adds is the same for every pitch.
    added = [of[f"Pitch_{p}:2"] - of[f"Pitch_{p}:1"] for p in (60, 62, 64)]
    assert added == pytest.approx([added[0]] * 3, abs=1e-6)
    assert abs(added[0]) > 1e-6


@every_architecture
def test_saved_weights_give_the_same_network(model: NetworkConfig, tmp_path: Path) -> None:
    net, other = network(model), Network(run_config(model=model, seed=5), VOCABULARY)
    save_weights(net, tmp_path / "a.npz")
    load_weights(other, tmp_path / "a.npz")
    assert np.array_equal(logits(net, random_ids(2, 5)), logits(other, random_ids(2, 5)))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_weights(network(ARCHITECTURES[3]), tmp_path / "a.npz")
    with pytest.raises(ArtifactError, match="weights of another network"):
        load_weights(network(), tmp_path / "a.npz")


def test_dropout_is_off_but_in_training() -> None:
    net, ids = network(LstmConfig(layers=1, units=16, dropout=0.9)), random_ids(2, 5)
    assert np.array_equal(logits(net, ids), logits(net, ids))
    assert not np.array_equal(logits(net, ids, training=True), logits(net, ids, training=True))


def test_a_variational_mask_is_the_same_at_all_positions() -> None:
    net = network(LstmConfig(layers=1, dropout=0.5, variational_dropout=True))
    ones = np.ones((2, 7, 32), np.float32)
    masked = to_numpy(net.dropout(ones, training=True))
    assert np.array_equal(masked, np.repeat(masked[:, :1], 7, axis=1))
    assert set(np.unique(masked).tolist()) == {0.0, 2.0}


def log_softmax(scores: np.ndarray) -> np.ndarray:
    scores = scores.astype(np.float64)
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


@pytest.mark.slow
@pytest.mark.parametrize("first_target", [1, 6])
def test_windows_are_predicted_from_their_last_tokens_alone(first_target: int) -> None:
    net = network()
    pieces = [random_ids(1, length, seed=length)[0] for length in (12, 3, 1, 5, 9)]
    predicted = list(WindowPredictor(net, seq_length=4).log_probabilities(pieces, first_target))
    assert [len(rows) for rows in predicted] == [max(len(p) - first_target, 0) for p in pieces]
    for piece, rows in zip(pieces, predicted, strict=True):
        for row, target in zip(rows, range(first_target, len(piece)), strict=True):
            context = piece[None, max(target - 4, 0) : target]
            assert np.allclose(row, log_softmax(logits(net, context)[0, -1]), atol=1e-5)


def test_pieces_are_predicted_from_their_starts() -> None:
    net = network()
    pieces = [random_ids(1, length, seed=length)[0] for length in (70, 3, 1, 64, 65)]
    predicted = list(PiecePredictor(net).log_probabilities(pieces, 2))
    assert [len(rows) for rows in predicted] == [68, 1, 0, 62, 63]
    for piece, rows in zip(pieces, predicted, strict=True):
        if len(rows):
            assert np.allclose(rows, log_softmax(logits(net, piece[None, :-1])[0, 1:]), atol=1e-5)
