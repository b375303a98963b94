"""A mixture writes music by the rules that hold for networks, and says itself what it thought of it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.config import ComposeConfig
from pipeline_lib.generation.composers import (
    ExplainingComposer,
    compose_with_mixture,
    compose_with_network,
    compose_with_ngrams,
)
from pipeline_lib.generation.composing import compose
from pipeline_lib.generation.new_music import compose_and_explain
from pipeline_lib.generation.samples import Sample
from pipeline_lib.models.bar_habits import HABIT_SCHEMA, BarHabits
from pipeline_lib.models.memory.mixture import fit_mixture
from pipeline_lib.models.ngrams.counts import count_ngrams
from pipeline_lib.models.ngrams.smoothed import NgramModel, witten_bell
from pipeline_lib.notes.grid import bar_step
from pipeline_lib.tokens.metre import piece_metres
from tests.generation.tiny_music import KNOWN, STEPS, TOKENISER, network, prompt

PROMPTS = [
    prompt("Pitch_67:1/2", "Pitch_69:1", key_signature="G major", time_signature="6/8"),
    prompt("Pitch_62:3/2", "Pitch_62:3/2", key_signature="D minor", time_signature="4/4"),
]
N_TOKENS = len(KNOWN)
NO_HABITS = BarHabits(HABIT_SCHEMA.empty_table(), KNOWN.features.advance_step)
NEVER_WRITTEN = ("<start>", "<unknown>")


def ngram() -> NgramModel:
    everything = np.arange(N_TOKENS, dtype=np.int32)
    return witten_bell(count_ngrams(everything, np.array([[0, N_TOKENS]]), N_TOKENS, 2), 2)


def mixture(network_share: float = 0.5) -> ExplainingComposer:
    """Both models in given shares, and a memory that is sure of nothing but what has come before."""
    piece = np.array([0, *[5, 9, 7, 12] * 5, 1], np.int32)
    uniform = np.full((len(piece) - 1, N_TOKENS), -np.log(N_TOKENS))
    metres = piece_metres([piece], KNOWN.features.advance_step, [bar_step("4/4", STEPS)])
    fitted = fit_mixture([[uniform]], [piece], metres, 1, max_targets=100)
    weights = type(fitted)(np.array([network_share, 1 - network_share]), fitted.gate)
    return compose_with_mixture(network(), ngram(), weights, NO_HABITS, KNOWN, PROMPTS, STEPS)


def test_a_mixture_meets_the_constraints() -> None:
    config = ComposeConfig(key="prompt", bars=4, end_on_tonic=True, min_pitch=58, max_pitch=72)
    samples = compose(mixture().composer, KNOWN, PROMPTS, config, TOKENISER)
    assert [(sample.number, sample.prompt) for sample in samples] == [*enumerate(PROMPTS)]
    for sample, tonic in zip(samples, (7, 2), strict=True):
        described = [TOKENISER.describe(token) for token in sample.tokens]
        assert {pitch for one in described for pitch in one.pitches} <= set(range(58, 73))
        notes = sample.notes(TOKENISER)
        assert notes.end_step == 4 * notes.steps_per_bar
        assert min(described[-1].pitches) % 12 == tonic


@pytest.mark.parametrize(
    "model", [compose_with_network(network()), compose_with_ngrams(ngram()), mixture()]
)
def test_what_composes_is_what_explains(model: ExplainingComposer) -> None:
    """At temperature 0 each token is the likeliest of those that the model itself reports; the end ends the piece."""
    grid = [ComposeConfig(temperature=0, length=20)]
    (made,) = compose_and_explain(model, KNOWN, PROMPTS, grid, TOKENISER)
    rows = made.explained.to_pylist()
    assert len(rows) == sum(len(sample.tokens) for sample in made.samples)
    assert rows
    for row in rows:
        others = [o["probability"] for o in row["alternatives"] if o["token"] not in NEVER_WRITTEN]
        assert row["probability"] >= max(others, default=0) - 1e-5


def test_a_mixture_repeats_what_it_has_played_more_than_its_models_do() -> None:
    """Its gate was fitted on a piece of four tokens over and over."""
    config = ComposeConfig(length=60)
    alone = compose(compose_with_network(network()).composer, KNOWN, PROMPTS, config, TOKENISER)
    mixed = compose(mixture().composer, KNOWN, PROMPTS, config, TOKENISER)

    def variety(samples: list[Sample]) -> float:
        return sum(len(set(s.tokens)) for s in samples) / sum(len(s.tokens) for s in samples)

    assert variety(mixed) < variety(alone) / 2
