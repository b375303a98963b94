"""Sample new music from the best n-gram model: a control that networks must leave behind."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import GenerateConfig
from pipeline_lib.generation.composing import compose_grid
from pipeline_lib.models.ngrams.smoothed import NgramStepper
from pipeline_lib.stores.baselines import read_baselines
from pipeline_lib.stores.samples import write_samples
from pipeline_lib.stores.tokens import read_prompts, read_tokeniser, read_vocabulary
from tasks.progress import reporter
from tasks.stages import stage


@stage(kind="samples", schema_version=2)
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
    from pipeline_lib.models.sampling.composers import StepperComposer

    vocabulary = read_vocabulary(draft.store, tokens)
    known = read_baselines(draft.store, baselines, len(vocabulary))
    compositions = compose_grid(
        StepperComposer(NgramStepper(known.long_term)),
        vocabulary,
        read_prompts(draft.store, prompts),
        config.model_copy(update={"beam_width": None, "composer": "ngram"}).grid,
        read_tokeniser(draft.store, tokens),
        reporter("generate/ngram"),
    )
    write_samples(draft, f"{known.long_term_name}-{known.long_term.order}", list(compositions))
