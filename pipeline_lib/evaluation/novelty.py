"""Novelty of music: what pieces have in common with those that a model was trained on.

Real music repeats other music, too: figures here mean something only when compared with the same figures of held-out
pieces, in stretches of the same length. A piece is flagged when it shares more with the training pieces than 19 in 20
held-out pieces do, by its longest match or by its copy rate (`CopyBaseline`). Since either suffices, up to one in ten
held-out pieces is flagged, and their share is to be reported beside that of the samples.

Conventions
-----------
- Top lines are compared (`pipeline_lib.evaluation.top_lines`). The longest match is counted in notes, exact
  (`Likeness.EXACT`) or in any key (`Likeness.TRANSPOSED`).
- **Copy rate**: share of the (interval, duration) n-grams of a piece that occur in a training piece
  (`Likeness.PAIRS`). An n-gram takes n + 1 notes; it occurs or it does not, however often.
- **Nearest training piece**: the one that holds most of the piece's 8-grams; the first of equals. If none holds any,
  it is the one of the longest match in any key.
- NaN or None where a piece has too few notes to tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.evaluation.matching import (
    Matches,
    SharedPassages,
    longest_matches,
    shared_passages,
)
from pipeline_lib.evaluation.statistics import FloatArray, bootstrap_interval, mean
from pipeline_lib.evaluation.top_lines import Likeness, Lines
from pipeline_lib.notes.grid import IntArray

NGRAM_LENGTHS = range(3, 17)
"""Lengths of the n-grams that copy rates are measured for, in notes."""
FLAGGED_NGRAM = 8
"""Length of the n-grams whose copy rate decides what is flagged, and which training piece is nearest."""
BASELINE_QUANTILE = 0.95
"""Quantile of the held-out pieces above which a piece is flagged."""

_MATCH_FIELDS = {
    "notes": pa.int32(),
    "start": pa.int32(),
    "source": pa.string(),
    "source_start": pa.int32(),
}
NOVELTY_SCHEMA = pa.schema(
    [
        pa.field("set", pa.string(), nullable=False),
        pa.field("temperature", pa.float64()),
        pa.field("piece", pa.string(), nullable=False),
        pa.field("n_notes", pa.int32(), nullable=False),
        *(
            pa.field(f"{likeness}_{name}", kind, nullable=name != "notes")
            for likeness in ("exact", "transposed")
            for name, kind in _MATCH_FIELDS.items()
        ),
        pa.field("transposed_semitones", pa.int16()),
        pa.field("copy_rate", pa.float64()),
        pa.field("nearest_source", pa.string()),
        pa.field("nearest_share", pa.float64()),
        pa.field("is_flagged", pa.bool_(), nullable=False),
    ],
    metadata={"schema": "novelty/1"},
)
"""Columns of novelty: one row per piece. ``*_notes`` is the length of the longest match with a training piece,
``*_start`` its first note in the piece, ``*_source`` the training piece and ``*_source_start`` its first note there
(notes of the top line, from 0; null where nothing matches); ``transposed_semitones`` is how many semitones higher the
piece plays it. ``copy_rate`` is that of 8-grams; ``nearest_share`` is the share of them in ``nearest_source``."""


@dataclass(frozen=True, eq=False)
class Novelty:
    """Figures of what each of some pieces has in common with the training pieces.

    Parameters
    ----------
    lines, train : Lines
        Top lines of the pieces, and of the training pieces.
    exact, transposed : Matches
        Longest match of each piece with a training piece, exact and in any key.
    copy_rates : float64 array, shape (n_pieces, 14)
        Copy rate of each piece for each of `NGRAM_LENGTHS`. NaN for pieces with n notes or fewer.
    nearest : int64 array, shape (n_pieces,)
        Number of the nearest training piece; −1 for none.
    nearest_share : float64 array, shape (n_pieces,)
        Share of the piece's 8-grams that the nearest training piece holds. NaN with eight notes or fewer.
    """

    lines: Lines
    train: Lines
    exact: Matches
    transposed: Matches
    copy_rates: FloatArray
    nearest: IntArray
    nearest_share: FloatArray

    @property
    def copy_rate(self) -> FloatArray:
        """Copy rate of 8-grams, which decides what is flagged, shape (n_pieces,)."""
        rate: FloatArray = self.copy_rates[:, NGRAM_LENGTHS.index(FLAGGED_NGRAM)]
        return rate


def measure_novelty(lines: Lines, train: Lines) -> Novelty:
    """Compare pieces with the training pieces, all at once.

    Parameters
    ----------
    lines : Lines
        Top lines of the pieces: of samples without their prompts, and of held-out pieces.
    train : Lines
        Top lines of whole training pieces, each in its own key.

    Examples
    --------
    The quarter notes G4 A4 B4 C5, which are a training piece in another key:

    >>> from pipeline_lib.evaluation.top_lines import join_lines
    >>> from pipeline_lib.notes.grid import GridNotes
    >>> beat, quarter = np.arange(4), np.ones(4, int)
    >>> made = join_lines({"made": GridNotes(beat, quarter, np.array([67, 69, 71, 72]), 1)})
    >>> real = join_lines({"real": GridNotes(beat, quarter, np.array([60, 62, 64, 65]), 1)})
    >>> novelty = measure_novelty(made, real)
    >>> novelty.transposed.n_notes, novelty.transposed.semitones
    (array([4]), array([7]))
    >>> novelty.copy_rates[:, NGRAM_LENGTHS.index(3)]  # its only 3-gram is copied
    array([1.])
    """
    transposed = longest_matches(lines, train, Likeness.TRANSPOSED)
    n_copied = np.zeros((len(lines.names), len(NGRAM_LENGTHS)), np.int64)
    nearest = np.where(transposed.n_notes > 0, transposed.source, -1)
    n_in_nearest = np.zeros(len(lines.names), np.int64)
    for shared in shared_passages(lines, train, Likeness.PAIRS):
        if shared.n_notes == FLAGGED_NGRAM:
            for piece, counts in _counts_by_source(shared, lines, train):
                nearest[piece], n_in_nearest[piece] = counts.argmax(), counts.max()
        if shared.n_notes in NGRAM_LENGTHS:
            n_copied[:, NGRAM_LENGTHS.index(shared.n_notes)] = np.bincount(
                lines.piece[shared.at], minlength=len(lines.names)
            )
        if shared.n_notes == NGRAM_LENGTHS[-1]:
            break
    return Novelty(
        lines,
        train,
        longest_matches(lines, train, Likeness.EXACT),
        transposed,
        _shares(n_copied, lines.lengths[:, np.newaxis] - np.array(NGRAM_LENGTHS)),
        nearest,
        _shares(n_in_nearest, lines.lengths - FLAGGED_NGRAM),
    )


def _counts_by_source(
    shared: SharedPassages, lines: Lines, train: Lines
) -> Iterator[tuple[int, IntArray]]:
    """Yield each piece that shares passages, by its number, and how many of them each training piece holds."""
    n_sources = len(train.names)
    # Each passage with each training piece that holds it, once.
    found = np.unique(shared.corpus_node * n_sources + train.piece[shared.corpus_at])
    node, source = np.divmod(found, n_sources)
    sources_of = np.split(source, np.searchsorted(node, np.arange(1, len(shared.first_at))))
    pieces, begins = np.unique(lines.piece[shared.at], return_index=True)
    for piece, nodes in zip(pieces.tolist(), np.split(shared.node, begins)[1:], strict=True):
        yield piece, np.bincount(np.concatenate([sources_of[n] for n in nodes.tolist()]))


def _shares(counts: IntArray, totals: IntArray) -> FloatArray:
    """Shares ``counts / totals``; NaN where a total is not above 0."""
    shares = np.full(counts.shape, np.nan)
    return np.divide(counts, totals, out=shares, where=totals > 0)


@dataclass(frozen=True)
class CopyBaseline:
    """Baseline of copying: figures that 19 in 20 held-out pieces do not exceed.

    Parameters
    ----------
    match_notes : float
        Length of the longest match in any key, in notes.
    copy_rate : float
        Copy rate of 8-grams.
    """

    match_notes: float
    copy_rate: float

    def is_exceeded(self, novelty: Novelty) -> NDArray[np.bool_]:
        """Whether each piece has a longer match or a higher copy rate, shape (n_pieces,)."""
        return (novelty.transposed.n_notes > self.match_notes) | (
            novelty.copy_rate > self.copy_rate
        )


def copy_baseline(novelty: Novelty, is_held_out: NDArray[np.bool_]) -> CopyBaseline:
    """Measure the baseline of copying on the held-out pieces; NaN, which nothing exceeds, if there is none.

    Parameters
    ----------
    novelty : Novelty
        Figures of held-out and other pieces.
    is_held_out : bool array, shape (n_pieces,)
    """
    return CopyBaseline(
        _quantile(novelty.transposed.n_notes[is_held_out]),
        _quantile(novelty.copy_rate[is_held_out]),
    )


def _quantile(values: NDArray[Any]) -> float:
    known = values[~np.isnan(values)]
    return (
        float(np.quantile(known, BASELINE_QUANTILE, method="higher"))
        if len(known)
        else float("nan")
    )


def novelty_table(novelty: Novelty, labels: pd.DataFrame, baseline: CopyBaseline) -> pa.Table:
    """Tabulate the novelty of pieces, one row per piece, with `NOVELTY_SCHEMA`.

    Parameters
    ----------
    novelty : Novelty
    labels : DataFrame
        The ``set`` and ``temperature`` (NaN for none) of each piece.
    baseline : CopyBaseline
        Figures above which a piece is flagged.
    """
    train = novelty.train
    columns = {
        "set": labels["set"],
        "temperature": labels["temperature"],
        "piece": novelty.lines.names,
        "n_notes": novelty.lines.lengths,
        **_match_columns("exact", novelty.exact, train),
        **_match_columns("transposed", novelty.transposed, train),
        "transposed_semitones": pa.array(
            novelty.transposed.semitones, mask=novelty.transposed.n_notes == 0
        ),
        "copy_rate": novelty.copy_rate,
        "nearest_source": _names(train, novelty.nearest, novelty.nearest < 0),
        "nearest_share": novelty.nearest_share,
        "is_flagged": baseline.is_exceeded(novelty),
    }
    arrays = {
        name: values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
        for name, values in columns.items()
    }
    return pa.table(arrays).select(NOVELTY_SCHEMA.names).cast(NOVELTY_SCHEMA)


def _match_columns(likeness: str, matches: Matches, train: Lines) -> dict[str, Any]:
    none = matches.n_notes == 0
    return {
        f"{likeness}_notes": matches.n_notes,
        f"{likeness}_start": pa.array(matches.start, mask=none),
        f"{likeness}_source": _names(train, matches.source, none),
        f"{likeness}_source_start": pa.array(matches.source_start, mask=none),
    }


def _names(train: Lines, source: IntArray, is_none: NDArray[np.bool_]) -> pa.Array:
    return pa.array(train.names, pa.string()).take(pa.array(source, mask=is_none))


def copy_rates_by_set(novelty: Novelty, labels: pd.DataFrame) -> pd.DataFrame:
    """Average the copy rates of each set of pieces, for each length of n-grams.

    Parameters
    ----------
    novelty : Novelty
    labels : DataFrame
        The ``set`` and ``temperature`` (NaN for none) of each piece.

    Returns
    -------
    DataFrame
        One row per set, temperature and n: ``set, temperature, n``; ``share``, the mean copy rate over the pieces, with
        its 95 % bootstrap interval ``low, high``; ``n_pieces``, the number of pieces of more than n notes, which it is
        over. NaN where no piece is long enough.
    """
    rows = []
    for (name, temperature), pieces in labels.groupby(
        ["set", "temperature"], sort=False, dropna=False
    ):
        for n, rates in zip(NGRAM_LENGTHS, novelty.copy_rates[pieces.index].T, strict=True):
            low, high = bootstrap_interval(rates, seed=0)
            row = {"set": name, "temperature": temperature, "n": n, "share": mean(rates)}
            rows.append(row | {"low": low, "high": high, "n_pieces": int((~np.isnan(rates)).sum())})
    return pd.DataFrame(rows)
