"""Sampling step by step: what the compiled loop does, of any model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pipeline_lib.config import ComposeConfig
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.networks.stepper import NetworkStepper
from pipeline_lib.models.ngrams.counts import count_ngrams
from pipeline_lib.models.ngrams.smoothed import NgramModel, NgramStepper, witten_bell
from pipeline_lib.models.protocols import Stepper
from pipeline_lib.models.sampling.network_loop import Sampler
from pipeline_lib.models.sampling.stepper_loop import sample_stepwise
from pipeline_lib.tokens.constraints import Constraints, constrain
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.vocabulary import END_ID, START_ID, UNKNOWN_ID
from tests.models.tiny_corpus import SPANS, TOKEN_IDS, TOKENISER, VOCAB_SIZE, VOCABULARY, run_config


def rules(n: int, config: ComposeConfig) -> Constraints:
    prompts = [Prompt("none", (), "4/4", 120.0, None)] * n
    return constrain(config, prompts, VOCABULARY, TOKENISER)


def ngram(order: int) -> NgramModel:
    return witten_bell(count_ngrams(TOKEN_IDS, SPANS, VOCAB_SIZE, order), order)


def sample(
    stepper: Stepper,
    prompts: Sequence[Sequence[int]],
    length: int = 30,
    seed: int = 0,
    **settings: Any,
) -> list[list[int]]:
    config = ComposeConfig(**settings)
    given = [np.array(prompt, np.int32) for prompt in prompts]
    allowed = rules(len(prompts), config)
    made = sample_stepwise(stepper, config, given, allowed, length=length, seed=seed)
    return [tokens.tolist() for tokens in made]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.7, "top_k": 4, "repetition_penalty": 1.5, "repetition_window": 3},
        {"bars": 5, "end_on_tonic": True, "key": "C major"},
    ],
    ids=str,
)
def test_a_network_writes_what_it_writes_in_the_compiled_loop(settings: dict[str, Any]) -> None:
    network, config = Network(run_config(), VOCABULARY), ComposeConfig(**settings)
    prompts = [[3, 4], [5, 6], [8, 3], [7, 7], [4, 4]]
    given = [np.array(prompt, np.int32) for prompt in prompts]
    expected = Sampler(network, config).sample(given, rules(5, config), length=40, seed=7)
    found = sample(NetworkStepper(network), prompts, length=40, seed=7, **settings)
    assert found == [tokens.tolist() for tokens in expected]


def test_tokens_follow_an_n_gram_models_distribution() -> None:
    n, model = 4000, ngram(2)
    (log_p,) = model.log_probabilities([np.array([START_ID, 3, 0], np.int32)], 2)
    p = np.exp(log_p[0] / 0.8)
    p[[START_ID, UNKNOWN_ID]] = 0
    expected = p / p.sum() * n
    made = sample(NgramStepper(model), [[3]] * n, length=1, temperature=0.8)
    found = np.bincount([t[0] if t else END_ID for t in made], minlength=VOCAB_SIZE)
    possible = expected > 0
    assert found[~possible].sum() == 0
    chi_square = float(((found - expected)[possible] ** 2 / expected[possible]).sum())
    degrees = int(possible.sum()) - 1
    # The mean is the degrees of freedom, the variance twice that.
    assert chi_square < degrees + 4 * np.sqrt(2 * degrees)


def test_the_likeliest_token_is_taken_at_temperature_zero() -> None:
    # Every piece of the corpus goes round in one cycle, each token with one successor.
    model = ngram(3)
    piece = TOKEN_IDS[: SPANS[0, 1]].tolist()
    (made,) = sample(NgramStepper(model), [piece[1:5]], length=10, temperature=0.0)
    assert made == piece[5:15]


def test_a_sequence_is_the_same_whatever_stands_beside_it() -> None:
    stepper = NgramStepper(ngram(1))
    assert sample(stepper, [[3], [4], [5]])[:1] == sample(stepper, [[3]])
    assert sample(stepper, [[3]]) != sample(stepper, [[3]], seed=1)


def test_sequences_end_where_the_model_ends_them_and_have_only_notes() -> None:
    made = sample(NgramStepper(ngram(1)), [[3]] * 50, length=100)
    lengths = [len(tokens) for tokens in made]
    assert min(lengths) < max(lengths) <= 100
    assert {token for tokens in made for token in tokens} == set(range(3, VOCAB_SIZE))


def test_nothing_at_all_can_be_continued() -> None:
    assert all(sample(NgramStepper(ngram(2)), [[]] * 3, length=5))


def test_progress_reaches_its_end_also_when_all_sequences_end_early() -> None:
    told: list[tuple[int, int]] = []
    config = ComposeConfig(bars=1)
    sample_stepwise(
        NgramStepper(ngram(2)),
        config,
        [np.array([3], np.int32)],
        rules(1, config),
        length=100,
        seed=0,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (101, 101)
    assert told == sorted(told)
