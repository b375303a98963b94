"""Everything that the report shows, as plain values: filled by `reports.builders`, drawn by `page.render_page`.

Losses are in nats per token, perplexity is exp(loss), accuracy is a share (0 to 1), a share is 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pipeline_lib.evaluation.claims import Judgement
from pipeline_lib.evaluation.novelty import CopyBaseline
from pipeline_lib.notes.corpus.catalogue import CorpusCounts
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.reports.passages import Excerpt


@dataclass(frozen=True)
class Reject:
    """A file that was not used.

    Parameters
    ----------
    path : str
        Relative to the corpus.
    reason : str
        A `pipeline_lib.notes.table.RejectReason`.
    detail : str
        What exactly was found; may be empty.
    """

    path: str
    reason: str
    detail: str


@dataclass(frozen=True)
class CorpusSummary:
    """What was read, and what became of it.

    Parameters
    ----------
    name : str
    counts : CorpusCounts
        Files, pieces, notes, and what was found out about them.
    n_pieces_by_split : dict
        "train", "valid" and "test" to their numbers of pieces.
    vocab_size : int
        Distinct tokens, special ones included.
    unknown_share : float
        Share of the test targets, 0 to 1, that were left out of every score because their token was never
        seen often enough in training.
    rejects : tuple of Reject
        Rejected pieces; not all where there are very many.
    """

    name: str
    counts: CorpusCounts
    n_pieces_by_split: dict[str, int]
    vocab_size: int
    unknown_share: float
    rejects: tuple[Reject, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasuredOnTest:
    """How well a model predicts the test split; see `evaluation.likelihood.summarise_scores`.

    Parameters
    ----------
    test_loss, test_pitch_loss, test_duration_loss : float
        Nats per token; the second and the third sum to the first.
    test_perplexity : float
    test_accuracy, test_top5_accuracy : float
        Shares of targets that are the likeliest token, or among the five likeliest.
    test_bits_per_note : float
        NaN where no target holds a note.
    test_ece : float
        Expected calibration error, 0 to 1.
    n_targets : int
        The same for every model, or the figures would not compare.
    """

    test_loss: float
    test_pitch_loss: float
    test_duration_loss: float
    test_perplexity: float
    test_accuracy: float
    test_top5_accuracy: float
    test_bits_per_note: float
    test_ece: float
    n_targets: int


@dataclass(frozen=True, eq=False)
class RunResult(MeasuredOnTest):
    """One trained network, measured on test.

    Parameters
    ----------
    name : str
        Unique, such as "lstm3x128-L50-lr0.002-s0".
    model : str
        The architecture alone, such as "lstm3x128".
    seq_length : int
        Input tokens per window.
    batch_size : int
        Windows per update.
    learning_rate : float
        At the start of training.
    seed : int
    kept_epoch : int
        The epoch, counted from 1, whose weights were kept.
    n_parameters : int
        Trainable weights.
    n_train_pieces : int
        Pieces of the train split long enough for a window of this ``seq_length``; longer windows learn
        from fewer.
    history : DataFrame
        One row per epoch: ``epoch`` (from 1), ``tokens_seen``, ``train_loss``, ``valid_loss``,
        ``learning_rate``.
    """

    name: str
    model: str
    seq_length: int
    batch_size: int
    learning_rate: float
    seed: int
    kept_epoch: int
    n_parameters: int
    n_train_pieces: int
    history: pd.DataFrame


@dataclass(frozen=True, eq=False)
class BaselineResult(MeasuredOnTest):
    """An n-gram model, measured on the same targets as the networks.

    Parameters
    ----------
    model : str
        "unigram", "witten_bell" or "kneser_ney": how it is smoothed.
    order : int
        Tokens per n-gram.
    """

    model: str
    order: int

    @property
    def name(self) -> str:
        """Short and unique: ``kneser_ney-8``."""
        return self.model if self.model == "unigram" else f"{self.model}-{self.order}"


@dataclass(frozen=True, eq=False)
class MemoryResult(MeasuredOnTest):
    """A network or n-gram model with a memory of the piece beside it, measured on the same targets.

    Parameters
    ----------
    base : RunResult or BaselineResult
        The model that was given the memory.
    """

    base: RunResult | BaselineResult

    @property
    def name(self) -> str:
        """Unique: that of the model, with ``+memory`` behind it."""
        return f"{self.base.name}+memory"


Result = RunResult | BaselineResult | MemoryResult


@dataclass(frozen=True, eq=False)
class Sample:
    """One piece of generated music, in every form the page offers.

    Parameters
    ----------
    run : str
        Name of the `RunResult` that wrote it.
    name : str
        Unique within its run, such as "t0.8-01".
    temperature : float
    prompt_notes : int
        How many of the first notes were given, not generated.
    notes : GridNotes
        Prompt and continuation.
    musicxml : str
    midi, mp3 : bytes
        Contents of the files.
    audio_backend : str
        "fluidsynth" or "sine"; see `audio.AudioInfo`.
    audio_font : str or None
    """

    run: str
    name: str
    temperature: float
    prompt_notes: int
    notes: GridNotes
    musicxml: str
    midi: bytes
    mp3: bytes
    audio_backend: str
    audio_font: str | None


@dataclass(frozen=True, eq=False)
class ExcerptScore:
    """Bars of a piece around a passage, as they are shown.

    Parameters
    ----------
    name : str
        Of the sample, or the path of the training piece.
    excerpt : Excerpt
    musicxml : str
        Of the excerpt.
    """

    name: str
    excerpt: Excerpt
    musicxml: str


@dataclass(frozen=True, eq=False)
class LongestMatch:
    """The longest passage that any sample shares with a training piece.

    Parameters
    ----------
    run : str
        Name of the `RunResult` that wrote the sample.
    n_notes : int
    semitones : int
        How much higher the sample plays it.
    sample, source : ExcerptScore
    """

    run: str
    n_notes: int
    semitones: int
    sample: ExcerptScore
    source: ExcerptScore


@dataclass(frozen=True, eq=False)
class Copying:
    """What was copied from the training pieces.

    Parameters
    ----------
    novelty : DataFrame
        One row per sample, ``set`` "generated", with its ``run``; then one per held-out piece: the columns of
        `evaluation.novelty.NOVELTY_SCHEMA`.
    copied : DataFrame
        The columns of `evaluation.novelty.copy_rates_by_set`, with the ``run`` of the samples.
    baseline : CopyBaseline
    longest : LongestMatch or None
        None where no sample has a note of a training piece.
    """

    novelty: pd.DataFrame
    copied: pd.DataFrame
    baseline: CopyBaseline
    longest: LongestMatch | None


@dataclass(frozen=True, eq=False)
class ReportContent:
    """The whole report.

    Parameters
    ----------
    corpus : CorpusSummary
    runs : tuple of RunResult
        At least one, in the order in which they are shown.
    detailed : tuple of str
        Names of the runs that are shown in detail; at least one.
    baselines : tuple of BaselineResult
        May be empty.
    with_memory : tuple of MemoryResult
        May be empty.
    reliability : DataFrame
        ``name`` of a result, then the columns of `evaluation.calibration.reliability_curve`.
    loss_by_place : DataFrame
        ``name`` of a result, then the columns of `evaluation.loss_breakdown.losses_by_place`.
    metrics : DataFrame
        One row per run, temperature and metric: ``run``, ``temperature``, then the columns of
        `evaluation.metrics.summarise`. Every run has the same temperatures.
    leaps : DataFrame
        ``set`` (name of a run, or "corpus"), ``temperature`` (NaN for the corpus), ``interval_semitones``,
        ``share``.
    copying : Copying
    distances, discrepancies : DataFrame
        How far sets lie from the corpus's test pieces: ``set`` (name of a run, "train" or "control"),
        ``temperature`` (NaN for train), then the columns of `evaluation.distances.set_distances`, and the fields of
        `evaluation.distances.Discrepancy`. Both are empty where nothing was measured.
    samples : tuple of Sample
    parameters : dict
        All settings, nested by stage.
    packages : dict
        Package name to version.
    lineage : tuple of (stage, artifact)
        What the report was made from.
    command : str
        What to type to make it again.
    claims : tuple of Judgement
        The lab report's claims, where the experiment judges them.
    curves : DataFrame
        From `studies.lab_report.claims.lab_curves`; without rows where there are no claims.
    """

    corpus: CorpusSummary
    runs: tuple[RunResult, ...]
    detailed: tuple[str, ...]
    baselines: tuple[BaselineResult, ...]
    with_memory: tuple[MemoryResult, ...]
    reliability: pd.DataFrame
    loss_by_place: pd.DataFrame
    metrics: pd.DataFrame
    leaps: pd.DataFrame
    copying: Copying
    distances: pd.DataFrame
    discrepancies: pd.DataFrame
    samples: tuple[Sample, ...]
    parameters: dict[str, Any]
    packages: dict[str, str]
    lineage: tuple[tuple[str, str], ...]
    command: str
    claims: tuple[Judgement, ...] = ()
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def detailed_runs(self) -> tuple[RunResult, ...]:
        """The runs that are shown in detail."""
        return tuple(run for run in self.runs if run.name in self.detailed)
