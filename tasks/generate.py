"""Sample new music from a trained network."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import GenerateConfig
from pipeline_lib.generation.rendering import Format
from pipeline_lib.scores.audio import Backend
from pipeline_lib.stores.runs import read_network
from pipeline_lib.stores.samples import write_explanations, write_sample, write_samples
from pipeline_lib.stores.tokens import read_prompts, read_tokeniser, read_vocabulary
from tasks.progress import report, reporter
from tasks.stages import stage

_FORMATS: tuple[Format, ...] = ("mid", "musicxml", "abc", "mp3", "png")


@stage(kind="samples", schema_version=3)
def generate(
    draft: Draft,
    tokens: Artifact,
    run: Artifact,
    prompts: Artifact,
    config: GenerateConfig,
    audio_backend: Backend,
) -> None:
    """Write ``samples.parquet``, ``explanations.parquet``, and each temperature's first few samples in every format."""
    from pipeline_lib.generation.new_music import compose_and_explain

    network, run_config = read_network(draft.store, run)
    name, tokeniser = run_config.name, read_tokeniser(draft.store, tokens)
    composing = compose_and_explain(
        network,
        read_vocabulary(draft.store, tokens),
        read_prompts(draft.store, prompts),
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
