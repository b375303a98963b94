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
        Onset and duration of each note in grid steps, durations positive; and its pitch, 0–127.
    steps_per_quarter : int
        Grid steps in a quarter note.
    time_signature : str
        Time signature that scores are barred by, such as "6/8".
    tempo_qpm : float
        Tempo that sound is timed by, in quarter notes per minute.
    key_signature : str or None
        Key such as "G major"; None where it is unknown.

    Examples
    --------
    Two quarter notes, C4 and E4, and a half note, G4, on a grid of sixteenths:

    >>> import numpy as np
    >>> notes = GridNotes(
    ...     onset_step=np.array([0, 4, 8]),
    ...     duration_step=np.array([4, 4, 8]),
    ...     pitch=np.array([60, 64, 67]),
    ...     steps_per_quarter=4,
    ... )
    >>> len(notes), notes.end_step, notes.steps_per_bar, notes.duration_sec
    (3, 16, 16, 2.0)
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
        """Grid step at which the last note ends; 0 for a piece without notes."""
        return int((self.onset_step + self.duration_step).max(initial=0))

    @property
    def steps_per_bar(self) -> int:
        """Grid steps in a bar of the time signature."""
        return bar_step(self.time_signature, self.steps_per_quarter)

    @property
    def duration_sec(self) -> float:
        """Length of the piece in seconds."""
        return self.end_step / self.steps_per_quarter * 60.0 / self.tempo_qpm


def bar_step(time_signature: str, steps_per_quarter: int) -> int:
    """Count the grid steps in a bar of a time signature.

    Examples
    --------
    >>> bar_step("6/8", steps_per_quarter=24)
    72
    """
    beats, unit = (int(n) for n in time_signature.split("/"))
    return max(1, steps_per_quarter * 4 * beats // unit)
