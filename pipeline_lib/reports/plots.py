"""Plots as SVG, drawn by matplotlib and coloured by the page.

The same content gives the same bytes. Text stays text, in the fonts of the page; colours are variables of
its style sheet, so that one plot serves light, dark and print. The object-oriented interface is used
throughout, as pyplot's global state is no place to be in a thread.
"""

from __future__ import annotations

import io
import itertools
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.reports.content import BaselineResult, RunResult
from pipeline_lib.reports.fonts.subset import FONT_PATH
from pipeline_lib.reports.language import Texts

INK, MUTED, GRID, BAND = "#1a1b1c", "#6a6b6c", "#dadbdc", "#c7c8c9"
SERIES = ("#a1b201", "#a1b202", "#a1b203", "#a1b204", "#a1b205", "#a1b206")
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--rule",
    BAND: "--band",
    **{colour: f"--series-{number}" for number, colour in enumerate(SERIES, start=1)},
}
"""Colours that stand for variables of the style sheet."""

# Any: matplotlib types the names of settings in one version and not in the next.
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "music-pipeline",
    "font.family": ["DejaVu Sans", "Droid Sans Fallback"],
    "font.size": 7.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 7.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.color": INK,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "axes.unicode_minus": True,
}
_WIDTH_INCH = 7.2

CORPUS = "corpus"
"""The name of the corpus among the sets of `leap_distribution`."""

# matplotlib's settings are global: one plot at a time.
_lock = threading.Lock()


def loss_curves(runs: Sequence[RunResult], texts: Texts) -> str:
    """Training and validation loss over epochs, one panel per run, on the same scales."""
    n_columns = min(3, len(runs))
    n_rows = -(-len(runs) // n_columns)
    with _style():
        figure = Figure(figsize=(_WIDTH_INCH, 0.4 + 1.8 * n_rows), layout="constrained")
        panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
        for axes, run in zip(panels.flat, runs, strict=False):
            _loss_panel(axes, run)
        for axes in panels.flat[len(runs) :]:
            axes.remove()
        for axes in panels[:, 0]:
            axes.set_ylabel(texts("plot.loss"))
        for axes in panels.flat[max(0, len(runs) - n_columns) : len(runs)]:
            axes.set_xlabel(texts("plot.epoch"))
            axes.tick_params(labelbottom=True)
        lines = panels.flat[0].get_lines()[:2]
        _legend(figure, lines, [texts("plot.train"), texts("plot.valid")])
        return _to_svg(figure, f"loss-{texts.language}")


def _loss_panel(axes: Axes, run: RunResult) -> None:
    history = run.history
    axes.plot(history["epoch"], history["train_loss"], color=SERIES[1], linestyle="--")
    axes.plot(history["epoch"], history["valid_loss"], color=SERIES[0])
    best = history[history["epoch"] == run.best_epoch]
    axes.plot(
        best["epoch"],
        best["valid_loss"],
        "o",
        color=SERIES[0],
        markerfacecolor="none",
        markersize=7,
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_title(run.name)


def perplexity_by_length(
    runs: Sequence[RunResult], baseline: BaselineResult | None, texts: Texts
) -> str:
    """Test perplexity of each run over sequence length, beside the n-gram model's."""
    columns = ("model", "learning_rate", "seq_length", "test_perplexity")
    table = pd.DataFrame(
        [[getattr(run, column) for column in columns] for run in runs], columns=columns
    )
    lengths = sorted(table["seq_length"].unique())
    table["position"] = table["seq_length"].map(lengths.index)
    with _style():
        figure = Figure(figsize=(_WIDTH_INCH, 2.5), layout="constrained")
        axes = figure.subplots()
        settings = table.groupby(["model", "learning_rate"])
        for (name, group), colour in zip(settings, itertools.cycle(SERIES), strict=False):
            means = group.groupby("position")["test_perplexity"].mean()
            axes.plot(means.index, means, color=colour, label=f"{name[0]}, lr {name[1]:g}")
            axes.plot(group["position"], group["test_perplexity"], "o", color=colour)
        if baseline is not None:
            label = texts("plot.ngram", order=baseline.order)
            axes.axhline(baseline.test_perplexity, color=MUTED, linestyle="--", label=label)
        axes.set_xticks(range(len(lengths)), [str(length) for length in lengths])
        axes.set_xlim(-0.4, len(lengths) - 0.6)
        axes.margins(y=0.15)
        axes.set_xlabel(texts("plot.seq_length"))
        axes.set_ylabel(texts("plot.perplexity"))
        _legend(figure, *axes.get_legend_handles_labels())
        return _to_svg(figure, f"perplexity-{texts.language}")


def metric_intervals(metrics: pd.DataFrame, texts: Texts) -> str:
    """Means and intervals of every run against the band of the corpus, one panel per metric."""
    runs = list(metrics["run"].unique())
    names = list(metrics["metric"].unique())
    n_columns = 4
    n_rows = -(-len(names) // n_columns)
    height_inch = 0.4 + n_rows * (0.62 + 0.13 * len(runs))
    with _style():
        figure = Figure(figsize=(_WIDTH_INCH, height_inch), layout="constrained")
        panels = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes, name in itertools.zip_longest(panels.flat, names):
            if name is None:
                axes.remove()
            else:
                _metric_panel(axes, metrics[metrics["metric"] == name], runs)
                axes.set_title(texts(f"metric.{name}"))
        handles = [_dot(_colour(number)) for number in range(len(runs))]
        _legend(figure, [Patch(color=BAND), *handles], [texts("plot.corpus"), *runs])
        return _to_svg(figure, f"metrics-{texts.language}")


def _metric_panel(axes: Axes, rows: pd.DataFrame, runs: list[str]) -> None:
    corpus = rows.iloc[0]
    axes.axvspan(corpus["corpus_low"], corpus["corpus_high"], color=BAND)
    axes.axvline(corpus["corpus_mean"], color=MUTED, linewidth=0.8)
    for _, row in rows.iterrows():
        number = runs.index(row["run"])
        axes.hlines(number, row["generated_low"], row["generated_high"], color=_colour(number))
        axes.plot(row["generated_mean"], number, "o", color=_colour(number))
    axes.set_ylim(len(runs) - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))
    axes.margins(x=0.12)


def leap_distribution(leaps: pd.DataFrame, texts: Texts) -> str:
    """Shares of melodic intervals, runs as lines over the bars of the corpus."""
    with _style():
        figure = Figure(figsize=(_WIDTH_INCH, 2.7), layout="constrained")
        axes = figure.subplots()
        corpus = leaps[leaps["set"] == CORPUS]
        axes.bar(
            corpus["interval_semitones"],
            corpus["share"],
            width=0.8,
            color=BAND,
            label=texts("plot.corpus"),
        )
        runs = leaps[leaps["set"] != CORPUS].groupby("set", sort=False)
        for number, (name, rows) in enumerate(runs):
            axes.plot(
                rows["interval_semitones"],
                rows["share"],
                "o-",
                color=_colour(number),
                linewidth=0.9,
                markersize=3,
                label=name,
            )
        axes.grid(visible=False, axis="x")
        axes.set_xticks(range(-12, 13, 2))
        axes.margins(x=0.01)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_xlabel(texts("plot.interval"))
        axes.set_ylabel(texts("plot.share"))
        _legend(figure, *axes.get_legend_handles_labels())
        return _to_svg(figure, f"leaps-{texts.language}")


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
    with _style():
        figure = Figure(figsize=(_WIDTH_INCH, 1.9))
        axes = figure.add_axes((ROLL_LEFT, 0.12, ROLL_RIGHT - ROLL_LEFT, 0.86))
        starts = notes.onset_step
        given_until = starts[prompt_notes] if prompt_notes < len(notes) else end
        if prompt_notes:
            axes.axvspan(0, given_until, color=BAND, linewidth=0)
        colours = [MUTED if number < prompt_notes else SERIES[0] for number in range(len(notes))]
        # A gap as wide as a sliver keeps repeated notes apart.
        axes.barh(
            notes.pitch, notes.duration_step - 0.004 * end, left=starts, height=0.8, color=colours
        )
        axes.set_xlim(0, end)
        axes.set_ylim(lowest - 1.5, highest + 1.5)
        _mark_bars(axes, notes, end)
        octaves = [pitch for pitch in range(0, 128, 12) if lowest - 1.5 <= pitch <= highest + 1.5]
        axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
        return _to_svg(figure, f"roll-{name}")


def _mark_bars(axes: Axes, notes: GridNotes, end: int) -> None:
    """A line for each bar, and numbers for at most a dozen."""
    bars = np.arange(0, end, notes.steps_per_bar)
    every = next(n for n in (1, 2, 4, 8, 16, 32, 64, len(bars)) if len(bars) / n <= 12)
    labels = [str(bar + 1) if bar % every == 0 else "" for bar in range(len(bars))]
    axes.set_xticks(bars, labels, ha="left")


def _colour(number: int) -> str:
    return SERIES[number % len(SERIES)]


def _dot(colour: str) -> Line2D:
    return Line2D([], [], color=colour, marker="o")


def _legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    figure.legend(
        handles, labels, loc="outside upper left", ncols=min(4, len(labels)), frameon=False
    )


@contextmanager
def _style() -> Iterator[None]:
    with _lock, mpl.rc_context(_STYLE):
        if str(FONT_PATH) not in {font.fname for font in fontManager.ttflist}:
            fontManager.addfont(FONT_PATH)
        yield


def _to_svg(figure: Figure, name: str) -> str:
    """The SVG element alone, with unique ids, the page's fonts and the page's colours."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"\bfont-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg
