"""How trainings went and how well models predict: plots of losses and perplexity, as SVG.

The object-oriented interface of matplotlib is used throughout: pyplot's global state is no place to be in
a thread. Drawings take their look and colours from `drawing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
    StrMethodFormatter,
)

from pipeline_lib.drawing import (
    MUTED,
    SERIES,
    WIDTH_INCH,
    colour,
    legend_above,
    marker,
    shared_panels,
    to_svg,
)
from pipeline_lib.reports.content import BaselineResult, RunResult
from pipeline_lib.reports.language import Texts
from pipeline_lib.reports.page_style import page_style
from pipeline_lib.reports.run_names import short_names, without_length

_TITLE_LETTERS = 34


def loss_curves(runs: Sequence[RunResult], texts: Texts) -> str:
    """Training and validation loss over epochs, one panel per run, on the same scales."""
    n_columns = min(3, len(runs))
    n_rows = -(-len(runs) // n_columns)
    with page_style():
        figure = Figure(figsize=(WIDTH_INCH, 0.4 + 1.8 * n_rows), layout="constrained")
        panels = shared_panels(
            figure, len(runs), n_columns, texts("plot.epoch"), texts("plot.loss")
        )
        for axes, run in zip(panels, runs, strict=True):
            _loss_panel(axes, run)
        lines = panels[0].get_lines()[:2]
        legend_above(figure, lines, [texts("plot.train"), texts("plot.valid")])
        return to_svg(figure, f"loss-{texts.language}")


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


def update_losses(curves: pd.DataFrame, texts: Texts) -> str:
    """Training loss over updates: a line for the mean over seeds of each side, thin ones for each seed.

    Parameters
    ----------
    curves : DataFrame
        From `studies.lab_report.claims.lab_curves`.
    texts : Texts
    """
    with page_style():
        figure = Figure(figsize=(WIDTH_INCH, 3.4), layout="constrained")
        axes = figure.subplots()
        for number, (side, of_side) in enumerate(curves.groupby("side", sort=False)):
            drawn = {"color": colour(number), "linestyle": "-" if number < len(SERIES) else "--"}
            by_seed = of_side.groupby("seed")
            if len(by_seed) > 1:
                for _, one in by_seed:
                    axes.plot(one["update"], one["loss"], linewidth=0.5, alpha=0.35, **drawn)  # type: ignore[arg-type]
            mean = of_side.groupby("update")["loss"].mean()
            axes.plot(mean.index, mean, label=side, **drawn)  # type: ignore[arg-type]
        # A diverging run would flatten all others.
        axes.set_ylim(0, 1.15 * curves.groupby("side")["loss"].max().median())
        axes.set_xlabel(texts("plot.update"))
        axes.set_ylabel(texts("plot.loss"))
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", frameon=False)
        return to_svg(figure, f"updates-{texts.language}")


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
        figure = Figure(figsize=(WIDTH_INCH, 3.2 + 0.1 * len(names)), layout="constrained")
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
        legend_above(figure, *axes.get_legend_handles_labels())
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
        figure = Figure(figsize=(WIDTH_INCH, 2.9), layout="constrained")
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
        legend_above(figure, place.get_lines(), list(names.values()))
        return to_svg(figure, f"prediction-{texts.language}")
