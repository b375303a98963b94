"""From samples to distances: tunes and samples at random, through the stages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import ComposeConfig, EvaluateConfig
from pipeline_lib.evaluation.metrics import METRICS
from pipeline_lib.generation.composing import Composition
from pipeline_lib.generation.samples import Sample
from pipeline_lib.stores.measures import read_distances, read_metrics
from pipeline_lib.stores.samples import write_samples as save_samples
from pipeline_lib.stores.tokens import write_tokens as save_tokens
from pipeline_lib.tokens.corpus import build_corpus
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.sequences import TokenSequences
from pipeline_lib.tokens.vocabulary import build_vocabulary
from tasks.evaluate import evaluate
from tasks.measure_distance import measure_distance
from tasks.stages import stage
from tests.tokenisers import note_events

N_GIVEN, LENGTH = 4, 24
TOKENISER = note_events(4)
N_TRAIN, N_TEST, N_SAMPLES = 25, 12, 6
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def walk(seed: int, n: int = N_GIVEN + LENGTH, widest: int = 2) -> tuple[str, ...]:
    rng = np.random.default_rng(seed)
    degrees = np.cumsum(rng.integers(-widest, widest + 1, n)) % len(SCALE)
    durations = rng.choice(["1/2", "1"], n)
    return tuple(f"Pitch_{SCALE[degree]}:{d}" for degree, d in zip(degrees, durations, strict=True))


@stage(kind="tokens")
def write_tokens(draft: Draft) -> None:
    """A corpus of walks, as `encode` writes it."""
    lines, rows = TokenSequences(), []
    for n in range(N_TRAIN + N_TEST):
        lines.add(f"p{n}", list(walk(n)))
        row: dict[str, Any] = {"piece_id": f"p{n}", "line": f"p{n}", "augmented_semitones": 0}
        row |= {"time_signature": "4/4", "tempo_qpm": 90.0, "key_signature": None}
        rows.append(row | {"split": "train" if n < N_TRAIN else "test"})
    train = [row["line"] for row in rows[:N_TRAIN]]
    vocabulary, table = build_vocabulary(lines.count(train), len(train), 1, TOKENISER)
    save_tokens(draft, build_corpus(rows, lines, vocabulary), table, TOKENISER)


@stage(kind="samples")
def write_samples(draft: Draft, temperatures: list[float], widest: int) -> None:
    """Walks again, with other steps, as `generate` writes its samples."""
    compositions = []
    for temperature in temperatures:
        prompt = Prompt("none", walk(0, N_GIVEN), "4/4", 90.0, None)
        samples = [
            Sample(temperature, n, prompt, walk(100 + n, LENGTH, widest), "limit")
            for n in range(N_SAMPLES)
        ]
        config = ComposeConfig(temperature=temperature)
        compositions.append(Composition(config, samples))
    save_samples(draft, "made-up", compositions)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    return ArtifactStore(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="module")
def measured(store: ArtifactStore) -> Artifact:
    return measure(store, [0.5, 1.0], widest=2)


@pytest.fixture(scope="module")
def distances(store: ArtifactStore, measured: Artifact) -> Artifact:
    return measure_distance(store, measured, measure(store, [1.0], widest=7))


def measure(store: ArtifactStore, temperatures: list[float], widest: int) -> Artifact:
    tokens, samples = write_tokens(store), write_samples(store, temperatures, widest)
    return evaluate(store, tokens, samples, LENGTH, EvaluateConfig())


def test_as_many_train_pieces_are_measured_as_there_are_test_pieces(
    store: ArtifactStore, measured: Artifact
) -> None:
    figures = read_metrics(store, measured).pieces
    assert figures["set"].value_counts().to_dict() == {
        "generated": 2 * N_SAMPLES,
        "corpus": N_TEST,
        "train": N_TEST,
    }
    of_train = figures[figures["set"] == "train"]
    assert of_train["temperature"].isna().all()
    assert (
        not of_train["pitch_entropy"]
        .isin(figures[figures["set"] == "corpus"]["pitch_entropy"])
        .all()
    )


def test_every_set_is_held_against_the_corpus(store: ArtifactStore, distances: Artifact) -> None:
    found = read_distances(store, distances)
    by_metric, together = found.by_metric, found.together
    sets = [("generated", 0.5), ("generated", 1.0), ("train", None), ("control", 1.0)]
    for table in (by_metric, together):
        named = table[["set", "temperature"]].drop_duplicates()
        found = [(s, None if np.isnan(t) else t) for s, t in named.itertuples(index=False)]
        assert found == sets
    assert by_metric["metric"].tolist() == list(METRICS) * len(sets)
    of_entropy = by_metric[by_metric["metric"] == "pitch_entropy"]
    assert of_entropy["n_corpus"].tolist() == [N_TEST] * len(sets)
    assert of_entropy["n_generated"].tolist() == together["n_a"].tolist()
    assert together["n_a"].tolist() == [N_SAMPLES, N_SAMPLES, N_TEST, N_SAMPLES]


def test_wide_leaps_are_further_from_walks_than_other_walks(
    store: ArtifactStore, distances: Artifact
) -> None:
    found = read_distances(store, distances)
    by_metric = found.by_metric
    leaps = by_metric[by_metric["metric"] == "leap_rate"].set_index("set")["overlapped_area"]
    assert leaps["control"] < leaps["train"]
    together = found.together.set_index("set")
    assert together.loc["control", "mmd_squared"] > together.loc["train", "mmd_squared"]
    assert together.loc["control", "p"] < 0.05 < together.loc["train", "p"]
