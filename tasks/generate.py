"""Sample new music from a trained network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import GenerateConfig
from pipeline_lib.generation.rendering import Format, render
from pipeline_lib.generation.samples import Sample, sample_row, sample_table
from pipeline_lib.reports.audio import Backend
from pipeline_lib.reports.piano_roll import Surprise
from pipeline_lib.tokens.prompts import prompts_from_table
from tasks.encode import load_corpus
from tasks.progress import report, reporter
from tasks.stages import stage

SAMPLES_NAME, EXPLANATIONS_NAME = "samples.parquet", "explanations.parquet"
_FORMATS: tuple[Format, ...] = ("mid", "musicxml", "abc", "mp3", "png")


@stage(kind="samples", schema_version=2)
def generate(
    draft: Draft,
    tokens: Artifact,
    run: Artifact,
    prompts: Artifact,
    config: GenerateConfig,
    steps_per_quarter: int,
    audio_backend: Backend,
) -> None:
    """Write ``samples.parquet``, ``explanations.parquet``, and the first few samples in every format."""
    from pipeline_lib.generation.composing import compose
    from pipeline_lib.generation.explanation import explain
    from pipeline_lib.models.saved import load_network

    vocabulary = load_corpus(draft.store, tokens).vocabulary
    network, run_config = load_network(draft.store.path(run))
    given = prompts_from_table(draft.store.read_table(prompts, "prompts.parquet"))
    progress = reporter(f"generate/{run_config.name}")
    samples = compose(network, vocabulary, given, config, steps_per_quarter, progress)
    explained = explain(network, vocabulary, samples, steps_per_quarter)
    draft.write_table(SAMPLES_NAME, sample_table(samples, run_config.name, config))
    draft.write_table(EXPLANATIONS_NAME, explained)
    for n, sample in enumerate(samples[: config.n_rendered]):
        write_sample(
            draft.path(sample_name(n)),
            _FORMATS,
            sample,
            explained,
            run_config.name,
            config,
            steps_per_quarter,
            audio_backend,
        )
        report(f"render/{run_config.name}", n + 1, config.n_rendered)


def sample_name(n: int) -> str:
    """Name of a rendered sample's files, without the suffix."""
    return f"sample-{n:02d}"


def write_sample(
    stem: Path,
    formats: Sequence[Format],
    sample: Sample,
    explained: pa.Table,
    run: str,
    config: GenerateConfig,
    steps_per_quarter: int,
    audio_backend: Backend,
) -> None:
    """Write one sample in some formats, and its manifest: all that decided it, as JSON.

    Parameters
    ----------
    stem : Path
        Of the files, without a suffix.
    explained : pyarrow.Table
        What the network thought of this and other samples (`generation.explanation.EXPLANATION_SCHEMA`).
    run : str
        Name of the run.
    """
    sound = render(
        sample.notes(steps_per_quarter),
        stem,
        formats,
        title=f"{run}, sample {sample.number + 1}",
        audio_backend=audio_backend,
        prompt_end_step=sample.prompt_end_step(steps_per_quarter),
        surprise=_surprise(explained.filter(pc.field("sample") == sample.number)),
    )
    manifest = sample_row(sample, run, config)
    if sound is not None:
        manifest |= {"audio_backend": sound.backend, "audio_font": sound.font}
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    stem.with_name(f"{stem.name}.json").write_text(text + "\n", encoding="utf-8")


def _surprise(explained: pa.Table) -> Surprise:
    columns = ("onset_step", "duration_step", "surprise_bit", "entropy_bit")
    return Surprise(*(explained[name].to_numpy() for name in columns))
