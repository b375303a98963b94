"""Piano rolls that the page shows while a sample plays, as SVG."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.drawing import (
    BAND,
    MUTED,
    SERIES,
    WIDTH_INCH,
    to_svg,
)
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.reports.page_style import page_style

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
        figure = Figure(figsize=(WIDTH_INCH, 1.9))
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
