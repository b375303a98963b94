"""The metrics of the report: which there are, and how sets of pieces are measured and compared.

No figure stands alone: `summarise` puts an interval, the number of pieces and the value of a corpus of
human pieces beside each. Metrics that a piece is too short for are NaN and left out of the means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline_lib.config import EvaluateConfig
from pipeline_lib.evaluation import pitch, repetition, rhythm
from pipeline_lib.evaluation.statistics import bootstrap_interval, mean
from pipeline_lib.notes.grid import GridNotes


@dataclass(frozen=True, eq=False)
class Reference:
    """What a piece is held against.

    Parameters
    ----------
    ioi_histogram : Series
        Pooled inter-onset intervals of the reference pieces; see `rhythm.ioi_histogram`.
    """

    ioi_histogram: pd.Series[float]


@dataclass(frozen=True)
class Metric:
    """One figure that can be taken of a piece.

    Parameters
    ----------
    name : str
        Column name in tables; also the name of the function that defines it.
    unit : str
        "bits", "semitones", "pitches", "share" (0 to 1), "similarity" (0 to 1) or "ratio".
    function : callable
        Its value; NaN where the piece is too short to tell.
    """

    name: str
    unit: str
    function: Callable[[GridNotes, EvaluateConfig, Reference], float]


def _of_notes(unit: str, function: Callable[[GridNotes], float]) -> Metric:
    """A metric that needs neither settings nor a reference."""
    return Metric(function.__name__, unit, lambda notes, _config, _reference: function(notes))


_LEAP_RATE = Metric(
    "leap_rate",
    "share",
    lambda notes, config, _reference: pitch.leap_rate(notes, config.leap_threshold_semitones),
)
_RHYTHMIC_CONSISTENCY = Metric(
    "rhythmic_consistency",
    "similarity",
    lambda notes, _config, reference: rhythm.rhythmic_consistency(notes, reference.ioi_histogram),
)
_NGRAM_REPETITION = Metric(
    "ngram_repetition",
    "share",
    lambda notes, config, _reference: repetition.ngram_repetition(notes, config.ngram_length),
)

_IN_REPORTING_ORDER = (
    _of_notes("bits", pitch.pitch_entropy),
    _of_notes("bits", pitch.pitch_class_entropy),
    _of_notes("share", pitch.scale_consistency),
    _of_notes("semitones", pitch.pitch_range),
    _LEAP_RATE,
    _of_notes("bits", rhythm.ioi_entropy),
    _RHYTHMIC_CONSISTENCY,
    _of_notes("share", rhythm.groove_consistency),
    _of_notes("share", rhythm.empty_beat_rate),
    _of_notes("pitches", rhythm.polyphony),
    _of_notes("share", repetition.note_repetition_rate),
    _NGRAM_REPETITION,
    _of_notes("ratio", repetition.compression_ratio),
    _of_notes("share", repetition.bar_self_similarity),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _IN_REPORTING_ORDER}
"""Every metric by name, in the order in which reports show them."""


def build_reference(pieces: Sequence[GridNotes]) -> Reference:
    """What `measure_piece` needs to know of the reference pieces, usually the train split."""
    return Reference(ioi_histogram=rhythm.ioi_histogram(*pieces))


def measure_piece(
    notes: GridNotes, config: EvaluateConfig, reference: Reference
) -> dict[str, float]:
    """All metrics of one piece, by name, in reporting order."""
    return {name: metric.function(notes, config, reference) for name, metric in METRICS.items()}


def measure_set(
    pieces: Sequence[GridNotes], config: EvaluateConfig, reference: Reference
) -> pd.DataFrame:
    """All metrics of all pieces: one row per piece, in their order, one float column per metric."""
    rows = [measure_piece(notes, config, reference) for notes in pieces]
    return pd.DataFrame(rows, columns=list(METRICS), dtype="float64")


def summarise(generated: pd.DataFrame, corpus: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Mean of each metric over generated pieces and over a corpus, with 95 % bootstrap intervals.

    Parameters
    ----------
    generated, corpus : DataFrame
        From `measure_set`. NaN are left out, metric by metric.
    seed : int
        Of the resampling.

    Returns
    -------
    DataFrame
        One row per metric, in reporting order: ``metric, unit``, then ``*_mean``, ``*_low``, ``*_high``
        for generated and corpus, then ``n_generated``, ``n_corpus``, the pieces that each mean is over.
        The mean is NaN over no pieces, the interval over fewer than two.
    """
    rows = [
        {
            "metric": name,
            "unit": metric.unit,
            **_mean_and_interval("generated", generated[name], seed),
            **_mean_and_interval("corpus", corpus[name], seed),
            "n_generated": int(generated[name].count()),
            "n_corpus": int(corpus[name].count()),
        }
        for name, metric in METRICS.items()
    ]
    return pd.DataFrame(rows)


def leap_distribution(pieces: Sequence[GridNotes]) -> pd.DataFrame:
    """Share of each signed interval in the pooled top lines of the pieces, for plotting.

    Returns
    -------
    DataFrame
        ``interval_semitones`` from −12 to 12 and its ``share``; the outermost rows also hold everything
        beyond them. Shares are NaN where no piece has two onsets.
    """
    largest = pitch.MAX_INTERVAL_SEMITONES
    return pd.DataFrame(
        {
            "interval_semitones": range(-largest, largest + 1),
            "share": pitch.interval_histogram(*pieces),
        }
    )


def _mean_and_interval(prefix: str, values: pd.Series[float], seed: int) -> dict[str, float]:
    low, high = bootstrap_interval(values, seed)
    return {f"{prefix}_mean": mean(values), f"{prefix}_low": low, f"{prefix}_high": high}
