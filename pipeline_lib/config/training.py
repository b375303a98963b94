"""Settings of training: of the n-gram baselines, and of the runs of the networks. Losses are in nats per token."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline_lib.config.base import LearningRate, Seed, SeqLength, StageConfig
from pipeline_lib.config.networks import NetworkConfig


class BaselineConfig(StageConfig):
    """Settings of the baselines: of n-gram models, and of the memory of the piece that any model can be mixed with."""

    max_order: int = Field(
        8,
        ge=1,
        le=16,
        description="Longest n-gram tried, in tokens; each smoothing keeps the order that is best on the valid "
        "split.",
    )
    memory_targets: int = Field(
        10_000,
        ge=1,
        description="Most tokens of the valid split that the 112 weights of each memory are fitted on.",
    )


class CheckpointConfig(StageConfig):
    """Settings of checkpoints, which decide what it costs to stop a training, not what comes out."""

    every_n_steps: int = Field(
        500, ge=1, description="Updates between two checkpoints that a stopped run resumes from."
    )

    def cache_value(self) -> None:
        """Value for cache keys: none, for no part of it decides a result."""


class TelemetryConfig(StageConfig):
    """Settings of telemetry: where else a training can be watched. They change no result."""

    tensorboard: bool = Field(False, description="Write events for TensorBoard.")
    mlflow: bool = Field(False, description="Record runs with MLflow, in a SQLite file.")

    def cache_value(self) -> None:
        """Value for cache keys: none, for no part of it decides a result."""


class _TrainingSettings(StageConfig):
    """Settings that a single run and a whole experiment have in common."""

    regime: Literal["windows", "streams"] = Field(
        "windows",
        description="windows: shuffled windows, each read from a zero state; streams: pieces one after "
        "another, the state carried from window to window.",
    )
    targets: Literal["all", "last"] = Field(
        "all", description="Learn to predict every token of a window, or only the one after it."
    )
    optimizer: Literal["adam", "adamw"] = Field(
        "adam", description="Rule of the updates; adamw: Adam with `weight_decay`."
    )
    weight_decay: float = Field(
        0.1,
        ge=0,
        le=1,
        description="For adamw: weights shrink by this times the learning rate at each update; biases "
        "and scales do not.",
    )
    schedule: Literal["constant", "cosine"] = Field(
        "cosine", description="Keep the learning rate, or lower it to zero along a half cosine."
    )
    warmup_steps: int = Field(
        0, ge=0, description="Updates over which the learning rate first rises from zero."
    )
    batch_tokens: int = Field(
        800,
        ge=2,
        description="Tokens per update: batch size = batch_tokens / seq_length, so that every "
        "seq_length learns from the same number of notes per update.",
    )
    batch_size: int | None = Field(
        None, ge=1, description="Windows per update, in place of batch_tokens."
    )
    max_epochs: int = Field(
        6,
        ge=1,
        description="Stop after this many epochs at the latest; an epoch reads as many tokens as the "
        "train split has.",
    )
    num_training_iterations: int | None = Field(
        None, ge=1, description="Stop after this many updates instead."
    )
    patience: int | None = Field(
        3,
        ge=1,
        description="Stop after this many epochs without a better validation loss; null: never.",
    )
    kept_weights: Literal["best", "last"] = Field(
        "best",
        description="Whose weights a run keeps. best: of the epoch with the lowest validation loss; last: "
        "of the last update.",
    )
    clip_norm: float = Field(
        1.0,
        gt=0,
        description="Largest global norm of the gradients; larger ones are scaled down to it.",
    )
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the target's probability that is spread over all tokens.",
    )
    precision: Literal["float32", "mixed_float16"] = Field(
        "float32", description="mixed_float16: compute in half precision; needs a GPU."
    )
    n_devices: int = Field(
        1, ge=1, le=64, description="Devices that each batch is divided over (TensorFlow only)."
    )

    @model_validator(mode="after")
    def _last_of_windows(self) -> Self:
        if self.regime == "streams" and self.targets == "last":
            raise ValueError('targets="last" needs regime="windows": a stream has no last token')
        return self


class TrainConfig(_TrainingSettings):
    """Settings of training, for all runs of an experiment."""

    learning_rates: tuple[LearningRate, ...] = Field(
        (4e-3,), min_length=1, description="Learning rates at the start; one run for each."
    )
    seeds: tuple[Seed, ...] = Field(
        (0,), min_length=1, description="Seeds of weights and batches; one run for each."
    )


class RunConfig(_TrainingSettings):
    """One point of the experiment's grid: everything that decides one training run."""

    model: NetworkConfig
    seq_length: SeqLength
    learning_rate: LearningRate
    seed: Seed

    @property
    def name(self) -> str:
        """Short name, unique within an experiment, such as ``lstm3x128-L50-lr0.002-s0``."""
        batch = f"-b{self.batch_size}" if self.batch_size else ""
        rate = repr(self.learning_rate)
        return f"{self.model.name}-L{self.seq_length}{batch}-lr{rate}-s{self.seed}"

    @property
    def n_windows(self) -> int:
        """Windows per update."""
        return self.batch_size or max(1, self.batch_tokens // self.seq_length)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.regime == "streams" and not self.model.carries_state:
            raise ValueError(
                f'regime="streams" needs an LSTM: a {self.model.kind} has no state to carry'
            )
        if self.regime == "streams" and self.n_devices > 1:
            raise ValueError(
                'regime="streams" carries its state on one device: n_devices must be 1'
            )
        if self.n_windows % self.n_devices:
            raise ValueError(
                f"{self.n_windows} windows do not divide over {self.n_devices} devices"
            )
        return self
