"""The sections on prediction: every model on the same test targets, alone and with a memory of the piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline_lib.reports.content import BaselineResult, MemoryResult, Result, RunResult
from pipeline_lib.stores.runs import TrainedRun
from pipeline_lib.stores.scores import ALONE, WITH_MEMORY, NgramOrders, Scores

_FIGURES = {
    "test_loss": "loss_nat",
    "test_pitch_loss": "pitch_loss_nat",
    "test_duration_loss": "duration_loss_nat",
    "test_perplexity": "perplexity",
    "test_accuracy": "accuracy",
    "test_top5_accuracy": "top5_accuracy",
    "test_bits_per_note": "bits_per_note",
    "test_ece": "ece",
    "n_targets": "n_targets",
}
"""Fields of `content.MeasuredOnTest` and their names in the summaries of scores."""


@dataclass(frozen=True, eq=False)
class Results:
    """Fields of `content.ReportContent`."""

    runs: tuple[RunResult, ...]
    baselines: tuple[BaselineResult, ...]
    with_memory: tuple[MemoryResult, ...]
    reliability: pd.DataFrame
    loss_by_place: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Measured:
    """A result, the scores that it comes from, and the name that it has among them."""

    result: Result
    scores: Scores
    model: str


def build_results(
    runs: Mapping[str, TrainedRun],
    scores: Mapping[str, Scores],
    ngrams: NgramOrders,
    ngram_scores: Scores,
    detailed: Sequence[str],
) -> Results:
    """Put all models beside each other.

    Parameters
    ----------
    runs, scores : mapping
        By the names of the networks' runs.
    ngrams : NgramOrders
    ngram_scores : Scores
    detailed : sequence of str
        Names of the runs that are shown with a memory of the piece, too.
    """
    networks = {name: _run_result(run, scores[name]) for name, run in runs.items()}
    baselines = {
        name: BaselineResult(model=name, order=order, **_figures(ngram_scores, name))
        for name, order in ngrams.orders.items()
    }
    remembering: list[tuple[RunResult | BaselineResult, Scores]] = [
        *((networks[name], scores[name]) for name in detailed),
        (baselines[ngrams.long_term_name], ngram_scores),
    ]
    with_memory = [MemoryResult(base=base, **_figures(s, WITH_MEMORY)) for base, s in remembering]
    measured = [
        *(_Measured(network, scores[name], ALONE) for name, network in networks.items()),
        *(_Measured(baseline, ngram_scores, name) for name, baseline in baselines.items()),
        *(
            _Measured(result, s, WITH_MEMORY)
            for result, (_, s) in zip(with_memory, remembering, strict=True)
        ),
    ]
    return Results(
        runs=tuple(networks.values()),
        baselines=tuple(baselines.values()),
        with_memory=tuple(with_memory),
        reliability=_breakdown([(m, m.scores.reliability) for m in measured]),
        loss_by_place=_breakdown([(m, m.scores.loss_by_place) for m in measured]),
    )


def _run_result(run: TrainedRun, scores: Scores) -> RunResult:
    return RunResult(
        name=run.name,
        model=run.name.rpartition("-L")[0],
        seq_length=run.config.seq_length,
        batch_size=run.config.n_windows,
        learning_rate=run.config.learning_rate,
        seed=run.config.seed,
        kept_epoch=run.kept_epoch,
        n_parameters=run.n_parameters,
        n_train_pieces=run.n_train_pieces,
        history=run.history,
        **_figures(scores, ALONE),
    )


def _figures(scores: Scores, model: str) -> dict[str, Any]:
    """The fields of `content.MeasuredOnTest`."""
    summary = scores.summaries[model]
    return {field: summary[figure] for field, figure in _FIGURES.items()}


def _breakdown(tables: Sequence[tuple[_Measured, pd.DataFrame]]) -> pd.DataFrame:
    """One breakdown of the scores of all results, with their names in front."""
    frames = []
    for measured, table in tables:
        frame = table[table["model"] == measured.model].drop(columns="model")
        frame.insert(0, "name", measured.result.name)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
