from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.errors import CorpusError, TrainingError
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.vocabulary import UNKNOWN_ID
from pipeline_lib.tokens.windows import (
    WindowIndex,
    count_targets,
    index_table,
    n_long_enough,
    windows_of,
)


@pytest.mark.parametrize(
    ("seq_length", "stride", "expected"),
    [(3, 1, [0, 1, 2, 6]), (3, 2, [0, 2, 6]), (5, 1, [0]), (6, 1, [])],
)
def test_starts_in_pieces_of_six_and_four_tokens(
    seq_length: int, stride: int, expected: list[int]
) -> None:
    spans = np.array([[0, 6], [6, 4]])
    assert WindowIndex.of(spans, seq_length, stride).all_starts().tolist() == expected


def test_the_index_holds_train_at_the_stride_and_valid_without_overlap(corpus: TokenCorpus) -> None:
    table = index_table(corpus, seq_length=2, stride=1)
    assert windows_of(table, Split.TRAIN).all_starts().tolist() == [0, 1, 2, 3, 6, 7]
    assert windows_of(table, Split.VALID).all_starts().tolist() == [10, 12]


def test_targets_have_the_asked_for_context_within_their_piece(corpus: TokenCorpus) -> None:
    # Train pieces of six and four tokens, start and end included: three targets and one.
    assert count_targets(corpus, Split.TRAIN, 3) == 4
    # The test piece is start, unknown, B, end; what is unknown is asked for, too.
    assert count_targets(corpus, Split.TEST, 1) == 3


def test_a_split_without_targets_is_refused(corpus: TokenCorpus) -> None:
    with pytest.raises(CorpusError, match=r"no valid piece has more than 9 tokens.*longest has 5"):
        count_targets(corpus, Split.VALID, 9)


def test_a_split_that_the_vocabulary_does_not_know_is_refused(corpus: TokenCorpus) -> None:
    unknown = pa.array(np.full(len(corpus.token_ids), UNKNOWN_ID))
    table = corpus.table.set_column(0, "token_id", unknown)
    with pytest.raises(CorpusError, match="knows none of the held-out tokens"):
        count_targets(replace(corpus, table=table), Split.TEST, 1)


def test_a_window_that_fits_nowhere_is_refused(corpus: TokenCorpus) -> None:
    with pytest.raises(TrainingError, match="no window of seq_length 5 fits into any valid piece"):
        index_table(corpus, seq_length=5, stride=1)


def test_longer_windows_fit_into_fewer_pieces(corpus: TokenCorpus) -> None:
    assert [n_long_enough(corpus, Split.TRAIN, n) for n in (3, 4, 5, 6)] == [2, 1, 1, 0]


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=10),
    seq_length=st.integers(1, 20),
    stride=st.integers(1, 7),
)
def test_no_window_crosses_a_piece_and_none_is_missing(
    lengths: list[int], seq_length: int, stride: int
) -> None:
    ends = np.cumsum(lengths)
    spans = np.stack([ends - lengths, lengths], axis=1)
    expected = [
        start
        for begin, length in spans
        for start in range(begin, begin + length, stride)
        if start + seq_length + 1 <= begin + length
    ]
    assert WindowIndex.of(spans, seq_length, stride).all_starts().tolist() == expected
