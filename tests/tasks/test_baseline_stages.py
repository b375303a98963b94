"""The stages of the n-gram models, on a few tunes, without Prefect: fitted, scored, sampled from, measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import BaselineConfig, EvaluateConfig, GenerateConfig
from pipeline_lib.generation.samples import SAMPLE_SCHEMA
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import build_corpus
from pipeline_lib.tokens.prompts import Prompt, prompt_table
from pipeline_lib.tokens.sequences import TokenSequences
from pipeline_lib.tokens.vocabulary import SPECIAL_TOKENS, build_vocabulary
from tasks.encode import load_corpus
from tasks.evaluate import evaluate
from tasks.fit_baselines import fit_baselines
from tasks.generate_baseline import generate_baseline
from tasks.score import BY_PLACE_NAME, RELIABILITY_NAME, WITH_MEMORY, score_baselines
from tasks.stages import stage
from tests.tokenisers import NOTES

N_CONTEXT = 5
GENERATE = GenerateConfig(temperatures=(0.8, 1.0), length=20, n_samples=4)


@stage(kind="tokens")
def write_tunes(draft: Draft, seed: int) -> None:
    """Random walks on a scale, with rests: 8 pieces to learn from, 2 to choose by, 3 to be tested on."""
    random = np.random.default_rng(seed)
    splits = [Split.TRAIN] * 8 + [Split.VALID] * 2 + [Split.TEST] * 3
    lines, rows = TokenSequences(), []
    for n, split in enumerate(splits):
        degrees = np.clip(np.cumsum(random.integers(-1, 2, 40)), -4, 4)
        tokens = [f"Pitch_{64 + 2 * degree}:{random.choice(['1', '1/2'])}" for degree in degrees]
        tokens[::10] = ["Rest:1"] * 4
        lines.add(f"p{n}", tokens)
        rows.append(_row(f"p{n}", split))
    vocabulary, table = build_vocabulary(lines.count(row["line"] for row in rows[:8]), 8, 1, NOTES)
    corpus = build_corpus(rows, lines, vocabulary)
    draft.write_table("vocabulary.parquet", table)
    draft.write_table("tokens.parquet", corpus.table)
    draft.write_table("pieces.parquet", corpus.pieces)
    draft.write_json("tokeniser.json", NOTES.config.model_dump(mode="json"))


def _row(piece_id: str, split: Split) -> dict[str, Any]:
    of_music = {"time_signature": "4/4", "tempo_qpm": 120.0, "key_signature": None}
    return {
        "piece_id": piece_id,
        "line": piece_id,
        "split": split.value,
        "augmented_semitones": 0,
        **of_music,
    }


@stage(kind="prompts")
def write_prompts(draft: Draft, tokens: Artifact) -> None:
    """Four prompts of three tokens."""
    known = load_corpus(draft.store, tokens).vocabulary.tokens[len(SPECIAL_TOKENS) :]
    prompts = [Prompt(f"p{n}", tuple(known[n : n + 3]), "4/4", 120.0, None) for n in range(4)]
    draft.write_table("prompts.parquet", prompt_table(prompts))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    return ArtifactStore(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="module")
def tokens(store: ArtifactStore) -> Artifact:
    return write_tunes(store, seed=0)


@pytest.fixture(scope="module")
def baselines(store: ArtifactStore, tokens: Artifact) -> Artifact:
    return fit_baselines(store, tokens, N_CONTEXT, BaselineConfig(max_order=3))


@pytest.fixture(scope="module")
def scores(store: ArtifactStore, tokens: Artifact, baselines: Artifact) -> Artifact:
    return score_baselines(store, tokens, baselines, N_CONTEXT)


@pytest.fixture(scope="module")
def samples(store: ArtifactStore, tokens: Artifact, baselines: Artifact) -> Artifact:
    return generate_baseline(store, tokens, baselines, write_prompts(store, tokens), GENERATE)


def test_every_model_is_scored_on_the_same_targets(store: ArtifactStore, scores: Artifact) -> None:
    summary = store.read_json(scores, "summary.json")
    assert set(summary) == {"unigram", "witten_bell", "kneser_ney", WITH_MEMORY}
    tables = {name: store.read_table(scores, f"{name}.parquet") for name in summary}
    targets = ["position", "piece", "place", "token_id", "n_notes"]
    # 3 pieces of 42 tokens, 5 of context each; all tokens are known.
    assert {table.num_rows for table in tables.values()} == {3 * 37}
    for table in tables.values():
        assert table.select(targets).equals(tables["unigram"].select(targets))
        # The targets at 5 to 41 of each piece: the end is the last, rests are at 11, 21 and 31.
        of_pieces = table.group_by("piece").aggregate([("n_notes", "count"), ("n_notes", "sum")])
        assert of_pieces["n_notes_count"].to_pylist() == [37] * 3
        assert of_pieces["n_notes_sum"].to_pylist() == [37 - 1 - 3] * 3


def test_breakdowns_add_up_to_the_summary(store: ArtifactStore, scores: Artifact) -> None:
    summary = store.read_json(scores, "summary.json")
    by_place = store.read_table(scores, BY_PLACE_NAME).to_pandas()
    curves = store.read_table(scores, RELIABILITY_NAME).to_pandas()
    for name, figures in summary.items():
        parts = figures["pitch_loss_nat"] + figures["duration_loss_nat"]
        assert parts == pytest.approx(figures["loss_nat"])
        places = by_place[by_place["model"] == name]
        assert places["n_targets"].sum() == figures["n_targets"]
        assert np.average(places["loss_nat"], weights=places["n_targets"]) == pytest.approx(
            figures["loss_nat"]
        )
        curve = curves[curves["model"] == name]
        assert np.average(curve["accuracy"], weights=curve["n_targets"]) == pytest.approx(
            figures["accuracy"]
        )


def test_the_best_n_gram_model_continues_the_prompts_at_each_temperature(
    store: ArtifactStore, tokens: Artifact, baselines: Artifact, scores: Artifact, samples: Artifact
) -> None:
    table = store.read_table(samples, "samples.parquet")
    assert table.schema.equals(SAMPLE_SCHEMA)
    known = store.read_json(scores, "models.json")
    order = {model["model"]: model["order"] for model in known["ngrams"]}[known["long_term"]]
    assert set(table["run"].to_pylist()) == {f"{known['long_term']}-{order}"}
    assert table["temperature"].to_pylist() == [0.8] * 4 + [1.0] * 4
    assert table["sample"].to_pylist() == [*range(4)] * 2
    assert max(map(len, table["tokens"].to_pylist())) <= GENERATE.length
    of_corpus = set(load_corpus(store, tokens).vocabulary.tokens) - set(SPECIAL_TOKENS)
    assert {token for row in table["tokens"].to_pylist() for token in row} <= of_corpus
    again = generate_baseline(store, tokens, baselines, write_prompts(store, tokens), GENERATE)
    assert store.read_table(again, "samples.parquet").equals(table)


def test_n_gram_samples_are_drawn_where_networks_search(
    store: ArtifactStore, tokens: Artifact, baselines: Artifact
) -> None:
    searched = GenerateConfig(beam_width=3, bars=2)
    drawn = generate_baseline(store, tokens, baselines, write_prompts(store, tokens), searched)
    table: pa.Table = store.read_table(drawn, "samples.parquet")
    assert table["beam_width"].to_pylist() == [None] * 4
    assert table["ended_by"].to_pylist() == ["asked"] * 4


def test_n_gram_samples_are_measured_like_any_others(
    store: ArtifactStore, tokens: Artifact, samples: Artifact
) -> None:
    measured = evaluate(store, tokens, samples, GENERATE.length, EvaluateConfig())
    summary = store.read_table(measured, "summary.parquet").to_pandas()
    assert summary["temperature"].unique().tolist() == [0.8, 1.0]
    assert (summary["n_generated"] <= 4).all()


def test_scores_are_written_the_same_twice(
    store: ArtifactStore, tokens: Artifact, baselines: Artifact, scores: Artifact
) -> None:
    assert score_baselines(store, tokens, baselines, N_CONTEXT) == scores
