"""Baselines, a network and the memory of the piece on a folder of music with a given split.

    python -m benchmarks.learning FOLDER SPLIT.json [SEED]

``SPLIT.json`` has the lists "train", "valid" and "test" of file names. Train pieces are learnt in all twelve keys, held-out ones
are as they are. Every row is over the known test tokens with
at least one token of their piece before them, then over those with at least 100. Takes about 10 minutes on two cores,
most of it for the LSTM.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib.artifacts import ArtifactStore
from pipeline_lib.config import LstmConfig, NoteEventConfig, ParseConfig, RunConfig, SelectConfig
from pipeline_lib.evaluation.likelihood import score_targets, summarise_scores
from pipeline_lib.evaluation.token_parts import TokenParts
from pipeline_lib.models.memory.mixture import MemoryPredictor, fit_mixture
from pipeline_lib.models.ngrams.counts import count_ngrams
from pipeline_lib.models.ngrams.smoothed import kneser_ney, witten_bell
from pipeline_lib.models.protocols import Predictor
from pipeline_lib.notes.table import Split
from pipeline_lib.stores.notes import read_shard_pieces
from pipeline_lib.stores.tokens import read_lines
from pipeline_lib.tokens.corpus import TokenCorpus, build_corpus, pieces_at
from pipeline_lib.tokens.sequences import TokenSequences
from pipeline_lib.tokens.tokenisers import make_tokeniser
from pipeline_lib.tokens.vocabulary import build_vocabulary
from pipeline_lib.tokens.windows import count_targets
from tasks.encode import in_other_keys
from tasks.ingest import ingest
from tasks.scan import take_snapshot
from tasks.tokenise import tokenise

_STEPS = NoteEventConfig().steps_per_quarter
_MEMORY_TARGETS = 10_000

RECIPE: dict[str, Any] = {
    "model": LstmConfig(
        layers=1,
        units=256,
        embedding_size=256,
        token_input="factored",
        output="tied",
        dropout=0.1,
    ),
    "seq_length": 50,
    "regime": "streams",
    "batch_size": 16,
    "optimizer": "adamw",
    "learning_rate": 4e-3,
    "num_training_iterations": 3400,
}
"""The LSTM that learns most within five minutes of two cores; EXPERIMENTS.md has what else was tried."""


def main(folder: Path, split: Path, seed: int = 0) -> None:
    corpus = read(folder, json.loads(split.read_text(encoding="utf-8")))
    network = train(corpus, seed)
    counts = count_ngrams(corpus.token_ids, corpus.spans(Split.TRAIN), len(corpus.vocabulary), 8)
    for n_context in (1, 100):
        print(f"\nat least {n_context} tokens before: loss in nats, accuracy, targets")
        ngrams: dict[str, Predictor] = {"unigram": witten_bell(counts, 1)}
        for smoothing in (witten_bell, kneser_ney):
            models = [smoothing(counts, order) for order in range(1, 9)]
            best = min(models, key=lambda m: loss(corpus, m, Split.VALID, n_context)["loss_nat"])
            ngrams[f"{smoothing.__name__} {best.order}"] = best
        long_term = list(ngrams.values())[-1]
        for name, model in {**ngrams, "lstm": network}.items():
            tell(name, loss(corpus, model, Split.TEST, n_context))
            tell(f"{name} + memory", with_memory(corpus, [model], n_context))
        both = with_memory(corpus, [network, long_term], n_context)
        tell("lstm + kneser_ney + memory", both)


def read(folder: Path, split: dict[str, list[str]]) -> TokenCorpus:
    split_of = {name: kind for kind in ("train", "valid", "test") for name in split[kind]}
    lines, rows = TokenSequences(), []
    with tempfile.TemporaryDirectory() as scratch:
        store = ArtifactStore(Path(scratch))
        tokens = NoteEventConfig()
        for bucket in take_snapshot(store, folder, keep_index=False).buckets(4):
            shard = ingest(store, bucket, ParseConfig())
            found = tokenise(store, shard, SelectConfig(min_notes=1), tokens)
            pieces = {p["sha256"]: p for p in read_shard_pieces(store, shard).to_pylist()}
            lines.add_table(read_lines(store, found), {p["piece_id"] for p in pieces.values()})
            rows += [
                _row(pieces[file.sha256], split_of[Path(file.path).name])
                for file in bucket.files
                if Path(file.path).name in split_of
            ]
    tokeniser = make_tokeniser(tokens)
    rows.sort(key=lambda row: row["piece_id"])
    rows += in_other_keys(rows, lines, tokeniser)
    train = [row["line"] for row in rows if row["split"] == Split.TRAIN]
    vocabulary, _ = build_vocabulary(lines.count(train), len(train), tokens.min_count, tokeniser)
    return build_corpus(rows, lines, vocabulary)


def _row(piece: dict[str, Any], split: str) -> dict[str, Any]:
    extra = {"split": split, "line": piece["piece_id"], "augmented_semitones": 0}
    return {**piece, **extra, "key_signature": None}


def train(corpus: TokenCorpus, seed: int) -> Predictor:
    from pipeline_lib.models.scoring import make_predictor
    from pipeline_lib.models.training.loop import TrainingData, train_network

    config = RunConfig(**RECIPE, seed=seed)
    data = TrainingData(
        corpus.vocabulary,
        corpus.token_ids,
        corpus.spans(Split.TRAIN),
        corpus.spans(Split.VALID),
        *[np.empty(0, np.int64)] * 2,  # streams need no windows
    )
    started = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        trained = train_network(config, data, Path(scratch))
    seconds = time.process_time() - started
    print(f"{config.name}: kept epoch {trained.kept_epoch}, {seconds:.0f} processor seconds")
    return make_predictor(trained.network, config)


def with_memory(corpus: TokenCorpus, models: Sequence[Predictor], n_context: int) -> dict[str, Any]:
    valid = pieces_at(corpus.token_ids, corpus.spans(Split.VALID))
    valid_metres, test_metres = (
        corpus.metres(split, _STEPS) for split in (Split.VALID, Split.TEST)
    )
    predicted = [model.log_probabilities(valid, n_context) for model in models]
    mixture = fit_mixture(predicted, valid, valid_metres, n_context, _MEMORY_TARGETS)
    bar_steps = [metre.bar_step for metre in test_metres]
    advance_step = corpus.vocabulary.features.advance_step
    predictor = MemoryPredictor(models, mixture, advance_step, bar_steps)
    return loss(corpus, predictor, Split.TEST, n_context)


def loss(corpus: TokenCorpus, model: Predictor, split: Split, n_context: int) -> dict[str, Any]:
    parts = TokenParts.of(corpus.vocabulary.features)
    scores = score_targets(model, corpus.token_ids, corpus.spans(split), n_context, parts)
    return summarise_scores(scores, count_targets(corpus, split, n_context))


def tell(name: str, figures: dict[str, Any]) -> None:
    print(
        f"{name:32}{figures['loss_nat']:8.4f}{figures['accuracy']:8.1%}{figures['n_targets']:8,}",
        flush=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
