"""Quantising: from a file's own ticks to the grid that all pieces share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.selection import PieceNotes


def quantise_ticks(
    ticks: NDArray[np.integer], ticks_per_quarter: int, steps_per_quarter: int
) -> NDArray[np.int64]:
    """Round ticks to the nearest grid step, halves upwards; in integers, so that no float decides.

    Parameters
    ----------
    ticks : integer array
        Times in ticks, of any shape.
    ticks_per_quarter : int
        Ticks in a quarter note.
    steps_per_quarter : int
        Grid steps in a quarter note.

    Returns
    -------
    int64 array, same shape
        The times in grid steps.

    Examples
    --------
    On a grid of eighths, a step is 240 of 480 ticks:

    >>> import numpy as np
    >>> quantise_ticks(np.array([0, 119, 120, 480]), 480, 2).tolist()
    [0, 0, 1, 2]
    """
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
    """Round onsets and ends to the grid and merge all tracks; no note becomes shorter than a step.

    Parameters
    ----------
    notes : PieceNotes
        Notes in a file's own ticks.
    steps_per_quarter : int
        The grid that onsets and ends are rounded to.
    time_signature, tempo_qpm, key_signature
        As for `GridNotes`.

    Examples
    --------
    A quarter note that starts and ends a little late, of 480 ticks, on a grid of sixteenths:

    >>> import numpy as np
    >>> from pipeline_lib.notes.selection import PieceNotes
    >>> played = PieceNotes(
    ...     track=np.array([0]),
    ...     is_drum=np.array([False]),
    ...     pitch=np.array([60]),
    ...     onset_tick=np.array([13]),
    ...     duration_tick=np.array([481]),
    ...     ticks_per_quarter=480,
    ... )
    >>> notes = quantise_notes(played, steps_per_quarter=4)
    >>> notes.onset_step.tolist(), notes.duration_step.tolist()
    ([0], [4])
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
