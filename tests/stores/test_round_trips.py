"""What is written of an artifact is what is read of it, through the same module."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft, Provenance
from pipeline_lib.evaluation.likelihood import SCORE_SCHEMA
from pipeline_lib.evaluation.novelty import CopyBaseline
from pipeline_lib.models.bar_habits import BarHabits, count_habits
from pipeline_lib.models.memory.mixture import MemoryMixture
from pipeline_lib.models.ngrams.counts import count_ngrams
from pipeline_lib.stores import baselines, measures, pieces, scores, tokens
from pipeline_lib.stores.baselines import OrderChoice
from pipeline_lib.stores.measures import Copies
from pipeline_lib.stores.scores import NgramOrders, Scores
from pipeline_lib.tokens.metre import piece_metres
from pipeline_lib.tokens.prompts import Prompt
from tests.conftest import REPOSITORY
from tests.generation.tiny_music import KNOWN


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


def written(store: ArtifactStore, write: Callable[[Draft], None]) -> Artifact:
    with store.draft("kind", Provenance("stage", "key", "code")) as (draft, finished):
        write(draft)
    return finished[0]


def test_figures_that_are_no_number_come_back(store: ArtifactStore) -> None:
    found = Scores(
        {"alone": {"loss_nat": 2.5, "bits_per_note": math.nan}},
        pd.DataFrame({"model": ["alone"], "accuracy": [0.5]}),
        pd.DataFrame({"model": ["alone"], "loss_nat": [2.5]}),
    )
    tables = {"alone": SCORE_SCHEMA.empty_table()}
    artifact = written(store, lambda draft: scores.write_scores(draft, tables, found))
    read = scores.read_scores(store, artifact)
    assert read.summaries["alone"]["loss_nat"] == 2.5
    assert math.isnan(read.summaries["alone"]["bits_per_note"])
    pd.testing.assert_frame_equal(read.reliability, found.reliability)
    pd.testing.assert_frame_equal(read.loss_by_place, found.loss_by_place)
    assert scores.read_score_table(store, artifact, "alone").schema.names == SCORE_SCHEMA.names


def test_a_baseline_that_nothing_exceeds_comes_back(store: ArtifactStore) -> None:
    copies = Copies(
        pa.table({"piece": ["a"]}),
        pd.DataFrame({"n": [8], "share": [0.25]}),
        CopyBaseline(match_notes=12.0, copy_rate=math.nan),
    )
    read = measures.read_copies(
        store, written(store, lambda draft: measures.write_copies(draft, copies))
    )
    assert read.pieces.to_pylist() == [{"piece": "a"}]
    assert read.baseline.match_notes == 12.0
    assert math.isnan(read.baseline.copy_rate)
    pd.testing.assert_frame_equal(read.rates, copies.rates)


def test_ngram_models_keep_their_order(store: ArtifactStore) -> None:
    ngrams = NgramOrders({"unigram": 1, "witten_bell": 5, "kneser_ney": 3}, "kneser_ney")
    artifact = written(store, lambda draft: scores.write_ngram_orders(draft, ngrams))
    read = scores.read_ngram_orders(store, artifact)
    assert read == ngrams
    assert list(read.orders) == ["unigram", "witten_bell", "kneser_ney"]


def test_the_long_term_model_is_the_smoothing_that_predicts_best(store: ArtifactStore) -> None:
    piece = np.array([0, 3, 4, 3, 4, 1], np.int32)
    counts = count_ngrams(piece, np.array([[0, len(piece)]]), vocab_size=5, max_order=3)
    orders: dict[str, OrderChoice] = {
        "witten_bell": {"best_order": 2, "best_loss_nat": 0.75, "valid_loss_nat": {2: 0.75}},
        "kneser_ney": {"best_order": 3, "best_loss_nat": 1.0, "valid_loss_nat": {3: 1.0}},
    }
    mixture = MemoryMixture(np.array([1.0]), np.zeros((2, 3)))
    artifact = written(
        store, lambda draft: baselines.write_baselines(draft, counts, orders, mixture)
    )
    read = baselines.read_baselines(store, artifact, vocab_size=5)
    assert {name: model.order for name, model in read.ngrams.items()} == {
        "unigram": 1,
        "witten_bell": 2,
        "kneser_ney": 3,
    }
    assert read.long_term is read.ngrams["witten_bell"]
    assert read.mixture.shares.tolist() == [1.0]
    assert baselines.read_memory(store, artifact).gate.tolist() == [[0.0] * 3] * 2


def test_habits_come_back_for_the_tokens_of_their_vocabulary(store: ArtifactStore) -> None:
    advance_step = KNOWN.features.advance_step
    piece = np.array([0, 3, 4, 5, 1], np.int32)
    metres = piece_metres([piece], advance_step, [4])
    counts = count_habits([piece] * 20, metres * 20, advance_step)
    artifact = written(store, lambda draft: baselines.write_habits(draft, counts))
    read = baselines.read_habits(store, artifact, KNOWN)
    expected = BarHabits(counts, advance_step)
    places = np.full(4, 4), np.arange(4)
    assert read.is_usual(*places).tolist() == expected.is_usual(*places).tolist()


def test_prompts_come_back_with_what_was_replaced_in_them(store: ArtifactStore) -> None:
    prompts = [
        Prompt("p1", ("Pitch_60:1",), "6/8", 90.0, "G major", ("C#5:4 -> C#5:2",)),
        Prompt("none", (), "4/4", 120.0, None),
    ]
    artifact = written(store, lambda draft: tokens.write_prompts(draft, prompts))
    assert tokens.read_prompts(store, artifact) == prompts


def test_only_the_columns_that_are_asked_for_are_read(store: ArtifactStore) -> None:
    table = pa.table({"piece_id": ["a"], "path": ["a.mid"], "split": ["train"]})
    artifact = written(store, lambda draft: pieces.write_pieces(draft, table))
    assert pieces.read_pieces(store, artifact).column_names == table.column_names
    assert pieces.read_pieces(store, artifact, ("split",)).column_names == ["split"]


def test_whoever_reads_artifacts_does_not_wait_for_tensorflow() -> None:
    modules = [path.stem for path in (REPOSITORY / "pipeline_lib" / "stores").glob("*.py")]
    imports = "; ".join(f"import pipeline_lib.stores.{m}" for m in modules if m != "__init__")
    code = f"import sys; {imports}; print({{'keras', 'tensorflow'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
