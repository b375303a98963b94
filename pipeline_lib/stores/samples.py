"""New music: the kind ``samples``, and the folders that ``music-pipeline generate`` writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.generation.composing import Composition, ExplainedComposition
from pipeline_lib.generation.rendering import Format, render
from pipeline_lib.generation.samples import Sample, sample_row, sample_table, samples_from_table
from pipeline_lib.scores.audio import Backend
from pipeline_lib.stores import file_names
from pipeline_lib.tokens.tokenisers.base import Tokeniser

if TYPE_CHECKING:
    from pipeline_lib.scores.piano_roll import Surprise


def write_samples(draft: Draft, run: str, compositions: Sequence[Composition]) -> None:
    """Write the samples of a model.

    Parameters
    ----------
    draft : Draft
    run : str
        Name of the model.
    compositions : sequence of Composition
    """
    draft.write_table(file_names.SAMPLES, _all_samples(run, compositions))


def write_explanations(draft: Draft, compositions: Sequence[ExplainedComposition]) -> None:
    """Write what the model thought of its samples."""
    draft.write_table(file_names.EXPLANATIONS, _all_explanations(compositions))


def export_samples(folder: Path, run: str, compositions: Sequence[ExplainedComposition]) -> None:
    """Write both tables into a folder that is no artifact."""
    pq.write_table(_all_samples(run, compositions), folder / file_names.SAMPLES)
    pq.write_table(_all_explanations(compositions), folder / file_names.EXPLANATIONS)


def read_samples(store: ArtifactStore, samples: Artifact) -> list[Sample]:
    """All samples of a model, temperature by temperature."""
    return list(samples_from_table(store.read_table(samples, file_names.SAMPLES)))


def write_sample(
    folder: Path,
    sample: Sample,
    composition: ExplainedComposition,
    run: str,
    formats: Sequence[Format],
    tokeniser: Tokeniser,
    audio_backend: Backend,
) -> None:
    """Write one sample in some formats, and its manifest: all that decided it, as JSON.

    Parameters
    ----------
    folder : Path
        The files in it are named after the sample.
    sample : Sample
    composition : ExplainedComposition
        What it is one of.
    run : str
        Name of the model.
    formats : sequence of str
    tokeniser : Tokeniser
    audio_backend : {"fluidsynth", "sine"}
    """
    sound = render(
        sample.notes(tokeniser),
        folder / sample.name,
        formats,
        title=f"{run}, temperature {sample.temperature:g}, sample {sample.number + 1}",
        audio_backend=audio_backend,
        prompt_end_step=sample.prompt_end_step(tokeniser),
        surprise=_surprise(composition, sample) if "png" in formats else None,
    )
    manifest = sample_row(sample, run, composition.config)
    if sound is not None:
        manifest |= {"audio_backend": sound.backend, "audio_font": sound.font}
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / f"{sample.name}.json").write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True, eq=False)
class RenderedSample:
    """A sample in the formats that a page shows.

    Parameters
    ----------
    musicxml : str
    midi, mp3 : bytes
        Contents of the files.
    audio_backend : str
        "fluidsynth" or "sine"; see `scores.audio.AudioInfo`.
    audio_font : str or None
    """

    musicxml: str
    midi: bytes
    mp3: bytes
    audio_backend: str
    audio_font: str | None


def read_rendered(store: ArtifactStore, samples: Artifact, name: str) -> RenderedSample:
    """A sample that was rendered, by its name."""
    manifest = store.read_json(samples, f"{name}.json")
    return RenderedSample(
        musicxml=store.path(samples, f"{name}.musicxml").read_text(encoding="utf-8"),
        midi=store.path(samples, f"{name}.mid").read_bytes(),
        mp3=store.path(samples, f"{name}.mp3").read_bytes(),
        audio_backend=manifest["audio_backend"],
        audio_font=manifest["audio_font"],
    )


def _all_samples(run: str, compositions: Sequence[Composition]) -> pa.Table:
    return pa.concat_tables([sample_table(made.samples, run, made.config) for made in compositions])


def _all_explanations(compositions: Sequence[ExplainedComposition]) -> pa.Table:
    return pa.concat_tables([made.explained for made in compositions])


def _surprise(composition: ExplainedComposition, sample: Sample) -> Surprise:
    from pipeline_lib.scores.piano_roll import Surprise

    explained = composition.explanation_of(sample)
    columns = ("onset_step", "duration_step", "surprise_bit", "entropy_bit")
    return Surprise(*(explained[name].to_numpy() for name in columns))
