"""Settings of new music: what it continues, how tokens are drawn, what it must keep to."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pipeline_lib.config.base import Seed, StageConfig, Temperature

ComposerKind = Literal["mixture", "network", "ngram"]
"""What writes music: all models together with the memory of the piece, or one of them alone."""

RANDOM_PROMPT, WINDOW_PROMPT, NO_PROMPT = "random", "window", "none"
"""Names of the prompts that are no file; a file of such a name is written ``./none``."""


class PromptConfig(StageConfig):
    """Settings of prompts: what generation continues."""

    source: str = Field(
        RANDOM_PROMPT,
        min_length=1,
        description="'random' (openings of validation pieces), 'window' (stretches from anywhere in "
        "them), 'none' (nothing), the path of a MIDI or score file, or notes: name and octave, a colon, "
        "quarter notes, such as 'C4:1 F#4:0.5 R:1/2 C4+E4+G4:3/2'.",
    )
    length: int = Field(
        16,
        ge=1,
        le=512,
        description="Tokens taken from a piece, or all where it has fewer; typed notes are all taken.",
    )
    nearest: bool = Field(
        False,
        description="Replace notes of a file or typed notes that the vocabulary lacks by the nearest ones "
        "that it knows; otherwise such prompts are refused.",
    )
    seed: Seed = Field(0, description="Seed of the choice of prompts.")

    @property
    def is_drawn(self) -> bool:
        """Whether prompts are drawn from validation pieces."""
        return self.source in (RANDOM_PROMPT, WINDOW_PROMPT)

    def cache_value(self) -> dict[str, Any]:
        """Settings without the path of a file, for what was read from it is an input of its own."""
        return {**self.model_dump(), "source": self.source if self.is_drawn else None}


class _DrawingSettings(StageConfig):
    """Settings of drawing tokens, at any temperature."""

    repetition_penalty: float = Field(
        1.0,
        ge=1,
        le=5,
        description="Log-probabilities of recent tokens are multiplied by this; 1: no penalty.",
    )
    repetition_window: int = Field(
        16, ge=1, le=512, description="How many of the last tokens count as recent."
    )
    top_k: int | None = Field(
        None, ge=1, description="Draw from this many of the likeliest tokens only; null: from all."
    )
    top_p: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Draw only from the fewest likeliest tokens that together reach this probability.",
    )
    min_p: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Draw only tokens with at least this share of the likeliest one's probability.",
    )


class SamplingConfig(_DrawingSettings):
    """Settings of drawing one token from a model's scores; `models.sampling.logit_filters` says in which order."""

    temperature: Temperature = Field(
        1.0,
        description="Scores are divided by this: lower is safer; 0 always takes the likeliest token.",
    )


class ConstraintConfig(StageConfig):
    """Constraints on new music; none unless asked for."""

    bars: int | None = Field(
        None,
        ge=1,
        le=512,
        description="Length of each piece, its prompt included, in bars; it is met exactly.",
    )
    seconds: float | None = Field(
        None,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="Length of each piece, its prompt included, in seconds; it is met to a step of the grid.",
    )
    key: str | None = Field(
        None,
        pattern="^(prompt|[A-G][#b]? (major|minor))$",
        description="Only notes of this key, such as 'G major'; 'prompt': the key of the prompt.",
    )
    min_pitch: int = Field(0, ge=0, le=127, description="Lowest pitch allowed; 60 is C4.")
    max_pitch: int = Field(127, ge=0, le=127, description="Highest pitch allowed; 60 is C4.")
    end_on_tonic: bool = Field(
        False, description="End on the tonic, at the last bar line; needs `bars`."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min_pitch > self.max_pitch:
            raise ValueError(f"min_pitch {self.min_pitch} is above max_pitch {self.max_pitch}")
        if self.bars is not None and self.seconds is not None:
            raise ValueError("bars and seconds are two lengths: give one")
        if self.end_on_tonic and self.bars is None:
            raise ValueError("end_on_tonic needs bars: where the last bar line is")
        return self


class _CompositionSettings(_DrawingSettings, ConstraintConfig):
    """Settings that one temperature and several have in common."""

    composer: ComposerKind = Field(
        "mixture",
        description="What writes the music. mixture: the network, the best n-gram model and the memory of the "
        "piece, as mixed for prediction (a run without a memory writes with its network alone); network: the "
        "network alone; ngram: the best n-gram model alone.",
    )
    beam_width: int | None = Field(
        None,
        ge=2,
        le=64,
        description="Draw nothing, but keep this many of the likeliest sequences at each token (beam search); "
        "for comparison; needs composer=network.",
    )
    length: int = Field(
        160, ge=1, le=4096, description="Most new tokens of a sample; a piece may end sooner."
    )
    seed: Seed = Field(0, description="Seed of the sampling.")

    @model_validator(mode="after")
    def _search_needs_a_network(self) -> Self:
        if self.beam_width is not None and self.composer != "network":
            raise ValueError(
                "beam_width searches with the network alone: it needs generate.composer=network"
            )
        return self


class ComposeConfig(SamplingConfig, _CompositionSettings):
    """Settings of one temperature: everything that decides a sample but its prompt and number."""


class GenerateConfig(_CompositionSettings):
    """Settings of generation: the same prompts are continued at each temperature."""

    temperatures: tuple[Temperature, ...] = Field(
        (1.0,),
        min_length=1,
        description="Sampling temperatures, lower is safer; a set of samples for each.",
    )
    n_samples: int = Field(
        32,
        ge=1,
        le=1024,
        description="Samples per run and temperature that the metrics are taken over.",
    )
    n_rendered: int = Field(
        2,
        ge=0,
        le=16,
        description="Samples per run and temperature written as MIDI, score and audio, of the runs that the "
        "report shows in detail.",
    )

    @property
    def grid(self) -> tuple[ComposeConfig, ...]:
        """The settings of each temperature's samples."""
        shared = self.model_dump(exclude={"temperatures", "n_samples", "n_rendered"})
        return tuple(ComposeConfig(temperature=t, **shared) for t in self.temperatures)

    @model_validator(mode="after")
    def _each_temperature_once(self) -> Self:
        # Files are named by the temperature as it is printed.
        times = Counter(f"{temperature:g}" for temperature in self.temperatures)
        repeated = [temperature for temperature, n in times.items() if n > 1]
        if repeated:
            raise ValueError(f"temperatures are listed more than once: {', '.join(repeated)}")
        if self.beam_width is not None and len(times) > 1:
            raise ValueError("beam_width draws nothing, at whatever temperature: give one")
        return self
