"""Piano rolls as pictures: notes -> PNG, with how surprised a model was by each.

Time runs in rows of eight bars, all on the same scales. Notes that the model was given stand in another colour
than those it added. A strip under each row shows, token by token, two quantities in bits:

- its surprise, -log2 p: 0 for what was certain, 1 for the toss of a coin;
- the entropy of the distribution that it was drawn from, which is the surprise to be expected. Bars above
  it are choices that the model itself found unlikely.

Source: Shannon (1948), "A Mathematical Theory of Communication". The same values give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from pipeline_lib.drawing import style
from pipeline_lib.notes.grid import GridNotes, IntArray

_BARS_PER_ROW = 8
_PROMPT, _NEW, _SURPRISE, _ENTROPY = "#8b929a", "#9c2f1f", "#7fa6c6", "#1d2126"
_BLACK_KEY = "#f4f5f3"
_BLACK_KEYS = (1, 3, 6, 8, 10)

_DPI = 150
_WIDTH_INCH, _LEFT_INCH, _RIGHT_INCH = 10.0, 0.5, 0.15
_TOP_INCH, _TITLE_INCH, _LEGEND_INCH = 0.68, 0.12, 0.3
_BOTTOM_INCH, _STRIP_INCH, _OVER_STRIP_INCH, _BETWEEN_ROWS_INCH = 0.12, 0.5, 0.06, 0.32
_PITCH_INCH, _LOWEST_ROLL_INCH, _HIGHEST_ROLL_INCH = 0.07, 1.0, 2.4

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surprise:
    """Surprise and entropy of a model at each token of a passage.

    Parameters
    ----------
    onset_step, duration_step : int64 arrays, shape (n_tokens,)
        When each token (note, chord or rest) begins and how long it lasts, in steps of the notes' grid.
    surprise_bit : float64 array, shape (n_tokens,)
        Surprise at the token, ``-log2 p``, in bits.
    entropy_bit : float64 array, shape (n_tokens,)
        Entropy of the distribution at its place, in bits.
    """

    onset_step: IntArray
    duration_step: IntArray
    surprise_bit: FloatArray
    entropy_bit: FloatArray


class _Row(NamedTuple):
    """A row of the picture: its bars, the panel of their notes and the strip under it."""

    bars: range
    roll: Axes
    strip: Axes | None


def draw_piano_roll(
    notes: GridNotes,
    path: Path,
    *,
    title: str,
    prompt_end_step: int = 0,
    surprise: Surprise | None = None,
) -> None:
    """Draw a piece as a piano roll.

    Parameters
    ----------
    notes : GridNotes
        The notes to draw.
    path : Path
        The ``.png`` file to write.
    title : str
        Text above the picture.
    prompt_end_step : int
        Grid step at which the prompt ends: notes that begin before it are drawn as given to the model.
    surprise : Surprise, optional
        What is drawn in the strips; without it there are none.

    Examples
    --------
    >>> import tempfile
    >>> notes = GridNotes(
    ...     np.array([0, 4, 8]), np.array([4, 4, 8]), np.array([60, 64, 67]), steps_per_quarter=4
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "roll.png"
    ...     draw_piano_roll(notes, path, title="C major", prompt_end_step=4)
    ...     path.read_bytes()[1:4]
    b'PNG'
    """
    with style():
        figure, rows = _panels(notes, with_strips=surprise is not None)
        for bars, roll, strip in rows:
            start, end = bars.start * notes.steps_per_bar, bars.stop * notes.steps_per_bar
            _draw_notes(roll, notes, prompt_end_step, start, end)
            _mark_pitches(roll, notes)
            _mark_bars(roll, notes, bars, with_numbers=True)
            if strip is not None and surprise is not None:
                _draw_surprise(strip, surprise, start, end)
                _mark_bars(strip, notes, bars, with_numbers=False)
        _explain(figure, title, prompt_end_step, surprise)
        figure.savefig(path, dpi=_DPI, metadata={"Software": None})


def _panels(notes: GridNotes, *, with_strips: bool) -> tuple[Figure, list[_Row]]:
    """Make the panels of all rows at fixed places, so that nothing can overlap."""
    n_bars = max(1, -(-notes.end_step // notes.steps_per_bar))
    bar_inch = (_WIDTH_INCH - _LEFT_INCH - _RIGHT_INCH) / min(n_bars, _BARS_PER_ROW)
    roll_inch = _roll_inch(notes)
    strip_inch = _OVER_STRIP_INCH + _STRIP_INCH if with_strips else 0.0
    row_inch = roll_inch + strip_inch + _BETWEEN_ROWS_INCH
    rows_of_bars = [
        range(first, min(first + _BARS_PER_ROW, n_bars))
        for first in range(0, n_bars, _BARS_PER_ROW)
    ]
    height_inch = _TOP_INCH + len(rows_of_bars) * row_inch - _BETWEEN_ROWS_INCH + _BOTTOM_INCH
    figure = Figure(figsize=(_WIDTH_INCH, height_inch))
    rows = []
    for number, bars in enumerate(rows_of_bars):
        top_inch = _TOP_INCH + number * row_inch
        width_inch = len(bars) * bar_inch
        roll = _panel(figure, top_inch, width_inch, roll_inch)
        strip = None
        if with_strips:
            strip_top_inch = top_inch + roll_inch + _OVER_STRIP_INCH
            strip = _panel(figure, strip_top_inch, width_inch, _STRIP_INCH)
        rows.append(_Row(bars, roll, strip))
    return figure, rows


def _panel(figure: Figure, top_inch: float, width_inch: float, panel_inch: float) -> Axes:
    height_inch = figure.get_figheight()
    return figure.add_axes(
        (
            _LEFT_INCH / _WIDTH_INCH,
            1 - (top_inch + panel_inch) / height_inch,
            width_inch / _WIDTH_INCH,
            panel_inch / height_inch,
        )
    )


def _pitch_range(notes: GridNotes) -> tuple[int, int]:
    """Lowest and highest pitch; an octave from middle C where there is none."""
    return (int(notes.pitch.min()), int(notes.pitch.max())) if len(notes) else (60, 72)


def _roll_inch(notes: GridNotes) -> float:
    lowest, highest = _pitch_range(notes)
    wanted_inch = _PITCH_INCH * (highest - lowest + 3)
    return min(max(wanted_inch, _LOWEST_ROLL_INCH), _HIGHEST_ROLL_INCH)


def _sounding(
    onset_step: IntArray, duration_step: IntArray, start: int, end: int
) -> NDArray[np.bool_]:
    """Whether each note sounds in a row; to draw all in each would take time by the square of a piece's length."""
    return (onset_step < end) & (onset_step + duration_step > start)


def _draw_notes(axes: Axes, notes: GridNotes, prompt_end_step: int, start: int, end: int) -> None:
    shown = _sounding(notes.onset_step, notes.duration_step, start, end)
    onset, duration = notes.onset_step[shown], notes.duration_step[shown]
    # A sliver of a gap keeps repeated notes apart.
    gap = np.minimum(0.2 * duration, 0.02 * notes.steps_per_bar)
    colours = np.where(onset < prompt_end_step, _PROMPT, _NEW).tolist()
    axes.add_collection(
        _rectangles(onset, notes.pitch[shown] - 0.4, duration - gap, 0.8, facecolors=colours)
    )


def _rectangles(left: Any, bottom: Any, width: Any, height: Any, **style: Any) -> PolyCollection:
    """Make one artist of many rectangles; an artist for each would take matplotlib half a second."""
    left, bottom, width, height = np.broadcast_arrays(left, bottom, width, height)
    right, top = left + width, bottom + height
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    vertices = np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)
    return PolyCollection(list(vertices), **{"linewidths": 0, **style})


def _mark_pitches(axes: Axes, notes: GridNotes) -> None:
    """Name every C, in a narrow range every G too, and shade the black keys."""
    lowest, highest = _pitch_range(notes)
    inside = range(max(0, lowest - 1), min(127, highest + 1) + 1)
    for pitch in inside:
        if pitch % 12 in _BLACK_KEYS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color=_BLACK_KEY, linewidth=0, zorder=0)
    named = {0: "C", 7: "G"} if highest - lowest <= 24 else {0: "C"}
    ticks = [pitch for pitch in inside if pitch % 12 in named]
    axes.set_yticks(ticks, [f"{named[pitch % 12]}{pitch // 12 - 1}" for pitch in ticks])
    axes.set_ylim(lowest - 1.5, highest + 1.5)


def _mark_bars(axes: Axes, notes: GridNotes, bars: range, *, with_numbers: bool) -> None:
    """Draw a line for each bar of a row, with or without its number above it."""
    starts = np.array([*bars, bars.stop]) * notes.steps_per_bar
    labels = [*(str(bar + 1) if with_numbers else "" for bar in bars), ""]
    axes.xaxis.tick_top()
    axes.set_xticks(starts, labels, ha="left")
    axes.tick_params(axis="x", pad=1)
    axes.set_xlim(starts[0], starts[-1])


def _draw_surprise(axes: Axes, surprise: Surprise, start: int, end: int) -> None:
    shown = _sounding(surprise.onset_step, surprise.duration_step, start, end)
    onset, duration = surprise.onset_step[shown], surprise.duration_step[shown]
    axes.add_collection(
        _rectangles(
            onset,
            0.0,
            duration,
            surprise.surprise_bit[shown],
            facecolors=_SURPRISE,
            edgecolors="white",
            linewidths=0.4,
        )
    )
    axes.hlines(surprise.entropy_bit[shown], onset, onset + duration, color=_ENTROPY, linewidth=1.0)
    highest_bit = max(surprise.surprise_bit.max(initial=1), surprise.entropy_bit.max(initial=1))
    axes.set_ylim(0, 1.05 * highest_bit)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    axes.set_ylabel("bits", labelpad=2)


def _explain(figure: Figure, title: str, prompt_end_step: int, surprise: Surprise | None) -> None:
    """Add the title and the legend."""
    height_inch = figure.get_figheight()
    left = _LEFT_INCH / _WIDTH_INCH
    figure.text(left, 1 - _TITLE_INCH / height_inch, title, va="top", fontsize=9)
    handles = list(_handles(prompt_end_step, surprise))
    if not handles:
        return
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(left, 1 - _LEGEND_INCH / height_inch),
        ncols=len(handles),
        frameon=False,
        borderaxespad=0,
        borderpad=0,
    )


def _handles(prompt_end_step: int, surprise: Surprise | None) -> Iterator[Any]:
    if prompt_end_step:
        yield Patch(color=_PROMPT, label="prompt")
        yield Patch(color=_NEW, label="new")
    if surprise is not None:
        yield Patch(color=_SURPRISE, label="surprise of each token, −log₂ p")
        yield Line2D([], [], color=_ENTROPY, label="entropy: the surprise to be expected")
