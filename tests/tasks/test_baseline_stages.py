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
from pipeline_lib.stores import file_names
from pipeline_lib.stores.measures import read_metrics
from pipeline_lib.stores.scores import WITH_MEMORY, read_ngram_orders, read_score_table, read_scores
from pipeline_lib.stores.tokens import read_vocabulary, write_tokens
from pipeline_lib.stores.tokens import write_prompts as save_prompts
from pipeline_lib.tokens.corpus import build_corpus
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.sequences import TokenSequences
from pipeline_lib.tokens.vocabulary import SPECIAL_TOKENS, build_vocabulary
from tasks.evaluate import evaluate
from tasks.fit_baselines import fit_baselines
from tasks.generate_baseline import generate_baseline
from tasks.score import score_baselines
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
    write_tokens(draft, build_corpus(rows, lines, vocabulary), table, NOTES)


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
    known = read_vocabulary(draft.store, tokens).tokens[len(SPECIAL_TOKENS) :]
    prompts = [Prompt(f"p{n}", tuple(known[n : n + 3]), "4/4", 120.0, None) for n in range(4)]
    save_prompts(draft, prompts)


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
    summary = read_scores(store, scores).summaries
    assert set(summary) == {"unigram", "witten_bell", "kneser_ney", WITH_MEMORY}
    tables = {name: read_score_table(store, scores, name) for name in summary}
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
    found = read_scores(store, scores)
    by_place, curves = found.loss_by_place, found.reliability
    for name, figures in found.summaries.items():
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
    table = store.read_table(samples, file_names.SAMPLES)
    assert table.schema.equals(SAMPLE_SCHEMA)
    known = read_ngram_orders(store, scores)
    order = known.orders[known.long_term_name]
    assert set(table["run"].to_pylist()) == {f"{known.long_term_name}-{order}"}
    assert table["temperature"].to_pylist() == [0.8] * 4 + [1.0] * 4
    assert table["sample"].to_pylist() == [*range(4)] * 2
    assert max(map(len, table["tokens"].to_pylist())) <= GENERATE.length
    of_corpus = set(read_vocabulary(store, tokens).tokens) - set(SPECIAL_TOKENS)
    assert {token for row in table["tokens"].to_pylist() for token in row} <= of_corpus
    again = generate_baseline(store, tokens, baselines, write_prompts(store, tokens), GENERATE)
    assert store.read_table(again, file_names.SAMPLES).equals(table)


def test_n_gram_samples_are_drawn_where_networks_search(
    store: ArtifactStore, tokens: Artifact, baselines: Artifact
) -> None:
    searched = GenerateConfig(composer="network", beam_width=3, bars=2)
    drawn = generate_baseline(store, tokens, baselines, write_prompts(store, tokens), searched)
    table: pa.Table = store.read_table(drawn, file_names.SAMPLES)
    assert table["beam_width"].to_pylist() == [None] * 4
    assert table["composer"].to_pylist() == ["ngram"] * 4
    assert table["ended_by"].to_pylist() == ["asked"] * 4


def test_n_gram_samples_are_measured_like_any_others(
    store: ArtifactStore, tokens: Artifact, samples: Artifact
) -> None:
    measured = evaluate(store, tokens, samples, GENERATE.length, EvaluateConfig())
    summary = read_metrics(store, measured).summary
    assert summary["temperature"].unique().tolist() == [0.8, 1.0]
    assert (summary["n_generated"] <= 4).all()


def test_scores_are_written_the_same_twice(
    store: ArtifactStore, tokens: Artifact, baselines: Artifact, scores: Artifact
) -> None:
    assert score_baselines(store, tokens, baselines, N_CONTEXT) == scores
