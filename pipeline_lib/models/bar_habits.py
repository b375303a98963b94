"""Bar habits: which durations a corpus plays at which place of its bars, and where its pieces end.

A model that writes music has learnt from music that is on the beat. After one slip it is off it, where it knows nothing
better than to go on, and every bar line is missed from then on. Habits keep it from that: what the train pieces
hardly ever do at a place of the bar is out of question there.

Places count from the beginning of a piece, in steps of the grid, as in `pipeline_lib.tokens.metre`. Each length of bar has
habits of its own; of one that no train piece has, nothing is known, and everything is usual.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.tokens.metre import PieceMetre
from pipeline_lib.tokens.vocabulary import END_ID

HABIT_SCHEMA = pa.schema(
    [
        pa.field("bar_step", pa.int32(), nullable=False),
        pa.field("position_step", pa.int32(), nullable=False),
        pa.field("advance_step", pa.int32()),
        pa.field("n", pa.int64(), nullable=False),
    ],
    metadata={"schema": "bar_habits/1"},
)
"""How often train pieces go on by ``advance_step`` grid steps at a position in bars of so many; null: how often they end there."""

_RARE_SHARE = 0.03
"""Share of what is played at a place that its rarest durations may have together and not be usual."""
_RARE_ENDING_SHARE = 0.02
"""Share of all endings below which a place is no usual one to end at."""
_ENOUGH = 20
"""Notes from which on a place has habits; at others all is usual that leads to one with habits."""


class BarHabits:
    """What is usual where.

    Parameters
    ----------
    counts : pyarrow.Table
        With `HABIT_SCHEMA`.
    advance_step : int32 array, shape (vocab_size,)
        Grid steps that each token takes.
    """

    def __init__(self, counts: pa.Table, advance_step: NDArray[np.int32]) -> None:
        self._advance_step = advance_step
        rows: dict[int, list[tuple[int, int | None, int]]] = {}
        for row in counts.to_pylist():
            found = (row["position_step"], row["advance_step"], row["n"])
            rows.setdefault(row["bar_step"], []).append(found)
        self._usual = {bar: self._usual_in(bar, found) for bar, found in rows.items()}

    def is_usual(
        self, bar_step: NDArray[np.int64], now_step: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Tell which tokens are usual next.

        Parameters
        ----------
        bar_step, now_step : int64 arrays, shape (n_sequences,)
            Grid steps in a bar of each sequence, and since its beginning.

        Returns
        -------
        bool array, shape (n_sequences, vocab_size)
        """
        usual = np.ones((len(bar_step), len(self._advance_step)), bool)
        for row, (bar, now) in enumerate(zip(bar_step.tolist(), now_step.tolist(), strict=True)):
            if bar in self._usual:
                usual[row] = self._usual[bar][now % bar]
        return usual

    def _usual_in(
        self, bar_step: int, rows: Sequence[tuple[int, int | None, int]]
    ) -> NDArray[np.bool_]:
        """Usual tokens at each place of a bar, shape (bar_step, vocab_size)."""
        advances, of_token = np.unique(self._advance_step, return_inverse=True)
        column = {int(advance): n for n, advance in enumerate(advances)}
        n_notes = np.zeros((bar_step, len(advances)), np.int64)
        n_ends = np.zeros(bar_step, np.int64)
        for position, advance, n in rows:
            if advance is None:
                n_ends[position] += n
            elif advance in column:
                n_notes[position, column[advance]] += n
        usual: NDArray[np.bool_] = _usual_advances(n_notes, advances)[:, of_token]
        usual[:, self._advance_step == 0] = True  # they take no time, so they are at no wrong place
        usual[:, END_ID] = n_ends >= max(1, _RARE_ENDING_SHARE * n_ends.sum())
        return usual


def count_habits(
    pieces: Sequence[NDArray[np.int32]],
    metres: Sequence[PieceMetre],
    advance_step: NDArray[np.int32],
) -> pa.Table:
    """Count what pieces do at each place of their bars.

    Parameters
    ----------
    pieces : sequence of int32 arrays
        Token ids, their ends included.
    metres : sequence of PieceMetre
        Theirs.
    advance_step : int32 array, shape (vocab_size,)
        Grid steps that each token takes.

    Returns
    -------
    pyarrow.Table
        With `HABIT_SCHEMA`, sorted by bar, position and advance.

    Examples
    --------
    A piece in bars of four steps, of a note of three and one of one, which ends with its bar:

    >>> advance_step = np.array([0, 0, 0, 3, 1], np.int32)  # start, end, unknown, two notes
    >>> metre = PieceMetre(onset_step=np.array([0, 0, 3, 4]), bar_step=4)
    >>> count_habits([np.array([0, 3, 4, 1], np.int32)], [metre], advance_step).to_pydict()["advance_step"]
    [None, 3, 1]
    """
    rows = [
        np.stack(
            [
                np.full(len(piece), metre.bar_step),
                metre.onset_step % metre.bar_step,
                np.where(piece == END_ID, -1, advance_step[piece]),
            ]
        )
        for piece, metre in zip(pieces, metres, strict=True)
    ]
    found = np.concatenate([np.empty((3, 0), np.int64), *rows], axis=1)
    (bar, position, advance), n = np.unique(found[:, found[2] != 0], axis=1, return_counts=True)
    return pa.table(
        {
            "bar_step": bar.astype(np.int32),
            "position_step": position.astype(np.int32),
            "advance_step": pa.array(advance.astype(np.int32), mask=advance < 0),
            "n": n.astype(np.int64),
        },
        schema=HABIT_SCHEMA,
    )


def _usual_advances(n_notes: NDArray[np.int64], advances: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which advances are usual at each place, shape (bar_step, n_advances), given how often each is played there."""
    bar_step = len(n_notes)
    n_here = n_notes.sum(axis=1)
    rarest_first = np.argsort(n_notes, axis=1, kind="stable")
    together = np.cumsum(np.take_along_axis(n_notes, rarest_first, axis=1), axis=1)
    usual = np.empty(n_notes.shape, bool)
    np.put_along_axis(usual, rarest_first, together > _RARE_SHARE * n_here[:, None], axis=1)
    has_habits = n_here >= _ENOUGH
    landing = (np.arange(bar_step)[:, None] + advances) % bar_step
    return np.where(has_habits[:, None], usual, has_habits[landing])
