"""Notes small enough to check by hand, as columns."""

from __future__ import annotations

import numpy as np

from pipeline_lib.notes.selection import PieceNotes

Rows = list[tuple[int, ...]]
"""(onset_tick, duration_tick, pitch) or (onset_tick, duration_tick, pitch, track)."""


def make_notes(
    rows: Rows, *, ticks_per_quarter: int = 480, drum_tracks: tuple[int, ...] = ()
) -> PieceNotes:
    """Notes with the column types of the note table, in the order given."""
    columns = np.array([(*row, 0)[:4] for row in rows], np.int64).reshape(-1, 4).T
    onset_tick, duration_tick, pitch, track = columns
    return PieceNotes(
        track.astype(np.uint16),
        np.isin(track, drum_tracks),
        pitch.astype(np.uint8),
        onset_tick.astype(np.int32),
        duration_tick.astype(np.int32),
        ticks_per_quarter,
    )


def rows_of(notes: PieceNotes) -> list[tuple[int, int, int]]:
    """(onset_tick, duration_tick, pitch) of each note."""
    columns = (notes.onset_tick, notes.duration_tick, notes.pitch)
    return list(zip(*(column.tolist() for column in columns), strict=True))
