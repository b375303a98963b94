"""Sample new music from a trained network, alone or mixed with n-grams and a memory of the piece."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import GenerateConfig
from pipeline_lib.generation.rendering import Format
from pipeline_lib.scores.audio import Backend
from pipeline_lib.stores.composers import RunModels, read_composer
from pipeline_lib.stores.runs import read_run
from pipeline_lib.stores.samples import write_explanations, write_sample, write_samples
from pipeline_lib.stores.tokens import read_prompts, read_tokeniser, read_vocabulary
from tasks.progress import report, reporter
from tasks.stages import stage

_FORMATS: tuple[Format, ...] = ("mid", "musicxml", "abc", "mp3", "png")


@stage(kind="samples", schema_version=4)
def generate(
    draft: Draft,
    tokens: Artifact,
    models: RunModels,
    prompts: Artifact,
    config: GenerateConfig,
    audio_backend: Backend,
) -> None:
    """Write ``samples.parquet``, ``explanations.parquet``, and each temperature's first few samples in every format.

    ``models`` holds what the composer in ``config`` reads, and should hold no more: it decides whether the result is still valid.
    """
    from pipeline_lib.generation.new_music import compose_and_explain

    store, name = draft.store, read_run(draft.store, models.run).name
    tokeniser, vocabulary = read_tokeniser(store, tokens), read_vocabulary(store, tokens)
    given = read_prompts(store, prompts)
    composing = compose_and_explain(
        read_composer(
            store, config.composer, models, vocabulary, given, tokeniser.steps_per_quarter
        ),
        vocabulary,
        given,
        config.grid,
        tokeniser,
        reporter(f"generate/{name}"),
    )
    compositions = list(composing)
    write_samples(draft, name, compositions)
    write_explanations(draft, compositions)
    rendered = [(made, s) for made in compositions for s in made.samples[: config.n_rendered]]
    for n, (made, sample) in enumerate(rendered, start=1):
        write_sample(draft.folder, sample, made, name, _FORMATS, tokeniser, audio_backend)
        report(f"render/{name}", n, len(rendered))
