"""Every setting of the pipeline: its default, bounds, unit and meaning.

One frozen model per stage. A stage receives only its own model, so a changed temperature can never
retrain anything. Unknown names are refused (``extra="forbid"``).

Durations are in quarter notes, losses in nats per token, tokens are one note, chord or rest each.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

Seed = Annotated[int, Field(ge=0, lt=2**32)]
SeqLength = Annotated[int, Field(ge=2, le=4096)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
Temperature = Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)]


class StageConfig(BaseModel):
    """Base of all settings: immutable, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IngestConfig(StageConfig):
    """How a corpus is divided for reading, and how much of it may be bad."""

    n_shards: int = Field(
        64,
        ge=1,
        le=128,
        description="Buckets that files are dealt into by a hash of their paths; the unit of caching.",
    )
    max_rejected_fraction: float = Field(
        0.75,
        ge=0,
        le=1,
        description="Stop when a larger share of the pieces than this cannot be used.",
    )


class ParseConfig(StageConfig):
    """How files become note tables."""

    sustain_pedal: Literal["ignore", "extend"] = Field(
        "ignore",
        description="extend: a note released while the pedal (controller 64) is down sounds until it "
        "comes up, or until its key is struck again.",
    )
    repair: bool = Field(
        False,
        description="Mend broken MIDI files where that invents no note, and say so in `repair`; "
        "otherwise they are rejected.",
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
    """Which notes of a piece are learnt from, in the order of the fields; drums never are."""

    tracks: Literal["all", "highest_mean_pitch", "most_notes", "named"] = Field(
        "all", description="Which tracks are kept; named: those whose name is `track_name`."
    )
    track_name: str = Field(
        "", description='For tracks="named"; case and outer blanks do not count.'
    )
    min_pitch: int = Field(0, ge=0, le=127, description="Lower notes are left out; 60 is C4.")
    max_pitch: int = Field(127, ge=0, le=127, description="Higher notes are left out.")
    min_duration_quarter: float = Field(
        0.0, ge=0, le=4, description="Shorter notes are left out, in quarter notes."
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
    """What counts as the same music."""

    min_similarity: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Pieces that share at least this part of all their phrases (Jaccard) are "
        "near-duplicates; 1 switches them off.",
    )


class SplitConfig(StageConfig):
    """How pieces are divided before anything is counted or trained."""

    valid_fraction: float = Field(
        0.1, gt=0, lt=0.5, description="Share of pieces for early stopping."
    )
    test_fraction: float = Field(
        0.1, gt=0, lt=0.5, description="Share of pieces for the reported figures."
    )
    seed: Seed = Field(0, description="Seed of the shuffle that divides the pieces.")


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


class _NetworkConfig(StageConfig):
    """What all networks have in common: tokens go in as vectors, scores of the next token come out."""

    token_input: Literal["embedding", "factored", "one_hot"] = Field(
        "embedding",
        description="How a token id enters the network. embedding: a vector for each token; factored: the "
        "sum of one for its pitch, one for its duration, and one of its own.",
    )
    embedding_size: int = Field(
        128, ge=4, le=2048, description="Width of the embedding (unused for one_hot)."
    )
    output: Literal["dense", "tied", "pitch_duration"] = Field(
        "dense",
        description="How scores of the next token are computed. dense: a weight vector for each token; "
        "tied: the token's embedding is that vector; pitch_duration: the sum of a score for its pitch "
        "and one for its duration.",
    )
    dropout: float = Field(
        0.3, ge=0, lt=1, description="Dropout after the input and after each layer."
    )

    @property
    def _size(self) -> str:
        """The part of the name that always shows."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Kind and size, then whatever is not the default: ``lstm2x256-dropout0.5``."""
        usual = type(self).model_fields
        others = set(usual) - {"kind", "layers", "units"}
        changed = {n: getattr(self, n) for n in usual if n in others}
        parts = [_in_name(n, v) for n, v in changed.items() if v != usual[n].default]
        return "-".join([self._size, *parts])

    @model_validator(mode="after")
    def _tied_to_an_embedding(self) -> Self:
        if self.output == "tied" and self.token_input == "one_hot":
            raise ValueError('output="tied" needs a trained token_input: there is nothing to tie')
        return self


def _in_name(field: str, value: Any) -> str:
    """A setting as part of a run's name: switches and choices by themselves, numbers with their field."""
    if isinstance(value, bool):
        return field.replace("_", "") if value else f"no{field.replace('_', '')}"
    if isinstance(value, str):
        return value.replace("_", "")
    return f"{field.removesuffix('_size')}{value!r}"


class LstmConfig(_NetworkConfig):
    """A stacked LSTM over note tokens."""

    kind: Literal["lstm"] = "lstm"
    layers: int = Field(3, ge=1, le=4, description="LSTM layers.")
    units: int = Field(128, ge=8, le=2048, description="Units per LSTM layer.")
    residual: bool = Field(
        True,
        description="Each layer after the first adds to what it reads; without, it replaces it.",
    )
    layer_norm: bool = Field(False, description="Normalise what each layer reads.")
    variational_dropout: bool = Field(
        False, description="One dropout mask for all positions of a window, not one for each."
    )

    @property
    def _size(self) -> str:
        return f"lstm{self.layers}x{self.units}"


class LstmAttentionConfig(LstmConfig):
    """A stacked LSTM whose outputs look back at each other through causal self-attention."""

    kind: Literal["lstm_attention"] = "lstm_attention"  # type: ignore[assignment]
    heads: int = Field(4, ge=1, le=32, description="Attention heads.")

    @property
    def _size(self) -> str:
        return f"lstm{self.layers}x{self.units}-attention"

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        _check_heads("units", self.units, self.heads)
        return self


class TransformerConfig(_NetworkConfig):
    """A small decoder-only Transformer with rotary positions."""

    kind: Literal["transformer"] = "transformer"
    layers: int = Field(4, ge=1, le=24, description="Blocks of attention and feed-forward layers.")
    units: int = Field(128, ge=8, le=2048, description="Width between the blocks.")
    heads: int = Field(4, ge=1, le=32, description="Attention heads.")

    @property
    def _size(self) -> str:
        return f"transformer{self.layers}x{self.units}"

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        _check_heads("units", self.units, self.heads)
        return self


def _check_heads(field: str, width: int, heads: int) -> None:
    # Rotary positions turn pairs of numbers.
    if width % (2 * heads):
        raise ValueError(f"{field} {width} is no multiple of twice the {heads} heads")


def _kind(value: Any) -> str:
    """The kind of a network; lstm where it is not stated."""
    kind = value.get("kind", "lstm") if isinstance(value, dict) else getattr(value, "kind", "lstm")
    return str(kind)


NetworkConfig = Annotated[
    Annotated[LstmConfig, Tag("lstm")]
    | Annotated[LstmAttentionConfig, Tag("lstm_attention")]
    | Annotated[TransformerConfig, Tag("transformer")],
    Discriminator(_kind),
]


class BaselineConfig(StageConfig):
    """The n-gram models beside the networks, and the memory of the piece that stands beside all."""

    max_order: int = Field(
        8,
        ge=1,
        le=16,
        description="Longest n-gram tried, in tokens; each smoothing keeps its best order on valid.",
    )
    memory_targets: int = Field(
        10_000,
        ge=1,
        description="Valid tokens at most that each memory's weights (56) are fitted on.",
    )


class CheckpointConfig(StageConfig):
    """How often an unfinished training is saved; it decides what a stop costs, not what comes out."""

    every_n_steps: int = Field(
        500, ge=1, description="Updates between two checkpoints that a stopped run resumes from."
    )

    def cache_value(self) -> None:
        """No part of it decides a result."""


class TelemetryConfig(StageConfig):
    """Where else a training can be watched; it decides nothing that comes out."""

    tensorboard: bool = Field(False, description="Write events for TensorBoard.")
    mlflow: bool = Field(False, description="Record runs with MLflow, in a SQLite file.")

    def cache_value(self) -> None:
        """No part of it decides a result."""


class _TrainingSettings(StageConfig):
    """What a single run and a whole experiment have in common."""

    regime: Literal["windows", "streams"] = Field(
        "windows",
        description="windows: shuffled windows, each read from a zero state; streams: pieces one after "
        "another, the state carried from window to window.",
    )
    targets: Literal["all", "last"] = Field(
        "all", description="Learn to predict every token of a window, or only the one after it."
    )
    optimizer: Literal["adam", "adamw"] = "adam"
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
    clip_norm: float = Field(1.0, gt=0, description="Largest global norm of a gradient.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share of the target that is spread over all tokens."
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
    """How networks are trained."""

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
        """Short, and unique within an experiment: ``lstm3x128-L50-lr0.002-s0``."""
        batch = f"-b{self.batch_size}" if self.batch_size else ""
        rate = repr(self.learning_rate)
        return f"{self.model.name}-L{self.seq_length}{batch}-lr{rate}-s{self.seed}"

    @property
    def n_windows(self) -> int:
        """Windows per update."""
        return self.batch_size or max(1, self.batch_tokens // self.seq_length)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.regime == "streams" and self.model.kind == "transformer":
            raise ValueError('regime="streams" needs an LSTM: a transformer has no state to carry')
        if self.regime == "streams" and self.n_devices > 1:
            raise ValueError(
                'regime="streams" carries its state on one device: n_devices must be 1'
            )
        if self.n_windows % self.n_devices:
            raise ValueError(
                f"{self.n_windows} windows do not divide over {self.n_devices} devices"
            )
        return self


class PointConfig(StageConfig):
    """One network of an experiment that is no full grid."""

    model: NetworkConfig = LstmConfig()
    seq_length: SeqLength
    learning_rate: LearningRate
    batch_size: int | None = Field(
        None, ge=1, description="Windows per update; null: as `train` says."
    )
    seeds: tuple[Seed, ...] | None = Field(
        None, min_length=1, description="One run for each; null: as `train` says."
    )


RANDOM_PROMPT, WINDOW_PROMPT, NO_PROMPT = "random", "window", "none"
"""Prompts that are asked for by name: a file of such a name is ``./none``."""


class PromptConfig(StageConfig):
    """What generation continues."""

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
        description="Tokens taken from a piece; fewer where there are not as many. Typed notes are all "
        "taken.",
    )
    nearest: bool = Field(
        False,
        description="Replace what the vocabulary lacks of a file or of typed notes by the nearest that "
        "it knows; otherwise such prompts are refused.",
    )
    seed: Seed = Field(0, description="Seed of the choice of prompts.")

    @property
    def is_drawn(self) -> bool:
        """Whether prompts are drawn from validation pieces."""
        return self.source in (RANDOM_PROMPT, WINDOW_PROMPT)

    def cache_value(self) -> dict[str, Any]:
        """Without the path of a file: what was read from it is an input of its own."""
        return {**self.model_dump(), "source": self.source if self.is_drawn else None}


class _DrawingSettings(StageConfig):
    """How tokens are drawn at any temperature."""

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
        None, ge=1, description="Only so many of the likeliest tokens are drawn; null: all."
    )
    top_p: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Only the likeliest tokens that together have this probability are drawn.",
    )
    min_p: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Only tokens with at least this share of the likeliest one's probability are drawn.",
    )


class SamplingConfig(_DrawingSettings):
    """How the next token is drawn from a model's scores; `models.shaping` says in which order."""

    temperature: Temperature = Field(
        1.0,
        description="Scores are divided by this: lower is safer; 0 always takes the likeliest token.",
    )


class ConstraintConfig(StageConfig):
    """What new music must keep to; nothing unless asked for."""

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
        description="The same in seconds, met to a step of the grid.",
    )
    key: str | None = Field(
        None,
        pattern="^(prompt|[A-G][#b]? (major|minor))$",
        description="Only notes of this key, such as 'G major'; 'prompt': of the prompt's key.",
    )
    min_pitch: int = Field(0, ge=0, le=127, description="No lower note; 60 is C4.")
    max_pitch: int = Field(127, ge=0, le=127, description="No higher note.")
    end_on_tonic: bool = Field(
        False, description="End with the tonic at the last bar line; needs `bars`."
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
    """What the samples of one temperature and those of all have in common."""

    beam_width: int | None = Field(
        None,
        ge=2,
        le=64,
        description="Search for likely sequences among so many, and draw nothing; for comparison.",
    )
    length: int = Field(
        160, ge=1, le=4096, description="New tokens per sample at most; a piece may end sooner."
    )
    seed: Seed = Field(0, description="Seed of the sampling.")


class ComposeConfig(SamplingConfig, _CompositionSettings):
    """One temperature of the grid: everything that decides a sample, but for its prompt and number."""


class GenerateConfig(_CompositionSettings):
    """How new music is sampled: the same prompts are continued at each temperature."""

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


class EvaluateConfig(StageConfig):
    """How generated music is measured."""

    leap_threshold_semitones: int = Field(
        2, ge=1, le=24, description="An interval larger than this many semitones is a leap."
    )


class ReportConfig(StageConfig):
    """What the report says beyond what it always says."""

    claims: bool = Field(
        False,
        description="Judge the seven claims of the lab report by the runs of this experiment.",
    )
    n_detailed: int | None = Field(
        None,
        ge=1,
        description="How many networks have their curves, music and samples shown; null: all. Of those "
        "trained with several seeds it is the first one's.",
    )


class PipelineConfig(StageConfig):
    """All settings of one experiment; every combination of the lists is a run."""

    ingest: IngestConfig = IngestConfig()
    parse: ParseConfig = ParseConfig()
    select: SelectConfig = SelectConfig()
    duplicates: DuplicateConfig = DuplicateConfig()
    split: SplitConfig = SplitConfig()
    tokens: TokenConfig = TokenConfig()
    windows: WindowConfig = WindowConfig()
    models: tuple[NetworkConfig, ...] = Field(
        (LstmConfig(),), min_length=1, description="Networks; one run each."
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
        """Every point of the experiment with every seed."""
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
        """Names of the runs that are shown in detail: of each point that is, the one with its first seed."""
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
