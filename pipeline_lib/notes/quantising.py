"""From a file's own ticks to the grid that all pieces share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.selection import PieceNotes


def quantise_ticks(
    ticks: NDArray[np.integer], ticks_per_quarter: int, steps_per_quarter: int
) -> NDArray[np.int64]:
    """Ticks to the nearest grid step, halves up; in integers, so that no float decides."""
    doubled = ticks.astype(np.int64) * (2 * steps_per_quarter)
    return (doubled + ticks_per_quarter) // (2 * ticks_per_quarter)


def quantise_notes(
    notes: PieceNotes,
    steps_per_quarter: int,
    *,
    time_signature: str = "4/4",
    tempo_qpm: float = 120.0,
    key_signature: str | None = None,
) -> GridNotes:
    """Onsets and ends rounded to the grid, all tracks merged; no note becomes shorter than a step.

    Parameters
    ----------
    notes : PieceNotes
    steps_per_quarter : int
        The grid that onsets and ends are rounded to.
    time_signature, tempo_qpm, key_signature
        As for `GridNotes`.
    """
    per_quarter = notes.ticks_per_quarter
    offset_tick = notes.onset_tick.astype(np.int64) + notes.duration_tick
    onset = quantise_ticks(notes.onset_tick, per_quarter, steps_per_quarter)
    offset = quantise_ticks(offset_tick, per_quarter, steps_per_quarter)
    order = np.lexsort((notes.pitch, onset))
    duration = np.maximum(offset - onset, 1)
    pitch = notes.pitch.astype(np.int64)
    return GridNotes(
        onset[order],
        duration[order],
        pitch[order],
        steps_per_quarter,
        time_signature=time_signature,
        tempo_qpm=tempo_qpm,
        key_signature=key_signature,
    )
