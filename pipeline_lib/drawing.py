"""Style of plots, and their conversion to SVG: shared by everything that is drawn.

The same content gives the same bytes. Text stays text, in the fonts of the page; colours are variables of
its style sheet, so that one plot serves light, dark and print.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

INK, MUTED, GRID, BAND = "#1a1b1c", "#6a6b6c", "#dadbdc", "#c7c8c9"
SERIES = ("#a1b201", "#a1b202", "#a1b203", "#a1b204", "#a1b205", "#a1b206")
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--rule",
    BAND: "--band",
    **{colour: f"--series-{number}" for number, colour in enumerate(SERIES, start=1)},
}
"""Variables of the style sheet that colours stand for."""

# Any: matplotlib types the names of settings in one version and not in the next.
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "music-pipeline",
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
WIDTH_INCH = 7.2
"""Width of a plot on the page."""
_LINE_LETTERS, _HANDLE_LETTERS = 140, 8
"""Letters that fit beside each other in a legend, and letters that an entry takes besides its text."""
# matplotlib's settings are global: one plot at a time.
_lock = threading.Lock()


@contextmanager
def style(*fallback_fonts: str) -> Iterator[None]:
    """Context to draw in: it sets matplotlib's style, for one thread at a time.

    Parameters
    ----------
    *fallback_fonts : str
        Font families for characters that DejaVu Sans lacks.
    """
    with _lock, mpl.rc_context({**_STYLE, "font.family": ["DejaVu Sans", *fallback_fonts]}):
        yield


def to_svg(figure: Figure, name: str) -> str:
    """Convert a figure to an SVG element with unique ids, the page's fonts and the page's colours.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure to convert.
    name : str
        Prefix of the ids in it, which no other figure of the page has.

    Examples
    --------
    >>> with style():
    ...     figure = Figure(figsize=(2, 1))
    ...     _ = figure.subplots().plot([0, 1], [3.0, 2.5], color=colour(0))
    ...     svg = to_svg(figure, "loss")
    >>> svg[:4], "var(--series-1)" in svg
    ('<svg', True)
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"\bfont-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg


def shared_panels(figure: Figure, n: int, n_columns: int, x_label: str, y_label: str) -> list[Axes]:
    """Add panels on the same scales to a figure, row by row, labelled along the left and the lower edge.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure to divide.
    n, n_columns : int
        Number of panels, and of panels in a row.
    x_label, y_label : str
        Labels of the axes.
    """
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


def legend_above(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Add a legend above all panels, in as many columns as fit."""
    n_fitting = _LINE_LETTERS // (max(map(len, labels)) + _HANDLE_LETTERS)
    most = 4 if len(labels) <= 4 else 3
    figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=max(1, min(len(labels), most, n_fitting)),
        frameon=False,
    )


def legend_line(number: int) -> Line2D:
    """Line of the run with this number, for a legend."""
    return Line2D([], [], color=colour(number), marker=marker(number))


def colour(number: int) -> str:
    """Colour of the run with this number."""
    return SERIES[number % len(SERIES)]


def marker(number: int) -> str:
    """Marker of the run with this number: five take turns with six colours, so that thirty runs look different."""
    return "osD^v"[number % 5]
