"""Sample new music from the best n-gram model: a control that networks must leave behind."""

from __future__ import annotations

import pyarrow as pa

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import GenerateConfig
from pipeline_lib.generation.samples import sample_table
from pipeline_lib.models.ngrams.smoothed import NgramStepper
from pipeline_lib.tokens.prompts import prompts_from_table
from tasks.encode import load_corpus, load_tokeniser
from tasks.fit_baselines import load_baselines
from tasks.generate import SAMPLES_NAME, part
from tasks.progress import reporter
from tasks.stages import stage


@stage(kind="samples")
def generate_baseline(
    draft: Draft,
    tokens: Artifact,
    baselines: Artifact,
    prompts: Artifact,
    config: GenerateConfig,
) -> None:
    """Write ``samples.parquet``: the same prompts, temperatures and rules as the networks', but always drawn.

    The model is the n-gram model that predicts the valid split best; the run is named after its smoothing and order.
    """
    from pipeline_lib.generation.composing import compose_stepwise

    vocabulary = load_corpus(draft.store, tokens).vocabulary
    tokeniser = load_tokeniser(draft.store, tokens)
    known = load_baselines(draft.store, baselines, len(vocabulary))
    model = known.ngrams[known.long_term]
    given = prompts_from_table(draft.store.read_table(prompts, "prompts.parquet"))
    grid = config.model_copy(update={"beam_width": None}).grid
    tables = []
    for nth, settings in enumerate(grid):
        progress = part(reporter("generate/ngram"), nth, len(grid))
        samples = compose_stepwise(
            NgramStepper(model), vocabulary, given, settings, tokeniser, progress
        )
        tables.append(sample_table(samples, f"{known.long_term}-{model.order}", settings))
    draft.write_table(SAMPLES_NAME, pa.concat_tables(tables))
