"""A passage of a piece as a score: the bars that it lies in and one on either side, its own notes in colour."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline_lib.evaluation.pieces import Pieces
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.scores.engraving import Engraving

_BARS_AROUND = 1
_ROUNDING_QUARTER = 1 / 16
"""Scores round to thirty-seconds: a note may stand half of one away from where it is."""


@dataclass(frozen=True, eq=False)
class Excerpt:
    """An excerpt: the bars of a piece around a passage.

    Parameters
    ----------
    notes : GridNotes
        From the beginning of the first bar.
    first_bar : int
        Its number in the piece, from 1.
    first_onset_step, last_onset_step : int
        Where in the excerpt the first and the last note of the passage begin.
    """

    notes: GridNotes
    first_bar: int
    first_onset_step: int
    last_onset_step: int


def excerpt(notes: GridNotes, start: int, n_notes: int) -> Excerpt:
    """Cut out the bars around a passage.

    Parameters
    ----------
    notes : GridNotes
    start : int
        Which note of the top line the passage begins with, from 0.
    n_notes : int
        How many it has, at least 1.
    """
    onset_step = Pieces.of([notes]).top_line.onset_step[start : start + n_notes]
    first, last = int(onset_step[0]), int(onset_step[-1])
    per_bar = notes.steps_per_bar
    first_bar = max(0, first // per_bar - _BARS_AROUND)
    begin, end = first_bar * per_bar, (last // per_bar + 1 + _BARS_AROUND) * per_bar
    is_inside = (notes.onset_step >= begin) & (notes.onset_step < end)
    return Excerpt(
        replace(
            notes,
            onset_step=notes.onset_step[is_inside] - begin,
            # What is held beyond the last bar ends with it.
            duration_step=np.minimum(notes.duration_step, end - notes.onset_step)[is_inside],
            pitch=notes.pitch[is_inside],
        ),
        first_bar + 1,
        first - begin,
        last - begin,
    )


def with_passage_lit(engraving: Engraving, passage: Excerpt) -> str:
    """The score with the notes of the passage in the colour of notes that sound."""
    quarter_sec = 60 / passage.notes.tempo_qpm
    first_sec, last_sec = (
        step / passage.notes.steps_per_quarter * quarter_sec
        for step in (passage.first_onset_step, passage.last_onset_step)
    )
    rounded_sec = _ROUNDING_QUARTER * quarter_sec
    svg = engraving.svg
    for onset_sec, _, element_ids in engraving.highlights:
        if first_sec - rounded_sec <= onset_sec <= last_sec + rounded_sec:
            for element_id in element_ids:
                svg = svg.replace(f'id="{element_id}" class="', f'id="{element_id}" class="lit ')
    return svg
