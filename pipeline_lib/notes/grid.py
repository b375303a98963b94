"""Notes on an integer grid: the shape that tokens decode to, metrics measure and scores are written from.

Unlike the note table, which keeps every file's own ticks, all pieces share one resolution here, so that
durations compare between pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GridNotes:
    """Notes of one piece, sorted by onset, then pitch.

    Parameters
    ----------
    onset_step, duration_step, pitch : int64 arrays, shape (n_notes,)
        Onsets and durations count grid steps; durations are positive; pitch is 0–127.
    steps_per_quarter : int
        Grid steps in a quarter note.
    time_signature : str
        Such as "6/8"; what scores are barred by.
    tempo_qpm : float
        Quarter notes per minute; what sound is timed by.
    key_signature : str or None
        Such as "G major", where it is known.
    """

    onset_step: IntArray
    duration_step: IntArray
    pitch: IntArray
    steps_per_quarter: int
    time_signature: str = "4/4"
    tempo_qpm: float = 120.0
    key_signature: str | None = None

    def __len__(self) -> int:
        return len(self.pitch)

    @property
    def end_step(self) -> int:
        """Where the last note ends; 0 without notes."""
        return int((self.onset_step + self.duration_step).max(initial=0))

    @property
    def steps_per_bar(self) -> int:
        """Grid steps in a bar of the time signature."""
        beats, unit = (int(n) for n in self.time_signature.split("/"))
        return max(1, self.steps_per_quarter * 4 * beats // unit)

    @property
    def duration_sec(self) -> float:
        """Length of the piece in seconds."""
        return self.end_step / self.steps_per_quarter * 60.0 / self.tempo_qpm
