"""A whole experiment: the settings of all stages, and the runs that they make."""

from __future__ import annotations

from collections import Counter

from pydantic import Field, model_validator

from pipeline_lib.config.base import LearningRate, Seed, SeqLength, StageConfig
from pipeline_lib.config.corpus import (
    DuplicateConfig,
    IngestConfig,
    ParseConfig,
    SelectConfig,
    SplitConfig,
)
from pipeline_lib.config.networks import LstmConfig, NetworkConfig
from pipeline_lib.config.sampling import GenerateConfig, PromptConfig
from pipeline_lib.config.tokens import NoteEventConfig, TokenConfig, WindowConfig
from pipeline_lib.config.training import (
    BaselineConfig,
    CheckpointConfig,
    RunConfig,
    TelemetryConfig,
    TrainConfig,
)


class PointConfig(StageConfig):
    """One network to train, for experiments that do not train every combination of the lists."""

    model: NetworkConfig = LstmConfig()
    seq_length: SeqLength
    learning_rate: LearningRate
    batch_size: int | None = Field(
        None, ge=1, description="Windows per update; null: those of `train`."
    )
    seeds: tuple[Seed, ...] | None = Field(
        None, min_length=1, description="Seeds, one run for each; null: those of `train`."
    )


class EvaluateConfig(StageConfig):
    """Settings of evaluation: how generated music is measured."""

    leap_threshold_semitones: int = Field(
        2, ge=1, le=24, description="An interval larger than this many semitones is a leap."
    )


class ReportConfig(StageConfig):
    """Optional parts of the report."""

    claims: bool = Field(
        False,
        description="Test the seven claims of the lab report on the runs of this experiment.",
    )
    n_detailed: int | None = Field(
        None,
        ge=1,
        description="Networks whose learning curves, music and samples are shown; null: all. Of a network "
        "trained with several seeds, the run with the first is shown.",
    )


class PipelineConfig(StageConfig):
    """All settings of one experiment; every combination of the lists is a run."""

    ingest: IngestConfig = IngestConfig()
    parse: ParseConfig = ParseConfig()
    select: SelectConfig = SelectConfig()
    duplicates: DuplicateConfig = DuplicateConfig()
    split: SplitConfig = SplitConfig()
    tokens: TokenConfig = NoteEventConfig()
    windows: WindowConfig = WindowConfig()
    models: tuple[NetworkConfig, ...] = Field(
        (LstmConfig(),),
        min_length=1,
        description='Networks to train, such as {"kind":"lstm","layers":2}; one run for each.',
    )
    points: tuple[PointConfig, ...] = Field(
        (),
        description="Networks to train in place of every combination of `models`, `windows.seq_lengths` and "
        "`train.learning_rates`.",
    )
    baselines: BaselineConfig = BaselineConfig()
    train: TrainConfig = TrainConfig()
    checkpoints: CheckpointConfig = CheckpointConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    prompts: PromptConfig = PromptConfig()
    generate: GenerateConfig = GenerateConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()

    @property
    def runs(self) -> tuple[RunConfig, ...]:
        """All training runs: every point of the experiment with every seed."""
        shared = self.train.model_dump(exclude={"learning_rates", "seeds", "batch_size"})
        return tuple(
            RunConfig(
                model=point.model,
                seq_length=point.seq_length,
                learning_rate=point.learning_rate,
                batch_size=point.batch_size or self.train.batch_size,
                seed=seed,
                **shared,
            )
            for point in self.points or self._grid
            for seed in point.seeds or self.train.seeds
        )

    @property
    def detailed_runs(self) -> tuple[str, ...]:
        """Names of the runs that the report shows in detail: for each point shown, the run with its first seed."""
        first: dict[str, str] = {}
        for run in self.runs:
            first.setdefault(run.model_copy(update={"seed": 0}).name, run.name)
        return tuple(first.values())[: self.report.n_detailed]

    @property
    def _grid(self) -> tuple[PointConfig, ...]:
        """Every combination of model, learning rate and sequence length."""
        return tuple(
            PointConfig(model=model, seq_length=length, learning_rate=rate)
            for model in self.models
            for rate in self.train.learning_rates
            for length in self.windows.seq_lengths
        )

    @model_validator(mode="after")
    def _lengths_listed(self) -> PipelineConfig:
        unlisted = {p.seq_length for p in self.points} - set(self.windows.seq_lengths)
        if unlisted:
            raise ValueError(
                f"points have a seq_length of {min(unlisted)}, which windows.seq_lengths lacks"
            )
        return self

    @model_validator(mode="after")
    def _each_run_once(self) -> PipelineConfig:
        names = Counter(run.name for run in self.runs)
        repeated = sorted(name for name, count in names.items() if count > 1)
        if repeated:
            raise ValueError(f"runs are listed more than once: {', '.join(repeated)}")
        return self
