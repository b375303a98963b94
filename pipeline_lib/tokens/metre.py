"""Where tokens stand in their piece's metre: steps of the grid, counted from the piece's beginning.

A piece has one metre here, the one that its time signature states; bars are counted from its first token. Whether two
places are at the same position of their bars, which is what a memory asks, an upbeat does not change. What is usual at a
position (`pipeline_lib.models.bar_habits`) is the same for pieces with an upbeat and without, as long as nothing says which
have one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.notes.grid import IntArray


class PieceMetre(NamedTuple):
    """The metre of one piece's tokens.

    Parameters
    ----------
    onset_step : int64 array, shape (n_tokens,)
        Grid step at which each token begins.
    bar_step : int
        Grid steps in a bar.
    """

    onset_step: IntArray
    bar_step: int


def piece_metres(
    pieces: Iterable[NDArray[np.int32]], advance_step: NDArray[np.int32], bar_steps: Sequence[int]
) -> list[PieceMetre]:
    """The metres of pieces.

    Parameters
    ----------
    pieces : iterable of int32 arrays
        Token ids.
    advance_step : int32 array, shape (vocab_size,)
        Grid steps from each token's beginning to the next one's (`features.TokenFeatures`).
    bar_steps : sequence of int
        Grid steps in a bar of each piece.
    """
    return [
        PieceMetre(onsets(advance_step[piece]), bar)
        for piece, bar in zip(pieces, bar_steps, strict=True)
    ]


def onsets(advance_step: NDArray[np.int32]) -> IntArray:
    """Grid step at which each token of a sequence begins, given how long each takes.

    Examples
    --------
    >>> onsets(np.array([0, 12, 24, 12], np.int32))
    array([ 0,  0, 12, 36])
    """
    return np.cumsum(advance_step, dtype=np.int64) - advance_step
