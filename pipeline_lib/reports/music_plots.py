"""What generated music is like beside the corpus: plots of metrics, distances, leaps and copies, as SVG."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import (
    MaxNLocator,
    PercentFormatter,
)

from pipeline_lib.drawing import (
    BAND,
    MUTED,
    WIDTH_INCH,
    colour,
    legend_above,
    legend_line,
    marker,
    shared_panels,
    to_svg,
)
from pipeline_lib.evaluation.sets import CONTROL, CORPUS, TRAIN
from pipeline_lib.reports.language import Texts
from pipeline_lib.reports.page_style import page_style


def metric_intervals(metrics: pd.DataFrame, texts: Texts) -> str:
    """Means and intervals of every run against the band of the corpus, one panel per metric.

    Runs are below each other; if there are several temperatures, once for each.
    """
    legend = [(Patch(color=BAND), texts("plot.corpus"))]
    units = dict(zip(metrics["metric"], metrics["unit"], strict=True))
    return _by_metric(
        metrics.rename(columns={"run": "set"}),
        _metric_panel,
        lambda metric: texts(f"unit.{units[metric]}"),
        legend,
        "metrics",
        texts,
    )


def overlapped_areas(distances: pd.DataFrame, texts: Texts) -> str:
    """Overlapped area of every run with the corpus, one panel per metric where it is known.

    The band begins at other real pieces; beside the runs of each temperature a dashed line is the control.
    """
    is_known = distances.groupby("metric")["overlapped_area"].transform("count") > 0
    legend = [
        (Patch(color=BAND), texts("plot.real")),
        (Line2D([], [], color=MUTED, linestyle="--"), texts("plot.control")),
    ]
    return _by_metric(
        distances[is_known],
        _area_panel,
        lambda _: texts("plot.overlapped_area"),
        legend,
        "areas",
        texts,
    )


@dataclass(frozen=True)
class _Places:
    """Where in a panel the runs' marks are: below each other, temperature by temperature."""

    runs: list[str]
    temperatures: list[float]

    def __len__(self) -> int:
        # One is free between two temperatures.
        return (len(self.runs) + 1) * len(self.temperatures) - 1

    def of(self, row: pd.Series[Any]) -> tuple[int, int]:
        """The number of the row's run, and its place."""
        number = self.runs.index(row["set"])
        return number, number + self.first(row["temperature"])

    def first(self, temperature: float) -> int:
        """The place of the first run at a temperature."""
        return self.temperatures.index(temperature) * (len(self.runs) + 1)

    def label(self, axes: Axes) -> None:
        """Give a panel its height, and its temperatures' names if there are several."""
        axes.set_ylim(len(self) - 0.4, -0.6)
        axes.spines["left"].set_visible(False)
        axes.set_yticks([])
        if len(self.temperatures) > 1:
            first = np.array([self.first(temperature) for temperature in self.temperatures])
            names = [f"{temperature:g}" for temperature in self.temperatures]
            axes.set_yticks((len(self.runs) - 1) / 2 + first, names)
            axes.grid(visible=False, axis="y")


def _by_metric(
    table: pd.DataFrame,
    draw: Callable[[Axes, pd.DataFrame, _Places], None],
    label: Callable[[Any], str],
    legend: Sequence[tuple[Any, str]],
    name: str,
    texts: Texts,
) -> str:
    """A panel per metric, four beside each other; `label` names its axis, `legend` is for what is not a run."""
    of_runs = table[~table["set"].isin([TRAIN, CONTROL])]
    places = _Places(list(of_runs["set"].unique()), list(of_runs["temperature"].unique()))
    metrics = list(table["metric"].unique())
    n_columns = 4
    n_rows = -(-len(metrics) // n_columns)
    with page_style():
        size_inch = WIDTH_INCH, 0.4 + n_rows * (0.76 + 0.13 * len(places))
        figure = Figure(figsize=size_inch, layout="constrained")
        panels = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes, metric in itertools.zip_longest(panels.flat, metrics):
            if metric is None:
                axes.remove()
                continue
            draw(axes, table[table["metric"] == metric], places)
            places.label(axes)
            axes.set_title(texts(f"metric.{metric}"))
            axes.set_xlabel(label(metric), labelpad=1)
        if len(places.temperatures) > 1:
            for axes in panels[:, 0]:
                axes.set_ylabel(texts("plot.temperature"))
        handles = [*(handle for handle, _ in legend), *map(legend_line, range(len(places.runs)))]
        legend_above(figure, handles, [*(label for _, label in legend), *places.runs])
        return to_svg(figure, f"{name}-{texts.language}")


def _metric_panel(axes: Axes, rows: pd.DataFrame, places: _Places) -> None:
    corpus = rows.iloc[0]
    axes.axvspan(corpus["corpus_low"], corpus["corpus_high"], color=BAND)
    axes.axvline(corpus["corpus_mean"], color=MUTED, linewidth=0.8)
    for _, row in rows.iterrows():
        number, place = places.of(row)
        axes.hlines(place, row["generated_low"], row["generated_high"], color=colour(number))
        axes.plot(row["generated_mean"], place, marker(number), color=colour(number))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))
    axes.margins(x=0.12)


def _area_panel(axes: Axes, rows: pd.DataFrame, places: _Places) -> None:
    for _, row in rows.iterrows():
        area = row["overlapped_area"]
        if row["set"] == TRAIN:
            axes.axvspan(area, 1, color=BAND)
        elif row["set"] == CONTROL:
            first = places.first(row["temperature"])
            ends = first - 0.5, first + len(places.runs) - 0.5
            axes.vlines(area, *ends, color=MUTED, linestyle="--", linewidth=1)
        else:
            number, place = places.of(row)
            axes.plot(area, place, marker(number), color=colour(number))
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])


def leap_distribution(leaps: pd.DataFrame, texts: Texts) -> str:
    """Shares of melodic intervals, runs as lines over the bars of the corpus, one panel per temperature."""
    corpus, generated = leaps[leaps["set"] == CORPUS], leaps[leaps["set"] != CORPUS]

    def draw(axes: Axes, of_runs: pd.DataFrame) -> None:
        _leap_panel(axes, corpus, of_runs, texts("plot.corpus"))

    return _by_temperature("leaps", generated, draw, "plot.interval", "plot.share", texts)


def _by_temperature(
    name: str,
    generated: pd.DataFrame,
    draw: Callable[[Axes, pd.DataFrame], None],
    x_label: str,
    y_label: str,
    texts: Texts,
) -> str:
    """A panel for the rows of each temperature; labels are keys of texts."""
    temperatures = list(generated["temperature"].unique())
    n_columns = min(3, len(temperatures))
    n_rows = -(-len(temperatures) // n_columns)
    with page_style():
        figure = Figure(figsize=(WIDTH_INCH, 0.6 + 2.1 * n_rows), layout="constrained")
        panels = shared_panels(figure, len(temperatures), n_columns, texts(x_label), texts(y_label))
        for axes, temperature in zip(panels, temperatures, strict=True):
            draw(axes, generated[generated["temperature"] == temperature])
            if len(temperatures) > 1:
                axes.set_title(texts("sample.temperature", temperature=f"{temperature:g}"))
        legend_above(figure, *panels[0].get_legend_handles_labels())
        return to_svg(figure, f"{name}-{texts.language}")


def _leap_panel(axes: Axes, corpus: pd.DataFrame, generated: pd.DataFrame, label: str) -> None:
    axes.bar(corpus["interval_semitones"], corpus["share"], width=0.8, color=BAND, label=label)
    for number, (name, rows) in enumerate(generated.groupby("set", sort=False)):
        axes.plot(
            rows["interval_semitones"],
            rows["share"],
            marker(number),
            linestyle="-",
            color=colour(number),
            linewidth=0.9,
            markersize=3,
            label=name,
        )
    axes.grid(visible=False, axis="x")
    axes.set_xticks(range(-12, 13, 4))
    axes.margins(x=0.01)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def copy_rates(copied: pd.DataFrame, texts: Texts) -> str:
    """Shares of copied n-grams over n, runs as lines over the band of held-out pieces, one panel per temperature."""
    is_held_out = copied["temperature"].isna()
    held_out, generated = copied[is_held_out], copied[~is_held_out]

    def draw(axes: Axes, of_runs: pd.DataFrame) -> None:
        _copy_panel(axes, held_out, of_runs, texts("plot.held_out"))

    return _by_temperature("copied", generated, draw, "plot.ngram_length", "plot.copied", texts)


def _copy_panel(axes: Axes, held_out: pd.DataFrame, generated: pd.DataFrame, label: str) -> None:
    axes.fill_between(
        held_out["n"], held_out["low"], held_out["high"], color=BAND, linewidth=0, label=label
    )
    axes.plot(held_out["n"], held_out["share"], color=MUTED, linewidth=0.8)
    for number, (name, rows) in enumerate(generated.groupby("run", sort=False)):
        axes.plot(
            rows["n"],
            rows["share"],
            marker(number),
            linestyle="-",
            color=colour(number),
            markersize=3,
            label=name,
        )
    axes.set_ylim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
