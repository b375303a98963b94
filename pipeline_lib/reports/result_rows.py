"""Rows of the table of results: a row for each setting, over its seeds, or for each run, n-gram model and memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline_lib.reports.content import (
    BaselineResult,
    MeasuredOnTest,
    MemoryResult,
    ReportContent,
    Result,
    RunResult,
)
from pipeline_lib.reports.findings import model_name
from pipeline_lib.reports.language import Texts, in_all_languages
from pipeline_lib.reports.run_names import shared_parts, short_names, without_seed


@dataclass(frozen=True, eq=False)
class ResultRow:
    """One row.

    Parameters
    ----------
    label : Markup
        The model, in all languages.
    results : tuple of MeasuredOnTest
        Several are those of one setting with several seeds.
    run : RunResult or None
        Whose settings the row shows; None for an n-gram model.
    """

    label: Markup
    results: tuple[MeasuredOnTest, ...]
    run: RunResult | None = None

    def mean(self, figure: str) -> float:
        """Mean of a field over the results."""
        return sum(self._values(figure)) / len(self.results)

    def lowest(self, figure: str) -> float:
        """Lowest of a field over the results."""
        return min(self._values(figure))

    def highest(self, figure: str) -> float:
        """Highest of a field over the results."""
        return max(self._values(figure))

    def _values(self, figure: str) -> list[float]:
        return [getattr(result, figure) for result in self.results]


def result_groups(content: ReportContent) -> list[list[ResultRow]]:
    """Settings, n-gram models, and models with memory."""
    by_setting: dict[str, list[RunResult]] = {}
    for run in content.runs:
        by_setting.setdefault(without_seed(run.name), []).append(run)
    names = _model_names(content)
    return [
        [ResultRow(_label(of[0], names), tuple(of), of[0]) for of in by_setting.values()],
        [ResultRow(_label(baseline, names), (baseline,)) for baseline in content.baselines],
        [
            ResultRow(
                _label(result, names),
                (result,),
                result.base if isinstance(result.base, RunResult) else None,
            )
            for result in content.with_memory
        ],
    ]


def run_rows(content: ReportContent) -> list[ResultRow]:
    """Every run by itself."""
    names = _model_names(content)
    return [ResultRow(_label(run, names), (run,), run) for run in content.runs]


def has_batch_sizes(runs: Sequence[RunResult]) -> bool:
    """Whether runs of one sequence length differ in their batch size."""
    lengths = {run.seq_length for run in runs}
    return len({(run.seq_length, run.batch_size) for run in runs}) > len(lengths)


def names_note(content: ReportContent, texts: Texts) -> str:
    """How to read the names in the table, in one language."""
    sentences = [texts("results.names")]
    shared = shared_parts([run.model for run in content.runs])
    if shared:
        sentences.append(texts("results.shared", shared=shared))
    return texts("finding.between_sentences").join(sentences)


def _model_names(content: ReportContent) -> dict[str, str]:
    return short_names(run.model for run in content.runs)


def _label(result: Result, names: Mapping[str, str]) -> Markup:
    """What a result's model is called in the table, in all languages."""

    def label(texts: Texts) -> str:
        if isinstance(result, MemoryResult):
            return texts("results.with_memory", model=base_label(result.base, texts))
        return base_label(result, texts)

    def base_label(base: RunResult | BaselineResult, texts: Texts) -> str:
        return names[base.model] if isinstance(base, RunResult) else model_name(base, texts)

    return in_all_languages(label)
