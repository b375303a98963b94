from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline_lib.config import CheckpointConfig, LstmConfig, TransformerConfig
from pipeline_lib.errors import ConfigError, TrainingError
from pipeline_lib.evaluation.likelihood import mean_loss_nat
from pipeline_lib.models.scoring import ValidationLoss, make_predictor
from pipeline_lib.models.training.loop import TrainedNetwork, train_network
from pipeline_lib.models.training.memory_limits import out_of_memory_explained
from pipeline_lib.models.training.updates import Outcome
from pipeline_lib.tokens.vocabulary import Vocabulary
from pipeline_lib.tokens.windows import WindowIndex
from tests.models.tiny_corpus import (
    ARCHITECTURES,
    N_TRAIN,
    SEQ_LENGTH,
    SMALL,
    SPANS,
    TOKEN_IDS,
    TOKENISER,
    TOKENS,
    VOCAB_SIZE,
    names,
    run_config,
    training_data,
)


def train(folder: Path, data: Any = None, **changes: Any) -> TrainedNetwork:
    return train_network(run_config(**changes), data or training_data(), folder / "checkpoints")


def test_loss(trained: TrainedNetwork, **changes: Any) -> float:
    predictor = make_predictor(trained.network, run_config(**changes))
    return mean_loss_nat(predictor, TOKEN_IDS, SPANS[N_TRAIN:], n_context=2)


test_loss.__test__ = False  # type: ignore[attr-defined] - a figure, not a test


@pytest.mark.slow
@pytest.mark.parametrize("model", ARCHITECTURES, ids=names(ARCHITECTURES))
def test_every_architecture_learns_a_cycle(tmp_path: Path, model: Any) -> None:
    assert test_loss(train(tmp_path, model=model, max_epochs=8)) < 0.1


def test_a_cycle_is_learnt(tmp_path: Path) -> None:
    assert test_loss(train(tmp_path, max_epochs=8)) < 0.1


@pytest.mark.slow
def test_streams_learn_it_too(tmp_path: Path) -> None:
    settings = {"regime": "streams", "max_epochs": 12, "batch_tokens": 32}
    assert test_loss(train(tmp_path, **settings), **settings) < 0.1


@pytest.mark.slow
def test_the_last_target_of_each_window_suffices(tmp_path: Path) -> None:
    assert test_loss(train(tmp_path, targets="last", max_epochs=8)) < 0.2


@pytest.mark.slow
def test_one_batch_is_learnt_by_heart(tmp_path: Path) -> None:
    # Eight windows of chance: there is nothing to learn but the windows themselves.
    chance = np.random.default_rng(0).integers(3, VOCAB_SIZE, 8 * 9).astype(np.int32)
    spans = np.array([[9 * n, 9] for n in range(8)])
    windows = WindowIndex.of(spans, SEQ_LENGTH, 1)
    data = training_data(
        chance, train_spans=spans, valid_spans=spans, train_windows=windows, valid_windows=windows
    )
    model = LstmConfig(layers=1, units=64, embedding_size=16, dropout=0.0)
    settings = {"num_training_iterations": 300, "patience": 10_000, "schedule": "constant"}
    trained = train(tmp_path, data, model=model, batch_size=8, **settings)
    # What opens a window cannot be known; all else follows from what came before.
    assert min(trained.steps["loss"].to_pylist()) < 0.3
    assert trained.steps.num_rows == 300


@pytest.mark.slow
def test_targets_in_random_order_are_predicted_no_better_than_by_their_shares(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    shares = np.array([0.5, 0.2, 0.15, 0.1, 0.05])
    ids = (3 + rng.choice(5, len(TOKEN_IDS), p=shares)).astype(np.int32)
    trained = train(tmp_path, training_data(ids), max_epochs=3)
    of_unigram = -(shares * np.log(shares)).sum()
    best = min(trained.history["valid_loss"].to_pylist())
    assert of_unigram - 0.1 < best < of_unigram + 0.2


@pytest.mark.slow
def test_the_history_counts_tokens_and_the_rate_falls_to_zero(tmp_path: Path) -> None:
    trained = train(tmp_path)
    history = trained.history.to_pylist()
    # 640 train tokens at 64 tokens a step: 10 steps an epoch.
    assert [row["step"] for row in history] == [10, 20, 30, 40]
    assert [row["tokens_seen"] for row in history] == [640, 1280, 1920, 2560]
    assert history[-1]["learning_rate"] < 0.001 * 0.2
    assert history[-1]["valid_loss"] < history[0]["valid_loss"]
    steps = trained.steps.to_pandas()
    assert steps["step"].tolist() == list(range(1, 41))
    assert steps["epoch"].tolist() == sorted([*range(1, 5)] * 10)
    of_epoch = steps.groupby("epoch")["loss"].mean()
    assert of_epoch.tolist() == pytest.approx([row["train_loss"] for row in history])
    assert steps["gradient_norm"].min() > 0


@pytest.mark.slow
def test_a_number_of_iterations_takes_the_place_of_epochs(tmp_path: Path) -> None:
    trained = train(tmp_path, num_training_iterations=25)
    assert trained.history["step"].to_pylist() == [10, 20, 25]
    assert trained.steps.num_rows == 25


def test_the_initial_loss_is_that_of_a_uniform_guess(tmp_path: Path) -> None:
    model = LstmConfig(layers=1, **SMALL)
    trained = train(tmp_path, model=model, learning_rate=1e-9, num_training_iterations=1)
    assert math.exp(trained.steps["loss"][0].as_py()) == pytest.approx(VOCAB_SIZE, rel=0.05)


@pytest.mark.slow
def test_stopping_early_keeps_the_best_epochs_weights(tmp_path: Path) -> None:
    # At this rate the loss goes up and down, so the last epoch is not the best one.
    settings = {"learning_rate": 0.5, "schedule": "constant", "max_epochs": 12, "patience": 2}
    data = training_data()
    trained = train(tmp_path, data, **settings)
    losses = trained.history.column("valid_loss").to_pylist()
    assert trained.kept_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == min(12, trained.kept_epoch + 2)
    again = ValidationLoss(
        trained.network, run_config(), TOKEN_IDS, data.valid_windows, data.valid_spans
    )
    assert again.mean_nat() == pytest.approx(min(losses), rel=1e-6)


@pytest.mark.slow
def test_the_last_weights_can_be_kept_and_nothing_stop_early(tmp_path: Path) -> None:
    # Of chance the more is learnt by heart, the worse what follows is predicted.
    chance = np.random.default_rng(0).integers(3, VOCAB_SIZE, 8 * 9).astype(np.int32)
    spans = np.array([[9 * n, 9] for n in range(8)])
    windows = [WindowIndex.of(of_split, SEQ_LENGTH, 1) for of_split in (spans[:4], spans[4:])]
    data = training_data(
        chance,
        train_spans=spans[:4],
        valid_spans=spans[4:],
        train_windows=windows[0],
        valid_windows=windows[1],
    )
    settings = {"learning_rate": 0.05, "max_epochs": 30, "batch_tokens": 16, "patience": None}
    trained = train(tmp_path, data, kept_weights="last", **settings)
    losses = trained.history.column("valid_loss").to_pylist()
    assert trained.kept_epoch == len(losses) == 30
    assert min(losses) < losses[-1] - 1
    again = ValidationLoss(trained.network, run_config(), chance, windows[1], spans[4:])
    assert again.mean_nat() == pytest.approx(losses[-1], rel=1e-5)


@pytest.mark.slow
def test_a_finished_training_leaves_no_checkpoint(tmp_path: Path) -> None:
    train(tmp_path)
    assert list(tmp_path.iterdir()) == []


class LosesItsWay:
    """Updates whose loss stops being a number."""

    def __init__(self, bad_step: int, loss: float) -> None:
        self.step, self.bad_step, self.loss = 0, bad_step, loss

    def load(self, token_ids: Any) -> None:
        pass

    def run(self, starts: Any, state: Any) -> Outcome:
        steps = np.arange(self.step + 1, self.step + len(starts) + 1)
        self.step += len(starts)
        losses = np.where(steps == self.bad_step, self.loss, 1.0).astype(np.float32)
        return Outcome(losses, np.ones(len(starts), np.float32), state)


@pytest.mark.parametrize("loss", [math.nan, pytest.param(math.inf, marks=pytest.mark.slow)])
def test_a_loss_that_is_no_number_stops_and_names_the_step(
    loss: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = lambda *_, **__: LosesItsWay(3, loss)  # noqa: E731
    monkeypatch.setattr("pipeline_lib.models.training.loop.make_updates", make)
    with pytest.raises(TrainingError, match=f"became {loss} at step 3; there is no checkpoint yet"):
        train(tmp_path)


def test_the_last_good_weights_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = lambda *_, **__: LosesItsWay(9, math.nan)  # noqa: E731
    monkeypatch.setattr("pipeline_lib.models.training.loop.make_updates", make)
    every = CheckpointConfig(every_n_steps=3)
    with pytest.raises(TrainingError, match="at step 9; the weights of step 6 are kept") as caught:
        train_network(run_config(), training_data(), tmp_path, every)
    assert caught.value.path == tmp_path
    with np.load(tmp_path / "step-000000006.npz") as saved:
        assert all(np.isfinite(saved[n]).all() for n in saved.files if n.startswith("variable"))


@pytest.mark.parametrize("known", [(), ("Pitch_60:1",)])
def test_a_vocabulary_of_one_is_refused(known: tuple[str, ...], tmp_path: Path) -> None:
    data = training_data(vocabulary=Vocabulary.of((*TOKENS[:3], *known), TOKENISER))
    with pytest.raises(TrainingError, match=f"vocabulary has {len(known)} token"):
        train(tmp_path, data)


def test_half_precision_without_a_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='precision = "mixed_float16", but no GPU was found'):
        train(tmp_path, precision="mixed_float16")


def test_more_devices_than_there_are_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"n_devices = 64, but there (is|are) 1"):
        train(tmp_path, n_devices=64, batch_size=64)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"regime": "streams", "model": TransformerConfig(**SMALL)}, "needs an LSTM"),
        ({"regime": "streams", "targets": "last"}, "has no last token"),
        ({"regime": "streams", "n_devices": 2}, "on one device"),
        ({"batch_size": 9, "n_devices": 2}, "9 windows do not divide over 2 devices"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        run_config(**changes)


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


@pytest.mark.parametrize(
    ("fitting", "advice"), [(16, "train.batch_size to 16"), (0, "not even one")]
)
def test_a_lack_of_memory_is_told_as_a_batch_size_that_fits(fitting: int, advice: str) -> None:
    def attempt(batch_size: int) -> None:
        if batch_size > fitting:
            raise ResourceExhaustedError

    with (
        pytest.raises(TrainingError, match="out of memory with 100 windows") as caught,
        out_of_memory_explained(100, attempt),
    ):
        attempt(100)
    # Halves of 100: 50, 25, 12 for a machine with room for 16.
    assert advice.replace("16", "12") in caught.value.remedy


def test_another_failure_is_not_taken_for_a_lack_of_memory() -> None:
    with pytest.raises(ZeroDivisionError), out_of_memory_explained(8, lambda _: None):
        raise ZeroDivisionError
