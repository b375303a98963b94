"""The metrics of the report: a table of all of them, and how sets of pieces are measured and summarised.

No figure stands alone: `summarise` puts an interval, the number of pieces and the value of a corpus of
human pieces beside each. Metrics that a piece is too short for are NaN and left out of the means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline_lib.config import EvaluateConfig
from pipeline_lib.evaluation import pitch, repetition, rhythm, structure
from pipeline_lib.evaluation.pieces import Pieces
from pipeline_lib.evaluation.statistics import FloatArray, bootstrap_interval, mean
from pipeline_lib.notes.grid import GridNotes


@dataclass(frozen=True, eq=False)
class Reference:
    """Reference pieces that some metrics compare a piece with, as far as these metrics need them.

    Parameters
    ----------
    ioi_histogram : Series
        Pooled inter-onset intervals of the reference pieces; see `rhythm.ioi_histogram`.
    """

    ioi_histogram: pd.Series[float]


@dataclass(frozen=True)
class Metric:
    """A metric: one figure for each piece.

    Parameters
    ----------
    name : str
        Column name in tables: the name of the function that defines it, with a suffix where the function has a setting,
        such as ``ngram_repetition_4``.
    unit : str
        "bits", "semitones", "pitches", "per_quarter", "index" (0 to 200), "share" (0 to 1), "similarity" (0 to 1)
        or "ratio".
    function : callable
        A function of pieces, configuration and reference that gives the metric of each piece; NaN where a piece is too
        short to tell.
    """

    name: str
    unit: str
    function: Callable[[Pieces, EvaluateConfig, Reference], FloatArray]


def _of_notes(
    unit: str, function: Callable[..., FloatArray], counting: str = "", **settings: int
) -> Metric:
    """Make a metric that needs neither the configuration nor a reference; `settings` are its function's."""
    name = function.__name__ + counting
    return Metric(name, unit, lambda pieces, _config, _reference: function(pieces, **settings))


_LEAP_RATE = Metric(
    "leap_rate",
    "share",
    lambda pieces, config, _reference: pitch.leap_rate(pieces, config.leap_threshold_semitones),
)
_RHYTHMIC_CONSISTENCY = Metric(
    "rhythmic_consistency",
    "similarity",
    lambda pieces, _config, reference: rhythm.rhythmic_consistency(pieces, reference.ioi_histogram),
)

_IN_REPORTING_ORDER = (
    _of_notes("bits", pitch.pitch_entropy),
    _of_notes("bits", pitch.pitch_class_entropy),
    _of_notes("bits", pitch.window_pitch_class_entropy, "_1", window_bars=1),
    _of_notes("bits", pitch.window_pitch_class_entropy, "_4", window_bars=4),
    _of_notes("share", pitch.scale_consistency),
    _of_notes("semitones", pitch.pitch_range),
    _of_notes("semitones", pitch.mean_absolute_interval),
    _LEAP_RATE,
    _of_notes("share", pitch.turn_rate),
    _of_notes("per_quarter", rhythm.note_density),
    _of_notes("bits", rhythm.ioi_entropy),
    _of_notes("index", rhythm.ioi_variability),
    _RHYTHMIC_CONSISTENCY,
    _of_notes("share", rhythm.groove_consistency),
    _of_notes("share", rhythm.grooving_similarity),
    _of_notes("share", rhythm.empty_beat_rate),
    _of_notes("pitches", rhythm.polyphony),
    _of_notes("share", repetition.note_repetition_rate),
    _of_notes("share", repetition.ngram_repetition, "_4", n=4),
    _of_notes("share", repetition.ngram_repetition, "_8", n=8),
    _of_notes("ratio", repetition.compression_ratio),
    _of_notes("share", structure.bar_self_similarity),
    # At 120 quarters a minute in 4/4, these are about the 3 to 8, 8 to 15 and more seconds of Wu & Yang (2020).
    _of_notes("share", structure.structureness, "_short", shortest_bars=2, longest_bars=3),
    _of_notes("share", structure.structureness, "_mid", shortest_bars=4, longest_bars=7),
    _of_notes("share", structure.structureness, "_long", shortest_bars=8, longest_bars=16),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _IN_REPORTING_ORDER}
"""Every metric by name, in the order in which reports show them."""


PIECES_PER_BATCH = 128
"""Number of pieces measured at once: few enough that their notes stay in the processor's cache."""


def build_reference(pieces: Sequence[GridNotes]) -> Reference:
    """Build the reference for `measure_set` from pieces, usually those of the train split."""
    return Reference(ioi_histogram=rhythm.ioi_histogram(Pieces.of(pieces)))


def measure_set(
    pieces: Sequence[GridNotes], config: EvaluateConfig, reference: Reference
) -> pd.DataFrame:
    """Measure all metrics of all pieces.

    Parameters
    ----------
    pieces : sequence of GridNotes
    config : EvaluateConfig
    reference : Reference
        From `build_reference`.

    Returns
    -------
    DataFrame
        One row per piece, in their order, and one float column per metric, by its name in `METRICS`.

    Examples
    --------
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> measured = measure_set([notes], EvaluateConfig(), build_reference([notes]))
    >>> measured[["pitch_range", "note_density", "rhythmic_consistency"]]
       pitch_range  note_density  rhythmic_consistency
    0          4.0           1.0                   1.0
    """
    batches = [
        Pieces.of(pieces[start : start + PIECES_PER_BATCH])
        for start in range(0, len(pieces), PIECES_PER_BATCH)
    ]
    columns = {
        name: [metric.function(batch, config, reference) for batch in batches]
        for name, metric in METRICS.items()
    }
    return pd.DataFrame({name: np.concatenate([[], *c]) for name, c in columns.items()})


def summarise(generated: pd.DataFrame, corpus: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Summarise each metric: its mean over generated pieces and over a corpus, with 95 % bootstrap intervals.

    Parameters
    ----------
    generated, corpus : DataFrame
        Metrics of each piece, from `measure_set`. NaN are left out, metric by metric.
    seed : int
        Seed of the resampling.

    Returns
    -------
    DataFrame
        One row per metric, in reporting order: ``metric, unit``, then ``*_mean``, ``*_low``, ``*_high``
        for generated and corpus, then ``n_generated``, ``n_corpus``, the numbers of pieces that the means are over.
        The mean is NaN over no pieces, the interval over fewer than two.

    Examples
    --------
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> measured = measure_set([notes], EvaluateConfig(), build_reference([notes]))
    >>> summary = summarise(measured, measured, seed=0).set_index("metric")
    >>> summary.loc[["pitch_range"], ["unit", "generated_mean", "n_generated"]]
                      unit  generated_mean  n_generated
    metric
    pitch_range  semitones             4.0            1
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

    Examples
    --------
    >>> notes = GridNotes(np.arange(4), np.ones(4, int), np.array([60, 62, 64, 60]), 1)
    >>> leap_distribution([notes]).query("share > 0").round(3)
        interval_semitones  share
    8                   -4  0.333
    14                   2  0.667
    """
    largest = pitch.MAX_INTERVAL_SEMITONES
    return pd.DataFrame(
        {
            "interval_semitones": range(-largest, largest + 1),
            "share": pitch.interval_histogram(Pieces.of(pieces)),
        }
    )


def _mean_and_interval(prefix: str, values: pd.Series[float], seed: int) -> dict[str, float]:
    low, high = bootstrap_interval(values, seed)
    return {f"{prefix}_mean": mean(values), f"{prefix}_low": low, f"{prefix}_high": high}
