"""Windows: where in the token corpus a model may read ``seq_length`` tokens and predict the next ones.

A window that starts at ``s`` has the inputs ``[s, s + seq_length)`` and, for each of them, the token after
it as target: ``[s + 1, s + seq_length + 1)``. None crosses a piece, and so none crosses a split. Only starts
are stored; the tokens are read through `windows_at`, a view that copies nothing until it is indexed.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline_lib.errors import CorpusError, TrainingError
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.vocabulary import UNKNOWN_ID

WINDOW_SCHEMA = pa.schema(
    [
        pa.field("split", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
    ],
    metadata={"schema": "windows/1"},
)

WINDOW_PARQUET_OPTIONS = {
    "use_dictionary": ["split"],
    "column_encoding": {"start": "DELTA_BINARY_PACKED"},
}
"""Starts mostly differ by the stride: stored as differences they take a fraction of a byte."""


def window_starts(spans: NDArray[np.int64], seq_length: int, stride: int) -> NDArray[np.int64]:
    """Starts of all windows.

    Parameters
    ----------
    spans : int64 array, shape (n_pieces, 2)
        Start and length of each piece in the flat array, in tokens.
    seq_length, stride : int
        In tokens.

    Returns
    -------
    int64 array, shape (n_windows,)
        Rising; a piece of n tokens has room for ``(n - seq_length - 1) // stride + 1`` windows, or none.
    """
    room = np.maximum((spans[:, 1] - seq_length - 1) // stride + 1, 0)
    firsts = np.repeat(spans[:, 0], room)
    nth_in_piece = np.arange(room.sum()) - np.repeat(np.cumsum(room) - room, room)
    starts: NDArray[np.int64] = firsts + nth_in_piece * stride
    return starts


def index_table(corpus: TokenCorpus, seq_length: int, stride: int) -> pa.Table:
    """All windows of the train and valid splits; valid windows do not overlap, whatever the stride."""
    train = window_starts(corpus.spans(Split.TRAIN), seq_length, stride)
    valid = window_starts(corpus.spans(Split.VALID), seq_length, seq_length)
    for split, starts in ((Split.TRAIN, train), (Split.VALID, valid)):
        if not len(starts):
            longest = corpus.spans(split)[:, 1].max(initial=0)
            raise TrainingError(
                f"no window of seq_length {seq_length} fits into any {split.value} piece; "
                f"the longest has {longest} tokens",
                remedy="use a smaller seq_length, or a corpus with longer pieces",
            )
    splits = [Split.TRAIN.value] * len(train) + [Split.VALID.value] * len(valid)
    return pa.table(
        {
            "split": pa.array(splits).dictionary_encode().cast(WINDOW_SCHEMA.field("split").type),
            "start": np.concatenate([train, valid]),
        },
        schema=WINDOW_SCHEMA,
    )


def starts_of(table: pa.Table, split: Split) -> NDArray[np.int64]:
    """The starts of one split's windows."""
    starts: NDArray[np.int64] = table.filter(pc.field("split") == split.value)["start"].to_numpy()
    return starts


def n_long_enough(corpus: TokenCorpus, split: Split, seq_length: int) -> int:
    """Pieces of a split that have room for a window."""
    return int((corpus.spans(split)[:, 1] > seq_length).sum())


def windows_at(
    token_ids: NDArray[np.int32], starts: NDArray[np.int64], seq_length: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Inputs and targets of windows, both of shape (n_windows, seq_length)."""
    rows = sliding_window_view(token_ids, seq_length + 1)[starts]
    return rows[:, :-1], rows[:, 1:]


def count_targets(corpus: TokenCorpus, split: Split, n_context: int) -> int:
    """Tokens of a split that have at least `n_context` tokens of their piece before them.

    Scoring every ``seq_length`` on the targets that the longest one can predict is what makes their
    perplexities comparable.

    Raises
    ------
    CorpusError
        There are none, or the vocabulary knows none of them.
    """
    spans = corpus.spans(split)
    positions = window_starts(spans, n_context, 1) + n_context
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
