"""Measure generated music beside held-out music of the corpus."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pandas as pd

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import EvaluateConfig
from pipeline_lib.evaluation.metrics import (
    build_reference,
    leap_distribution,
    measure_set,
    summarise,
)
from pipeline_lib.evaluation.sets import CORPUS, GENERATED, TRAIN, stretches
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.table import Split
from pipeline_lib.stores.measures import Metrics, write_metrics
from pipeline_lib.stores.samples import read_samples
from pipeline_lib.stores.tokens import read_tokeniser, read_tokens
from tasks.stages import stage


@stage(kind="metrics", schema_version=3)
def evaluate(
    draft: Draft,
    tokens: Artifact,
    samples: Artifact,
    length: int,
    config: EvaluateConfig,
) -> None:
    """Write ``summary.parquet``, ``pieces.parquet`` (every piece's figures) and ``leaps.parquet``.

    Samples are measured temperature by temperature, and only what was added to the prompts. The corpus stands
    beside all of them as the same stretch of every test piece: ``length`` tokens after as many as the prompts have.
    ``pieces.parquet`` has train pieces, too, measured likewise: how far real music lies from other real music. As
    many as there are test pieces do: a comparison is no more certain than its smaller side allows, and overlapped
    areas of sets of the same size compare.
    """
    corpus = read_tokens(draft.store, tokens)
    tokeniser = read_tokeniser(draft.store, tokens)
    made = read_samples(draft.store, samples)
    prompt_length = len(made[0].prompt.tokens)
    generated = {
        temperature: [sample.prompt.continuation(sample.tokens, tokeniser) for sample in same]
        for temperature, same in groupby(made, lambda sample: sample.temperature)
    }
    held_out, train = (
        list(stretches(corpus, split, prompt_length, length, tokeniser).values())
        for split in (Split.TEST, Split.TRAIN)
    )
    reference = build_reference(train)
    measured = {t: measure_set(pieces, config, reference) for t, pieces in generated.items()}
    of_corpus = measure_set(held_out, config, reference)
    of_train = measure_set(_some(train, len(held_out)), config, reference)
    summaries = {t: summarise(figures, of_corpus, seed=0) for t, figures in measured.items()}
    leaps = {t: leap_distribution(pieces) for t, pieces in generated.items()}
    metrics = Metrics(
        _stacked(summaries),
        _beside(measured, {CORPUS: of_corpus, TRAIN: of_train}),
        _beside(leaps, {CORPUS: leap_distribution(held_out)}),
    )
    write_metrics(draft, metrics)


def _some(pieces: list[GridNotes], n: int) -> list[GridNotes]:
    """Draw at most `n` of the pieces at random; they stay in their order."""
    drawn = np.random.default_rng(0).permutation(len(pieces))[:n]
    return [pieces[number] for number in sorted(drawn)]


def _stacked(frames: dict[float, pd.DataFrame]) -> pd.DataFrame:
    """The frames one below the other, with their temperature in front."""
    stacked = pd.concat(frames, names=["temperature"])
    return stacked.reset_index("temperature").reset_index(drop=True)


def _beside(generated: dict[float, pd.DataFrame], real: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Every temperature's frame, and below them those of real pieces, which have none; ``set`` says which is which."""
    sets = [_stacked(generated).assign(set=GENERATED)]
    sets += [frame.assign(set=name) for name, frame in real.items()]
    return pd.concat(sets, ignore_index=True)
