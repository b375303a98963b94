"""Sequences that are sampled: what decides them, and how they are distributed."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline_lib.config import ComposeConfig, NetworkConfig
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.networks.stepper import NetworkStepper
from pipeline_lib.models.sampling.network_loop import BLOCK_SIZE, Sampler
from pipeline_lib.tokens.constraints import Constraints, constrain
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.vocabulary import END_ID, START_ID, UNKNOWN_ID
from tests.models.tiny_corpus import (
    ARCHITECTURES,
    PLAIN,
    TOKENISER,
    VOCAB_SIZE,
    VOCABULARY,
    each,
    run_config,
)

STEPS_PER_QUARTER = 4
UNCHANGED = ComposeConfig()

SOME = [ARCHITECTURES[0], ARCHITECTURES[4], ARCHITECTURES[5]]
some_architectures = each(SOME)


@cache
def sampler(config: ComposeConfig = UNCHANGED, model: NetworkConfig = PLAIN) -> Sampler:
    return Sampler(Network(run_config(model=model), VOCABULARY), config)


def rules(n: int, config: ComposeConfig = UNCHANGED) -> Constraints:
    prompts = [Prompt("none", (), "4/4", 120.0, None)] * n
    return constrain(config, prompts, VOCABULARY, TOKENISER)


def sample(
    prompts: list[list[int]],
    config: ComposeConfig = UNCHANGED,
    model: NetworkConfig = PLAIN,
    *,
    length: int = 40,
    seed: int = 0,
    numbers: list[int] | None = None,
) -> list[list[int]]:
    made = sampler(config, model).sample(
        [np.array(p, np.int32) for p in prompts],
        rules(len(prompts), config),
        length=length,
        seed=seed,
        numbers=numbers,
    )
    return [tokens.tolist() for tokens in made]


def stepped(
    prompt: list[int], model: NetworkConfig, length: int, seed: int, number: int
) -> list[int]:
    """The same by hand: one token at a time, drawn from the softmax of the scores."""
    stepper = NetworkStepper(Network(run_config(model=model), VOCABULARY))
    stepper.reset(1)
    for token_id in [START_ID, *prompt]:
        logits = stepper.step(np.array([token_id], np.int32))[0]
    stream = np.random.Generator(np.random.Philox(key=[seed, number]))
    made: list[int] = []
    for uniform in stream.random(length, dtype=np.float32):
        p = np.exp(logits.astype(float))
        p[[START_ID, UNKNOWN_ID]] = 0
        made.append(int(np.searchsorted(np.cumsum(p), uniform * p.sum(), side="right")))
        if made[-1] == END_ID:
            return made[:-1]
        logits = stepper.step(np.array([made[-1]], np.int32))[0]
    return made


@some_architectures
def test_the_compiled_loop_does_what_single_steps_do(model: NetworkConfig) -> None:
    prompts = [[3, 4, 5], [5, 4, 3]]
    expected = [stepped(p, model, 40, seed=3, number=n) for n, p in enumerate(prompts)]
    assert sample(prompts, model=model, seed=3) == expected


def test_the_same_seed_gives_the_same_music_and_another_seed_another() -> None:
    prompts = [[3], [4]]
    assert sample(prompts) == sample(prompts)
    assert sample(prompts) != sample(prompts, seed=1)


def test_a_sequence_is_the_same_alone_and_in_a_batch() -> None:
    prompts = [[3 + n % 5] for n in range(2 * BLOCK_SIZE + 1)]
    together = sample(prompts)
    for n in (0, 3, BLOCK_SIZE, 2 * BLOCK_SIZE):
        assert sample([prompts[n]], numbers=[n]) == [together[n]]


def test_a_sequence_has_at_most_the_length_asked_for_and_only_notes() -> None:
    made = sample([[3]] * 20, length=7)
    assert max(map(len, made)) == 7
    assert {token for tokens in made for token in tokens} == set(range(3, VOCAB_SIZE))


def test_nothing_at_all_can_be_continued() -> None:
    made = sample([[]] * 8, length=5)
    assert len({tuple(tokens) for tokens in made}) > 4


def test_a_temperature_of_zero_needs_no_seed() -> None:
    greedy = ComposeConfig(temperature=0.0)
    assert sample([[3]], greedy, seed=1) == sample([[3]], greedy, seed=2)


def first_tokens(config: ComposeConfig, n: int) -> NDArray[np.int64]:
    made = sample([[3, 4]] * n, config, length=1)
    return np.bincount([tokens[0] if tokens else END_ID for tokens in made], minlength=VOCAB_SIZE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [{}, {"temperature": 2.0}, {"temperature": 0.5, "top_p": 0.7}, {"top_k": 3}, {"min_p": 0.8}],
    ids=str,
)
def test_tokens_of_a_tiny_model_follow_its_distribution(settings: dict[str, float]) -> None:
    n = 2000
    config = ComposeConfig.model_validate(settings)
    stepper = NetworkStepper(Network(run_config(), VOCABULARY))
    stepper.reset(1)
    for token_id in (START_ID, 3, 4):
        logits = stepper.step(np.array([token_id], np.int32))[0].astype(float)
    p = np.exp(logits / config.temperature)
    p[[START_ID, UNKNOWN_ID]] = 0
    p /= p.sum()
    order = np.argsort(-p)
    kept = np.ones(len(p), dtype=bool)
    if config.top_k:
        kept[order[config.top_k :]] = False
    kept[order[np.cumsum(p[order]) - p[order] >= config.top_p]] = False
    kept &= p >= config.min_p * p.max()
    expected = np.where(kept, p, 0) / p[kept].sum() * n
    found = first_tokens(config, n)
    possible = expected > 0
    assert found[~possible].sum() == 0
    chi_square = float(((found - expected)[possible] ** 2 / expected[possible]).sum())
    degrees = int(possible.sum()) - 1
    # The mean is the degrees of freedom, the variance twice that.
    assert chi_square < degrees + 4 * np.sqrt(2 * degrees)


def test_recent_tokens_are_rarer_with_a_penalty() -> None:
    plain = sample([[3, 4]] * 40, length=20)
    penalised = sample([[3, 4]] * 40, ComposeConfig(repetition_penalty=2.0), length=20)
    assert n_repeated(penalised) < 0.5 * n_repeated(plain)


def n_repeated(sequences: list[list[int]]) -> int:
    return sum(a == b for tokens in sequences for a, b in pairwise(tokens))


def test_progress_reaches_its_end() -> None:
    told: list[tuple[int, int]] = []
    sampler().sample(
        [np.array([3], np.int32)] * 5,
        rules(5),
        length=20,
        seed=0,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1][0] == told[-1][1]
    assert told == sorted(told)
