"""The plots of the report, as SVG.

The object-oriented interface of matplotlib is used throughout: pyplot's global state is no place to be in
a thread. Drawings take their look and colours from `drawing`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
    StrMethodFormatter,
)

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.reports.content import BaselineResult, RunResult
from pipeline_lib.reports.drawing import BAND, MUTED, SERIES, colour, marker, page_style, to_svg
from pipeline_lib.reports.language import Texts
from pipeline_lib.reports.run_names import short_names, without_length

_WIDTH_INCH = 7.2
_LINE_LETTERS, _HANDLE_LETTERS = 140, 8
"""How many letters fit beside each other, and how many a line of a legend costs beside its text."""
_TITLE_LETTERS = 34

CORPUS, TRAIN, CONTROL = "corpus", "train", "control"
"""The sets beside those of the runs, in `leap_distribution` and `overlapped_areas`."""


def loss_curves(runs: Sequence[RunResult], texts: Texts) -> str:
    """Training and validation loss over epochs, one panel per run, on the same scales."""
    n_columns = min(3, len(runs))
    n_rows = -(-len(runs) // n_columns)
    with page_style():
        figure = Figure(figsize=(_WIDTH_INCH, 0.4 + 1.8 * n_rows), layout="constrained")
        panels = _panels(figure, len(runs), n_columns, texts("plot.epoch"), texts("plot.loss"))
        for axes, run in zip(panels, runs, strict=True):
            _loss_panel(axes, run)
        lines = panels[0].get_lines()[:2]
        _legend(figure, lines, [texts("plot.train"), texts("plot.valid")])
        return to_svg(figure, f"loss-{texts.language}")


def _panels(figure: Figure, n: int, n_columns: int, x_label: str, y_label: str) -> list[Axes]:
    """Panels on the same scales, row by row, labelled along the left and the lower edge."""
    n_rows = -(-n // n_columns)
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for axes in panels.flat[n:]:
        axes.remove()
    for axes in panels[:, 0]:
        axes.set_ylabel(y_label)
    for axes in panels.flat[:n]:
        axes.tick_params(labelbottom=True)
    for axes in panels.flat[max(0, n - n_columns) : n]:
        axes.set_xlabel(x_label)
    return list(panels.flat[:n])


def _loss_panel(axes: Axes, run: RunResult) -> None:
    history = run.history
    axes.plot(history["epoch"], history["train_loss"], color=SERIES[1], linestyle="--")
    axes.plot(history["epoch"], history["valid_loss"], color=SERIES[0])
    best = history[history["epoch"] == run.kept_epoch]
    axes.plot(
        best["epoch"],
        best["valid_loss"],
        "o",
        color=SERIES[0],
        markerfacecolor="none",
        markersize=7,
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    is_long = len(run.name) > _TITLE_LETTERS
    axes.set_title(run.name.replace("-L", "\nL", 1) if is_long else run.name)


def perplexity_by_length(
    runs: Sequence[RunResult], baseline: BaselineResult | None, texts: Texts
) -> str:
    """Test perplexity of each run over sequence length, beside the n-gram model's; on a log scale if wide apart."""
    names = short_names([without_length(run.name) for run in runs])
    table = pd.DataFrame(
        [(names[without_length(r.name)], r.seq_length, r.test_perplexity) for r in runs],
        columns=["setting", "seq_length", "perplexity"],
    )
    lengths = sorted(table["seq_length"].unique())
    table["position"] = table["seq_length"].map(lengths.index)
    with page_style():
        figure = Figure(figsize=(_WIDTH_INCH, 3.2 + 0.1 * len(names)), layout="constrained")
        axes = figure.subplots()
        for number, (name, group) in enumerate(table.groupby("setting", sort=False)):
            # Beside each other, or settings of one length would cover each other.
            aside = 0.5 * ((number + 0.5) / len(names) - 0.5)
            means = group.groupby("position")["perplexity"].mean()
            line: dict[str, Any] = {"color": colour(number), "marker": marker(number)}
            axes.plot(means.index + aside, means, label=name, **line)
            marks = line | {"linestyle": "", "markersize": 2.5, "alpha": 0.6}
            axes.plot(group["position"] + aside, group["perplexity"], **marks)
        if baseline is not None:
            label = texts("plot.ngram", order=baseline.order)
            axes.axhline(baseline.test_perplexity, color=MUTED, linestyle="--", label=label)
        axes.set_xticks(range(len(lengths)), [str(length) for length in lengths])
        axes.set_xlim(-0.4, len(lengths) - 0.6)
        axes.margins(y=0.15)
        if table["perplexity"].max() > 10 * table["perplexity"].min():
            _label_decades(axes)
        axes.set_xlabel(texts("plot.seq_length"))
        axes.set_ylabel(texts("plot.perplexity"))
        _legend(figure, *axes.get_legend_handles_labels())
        return to_svg(figure, f"perplexity-{texts.language}")


def _label_decades(axes: Axes) -> None:
    """A vertical log scale, with plain figures at 1, 2 and 5 of each decade."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def prediction(
    names: Mapping[str, str], reliability: pd.DataFrame, loss_by_place: pd.DataFrame, texts: Texts
) -> str:
    """How often models are right that are so sure, and their loss from the beginning of pieces to the end.

    Parameters
    ----------
    names : mapping
        Names of the results to show, to what they are called in the legend.
    reliability, loss_by_place : DataFrame
        As `ReportContent` has them.
    texts : Texts
    """
    with page_style():
        figure = Figure(figsize=(_WIDTH_INCH, 2.9), layout="constrained")
        sureness, place = figure.subplots(1, 2, width_ratios=(2, 3))
        sureness.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle="--")
        for number, name in enumerate(names):
            curve = reliability[reliability["name"] == name]
            line = {"color": colour(number), "marker": marker(number), "markersize": 3}
            sureness.plot(curve["confidence"], curve["accuracy"], **line)
            losses = loss_by_place[loss_by_place["name"] == name]
            place.plot(losses["mean_place"], losses["loss_nat"], **line)
        sureness.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        sureness.set(xlabel=texts("plot.confidence"), ylabel=texts("plot.accuracy"))
        for axis in (sureness.xaxis, sureness.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        place.set_ylim(bottom=0)
        place.set(xlabel=texts("plot.place"), ylabel=texts("plot.loss"))
        _legend(figure, place.get_lines(), list(names.values()))
        return to_svg(figure, f"prediction-{texts.language}")


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
        size_inch = _WIDTH_INCH, 0.4 + n_rows * (0.76 + 0.13 * len(places))
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
        handles = [*(handle for handle, _ in legend), *map(_line, range(len(places.runs)))]
        _legend(figure, handles, [*(label for _, label in legend), *places.runs])
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
    temperatures = list(generated["temperature"].unique())
    n_columns = min(3, len(temperatures))
    n_rows = -(-len(temperatures) // n_columns)
    x_label, y_label = texts("plot.interval"), texts("plot.share")
    with page_style():
        figure = Figure(figsize=(_WIDTH_INCH, 0.6 + 2.1 * n_rows), layout="constrained")
        panels = _panels(figure, len(temperatures), n_columns, x_label, y_label)
        for axes, temperature in zip(panels, temperatures, strict=True):
            of_runs = generated[generated["temperature"] == temperature]
            _leap_panel(axes, corpus, of_runs, texts("plot.corpus"))
            if len(temperatures) > 1:
                axes.set_title(texts("sample.temperature", temperature=f"{temperature:g}"))
        _legend(figure, *panels[0].get_legend_handles_labels())
        return to_svg(figure, f"leaps-{texts.language}")


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
    temperatures = list(generated["temperature"].unique())
    n_columns = min(3, len(temperatures))
    n_rows = -(-len(temperatures) // n_columns)
    x_label, y_label = texts("plot.ngram_length"), texts("plot.copied")
    with page_style():
        figure = Figure(figsize=(_WIDTH_INCH, 0.6 + 2.1 * n_rows), layout="constrained")
        panels = _panels(figure, len(temperatures), n_columns, x_label, y_label)
        for axes, temperature in zip(panels, temperatures, strict=True):
            of_runs = generated[generated["temperature"] == temperature]
            _copy_panel(axes, held_out, of_runs, texts("plot.held_out"))
            if len(temperatures) > 1:
                axes.set_title(texts("sample.temperature", temperature=f"{temperature:g}"))
        _legend(figure, *panels[0].get_legend_handles_labels())
        return to_svg(figure, f"copied-{texts.language}")


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


ROLL_LEFT, ROLL_RIGHT = 0.045, 0.995
"""Where a piano roll's first and last moment are, as shares of its width."""


def piano_roll(notes: GridNotes, prompt_notes: int, name: str) -> str:
    """Pitch over time without a word, so that it serves every language.

    Parameters
    ----------
    notes : GridNotes
    prompt_notes : int
        How many of the first notes were given; they stand on a band and in a quieter colour.
    name : str
        Makes the ids of the SVG unique.
    """
    end = max(notes.end_step, 1)
    lowest, highest = (notes.pitch.min(), notes.pitch.max()) if len(notes) else (60, 72)
    with page_style():
        figure = Figure(figsize=(_WIDTH_INCH, 1.9))
        axes = figure.add_axes((ROLL_LEFT, 0.12, ROLL_RIGHT - ROLL_LEFT, 0.86))
        starts = notes.onset_step
        given_until = starts[prompt_notes] if prompt_notes < len(notes) else end
        if prompt_notes:
            axes.axvspan(0, given_until, color=BAND, linewidth=0)
        colours = [MUTED if number < prompt_notes else SERIES[0] for number in range(len(notes))]
        # A sliver of a gap keeps repeated notes apart.
        widths = notes.duration_step - np.minimum(0.2 * notes.duration_step, 0.003 * end)
        axes.barh(notes.pitch, widths, left=starts, height=0.8, color=colours)
        axes.set_xlim(0, end)
        axes.set_ylim(lowest - 1.5, highest + 1.5)
        _mark_bars(axes, notes, end)
        octaves = [pitch for pitch in range(0, 128, 12) if lowest - 1.5 <= pitch <= highest + 1.5]
        axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
        return to_svg(figure, f"roll-{name}")


def _mark_bars(axes: Axes, notes: GridNotes, end: int) -> None:
    """A line for each bar, and numbers for at most a dozen."""
    bars = np.arange(0, end, notes.steps_per_bar)
    every = next(n for n in (1, 2, 4, 8, 16, 32, 64, len(bars)) if len(bars) / n <= 12)
    labels = [str(bar + 1) if bar % every == 0 else "" for bar in range(len(bars))]
    axes.set_xticks(bars, labels, ha="left")


def _line(number: int) -> Line2D:
    return Line2D([], [], color=colour(number), marker=marker(number))


def _legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    n_fitting = _LINE_LETTERS // (max(map(len, labels)) + _HANDLE_LETTERS)
    most = 4 if len(labels) <= 4 else 3
    figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=max(1, min(len(labels), most, n_fitting)),
        frameon=False,
    )
