"""Train one network: one point of the experiment's grid."""

from __future__ import annotations

import threading
from contextlib import ExitStack

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import CheckpointConfig, RunConfig, TelemetryConfig
from pipeline_lib.notes.table import Split
from pipeline_lib.stores.runs import write_run
from pipeline_lib.stores.tokens import read_tokens, read_windows
from pipeline_lib.tokens.windows import NO_WINDOWS, n_long_enough
from tasks.progress import report
from tasks.stages import stage

CHECKPOINTS = "checkpoints"
"""Folder under ``artifacts/`` with what unfinished trainings have left, by the stage's key."""

_KEY_LENGTH = 16

_SLOTS = threading.BoundedSemaphore(2)
"""Networks that one process trains at once, however many workers read files: more are no faster (see
EXPERIMENTS.md, 3), and they share one GPU's memory."""


@stage(kind="runs", schema_version=2)
def train(
    draft: Draft,
    tokens: Artifact,
    windows: Artifact | None,
    config: RunConfig,
    checkpoints: CheckpointConfig,
    telemetry: TelemetryConfig,
) -> None:
    """Write ``weights.npz``, ``history.parquet``, ``steps.parquet`` and ``run.json``.

    ``windows`` is not needed for streams.
    """
    from pipeline_lib.models.training.loop import TrainingData, train_network
    from pipeline_lib.models.training.telemetry import open_observers

    corpus = read_tokens(draft.store, tokens)
    of_split = dict.fromkeys((Split.TRAIN, Split.VALID), NO_WINDOWS)
    if windows is not None:
        of_split = {split: read_windows(draft.store, windows, split) for split in of_split}
    data = TrainingData(
        corpus.vocabulary,
        corpus.token_ids,
        corpus.spans(Split.TRAIN),
        corpus.spans(Split.VALID),
        of_split[Split.TRAIN],
        of_split[Split.VALID],
    )
    label = f"train/{config.name}"
    with _SLOTS, ExitStack() as stack:
        trained = train_network(
            config,
            data,
            draft.store.root / CHECKPOINTS / draft.provenance.key[:_KEY_LENGTH],
            checkpoints,
            lambda step, n_steps, text: report(label, step, n_steps, text),
            open_observers(telemetry, config, draft.store.root, stack),
        )
    seq_length = config.seq_length if config.regime == "windows" else 1
    n_train_pieces = n_long_enough(corpus, Split.TRAIN, seq_length)
    write_run(draft, trained, config, corpus.vocabulary, n_train_pieces)
