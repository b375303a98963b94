from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.config import LstmConfig, RunConfig
from pipeline_lib.errors import TrainingError
from pipeline_lib.models.training import TrainedNetwork, _Feed, mean_loss, train_network
from pipeline_lib.tokens.windows import window_starts

VOCAB_SIZE = 6
# Twenty pieces that count 1 2 3 4 5 1 2 3 ...: a model that learns anything learns this.
CYCLE = np.tile(np.arange(1, 6, dtype=np.int32), 8)
TOKENS = np.tile(CYCLE, 20)
SPANS = np.array([[n * len(CYCLE), len(CYCLE)] for n in range(20)])
TRAIN, VALID = window_starts(SPANS[:16], 8, 1), window_starts(SPANS[16:], 8, 8)


def config(**changes: object) -> RunConfig:
    values: dict[str, object] = {
        "model": LstmConfig(layers=2, units=16, embedding_size=8, dropout=0.1),
        "seq_length": 8,
        "learning_rate": 0.02,
        "seed": 0,
        "batch_tokens": 64,
        "max_epochs": 4,
    }
    return RunConfig(**{**values, **changes})  # type: ignore[arg-type]


def train(run: RunConfig) -> TrainedNetwork:
    return train_network(run, VOCAB_SIZE, TOKENS, TRAIN, VALID, n_train_tokens=16 * len(CYCLE))


def test_a_cycle_is_learnt() -> None:
    trained = train(config(max_epochs=8))
    # The first token of a window cannot be guessed from nothing, but each of them names its successor.
    assert mean_loss(trained.model, TOKENS, VALID, 8) < 0.1


def test_the_history_counts_targets_and_the_rate_falls_to_zero() -> None:
    history = train(config()).history.to_pylist()
    # 640 train tokens at 64 targets a step: 10 steps an epoch.
    assert [row["step"] for row in history] == [10, 20, 30, 40]
    assert [row["tokens_seen"] for row in history] == [640, 1280, 1920, 2560]
    assert history[-1]["learning_rate"] == pytest.approx(0.0, abs=1e-6)
    assert history[-1]["valid_loss"] < history[0]["valid_loss"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_to_the_last_bit() -> None:
    first, same, other = train(config()), train(config()), train(config(seed=1))
    assert first.history.equals(same.history)
    pairs = zip(first.model.get_weights(), same.model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert not first.history.equals(other.history)


def test_stopping_early_keeps_the_best_epochs_weights() -> None:
    # At this rate the loss goes up and down, so the last epoch is not the best one.
    trained = train(config(learning_rate=0.5, schedule="constant", max_epochs=12, patience=2))
    losses = trained.history.column("valid_loss").to_pylist()
    assert trained.best_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == min(12, trained.best_epoch + 2)
    again = mean_loss(trained.model, TOKENS, VALID, 8)
    assert again == pytest.approx(min(losses), rel=1e-6)


def test_each_pass_deals_out_every_window_once_in_a_new_order() -> None:
    starts = np.arange(12)
    feed = _Feed(np.arange(100, dtype=np.int32), starts, 4, config())
    passes = [np.concatenate([feed.batch(s)[0][:, 0] for s in range(p, p + 3)]) for p in (0, 3)]
    assert all(sorted(p.tolist()) == starts.tolist() for p in passes)
    assert passes[0].tolist() != passes[1].tolist()


def test_a_batch_is_a_function_of_its_step_alone() -> None:
    starts = np.arange(12)
    forwards = _Feed(np.arange(100, dtype=np.int32), starts, 4, config())
    resumed = _Feed(np.arange(100, dtype=np.int32), starts, 4, config())
    for step in range(5):
        forwards.batch(step)
    assert np.array_equal(forwards.batch(5)[0], resumed.batch(5)[0])


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_and_names_the_step(
    loss: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([1.0, 1.0, loss])
    monkeypatch.setattr("keras.Model.train_on_batch", lambda *_: next(losses))
    with pytest.raises(TrainingError, match=f"became {loss} at step 3"):
        train(config())
