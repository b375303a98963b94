"""What a network thought of each new token, computed here in another way: one full pass, softmax by hand."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline_lib.config import NetworkConfig
from pipeline_lib.generation.explanation import EXPLANATION_SCHEMA, N_ALTERNATIVES, explain
from pipeline_lib.generation.samples import Sample
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.scoring import PiecePredictor
from pipeline_lib.models.training.checkpoints import to_numpy
from pipeline_lib.tokens.vocabulary import SPECIAL_TOKENS, START
from tests.generation.tiny_music import KNOWN, TOKENISER, ending_network, network, prompt
from tests.models.tiny_corpus import ARCHITECTURES, each

SAMPLES = [
    Sample(
        0.8,
        0,
        prompt("Pitch_60:1", "Rest:1/2"),
        ("Chord_60.64.67:2", "Pitch_62:1/2", "Rest:1/4", "Pitch_60:3/2"),
        "model",
    ),
    Sample(0.8, 5, prompt("Pitch_62:1", "Pitch_60:1"), ("Pitch_57:1",), "limit"),
    Sample(0.8, 7, prompt("Pitch_62:1", "Pitch_64:1"), (), "model"),
]


def rows_of(net: Network, samples: list[Sample] = SAMPLES) -> dict[int, list[dict[str, Any]]]:
    table = explain(PiecePredictor(net), KNOWN, samples)
    assert table.schema.equals(EXPLANATION_SCHEMA, check_metadata=True)
    rows: dict[int, list[dict[str, Any]]] = {sample.number: [] for sample in samples}
    for row in table.to_pylist():
        rows[row["sample"]].append(row)
    return rows


def probabilities(net: Network, sample: Sample) -> NDArray[np.float64]:
    """Before each new token, shape (n_tokens, vocab_size)."""
    ids = KNOWN.encode([START, *sample.prompt.tokens, *sample.tokens])[None]
    logits, _ = net(ids[:, :-1], net.initial_state(1))
    p = np.exp(to_numpy(logits)[0].astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    return p[len(sample.prompt.tokens) :]


@each(ARCHITECTURES)
def test_probabilities_are_the_softmax_of_the_networks_scores(model: NetworkConfig) -> None:
    rows = rows_of(network(model))
    for sample in SAMPLES:
        expected = probabilities(network(model), sample)
        token_ids = KNOWN.encode(sample.tokens)
        found = [row["probability"] for row in rows[sample.number]]
        assert found == pytest.approx([p[n] for p, n in zip(expected, token_ids, strict=True)])
        for row, p in zip(rows[sample.number], expected, strict=True):
            of = dict(zip(KNOWN.tokens, p, strict=True))
            for other in row["alternatives"]:
                assert other["probability"] == pytest.approx(of[other["token"]])


def test_surprise_and_entropy_are_in_bits() -> None:
    rows = rows_of(network())
    for sample in SAMPLES:
        for row, p in zip(rows[sample.number], probabilities(network(), sample), strict=True):
            assert row["surprise_bit"] == pytest.approx(-np.log2(row["probability"]))
            assert row["entropy_bit"] == pytest.approx(-(p * np.log2(p)).sum(), rel=1e-5)


def test_an_indifferent_network_is_as_surprised_as_it_expects_to_be() -> None:
    for row in rows_of(ending_network(0.0))[0]:
        assert row["probability"] == pytest.approx(1 / len(KNOWN))
        assert row["surprise_bit"] == pytest.approx(np.log2(len(KNOWN)))
        assert row["entropy_bit"] == pytest.approx(np.log2(len(KNOWN)))


def test_alternatives_are_the_likeliest_other_tokens_the_likeliest_first() -> None:
    rows = rows_of(network())[0]
    for row, p in zip(rows, probabilities(network(), SAMPLES[0]), strict=True):
        others = [KNOWN.tokens[n] for n in np.argsort(-p) if KNOWN.tokens[n] != row["token"]]
        assert [other["token"] for other in row["alternatives"]] == others[:N_ALTERNATIVES]


def test_a_likely_token_is_no_alternative_to_itself() -> None:
    ranked = [KNOWN.tokens[n] for n in np.argsort(-probabilities(network(), SAMPLES[1])[0])]
    likely = next(token for token in ranked if token not in SPECIAL_TOKENS)
    assert ranked.index(likely) < N_ALTERNATIVES
    ranked.remove(likely)
    (row,) = rows_of(network(), [Sample(0.8, 5, SAMPLES[1].prompt, (likely,), "limit")])[5]
    assert [other["token"] for other in row["alternatives"]] == ranked[:N_ALTERNATIVES]


def test_onsets_count_from_the_beginning_of_the_prompt_and_rests_take_their_time() -> None:
    rows = rows_of(network())[0]
    assert [row["token"] for row in rows] == list(SAMPLES[0].tokens)
    assert [row["position"] for row in rows] == [2, 3, 4, 5]
    assert [row["onset_step"] for row in rows] == [6, 14, 16, 17]
    assert [row["duration_step"] for row in rows] == [8, 2, 1, 6]
    durations = [TOKENISER.describe(token).advance_step for token in SAMPLES[0].tokens]
    assert [row["onset_step"] for row in rows] == list(accumulate(durations[:-1], initial=6))


def test_only_new_tokens_are_explained() -> None:
    rows = rows_of(network())
    assert {number: len(of_sample) for number, of_sample in rows.items()} == {0: 4, 5: 1, 7: 0}


def test_without_a_prompt_the_first_token_is_explained_from_the_start_alone() -> None:
    samples = [Sample(0.8, 0, prompt(), ("Pitch_60:1", "Pitch_62:1"), "model")]
    rows = rows_of(network(), samples)[0]
    assert [(row["position"], row["onset_step"]) for row in rows] == [(0, 0), (1, 4)]
    expected = probabilities(network(), samples[0])[0, KNOWN.ids["Pitch_60:1"]]
    assert rows[0]["probability"] == pytest.approx(expected)


def test_nothing_new_has_no_explanation() -> None:
    table = explain(PiecePredictor(network()), KNOWN, [SAMPLES[2]])
    assert len(table) == 0
    assert table.schema.equals(EXPLANATION_SCHEMA)
