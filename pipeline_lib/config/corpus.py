"""Settings of the corpus: how files become pieces, which notes and pieces are kept, how these are divided."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline_lib.config.base import Seed, StageConfig


class IngestConfig(StageConfig):
    """Settings of ingestion: how a corpus is divided for reading, and how much of it may be bad."""

    n_shards: int = Field(
        64,
        ge=1,
        le=128,
        description="Buckets that files are dealt into by a hash of their paths; where a file changes, its bucket "
        "is read again.",
    )
    max_rejected_fraction: float = Field(
        0.75,
        ge=0,
        le=1,
        description="Stop when a larger share of the pieces than this cannot be used.",
    )


class ParseConfig(StageConfig):
    """Settings of parsing: how files become note tables."""

    sustain_pedal: Literal["ignore", "extend"] = Field(
        "ignore",
        description="ignore: a note lasts as long as its key is down; extend: one released while the pedal "
        "(controller 64) is down sounds until it comes up, or until its key is struck again.",
    )
    repeats: Literal["play", "once"] = Field(
        "play",
        description="What is under repeat signs in scores (ABC, kern, MusicXML). play: as often as it is "
        "played; once: each passage once, with its last ending. MIDI files have no repeats.",
    )
    repair: bool = Field(
        False,
        description="Repair broken MIDI files where that invents no note, and say so in the column "
        "`repair`; otherwise they are rejected.",
    )
    file_limit_sec: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Processor seconds that one file, or one tune of a book, may take to read.",
    )
    memory_limit_mib: int = Field(
        2048, ge=256, description="Memory that a process that reads files may use, in MiB."
    )


class SelectConfig(StageConfig):
    """Settings of selection: which notes of a piece are learnt from.

    They apply in the order of the fields; drums are never kept.
    """

    tracks: Literal["all", "highest_mean_pitch", "most_notes", "named"] = Field(
        "all",
        description="Tracks that are kept. highest_mean_pitch, most_notes: one track of each piece; named: "
        "those whose name is `track_name`.",
    )
    track_name: str = Field(
        "",
        description='Name of the tracks that are kept by tracks="named"; case and surrounding blanks do '
        "not count.",
    )
    min_pitch: int = Field(0, ge=0, le=127, description="Lowest pitch that is kept; 60 is C4.")
    max_pitch: int = Field(127, ge=0, le=127, description="Highest pitch that is kept; 60 is C4.")
    min_duration_quarter: float = Field(
        0.0, ge=0, le=4, description="Shortest note that is kept, in quarter notes."
    )
    skyline: bool = Field(
        False,
        description="Keep the melody only: the highest note of each onset, until the next onset.",
    )
    min_notes: int = Field(
        8, ge=1, description="Pieces with fewer notes left than this are rejected."
    )
    max_notes: int | None = Field(
        None,
        ge=1,
        description="Pieces with more notes left than this are rejected; null: no limit.",
    )
    transpose: Literal["none", "c_major_a_minor"] = Field(
        "none",
        description="Move every piece by at most six semitones to C major or A minor; its key is "
        "estimated from its notes.",
    )

    @model_validator(mode="after")
    def _name_and_range(self) -> SelectConfig:
        if (self.tracks == "named") != bool(self.track_name.strip()):
            raise ValueError('tracks="named" and track_name need each other')
        if self.min_pitch > self.max_pitch:
            raise ValueError(f"min_pitch {self.min_pitch} is above max_pitch {self.max_pitch}")
        if self.max_notes is not None and self.max_notes < self.min_notes:
            raise ValueError(f"max_notes {self.max_notes} is below min_notes {self.min_notes}")
        return self


class DuplicateConfig(StageConfig):
    """Settings of duplicates: what counts as the same music."""

    min_similarity: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Pieces that share at least this part of all their phrases (Jaccard) are "
        "near-duplicates; 1: none are looked for.",
    )


class SplitConfig(StageConfig):
    """Settings of the splits: how pieces are divided before anything is counted or trained."""

    valid_fraction: float = Field(
        0.1, gt=0, lt=0.5, description="Share of the pieces that decide when training stops."
    )
    test_fraction: float = Field(
        0.1,
        gt=0,
        lt=0.5,
        description="Share of the pieces that the reported figures are measured on.",
    )
    seed: Seed = Field(0, description="Seed of the shuffle that divides the pieces.")
