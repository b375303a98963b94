from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline_lib.models.sampling import choose, sample_sequences
from pipeline_lib.tokens.vocabulary import END_ID, START_ID, UNKNOWN_ID

VOCAB_SIZE = 7


class CountingStepper:
    """Always certain that the next token is one more than the last; ends after the largest."""

    def reset(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        following = np.where(token_ids == VOCAB_SIZE - 1, END_ID, token_ids + 1)
        logits = np.full((self.batch_size, VOCAB_SIZE), -50.0, np.float32)
        logits[np.arange(self.batch_size), following] = 50.0
        return logits


class UniformStepper:
    """Every token equally likely."""

    def reset(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.zeros((self.batch_size, VOCAB_SIZE), np.float32)


def sample(
    stepper: object, prompts: list[list[int]], length: int = 50, seed: int = 0
) -> list[list[int]]:
    sequences = sample_sequences(
        stepper,  # type: ignore[arg-type]
        [np.array(p, np.int32) for p in prompts],
        length=length,
        temperature=1.0,
        seed=seed,
    )
    return [s.tolist() for s in sequences]


def test_a_certain_model_is_followed_to_its_end() -> None:
    assert sample(CountingStepper(), [[3], [5]]) == [[4, 5, 6], [6]]


def test_a_sequence_stops_at_the_length_asked_for() -> None:
    assert sample(CountingStepper(), [[3]], length=2) == [[4, 5]]


def test_the_same_seed_gives_the_same_music_and_another_seed_another() -> None:
    prompts = [[3], [4]]
    assert sample(UniformStepper(), prompts) == sample(UniformStepper(), prompts)
    assert sample(UniformStepper(), prompts) != sample(UniformStepper(), prompts, seed=1)


def test_a_sequence_does_not_depend_on_those_beside_it() -> None:
    assert sample(UniformStepper(), [[3], [4], [5]])[:1] == sample(UniformStepper(), [[3]])


def test_start_and_unknown_are_never_sampled() -> None:
    logits = np.zeros((10_000, VOCAB_SIZE), np.float32)
    chosen = choose(logits, 1.0, np.linspace(0, 1, 10_000, endpoint=False))
    assert set(chosen.tolist()) == set(range(VOCAB_SIZE)) - {START_ID, UNKNOWN_ID}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_samples_follow_the_softmax_at_the_temperature(temperature: float) -> None:
    logits = np.array([0.0, 0.0, 0.0, 1.0, 2.0, -1.0, 0.5], np.float32)
    # One sample per uniform on a fine grid: the shares are the probabilities, with no chance in it.
    n = 100_000
    chosen = choose(np.tile(logits, (n, 1)), temperature, (np.arange(n) + 0.5) / n)
    weights = np.exp(logits.astype(float) / temperature)
    weights[[START_ID, UNKNOWN_ID]] = 0.0
    shares = np.bincount(chosen, minlength=VOCAB_SIZE) / n
    assert shares == pytest.approx(weights / weights.sum(), abs=2 / n)
