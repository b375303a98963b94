"""Samples: what a model was given, what it added, and every setting that decided it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from pipeline_lib.config import ComposeConfig
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.tokenisers.base import Tokeniser

Ending = Literal["model", "asked", "limit"]
"""The model ended the piece; it has the length that was asked for; or it was stopped at the most tokens allowed."""


@dataclass(frozen=True)
class Sample:
    """One new piece.

    Parameters
    ----------
    temperature : float
        At which it was drawn.
    number : int
        Which random stream it was drawn from.
    prompt : Prompt
        What it continues.
    tokens : tuple of str
        What was added.
    ended_by : {"model", "asked", "limit"}
    """

    temperature: float
    number: int
    prompt: Prompt
    tokens: tuple[str, ...]
    ended_by: Ending

    @property
    def name(self) -> str:
        """The name of the sample's files, unique among the samples of a run: ``t0.8-01``."""
        return f"t{self.temperature:g}-{self.number + 1:02d}"

    def notes(self, tokeniser: Tokeniser) -> GridNotes:
        """The notes of the whole piece."""
        return self.prompt.continued(self.tokens, tokeniser)

    def prompt_end_step(self, tokeniser: Tokeniser) -> int:
        """Where the prompt ends, in grid steps."""
        return tokeniser.span_step(self.prompt.tokens)


_KINDS: dict[str, Any] = {
    "composer": pa.string(),
    "temperature": pa.float64(),
    "top_k": pa.int32(),
    "top_p": pa.float64(),
    "min_p": pa.float64(),
    "repetition_penalty": pa.float64(),
    "repetition_window": pa.int32(),
    "beam_width": pa.int32(),
    "length": pa.int32(),
    "bars": pa.int32(),
    "seconds": pa.float64(),
    "key": pa.string(),
    "min_pitch": pa.int32(),
    "max_pitch": pa.int32(),
    "end_on_tonic": pa.bool_(),
    "seed": pa.int64(),
}

SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("run", pa.string(), nullable=False),
        pa.field("prompt_source", pa.string(), nullable=False),
        pa.field("prompt_tokens", pa.list_(pa.string()), nullable=False),
        pa.field("prompt_replaced", pa.list_(pa.string()), nullable=False),
        pa.field("tokens", pa.list_(pa.string()), nullable=False),
        pa.field("ended_by", pa.string(), nullable=False),
        pa.field("time_signature", pa.string(), nullable=False),
        pa.field("tempo_qpm", pa.float64(), nullable=False),
        pa.field("key_signature", pa.string()),
        *(pa.field(name, kind) for name, kind in _KINDS.items()),
    ],
    metadata={"schema": "samples/3"},
)
"""One row per sample: its number, the run's name, what it was given and added, and the settings."""


def sample_row(sample: Sample, run: str, config: ComposeConfig) -> dict[str, Any]:
    """A row of `SAMPLE_SCHEMA`, and a sample's manifest."""
    prompt = sample.prompt
    return {
        "sample": sample.number,
        "run": run,
        "prompt_source": prompt.source,
        "prompt_tokens": list(prompt.tokens),
        "prompt_replaced": list(prompt.replaced),
        "tokens": list(sample.tokens),
        "ended_by": sample.ended_by,
        "time_signature": prompt.time_signature,
        "tempo_qpm": prompt.tempo_qpm,
        "key_signature": prompt.key_signature,
        **config.model_dump(mode="json"),
    }


def sample_table(samples: Sequence[Sample], run: str, config: ComposeConfig) -> pa.Table:
    """Samples of one run and one choice of settings, with `SAMPLE_SCHEMA`."""
    rows = [sample_row(sample, run, config) for sample in samples]
    return pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA)


def samples_from_table(table: pa.Table) -> Iterator[Sample]:
    """The samples that were saved as a table."""
    for row in table.to_pylist():
        prompt = Prompt(
            row["prompt_source"],
            tuple(row["prompt_tokens"]),
            row["time_signature"],
            row["tempo_qpm"],
            row["key_signature"],
            tuple(row["prompt_replaced"]),
        )
        yield Sample(
            row["temperature"], row["sample"], prompt, tuple(row["tokens"]), row["ended_by"]
        )
