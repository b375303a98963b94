"""The tempos of a piece, as arrays: a performance that was played by hand has a thousand of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEFAULT_TEMPO_QPM = 120.0
"""The tempo that MIDI prescribes for a file that states none, in quarter notes per minute."""

_SANE_TEMPO_QPM = (5.0, 1000.0)
SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, eq=False)
class TempoChanges:
    """Changes of the tempo of a piece; made by `tempo_changes`.

    Parameters
    ----------
    onset_tick : int64 array, shape (n_changes,)
        Ticks at which the tempo changes, rising.
    tempo_qpm : float64 array, shape (n_changes,)
        Tempo from that tick on, in quarter notes per minute; none equals the one before it.
    """

    onset_tick: NDArray[np.int64]
    tempo_qpm: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.onset_tick)

    @property
    def first_qpm(self) -> float:
        """The first tempo in quarter notes per minute; `DEFAULT_TEMPO_QPM` where there is none."""
        return float(self.tempo_qpm[0]) if len(self) else DEFAULT_TEMPO_QPM

    def pairs(self) -> tuple[tuple[int, float], ...]:
        """Pairs of onset_tick and tempo_qpm, one for each change."""
        return tuple(zip(self.onset_tick.tolist(), self.tempo_qpm.tolist(), strict=True))

    def seconds_until(self, end_tick: int, ticks_per_quarter: int) -> float:
        """Seconds from tick 0 to a tick; before the first change the default tempo holds.

        Parameters
        ----------
        end_tick : int
            The tick up to which time is measured.
        ticks_per_quarter : int
            Ticks in a quarter note.
        """
        bounds = np.concatenate([[0], np.minimum(self.onset_tick, end_tick), [end_tick]])
        minutes = np.diff(bounds) / np.concatenate([[DEFAULT_TEMPO_QPM], self.tempo_qpm])
        return float(minutes.sum()) * SECONDS_PER_MINUTE / ticks_per_quarter


def tempo_changes(
    onset_tick: Sequence[int] | NDArray[np.integer],
    tempo_qpm: Sequence[float] | NDArray[np.floating],
) -> TempoChanges:
    """Reduce what a piece states about its tempo to the changes.

    Parameters
    ----------
    onset_tick, tempo_qpm : arrays of equal length
        Statements in any order. Tempos that no music has are not believed; of several at one tick the last
        counts.

    Examples
    --------
    120 is stated twice, and a tempo of 0 is not believed:

    >>> tempos = tempo_changes([0, 480, 960, 1920], [120.0, 120.0, 60.0, 0.0])
    >>> tempos.pairs()
    ((0, 120.0), (960, 60.0))

    Two quarter notes of half a second, then two of a second:

    >>> tempos.seconds_until(1920, ticks_per_quarter=480)
    3.0
    """
    tick, qpm = np.asarray(onset_tick, np.int64), np.asarray(tempo_qpm, np.float64)
    believed = is_sane_tempo(qpm)
    tick, qpm = tick[believed], qpm[believed]
    if len(tick) < 2:  # as in most pieces: nothing to sort
        return TempoChanges(tick, qpm)
    order = np.argsort(tick, kind="stable")
    tick, qpm = tick[order], qpm[order]
    is_last_at_tick = np.diff(tick, append=-1) != 0
    tick, qpm = tick[is_last_at_tick], qpm[is_last_at_tick]
    is_change = np.diff(qpm, prepend=0.0) != 0
    return TempoChanges(tick[is_change], qpm[is_change])


def is_sane_tempo(tempo_qpm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether music may have each of some tempos (5 to 1,000 quarter notes per minute); same shape."""
    slowest, fastest = _SANE_TEMPO_QPM
    return (tempo_qpm >= slowest) & (tempo_qpm <= fastest)


NO_TEMPO = tempo_changes([], [])
