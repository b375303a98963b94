"""Beam search against all sequences there are."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline_lib.config import ConstraintConfig, NetworkConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.sampling.beam_search import search
from pipeline_lib.models.training.checkpoints import to_numpy
from pipeline_lib.tokens.constraints import Constraints, constrain
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.vocabulary import END_ID, SPECIAL_TOKENS, START_ID
from tests.models.tiny_corpus import (
    ARCHITECTURES,
    TOKENISER,
    TOKENS,
    VOCAB_SIZE,
    VOCABULARY,
    run_config,
)

SOME = [ARCHITECTURES[0], ARCHITECTURES[4], ARCHITECTURES[5]]
PROMPT = np.array([3, 5], np.int32)
NOTE_IDS = range(len(SPECIAL_TOKENS), VOCAB_SIZE)
EVERYTHING = len(NOTE_IDS) ** 3
"""Wide enough to keep all sequences of three notes."""


@cache
def network(model: NetworkConfig, seed: int = 0) -> Network:
    return sharpened(Network(run_config(model=model, seed=seed), VOCABULARY))


def sharpened(net: Network) -> Network:
    """Weights at random are nearly indifferent between tokens: larger ones are not."""
    for variable in net.trainable_variables:
        variable.assign(3 * to_numpy(variable.value))
    return net


def constraints(**settings: Any) -> Constraints:
    opening = tuple(TOKENS[token_id] for token_id in PROMPT)
    prompt = Prompt("tune.mid", opening, "4/4", 120.0, None)
    return constrain(ConstraintConfig(**settings), [prompt], VOCABULARY, TOKENISER)


def log_p(net: Network, sequences: NDArray[np.int64]) -> NDArray[np.float64]:
    """Log-probability of each new token behind the prompt, shape (n, length), read in one pass."""
    given = np.tile([START_ID, *PROMPT], (len(sequences), 1))
    rows = np.concatenate([given, sequences], axis=1).astype(np.int32)
    logits, _ = net(rows[:, :-1], net.initial_state(len(rows)))
    scores = to_numpy(logits).astype(np.float64)[:, len(PROMPT) :]
    scores -= np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    return np.take_along_axis(scores, sequences[:, :, None], axis=2)[:, :, 0]


def every_sequence(length: int) -> NDArray[np.int64]:
    return np.array(list(product(NOTE_IDS, repeat=length)), np.int64).reshape(6**length, length)


def with_end(sequences: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.pad(sequences, ((0, 0), (0, 1)), constant_values=END_ID)


def found(net: Network, width: int, length: int = 3, **settings: Any) -> list[int]:
    return search(net, PROMPT, constraints(**settings), width=width, length=length).tolist()


@pytest.mark.parametrize(
    ("model", "seed"),
    [
        (SOME[0], 0),
        pytest.param(SOME[0], 1, marks=pytest.mark.slow),
        pytest.param(SOME[1], 2, marks=pytest.mark.slow),
        pytest.param(SOME[2], 3, marks=pytest.mark.slow),
    ],
)
def test_where_nothing_is_dropped_the_likeliest_of_all_sequences_is_found(
    model: NetworkConfig, seed: int
) -> None:
    net = network(model, seed)
    candidates = {
        tuple(row[row != END_ID].tolist()): float(score)
        for length in range(4)
        for rows in [every_sequence(length)]
        for ended in [rows if length == 3 else with_end(rows)]
        for row, score in zip(ended, log_p(net, ended).mean(axis=1), strict=True)
    }
    assert len(candidates) == 1 + 6 + 6**2 + 6**3
    likeliest = max(candidates, key=lambda notes: candidates[notes])
    assert found(net, EVERYTHING) == list(likeliest)


def test_of_the_sequences_that_last_as_asked_the_likeliest_is_found() -> None:
    net = network(SOME[0])
    # The prompt lasts 1 + 1 of 4 quarters; notes last 1 or 2.
    candidates = [
        [int(n) for n in row]
        for length in (1, 2)
        for row in every_sequence(length)
        if TOKENISER.span_step(TOKENS[n] for n in row) == 2 * TOKENISER.steps_per_quarter
    ]
    assert len(candidates) == 3 + 3**2
    scores = [float(log_p(net, with_end(np.array([row]))).mean()) for row in candidates]
    assert found(net, EVERYTHING, bars=1) == candidates[int(np.argmax(scores))]


def test_a_narrow_search_keeps_to_key_range_and_ending() -> None:
    settings = {"key": "D major", "max_pitch": 62, "bars": 2, "end_on_tonic": True}
    notes = found(network(SOME[0]), 2, length=9, **settings)
    made = TOKENISER.decode(TOKENS[n] for n in notes)
    assert set(made.pitch) == {62}  # of C, D and E only D: C is not in the key, E not in the range
    assert made.end_step == (8 - 2) * TOKENISER.steps_per_quarter


def test_a_network_that_is_sure_of_the_end_is_followed() -> None:
    net = Network(run_config(), VOCABULARY)
    bias = np.zeros(VOCAB_SIZE, np.float32)
    bias[END_ID] = 50.0
    net.logits.bias.assign(bias)
    assert found(net, 2) == []


def test_where_the_kept_sequences_cannot_end_in_time_a_wider_search_is_advised() -> None:
    # Two quarters are left and one note may be written: of 1 and 2 quarters, the shorter ones are likelier.
    net = Network(run_config(), VOCABULARY)
    bias = np.array([5.0 if token.endswith(":1") else -5.0 for token in TOKENS], np.float32)
    net.logits.bias.assign(bias)
    with pytest.raises(ConfigError, match="none of the 2 sequences that were kept") as caught:
        found(net, 2, length=1, bars=1)
    assert "beam_width" in caught.value.remedy
