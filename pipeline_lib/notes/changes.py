"""Changes of tempo, metre and key of many pieces, as columns: what these state, reduced all at once.

A file may repeat its tempo a thousand times, or state one that no music has. Here the rules of
`pipeline_lib.notes.tempos.tempo_changes` and `pipeline_lib.notes.piece.changes_only` are applied to a whole
batch of pieces: what is not believed does not count, of several at one tick the last counts, and no value
repeats the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.notes.midi.packed import KEY, METRE, TEMPO, UnsortedPiece, unpacked
from pipeline_lib.notes.piece import MAX_TICK, IntArray, ParsedPiece, key_name, time_signature_name
from pipeline_lib.notes.tempos import (
    DEFAULT_TEMPO_QPM,
    SECONDS_PER_MINUTE,
    TempoChanges,
    is_sane_tempo,
)

_USEC_PER_MINUTE = 60_000_000
_MINOR = 1
"""Number that stands for the minor mode in MIDI's key signature event."""


class Kind(IntEnum):
    """Kinds of change, in the order in which changes at one tick are listed."""

    TEMPO = 0
    METRE = 1
    KEY = 2


class _Stated(NamedTuple):
    """Columns of statements of one kind; `value` is NaN where it is not believed."""

    kind: Kind
    piece: NDArray[np.int64]
    onset_tick: NDArray[np.int64]
    value: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Changes:
    """Changes of tempo, metre and key of many pieces; made by `changes_of`.

    Parameters
    ----------
    piece, kind, onset_tick : int64 arrays, shape (n_changes,)
        Number of the piece, `Kind` and tick of each change, sorted in this order.
    value : float64 array, shape (n_changes,)
        New tempo in quarter notes per minute; for a new metre or key its index in `metres` or `keys`.
    metres, keys : list of str
        Names such as "6/8", and such as "G major".
    """

    piece: NDArray[np.int64]
    kind: NDArray[np.int64]
    onset_tick: NDArray[np.int64]
    value: NDArray[np.float64]
    metres: list[str]
    keys: list[str]

    def only(self, kind: Kind, piece: int | None = None) -> Changes:
        """Select the changes of one kind and, where one is given, of one piece."""
        wanted = self.kind == kind
        return self[wanted if piece is None else wanted & (self.piece == piece)]

    def __getitem__(self, rows: NDArray[Any]) -> Changes:
        return Changes(
            self.piece[rows],
            self.kind[rows],
            self.onset_tick[rows],
            self.value[rows],
            self.metres,
            self.keys,
        )

    def numbered(self, number: NDArray[np.int64]) -> Changes:
        """Renumber the pieces: piece n becomes ``number[n]``."""
        return replace(self, piece=number[self.piece])

    def first(self, kind: Kind, n_pieces: int) -> NDArray[np.float64]:
        """Each piece's first value of one kind, shape (n_pieces,); NaN where it has none."""
        changes = self.only(kind)
        values = np.full(n_pieces, np.nan)
        values[changes.piece[::-1]] = changes.value[::-1]  # the last one written is the first
        return values

    def tempos_of(self, piece: int) -> TempoChanges:
        """The tempos of one piece."""
        changes = self.only(Kind.TEMPO, piece)
        return TempoChanges(changes.onset_tick, changes.value)

    def names_of(self, kind: Kind, piece: int) -> tuple[tuple[int, str], ...]:
        """Pairs of onset_tick and name, one for each change of a piece's metre or key."""
        changes = self.only(kind, piece)
        names = self.metres if kind == Kind.METRE else self.keys
        numbers = changes.value.astype(int).tolist()
        return tuple(zip(changes.onset_tick.tolist(), [names[n] for n in numbers], strict=True))

    def seconds_until(self, end_tick: IntArray, ticks_per_quarter: IntArray) -> NDArray[np.float64]:
        """Seconds from tick 0 of each piece to a tick, shape (n_pieces,); see `TempoChanges.seconds_until`."""
        changes = self.only(Kind.TEMPO)
        pieces = np.arange(len(end_tick))
        piece = np.concatenate([pieces, changes.piece])
        order = np.argsort(piece, kind="stable")
        piece = piece[order]
        begin = np.concatenate([np.zeros_like(pieces), changes.onset_tick])[order]
        tempo_qpm = np.concatenate([np.full(len(pieces), DEFAULT_TEMPO_QPM), changes.value])[order]
        starts = np.searchsorted(piece, pieces)
        end = np.append(begin[1:], 0)
        end[starts[1:] - 1] = MAX_TICK
        end[-1:] = MAX_TICK
        ticks = np.minimum(end, end_tick[piece]) - np.minimum(begin, end_tick[piece])
        minutes = np.add.reduceat(ticks / tempo_qpm, starts) if len(pieces) else np.zeros(0)
        return minutes * SECONDS_PER_MINUTE / ticks_per_quarter


def named(value: NDArray[np.float64], names: list[str]) -> list[str | None]:
    """Look up names by their indices; None for NaN."""
    return [None if number != number else names[int(number)] for number in value.tolist()]


def changes_of(pieces: Sequence[UnsortedPiece | ParsedPiece]) -> Changes:
    """Collect the changes of some pieces, which are numbered in the order given."""
    metres: dict[str, int] = {}
    keys: dict[str, int] = {}
    unsorted = {n: p for n, p in enumerate(pieces) if isinstance(p, UnsortedPiece)}
    stated = _stated_in_midi(unsorted, metres, keys)
    for n, piece in enumerate(pieces):
        if isinstance(piece, ParsedPiece):
            stated += _stated_in(n, piece, metres, keys)
    return _changes_only(stated, list(metres), list(keys))


def _changes_only(stated: Sequence[_Stated], metres: list[str], keys: list[str]) -> Changes:
    piece = np.concatenate([s.piece for s in stated])
    tick = np.concatenate([s.onset_tick for s in stated])
    value = np.concatenate([s.value for s in stated])
    kind = np.repeat([int(s.kind) for s in stated], [len(s.piece) for s in stated])
    believed = np.flatnonzero((value == value) & (tick <= MAX_TICK))
    series = piece[believed] * len(Kind) + kind[believed]
    order = np.argsort(series << 31 | tick[believed], kind="stable")
    series, tick, value = series[order], tick[believed][order], value[believed][order]
    is_last_at_tick = (np.diff(series, append=-1) != 0) | (np.diff(tick, append=-1) != 0)
    series, tick, value = series[is_last_at_tick], tick[is_last_at_tick], value[is_last_at_tick]
    is_change = (np.diff(series, prepend=-1) != 0) | (np.diff(value, prepend=np.nan) != 0)
    series, tick, value = series[is_change], tick[is_change], value[is_change]
    piece, kind = np.divmod(series, len(Kind))
    return Changes(piece, kind, tick, value, metres, keys)


def _stated_in_midi(
    pieces: dict[int, UnsortedPiece], metres: dict[str, int], keys: dict[str, int]
) -> list[_Stated]:
    """Statements of numbered pieces; new names are added to `metres` and `keys`."""
    factor = np.array([p.tick_factor for p in pieces.values()], np.int64)
    number = np.array(list(pieces), np.int64)

    def stated(
        kind: Kind, parts: list[bytes], record: np.dtype[Any], values: Callable[[Any], Any]
    ) -> _Stated:
        records, n_records = unpacked(parts, record)
        tick = records["time"] * np.repeat(factor, n_records)
        return _Stated(kind, np.repeat(number, n_records), tick, values(records))

    # Tempos are in the ticks of the piece: under SMPTE time, where ticks are multiplied, none applies.
    counted = [b"" if p.smpte_qpm is not None else p.tempos for p in pieces.values()]
    fixed = {n: p.smpte_qpm for n, p in pieces.items() if p.smpte_qpm is not None}
    return [
        stated(Kind.TEMPO, counted, TEMPO, _tempo_qpm),
        _Stated(
            Kind.TEMPO,
            np.array(list(fixed), np.int64),
            np.zeros(len(fixed), np.int64),
            np.array(list(fixed.values()), np.float64),
        ),
        stated(
            Kind.METRE,
            [p.metres for p in pieces.values()],
            METRE,
            lambda r: _numbers(r["numerator"], r["denominator"], time_signature_name, metres),
        ),
        stated(
            Kind.KEY,
            [p.keys for p in pieces.values()],
            KEY,
            lambda r: _numbers(r["key"], r["tonality"] == _MINOR, key_name, keys),
        ),
    ]


def _tempo_qpm(records: NDArray[Any]) -> NDArray[np.float64]:
    # A tempo of 0 microseconds is no tempo; 1 microsecond is none either, and can be divided by.
    tempo_qpm = _USEC_PER_MINUTE / np.maximum(records["mspq"], 1)
    return np.where(is_sane_tempo(tempo_qpm), tempo_qpm, np.nan)


def _numbers(
    first: NDArray[Any],
    second: NDArray[Any],
    name: Callable[[int, Any], str | None],
    names: dict[str, int],
) -> NDArray[np.float64]:
    """Indices in `names` of what pairs are called, new ones added to it; NaN where a pair has no name."""
    codes, where = np.unique(first.astype(np.int64) << 8 | second, return_inverse=True)
    found = [name(code >> 8, code & 0xFF) for code in codes.tolist()]
    numbers = [np.nan if f is None else names.setdefault(f, len(names)) for f in found]
    return np.array(numbers, np.float64)[where]


def _stated_in(
    number: int, piece: ParsedPiece, metres: dict[str, int], keys: dict[str, int]
) -> list[_Stated]:
    """Statements of one numbered piece; new names are added to `metres` and `keys`."""

    def stated(kind: Kind, ticks: Any, values: Any) -> _Stated:
        return _Stated(
            kind,
            np.full(len(ticks), number, np.int64),
            np.array(ticks, np.int64),
            np.array(values, np.float64),
        )

    def numbered(
        kind: Kind, changes: tuple[tuple[int, str], ...], names: dict[str, int]
    ) -> _Stated:
        numbers = [names.setdefault(name, len(names)) for _, name in changes]
        return stated(kind, [tick for tick, _ in changes], numbers)

    return [
        stated(Kind.TEMPO, piece.tempos.onset_tick, piece.tempos.tempo_qpm),
        numbered(Kind.METRE, piece.time_signatures, metres),
        numbered(Kind.KEY, piece.key_signatures, keys),
    ]
