"""The report as one self-contained HTML file, in all languages at once.

The page asks for nothing over the network: style, script, fonts, scores, plots and sound are inside it, and
its content security policy forbids everything else. Every text from a file is escaped. The same content
gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline_lib.evaluation.novelty import FLAGGED_NGRAM
from pipeline_lib.evaluation.sets import CONTROL, TRAIN
from pipeline_lib.reports import music_plots, plots, sample_rolls
from pipeline_lib.reports.content import ReportContent, Sample
from pipeline_lib.reports.copying import copy_rows, copying_note, longest_caption, shown_excerpts
from pipeline_lib.reports.digits import decimals_for, written
from pipeline_lib.reports.findings import (
    best_baseline,
    best_of_each_kind,
    detailed_note,
    findings,
    is_apart,
    model_name,
    prediction_note,
    results_cautions,
    results_note,
)
from pipeline_lib.reports.fonts.subset import FONT_PATH
from pipeline_lib.reports.language import LANGUAGES, Texts, in_all_languages, texts_in, translated
from pipeline_lib.reports.reproduction import point_rows, settings
from pipeline_lib.reports.result_rows import has_batch_sizes, names_note, result_groups, run_rows
from pipeline_lib.reports.run_names import shared_parts, with_short_names
from pipeline_lib.reports.verdicts import finding_rows
from pipeline_lib.scores.engraving import engrave

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(content: ReportContent) -> str:
    """The whole report.

    Parameters
    ----------
    content : ReportContent

    Returns
    -------
    str
        An HTML document to be written as UTF-8.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=written, data_url=_data_url, count="{:,}".format)
    samples = [_shown(sample, number) for number, sample in enumerate(content.samples, start=1)]
    script = (_TEMPLATES / "script.js").read_text(encoding="utf-8")
    detailed, groups = with_short_names(content), result_groups(content)
    shared = shared_parts(content.detailed)
    return environment.get_template("page.html.j2").render(
        content=content,
        t=translated,
        findings=_paragraphs(content, findings),
        results_cautions=_paragraphs(content, results_cautions),
        results_note=in_all_languages(lambda texts: results_note(content, texts)),
        prediction_note=in_all_languages(lambda texts: prediction_note(content, texts)),
        detailed_note=_paragraphs(content, detailed_note),
        detailed_names=translated("training.names", shared=shared) if shared else "",
        names_note=in_all_languages(lambda texts: names_note(content, texts)),
        result_groups=groups,
        lowest_perplexity=min(row.mean("test_perplexity") for rows in groups for row in rows),
        run_rows=run_rows(content),
        figures=_figures(content, detailed),
        judgements=[{**vars(judged), "rows": finding_rows(judged)} for judged in content.claims],
        has_one_seed=len({run.seed for run in content.runs}) == 1,
        has_batch_sizes=has_batch_sizes(content.runs),
        best_of_each_kind=[
            {"result": result, "name": in_all_languages(partial(model_name, result))}
            for result in best_of_each_kind(content)
        ],
        metrics=_metric_rows(detailed.metrics),
        discrepancies=_discrepancy_rows(detailed.discrepancies),
        metric_runs=list(detailed.metrics["run"].unique()),
        temperatures=[
            f"{temperature:g}" for temperature in content.metrics["temperature"].unique()
        ],
        copying=_copying(detailed),
        samples=samples,
        settings=settings(content.parameters),
        points=point_rows(content.parameters),
        style=Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        chinese_font=_data_url(FONT_PATH.read_bytes(), "font/ttf"),
        music_font=Markup(samples[0]["music_font"] if samples else ""),
    )


def _paragraphs(
    content: ReportContent, write: Callable[[ReportContent, Texts], Iterator[str]]
) -> list[Markup]:
    """What ``write`` says in each language, paragraph by paragraph in all languages."""
    by_language = {language: list(write(content, texts_in(language))) for language in LANGUAGES}
    n_paragraphs = len(by_language["en"])

    def paragraph(number: int) -> Markup:
        return in_all_languages(lambda texts: by_language[texts.language][number])

    return [paragraph(number) for number in range(n_paragraphs)]


def _figures(content: ReportContent, detailed: ReportContent) -> dict[str, Markup]:
    """Every plot with words in it, in all languages; `detailed` has the runs' short names."""
    baseline = best_baseline(content)

    def drawn(draw: Callable[[Texts], str]) -> Markup:
        return in_all_languages(lambda texts: Markup(draw(texts)))

    figures = {
        "perplexity": drawn(
            lambda texts: plots.perplexity_by_length(content.runs, baseline, texts)
        ),
        "prediction": drawn(lambda texts: _prediction(content, texts)),
        "loss": drawn(lambda texts: plots.loss_curves(detailed.detailed_runs, texts)),
        "metrics": drawn(lambda texts: music_plots.metric_intervals(detailed.metrics, texts)),
        "leaps": drawn(lambda texts: music_plots.leap_distribution(detailed.leaps, texts)),
        "copied": drawn(lambda texts: music_plots.copy_rates(detailed.copying.copied, texts)),
    }
    if len(content.curves):
        figures["updates"] = drawn(lambda texts: plots.update_losses(content.curves, texts))
    if detailed.distances["overlapped_area"].notna().any():
        figures["areas"] = drawn(
            lambda texts: music_plots.overlapped_areas(detailed.distances, texts)
        )
    return figures


def _discrepancy_rows(discrepancies: pd.DataFrame) -> list[dict[str, Any]]:
    """Each set's figures and its name in all languages: real pieces first, the control last."""
    order = {TRAIN: 0, CONTROL: 2}
    rows = [row for _, row in discrepancies.iterrows()]
    rows.sort(key=lambda row: order.get(row["set"], 1))
    return [{**row, "name": _set_name(row["set"], row["temperature"])} for row in rows]


def _set_name(name: str, temperature: float) -> Markup:
    def written(texts: Texts) -> str:
        if name == TRAIN:
            return texts("plot.real")
        label = texts("plot.control") if name == CONTROL else name
        at = texts("sample.temperature", temperature=f"{temperature:g}")
        return texts("finding.separator").join([label, at])

    return in_all_languages(written)


def _prediction(content: ReportContent, texts: Texts) -> str:
    names = {result.name: model_name(result, texts) for result in best_of_each_kind(content)}
    return plots.prediction(names, content.reliability, content.loss_by_place, texts)


def _copying(content: ReportContent) -> dict[str, Any]:
    """What the section on copying shows beside its plot."""
    copying, longest = content.copying, content.copying.longest
    return {
        "rows": list(copy_rows(copying.novelty)),
        "n": FLAGGED_NGRAM,
        "note": in_all_languages(lambda texts: copying_note(copying, texts)),
        # The samples' scores have the seeds before these.
        "excerpts": shown_excerpts(longest, seed=len(content.samples) + 1) if longest else [],
        "longest": (
            in_all_languages(lambda texts: longest_caption(longest, texts))
            if longest
            else translated("copying.none")
        ),
    }


@dataclass(frozen=True)
class _Cell:
    """A mean with its interval; ``apart`` where the interval does not overlap the corpus's."""

    mean: float
    low: float
    high: float
    n: int
    apart: bool = False


@dataclass(frozen=True)
class _MetricRow:
    """One metric, over the corpus and over every run's temperatures."""

    name: str
    unit: str
    corpus: _Cell
    generated: list[_Cell]

    @property
    def decimals(self) -> int:
        """The number of decimals shown: as many as the narrowest interval bears out, but no more than fit."""
        cells = [self.corpus, *self.generated]
        return min(3, max(decimals_for(cell.low, cell.high, usual=2) for cell in cells))


def _metric_rows(metrics: pd.DataFrame) -> list[_MetricRow]:
    rows = []
    for name, generated in metrics.groupby("metric", sort=False):
        first = generated.iloc[0]
        corpus = _cell(first, "corpus")
        cells = [_cell(row, "generated", corpus) for _, row in generated.iterrows()]
        rows.append(_MetricRow(str(name), first["unit"], corpus, cells))
    return rows


def _cell(row: pd.Series[Any], prefix: str, corpus: _Cell | None = None) -> _Cell:
    low, high = row[f"{prefix}_low"], row[f"{prefix}_high"]
    apart = corpus is not None and is_apart(low, high, corpus.low, corpus.high)
    return _Cell(row[f"{prefix}_mean"], low, high, int(row[f"n_{prefix}"]), apart)


def _shown(sample: Sample, number: int) -> dict[str, Any]:
    """What the template needs of a sample beyond its own fields."""
    engraving = engrave(sample.musicxml, seed=number)
    return {
        "sample": sample,
        "number": number,
        "file_name": f"{sample.run}-{sample.name}",
        "score": Markup(engraving.svg),
        "music_font": engraving.font_face,
        "roll": Markup(sample_rolls.piano_roll(sample.notes, sample.prompt_notes, str(number))),
        "timing": {
            "duration_sec": sample.notes.duration_sec,
            "left": sample_rolls.ROLL_LEFT,
            "right": sample_rolls.ROLL_RIGHT,
            "highlights": engraving.highlights,
        },
    }


def _data_url(data: bytes | str, media_type: str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return f"data:{media_type};base64,{base64.b64encode(raw).decode()}"
