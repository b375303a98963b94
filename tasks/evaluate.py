"""Measure generated music beside held-out music of the corpus."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import EvaluateConfig
from pipeline_lib.evaluation.metrics import (
    build_reference,
    leap_distribution,
    measure_set,
    summarise,
)
from pipeline_lib.generation.samples import samples_from_table
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus
from tasks.encode import load_corpus
from tasks.generate import SAMPLES_NAME
from tasks.stages import stage

GENERATED, CORPUS = "generated", "corpus"


@stage(kind="metrics")
def evaluate(
    draft: Draft,
    tokens: Artifact,
    samples: Artifact,
    length: int,
    steps_per_quarter: int,
    config: EvaluateConfig,
) -> None:
    """Write ``summary.parquet``, ``pieces.parquet`` (every piece's figures) and ``leaps.parquet``.

    Only what was added to the prompts is measured. The corpus stands beside it as the same stretch of
    every test piece: ``length`` tokens after as many as the prompts have.
    """
    corpus = load_corpus(draft.store, tokens)
    made = list(samples_from_table(draft.store.read_table(samples, SAMPLES_NAME)))
    prompt_length = len(made[0].prompt.tokens)
    sets = {
        GENERATED: [s.prompt.continuation(s.tokens, steps_per_quarter) for s in made],
        CORPUS: _stretches(corpus, Split.TEST, prompt_length, length, steps_per_quarter),
    }
    train = _stretches(corpus, Split.TRAIN, prompt_length, length, steps_per_quarter)
    reference = build_reference(train)
    measured = {name: measure_set(pieces, config, reference) for name, pieces in sets.items()}
    summary = summarise(measured[GENERATED], measured[CORPUS], seed=0)
    _write(draft, "summary.parquet", summary)
    _write(draft, "pieces.parquet", _label(measured))
    _write(draft, "leaps.parquet", _label({n: leap_distribution(p) for n, p in sets.items()}))


def _stretches(
    corpus: TokenCorpus, split: Split, prompt_length: int, length: int, steps_per_quarter: int
) -> list[GridNotes]:
    stop = prompt_length + length
    rows = [row for row in corpus.rows(split) if row["length"] - 2 > prompt_length]
    return [corpus.excerpt(row, prompt_length, stop, steps_per_quarter) for row in rows]


def _label(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The frames one below the other, with the set's name in front."""
    return pd.concat([frame.assign(set=name) for name, frame in frames.items()], ignore_index=True)


def _write(draft: Draft, name: str, frame: pd.DataFrame) -> None:
    draft.write_table(name, pa.Table.from_pandas(frame, preserve_index=False))
