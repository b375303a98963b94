"""Everything that the report shows, as plain values: filled from artifacts, drawn by `page.render_page`.

Losses are in nats per token, perplexity is exp(loss), accuracy is a share (0 to 1), a share is 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pipeline_lib.evaluation.claims import Judgement
from pipeline_lib.notes.catalogue import CorpusCounts
from pipeline_lib.notes.grid import GridNotes


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


@dataclass(frozen=True, eq=False)
class RunResult:
    """One trained network, measured on test.

    Parameters
    ----------
    name : str
        Unique, such as "lstm3x128-L50-lr0.002-s0".
    model : str
        The architecture alone, such as "lstm3x128".
    seq_length : int
        Input tokens per window.
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
    test_loss, test_perplexity, test_accuracy : float
        Over ``n_targets`` tokens of the test split.
    n_targets : int
        The same for every run, or the figures would not compare.
    history : DataFrame
        One row per epoch: ``epoch`` (from 1), ``tokens_seen``, ``train_loss``, ``valid_loss``,
        ``learning_rate``.
    """

    name: str
    model: str
    seq_length: int
    learning_rate: float
    seed: int
    kept_epoch: int
    n_parameters: int
    n_train_pieces: int
    test_loss: float
    test_perplexity: float
    test_accuracy: float
    n_targets: int
    history: pd.DataFrame


@dataclass(frozen=True)
class BaselineResult:
    """An n-gram model, measured on the same targets as the networks.

    Parameters
    ----------
    model : str
        "unigram", "witten_bell" or "kneser_ney": how it is smoothed.
    order : int
        Tokens per n-gram.
    test_loss, test_perplexity, test_accuracy : float
    n_targets : int
    """

    model: str
    order: int
    test_loss: float
    test_perplexity: float
    test_accuracy: float
    n_targets: int

    @property
    def name(self) -> str:
        """Short and unique: ``kneser_ney-8``."""
        return self.model if self.model == "unigram" else f"{self.model}-{self.order}"


@dataclass(frozen=True, eq=False)
class MemoryResult:
    """A network or n-gram model with a memory of the piece beside it, measured on the same targets.

    Parameters
    ----------
    base : RunResult or BaselineResult
        The model that was given the memory.
    test_loss, test_perplexity, test_accuracy : float
    n_targets : int
    """

    base: RunResult | BaselineResult
    test_loss: float
    test_perplexity: float
    test_accuracy: float
    n_targets: int


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
class ReportContent:
    """The whole report.

    Parameters
    ----------
    corpus : CorpusSummary
    runs : tuple of RunResult
        At least one, in the order in which they are shown.
    baselines : tuple of BaselineResult
        May be empty.
    with_memory : tuple of MemoryResult
        May be empty.
    metrics : DataFrame
        One row per run, temperature and metric: ``run``, ``temperature``, then the columns of
        `evaluation.metrics.summarise`. Every run has the same temperatures.
    leaps : DataFrame
        ``set`` (name of a run, or "corpus"), ``temperature`` (NaN for the corpus), ``interval_semitones``,
        ``share``.
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
        From `evaluation.lab_claims.lab_curves`; without rows where there are no claims.
    """

    corpus: CorpusSummary
    runs: tuple[RunResult, ...]
    baselines: tuple[BaselineResult, ...]
    with_memory: tuple[MemoryResult, ...]
    metrics: pd.DataFrame
    leaps: pd.DataFrame
    distances: pd.DataFrame
    discrepancies: pd.DataFrame
    samples: tuple[Sample, ...]
    parameters: dict[str, Any]
    packages: dict[str, str]
    lineage: tuple[tuple[str, str], ...]
    command: str
    claims: tuple[Judgement, ...] = ()
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
