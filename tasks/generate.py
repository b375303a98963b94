"""Sample new music from a trained network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import ComposeConfig, GenerateConfig
from pipeline_lib.generation.rendering import Format, render
from pipeline_lib.generation.samples import Sample, sample_row, sample_table
from pipeline_lib.scores.audio import Backend
from pipeline_lib.tokens.prompts import prompts_from_table
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from tasks.encode import load_corpus, load_tokeniser
from tasks.progress import report, reporter
from tasks.stages import stage

if TYPE_CHECKING:
    from pipeline_lib.scores.piano_roll import Surprise

SAMPLES_NAME, EXPLANATIONS_NAME = "samples.parquet", "explanations.parquet"
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
    from pipeline_lib.generation.composing import compose
    from pipeline_lib.generation.explanation import explain
    from pipeline_lib.models.networks.saved import load_network

    vocabulary = load_corpus(draft.store, tokens).vocabulary
    tokeniser = load_tokeniser(draft.store, tokens)
    network, run_config = load_network(draft.store.path(run))
    given = prompts_from_table(draft.store.read_table(prompts, "prompts.parquet"))
    name, grid = run_config.name, config.grid
    composed = []
    for nth, settings in enumerate(grid):
        progress = part(reporter(f"generate/{name}"), nth, len(grid))
        samples = compose(network, vocabulary, given, settings, tokeniser, progress)
        explained = explain(network, vocabulary, samples)
        composed.append((settings, samples, explained))
    tables = [sample_table(samples, name, settings) for settings, samples, _ in composed]
    draft.write_table(SAMPLES_NAME, pa.concat_tables(tables))
    draft.write_table(EXPLANATIONS_NAME, pa.concat_tables([e for _, _, e in composed]))
    rendered = [
        (sample, explained, settings)
        for settings, samples, explained in composed
        for sample in samples[: config.n_rendered]
    ]
    for n, (sample, explained, settings) in enumerate(rendered, start=1):
        write_sample(
            draft.path(sample.name),
            _FORMATS,
            sample,
            explained,
            name,
            settings,
            tokeniser,
            audio_backend,
        )
        report(f"render/{name}", n, len(rendered))


def part(progress: Callable[[int, int], None], nth: int, n: int) -> Callable[[int, int], None]:
    """Progress of the nth of n equal parts, as that of the whole."""
    return lambda done, total: progress(nth * total + done, n * total)


def write_sample(
    stem: Path,
    formats: Sequence[Format],
    sample: Sample,
    explained: pa.Table,
    run: str,
    config: ComposeConfig,
    tokeniser: Tokeniser,
    audio_backend: Backend,
) -> None:
    """Write one sample in some formats, and its manifest: all that decided it, as JSON.

    Parameters
    ----------
    stem : Path
        Of the files, without a suffix.
    explained : pyarrow.Table
        What the network thought of this and other samples of its temperature
        (`generation.explanation.EXPLANATION_SCHEMA`).
    run : str
        Name of the run.
    """
    sound = render(
        sample.notes(tokeniser),
        stem,
        formats,
        title=f"{run}, temperature {sample.temperature:g}, sample {sample.number + 1}",
        audio_backend=audio_backend,
        prompt_end_step=sample.prompt_end_step(tokeniser),
        surprise=_surprise(explained, sample) if "png" in formats else None,
    )
    manifest = sample_row(sample, run, config)
    if sound is not None:
        manifest |= {"audio_backend": sound.backend, "audio_font": sound.font}
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    stem.with_name(f"{stem.name}.json").write_text(text + "\n", encoding="utf-8")


def _surprise(explained: pa.Table, sample: Sample) -> Surprise:
    from pipeline_lib.scores.piano_roll import Surprise

    of_sample = explained.filter(pc.field("sample") == sample.number)
    columns = ("onset_step", "duration_step", "surprise_bit", "entropy_bit")
    return Surprise(*(of_sample[name].to_numpy() for name in columns))
