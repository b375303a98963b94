"""The sustain pedal: notes that sound on after their key is released.

A note whose key is released while the pedal (controller 64) is down lasts until the pedal comes up, until
its pitch is struck again in the same track, or, if neither happens, until the last note or pedal movement of
the track. 64 and more is down, as the MIDI specification has it; half-pedalling is not told apart. Of
several movements of the pedal at one tick the last counts, so a note that ends as the pedal goes down is
held, and one that ends as it comes up is not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.notes.piece import IntArray

_FIRST_DOWN_VALUE = 64


def sustained(
    onset_tick: IntArray,
    duration_tick: IntArray,
    pitch: IntArray,
    pedal_tick: IntArray,
    pedal_value: IntArray,
) -> NDArray[np.int64]:
    """Durations of a track's notes under its pedal.

    Parameters
    ----------
    onset_tick, duration_tick, pitch : integer arrays, shape (n_notes,)
        Notes that last as long as their keys are down, in any order; durations are positive.
    pedal_tick, pedal_value : integer arrays, shape (n_movements,)
        Movements of the pedal, sorted by tick, then as in the file; values are 0–127.

    Returns
    -------
    array of int64, shape (n_notes,)
        Durations with the pedal, never shorter than `duration_tick`.

    Examples
    --------
    A key is held for 100 ticks; the pedal is down from tick 50 to tick 300:

    >>> import numpy as np
    >>> sustained(
    ...     onset_tick=np.array([0]),
    ...     duration_tick=np.array([100]),
    ...     pitch=np.array([60]),
    ...     pedal_tick=np.array([50, 300]),
    ...     pedal_value=np.array([127, 0]),
    ... ).tolist()
    [300]
    """
    onset = onset_tick.astype(np.int64)
    release = onset + duration_tick
    if not len(onset) or not len(pedal_tick):
        return release - onset
    changes = _changes(pedal_tick.astype(np.int64), pedal_value >= _FIRST_DOWN_VALUE)
    track_end = max(int(release.max()), int(pedal_tick[-1]))
    # The pedal's changes are down, up, down, ...: after an odd number of them it is down.
    n_before = np.searchsorted(changes, release, side="right")
    next_change = np.append(changes, track_end)[n_before]
    raised = np.where(n_before % 2 == 1, next_change, release)
    return np.minimum(raised, _next_strike(onset, release, pitch)) - onset


def _changes(tick: NDArray[np.int64], is_down: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Ticks at which the pedal goes down, comes up, goes down and so on; it is up at first."""
    last_at_tick = np.append(tick[1:] != tick[:-1], True)
    tick, is_down = tick[last_at_tick], is_down[last_at_tick]
    return tick[np.diff(is_down, prepend=False)]


def _next_strike(
    onset: NDArray[np.int64], release: NDArray[np.int64], pitch: IntArray
) -> NDArray[np.int64]:
    """Tick at which each note's pitch is struck next, from its release on; the largest int64 where it is not."""
    pitch_part = pitch.astype(np.int64) << 32
    strikes = np.append(np.sort(pitch_part | onset), np.iinfo(np.int64).max)
    following = strikes[np.searchsorted(strikes, pitch_part | release)]
    is_same_pitch = following >> 32 == pitch
    return np.where(is_same_pitch, following & 0xFFFFFFFF, np.iinfo(np.int64).max)
