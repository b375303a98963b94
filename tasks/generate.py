"""Sample new music from a trained network."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import GenerateConfig
from pipeline_lib.models.sampling import sample_sequences
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.midi import write_midi
from pipeline_lib.reports.audio import Backend, render_audio
from pipeline_lib.reports.notation import write_musicxml
from pipeline_lib.tokens.prompts import Prompt, prompts_from_table
from tasks.encode import load_corpus
from tasks.progress import report, reporter
from tasks.stages import stage

SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("prompt_source", pa.string(), nullable=False),
        pa.field("prompt_tokens", pa.list_(pa.string()), nullable=False),
        pa.field("tokens", pa.list_(pa.string()), nullable=False),
        pa.field("time_signature", pa.string(), nullable=False),
        pa.field("tempo_qpm", pa.float64(), nullable=False),
        pa.field("key_signature", pa.string()),
    ],
    metadata={"schema": "samples/1"},
)
"""One row per sample: what it was given and what it added."""


@stage(kind="samples")
def generate(
    draft: Draft,
    tokens: Artifact,
    run: Artifact,
    prompts: Artifact,
    config: GenerateConfig,
    steps_per_quarter: int,
    audio_backend: Backend,
) -> None:
    """Write ``samples.parquet``, and the first few as MIDI, MusicXML and MP3."""
    from pipeline_lib.models.saved import load_network
    from pipeline_lib.models.stepping import NetworkStepper

    vocabulary = load_corpus(draft.store, tokens).vocabulary
    network, run_config = load_network(draft.store.path(run))
    given = prompts_from_table(draft.store.read_table(prompts, "prompts.parquet"))
    sequences = sample_sequences(
        NetworkStepper(network),
        [vocabulary.encode(prompt.tokens) for prompt in given],
        length=config.length,
        temperature=config.temperature,
        seed=config.seed,
        progress=reporter(f"generate/{run_config.name}"),
    )
    added = [vocabulary.decode(ids.tolist()) for ids in sequences]
    draft.write_table("samples.parquet", _sample_table(given, added))
    for n in range(min(config.n_rendered, len(given))):
        notes = given[n].continued(added[n], steps_per_quarter)
        _render(draft, n, notes, f"{run_config.name}, sample {n + 1}", audio_backend)
        report(f"render/{run_config.name}", n + 1, config.n_rendered)


def _sample_table(prompts: list[Prompt], added: list[list[str]]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "sample": n,
                "prompt_source": prompt.source,
                "prompt_tokens": list(prompt.tokens),
                "tokens": tokens,
                "time_signature": prompt.time_signature,
                "tempo_qpm": prompt.tempo_qpm,
                "key_signature": prompt.key_signature,
            }
            for n, (prompt, tokens) in enumerate(zip(prompts, added, strict=True))
        ],
        schema=SAMPLE_SCHEMA,
    )


def samples_of(table: pa.Table) -> Iterator[tuple[Prompt, list[str]]]:
    """The prompts and the tokens added to them, from ``samples.parquet``."""
    for row in table.to_pylist():
        yield (
            Prompt(
                row["prompt_source"],
                tuple(row["prompt_tokens"]),
                row["time_signature"],
                row["tempo_qpm"],
                row["key_signature"],
            ),
            row["tokens"],
        )


def sample_name(n: int) -> str:
    """Name of a rendered sample's files, without the suffix."""
    return f"sample-{n:02d}"


def _render(draft: Draft, n: int, notes: GridNotes, title: str, audio_backend: Backend) -> None:
    name = sample_name(n)
    write_midi(notes, draft.path(f"{name}.mid"), track_name=title)
    write_musicxml(notes, draft.path(f"{name}.musicxml"), title=title)
    sound = render_audio(notes, draft.path(f"{name}.mp3"), audio_backend)
    draft.write_json(f"{name}.json", {"audio_backend": sound.backend, "audio_font": sound.font})
