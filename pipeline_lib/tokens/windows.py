"""Windows: where in the token corpus a model may read ``seq_length`` tokens and predict the next ones.

A window that starts at ``s`` has the inputs ``[s, s + seq_length)`` and, for each of them, the token after
it as target: ``[s + 1, s + seq_length + 1)``. None crosses a piece, and so none crosses a split. No start is
stored but the first of each piece: the n-th window's is computed from it, so that an index is as large as the
corpus has pieces, whatever the ``seq_length`` and stride.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.errors import CorpusError, TrainingError
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.vocabulary import UNKNOWN_ID

WINDOW_SCHEMA = pa.schema(
    [
        pa.field("split", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("first_start", pa.int64(), nullable=False),
        pa.field("n_windows", pa.int64(), nullable=False),
        pa.field("stride", pa.int32(), nullable=False),
    ],
    metadata={"schema": "windows/2"},
)
"""One row for each piece that has room for a window: its windows start at ``first_start``, ``first_start +
stride``, and so on."""

WINDOW_PARQUET_OPTIONS = {
    "use_dictionary": ["split", "stride"],
    "column_encoding": {"first_start": "DELTA_BINARY_PACKED", "n_windows": "DELTA_BINARY_PACKED"},
}


@dataclass(frozen=True, eq=False)
class WindowIndex:
    """All windows of some pieces, numbered from 0 in the order of their starts.

    Parameters
    ----------
    first_starts : int64 array, shape (n_pieces,)
        Position in the flat array at which the first window of each piece starts, rising.
    counts : int64 array, shape (n_pieces,)
        Number of windows of each piece.
    stride : int
        Tokens from the start of one window to the start of the next.

    Examples
    --------
    A piece of 6 tokens and one of 5, read 3 tokens at a time, each with the token after it:

    >>> spans = np.array([[0, 6], [6, 5]])
    >>> index = WindowIndex.of(spans, seq_length=3, stride=1)
    >>> len(index), index.all_starts().tolist()
    (5, [0, 1, 2, 6, 7])
    >>> index.starts(np.array([4, 0])).tolist()
    [7, 0]
    """

    first_starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    stride: int

    @classmethod
    def of(cls, spans: NDArray[np.int64], seq_length: int, stride: int) -> WindowIndex:
        """Index the windows of some pieces.

        A piece of n tokens has room for ``(n - seq_length - 1) // stride + 1`` windows, or none.

        Parameters
        ----------
        spans : int64 array, shape (n_pieces, 2)
            Start and length of each piece in the flat array.
        seq_length : int
            Input tokens of a window.
        stride : int
            Tokens from the start of one window to the start of the next.
        """
        counts = np.maximum((spans[:, 1] - seq_length - 1) // stride + 1, 0)
        return cls(spans[counts > 0, 0], counts[counts > 0], stride)

    def __len__(self) -> int:
        return int(self.counts.sum())

    def starts(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions in the flat array at which the windows of some numbers start; same shape as `numbers`."""
        ends = np.cumsum(self.counts)
        piece = np.searchsorted(ends, numbers, side="right")
        nth_in_piece = numbers - (ends - self.counts)[piece]
        starts: NDArray[np.int64] = self.first_starts[piece] + nth_in_piece * self.stride
        return starts

    def all_starts(self) -> NDArray[np.int64]:
        """Positions in the flat array at which the windows start, shape (n_windows,)."""
        return self.starts(np.arange(len(self)))


NO_WINDOWS = WindowIndex.of(np.empty((0, 2), dtype=np.int64), 1, 1)


def index_table(corpus: TokenCorpus, seq_length: int, stride: int) -> pa.Table:
    """Index all windows of the train and valid splits, as a table with `WINDOW_SCHEMA`.

    Valid windows do not overlap, whatever the stride.

    Parameters
    ----------
    corpus : TokenCorpus
        The pieces to read.
    seq_length : int
        Input tokens of a window.
    stride : int
        Tokens from the start of one train window to the start of the next.

    Raises
    ------
    TrainingError
        No piece of a split has room for a window.
    """
    strides = {Split.TRAIN: stride, Split.VALID: seq_length}
    tables = []
    for split, of_split in strides.items():
        index = WindowIndex.of(corpus.spans(split), seq_length, of_split)
        if not len(index):
            longest = corpus.spans(split)[:, 1].max(initial=0)
            raise TrainingError(
                f"no window of seq_length {seq_length} fits into any {split.value} piece; "
                f"the longest has {longest} tokens",
                remedy="use a smaller seq_length, or a corpus with longer pieces",
            )
        n_pieces = len(index.counts)
        columns = {
            "split": pa.array([split.value] * n_pieces).dictionary_encode(),
            "first_start": index.first_starts,
            "n_windows": index.counts,
            "stride": np.full(n_pieces, of_split),
        }
        tables.append(pa.table(columns).cast(WINDOW_SCHEMA))
    return pa.concat_tables(tables).unify_dictionaries()


def windows_of(table: pa.Table, split: Split) -> WindowIndex:
    """Read the windows of one split from a table with `WINDOW_SCHEMA`."""
    rows = table.filter(pc.field("split") == split.value)
    return WindowIndex(
        rows["first_start"].to_numpy(), rows["n_windows"].to_numpy(), rows["stride"][0].as_py()
    )


def n_long_enough(corpus: TokenCorpus, split: Split, seq_length: int) -> int:
    """Count the pieces of a split that have room for a window."""
    return int((corpus.spans(split)[:, 1] > seq_length).sum())


def count_targets(corpus: TokenCorpus, split: Split, n_context: int) -> int:
    """Count the tokens of a split that have at least `n_context` tokens of their piece before them.

    Scoring every ``seq_length`` on the targets that the longest one can predict is what makes their
    perplexities comparable.

    Raises
    ------
    CorpusError
        There are no such tokens, or the vocabulary knows none of them.
    """
    spans = corpus.spans(split)
    positions = WindowIndex.of(spans, n_context, 1).all_starts() + n_context
    if not len(positions):
        raise CorpusError(
            f"no {split.value} piece has more than {n_context} tokens, so no note can be scored for "
            f"seq_length {n_context}; the longest has {spans[:, 1].max(initial=0)}",
            remedy="use smaller seq_lengths, or a corpus with longer pieces",
        )
    if (corpus.token_ids[positions] == UNKNOWN_ID).all():
        raise CorpusError(
            "the vocabulary knows none of the held-out tokens, so no note can be scored",
            remedy="use a larger corpus, or a smaller tokens.min_count",
        )
    return len(positions)
