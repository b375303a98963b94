"""What was asked for is met, whatever a network would rather write: these were never trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline_lib.config import ComposeConfig, NetworkConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.generation.composing import compose
from pipeline_lib.generation.samples import Sample
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.ngrams.counts import count_ngrams
from pipeline_lib.models.ngrams.smoothed import NgramStepper, witten_bell
from pipeline_lib.models.sampling.composers import NetworkComposer, StepperComposer
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.vocabulary import SPECIAL_TOKENS
from tests.generation.tiny_music import KNOWN, STEPS, TOKENISER, ending_network, network, prompt
from tests.models.tiny_corpus import ARCHITECTURES, names

SOME = [ARCHITECTURES[2], ARCHITECTURES[4], ARCHITECTURES[6]]
some_architectures = pytest.mark.parametrize(
    "model",
    [SOME[0], *(pytest.param(model, marks=pytest.mark.slow) for model in SOME[1:])],
    ids=names(SOME),
)
PROMPTS = [
    prompt("Pitch_67:1/2", "Pitch_69:1", key_signature="G major", time_signature="6/8"),
    prompt("Pitch_60:1", "Rest:1/4", key_signature="A minor", time_signature="3/4"),
    prompt("Pitch_62:3/2", "Pitch_62:3/2", key_signature="Eb major", time_signature="4/4"),
]
OUTSIDE = prompt("Pitch_57:1", "Pitch_74:1")
"""Its notes are lower and higher than those that are asked for."""


def composed(net: Network, prompts: list[Prompt] | None = None, **settings: Any) -> list[Sample]:
    return compose(
        NetworkComposer(net), KNOWN, prompts or PROMPTS, ComposeConfig(**settings), TOKENISER
    )


def pitches(sample: Sample) -> set[int]:
    """Of the new notes."""
    return {pitch for token in sample.tokens for pitch in TOKENISER.describe(token).pitches}


@some_architectures
def test_all_constraints_are_met_at_once(model: NetworkConfig) -> None:
    samples = composed(
        network(model),
        key="prompt",
        bars=5,
        end_on_tonic=True,
        min_pitch=58,
        max_pitch=72,
        temperature=2.0,
    )
    # Of G major, A minor with its raised seventh, and Eb major.
    scales = [{0, 2, 4, 6, 7, 9, 11}, {0, 2, 4, 5, 7, 8, 9, 11}, {0, 2, 3, 5, 7, 8, 10}]
    for sample, scale, tonic in zip(samples, scales, (7, 9, 3), strict=True):
        assert {pitch % 12 for pitch in pitches(sample)} <= scale
        assert min(pitches(sample)) >= 58
        assert max(pitches(sample)) <= 72
        notes = sample.notes(TOKENISER)
        assert notes.end_step == 5 * notes.steps_per_bar
        last, duration_step, *_ = TOKENISER.describe(sample.tokens[-1])
        assert min(last) % 12 == tonic
        assert duration_step >= STEPS
        assert sample.ended_by == "asked"


def test_seconds_are_met_to_a_step() -> None:
    prompts = [prompt("Pitch_60:1", tempo_qpm=tempo_qpm) for tempo_qpm in (61.0, 90.0, 177.0)]
    for sample in composed(network(), prompts, seconds=10.0):
        notes = sample.notes(TOKENISER)
        assert notes.duration_sec == pytest.approx(10.0, abs=60 / notes.tempo_qpm / STEPS / 2)
        assert sample.ended_by == "asked"


def test_a_length_is_met_though_the_network_would_end_at_once_and_few_tokens_are_set() -> None:
    for sample in composed(ending_network(50.0), bars=4, length=1):
        notes = sample.notes(TOKENISER)
        assert notes.end_step == 4 * notes.steps_per_bar


def test_what_is_asked_for_holds_for_new_notes_and_not_for_the_prompt() -> None:
    (sample,) = composed(network(), [OUTSIDE], min_pitch=60, max_pitch=65, bars=6)
    assert sample.prompt == OUTSIDE
    assert pitches(sample) <= set(range(60, 66))
    assert sample.notes(TOKENISER).pitch.tolist()[:2] == [57, 74]


def test_an_n_gram_model_meets_the_same_constraints() -> None:
    everything = np.arange(len(KNOWN), dtype=np.int32)
    counts = count_ngrams(everything, np.array([[0, len(everything)]]), len(KNOWN), 2)
    config = ComposeConfig(key="prompt", bars=4, end_on_tonic=True, min_pitch=58, max_pitch=72)
    stepper = NgramStepper(witten_bell(counts, 2))
    samples = compose(StepperComposer(stepper), KNOWN, PROMPTS, config, TOKENISER)
    assert [(sample.number, sample.prompt) for sample in samples] == [*enumerate(PROMPTS)]
    for sample, tonic in zip(samples, (7, 9, 3), strict=True):
        assert pitches(sample) <= set(range(58, 73))
        notes = sample.notes(TOKENISER)
        assert notes.end_step == 4 * notes.steps_per_bar
        assert min(TOKENISER.describe(sample.tokens[-1]).pitches) % 12 == tonic
        assert sample.ended_by == "asked"


def test_without_constraints_any_note_may_come_but_no_special_token() -> None:
    samples = composed(ending_network(-50.0), length=300)  # to it, all others are equally likely
    assert {token for s in samples for token in s.tokens} == set(
        KNOWN.tokens[len(SPECIAL_TOKENS) :]
    )
    assert [(s.ended_by, len(s.tokens)) for s in samples] == [("limit", 300)] * 3


def test_the_model_may_end_a_piece_at_once() -> None:
    assert [(s.ended_by, s.tokens) for s in composed(ending_network(50.0))] == [("model", ())] * 3


@pytest.mark.slow
def test_the_same_settings_give_the_same_music_and_another_seed_another() -> None:
    first, same, other = (composed(network(), length=30, seed=seed) for seed in (0, 0, 1))
    assert first == same
    assert [sample.number for sample in first] == [0, 1, 2]
    assert [sample.prompt for sample in first] == PROMPTS
    assert all(a.tokens != b.tokens for a, b in zip(first, other, strict=True))


@pytest.mark.slow
def test_equal_prompts_are_continued_in_different_ways_unless_the_likeliest_is_taken() -> None:
    equal = [PROMPTS[0]] * 3
    assert len({sample.tokens for sample in composed(network(), equal, length=20)}) == 3
    cold = composed(network(), equal, length=20, temperature=0)
    assert len({sample.tokens for sample in cold}) == 1
    assert cold == composed(network(), equal, length=20, temperature=0, seed=5)


def test_a_search_finds_the_same_for_equal_prompts_whatever_the_seed() -> None:
    prompts = [PROMPTS[0], PROMPTS[1], PROMPTS[0]]
    first = composed(network(), prompts, beam_width=3, bars=2, composer="network")
    assert first[0].tokens == first[2].tokens
    assert [sample.number for sample in first] == [0, 1, 2]
    assert first == composed(network(), prompts, beam_width=3, bars=2, seed=9, composer="network")
    for sample in first:
        notes = sample.notes(TOKENISER)
        assert notes.end_step == 2 * notes.steps_per_bar
        assert sample.ended_by == "asked"


@pytest.mark.slow
def test_equal_notes_in_other_metres_are_searched_for_apart() -> None:
    prompts = [prompt("Pitch_60:1", time_signature=metre) for metre in ("3/4", "4/4")]
    samples = composed(network(), prompts, beam_width=2, bars=2, composer="network")
    assert [sample.notes(TOKENISER).end_step for sample in samples] == [24, 32]


@pytest.mark.slow
@pytest.mark.parametrize("beam_width", [None, 2])
def test_progress_is_told_to_the_end(beam_width: int | None) -> None:
    told: list[tuple[int, int]] = []
    config = ComposeConfig(composer="network", beam_width=beam_width, length=40)
    composer = NetworkComposer(network())
    compose(composer, KNOWN, PROMPTS, config, TOKENISER, lambda n, total: told.append((n, total)))
    assert told[-1][0] == told[-1][1]
    assert np.all(np.diff([n for n, _ in told]) >= 0)


def test_what_cannot_be_met_is_refused_before_anything_is_composed() -> None:
    with pytest.raises(ConfigError, match="alone lasts"):
        composed(network(), bars=1, prompts=[prompt(*["Pitch_60:1"] * 4)])
