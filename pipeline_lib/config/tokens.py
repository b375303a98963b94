"""Settings of tokens and windows: one kind for each tokeniser, and where training windows may start."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, TypeAdapter

from pipeline_lib.config.base import SeqLength, StageConfig


class _TokenConfig(StageConfig):
    """Settings that all tokenisers share: a grid, and what is made of their tokens."""

    steps_per_quarter: int = Field(
        24,
        ge=1,
        le=960,
        description="Grid that onsets and durations are rounded to, steps per quarter note.",
    )
    max_duration_quarter: int = Field(
        8, ge=1, le=64, description="Longest note or rest in one token, in quarter notes."
    )
    augment: Literal["none", "12_keys"] = Field(
        "none",
        description="12_keys: train on every piece in all twelve keys, from five semitones down to six "
        "up; valid and test pieces stay as they are.",
    )
    min_count: int = Field(
        2, ge=1, description="Tokens seen fewer times than this in train become <unknown>."
    )

    @property
    def tokeniser(self) -> Self:
        """Settings that decide the tokens of a piece; those of what is made of them later are at their defaults."""
        later = {name: type(self).model_fields[name].default for name in ("augment", "min_count")}
        return self.model_copy(update=later)


class NoteEventConfig(_TokenConfig):
    """One token for each note, chord or rest, with its duration."""

    kind: Literal["note_event"] = "note_event"


class PitchDurationConfig(_TokenConfig):
    """Pitches, durations and rests as tokens of their own."""

    kind: Literal["pitch_duration"] = "pitch_duration"


def _kind(value: Any) -> str:
    """Kind of a tokeniser, given as a model or as a mapping; note_event where it is not stated."""
    if isinstance(value, dict):
        return str(value.get("kind", "note_event"))
    return str(getattr(value, "kind", "note_event"))


TokenConfig = Annotated[
    Annotated[NoteEventConfig, Tag("note_event")]
    | Annotated[PitchDurationConfig, Tag("pitch_duration")],
    Discriminator(_kind),
]


def token_config(values: dict[str, Any]) -> TokenConfig:
    """Read the settings that were saved as JSON values."""
    config: TokenConfig = TypeAdapter(TokenConfig).validate_python(values)
    return config


class WindowConfig(StageConfig):
    """Settings of windows: where training windows may start."""

    seq_lengths: tuple[SeqLength, ...] = Field(
        (25, 50, 100), min_length=1, description="Input tokens per window; one run for each."
    )
    stride: int = Field(1, ge=1, description="Tokens between the starts of neighbouring windows.")
