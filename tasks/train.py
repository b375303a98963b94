"""Train one network: one point of the experiment's grid."""

from __future__ import annotations

import threading

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import RunConfig
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.windows import n_long_enough, starts_of
from tasks.encode import load_corpus
from tasks.progress import report
from tasks.stages import stage

_AT_ONCE = threading.BoundedSemaphore(2)
"""Networks that one process trains at once, however many workers read files: more are no faster (see
EXPERIMENTS.md, 3), and they share one GPU's memory."""


@stage(kind="runs")
def train(draft: Draft, tokens: Artifact, windows: Artifact, config: RunConfig) -> None:
    """Write ``weights.npz`` (the best epoch's), ``history.parquet`` and ``run.json``."""
    from pipeline_lib.models.checkpoints import DESCRIPTION_NAME, WEIGHTS_NAME, save_weights
    from pipeline_lib.models.training import train_network

    corpus = load_corpus(draft.store, tokens)
    index = draft.store.read_table(windows, "windows.parquet")
    label = f"train/{config.name}"
    with _AT_ONCE:
        trained = train_network(
            config,
            len(corpus.vocabulary),
            corpus.token_ids,
            starts_of(index, Split.TRAIN),
            starts_of(index, Split.VALID),
            n_train_tokens=int(corpus.spans(Split.TRAIN)[:, 1].sum()),
            progress=lambda step, n_steps, text: report(label, step, n_steps, text),
        )
    save_weights(trained.model, draft.path(WEIGHTS_NAME))
    draft.write_table("history.parquet", trained.history)
    description = {
        "name": config.name,
        "config": config.model_dump(mode="json"),
        "vocab_size": len(corpus.vocabulary),
        "n_parameters": trained.model.count_params(),
        "n_train_pieces": n_long_enough(corpus, Split.TRAIN, config.seq_length),
        "best_epoch": trained.best_epoch,
    }
    draft.write_json(DESCRIPTION_NAME, description)
