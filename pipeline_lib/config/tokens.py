"""How notes become tokens and tokens become windows. A token is one note, chord or rest."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline_lib.config.base import SeqLength, StageConfig


class TokenConfig(StageConfig):
    """How notes become tokens."""

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


class WindowConfig(StageConfig):
    """Where training windows may start."""

    seq_lengths: tuple[SeqLength, ...] = Field(
        (25, 50, 100), min_length=1, description="Input tokens per window; one run for each."
    )
    stride: int = Field(1, ge=1, description="Tokens between the starts of neighbouring windows.")
