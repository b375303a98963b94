from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.windows import (
    index_table,
    starts_of,
    target_positions,
    window_starts,
    windows_at,
)


@pytest.mark.parametrize(
    ("seq_length", "stride", "expected"),
    [(3, 1, [0, 1, 2, 6]), (3, 2, [0, 2, 6]), (5, 1, [0]), (6, 1, [])],
)
def test_starts_in_pieces_of_six_and_four_tokens(
    seq_length: int, stride: int, expected: list[int]
) -> None:
    spans = np.array([[0, 6], [6, 4]])
    assert window_starts(spans, seq_length, stride).tolist() == expected


def test_targets_are_the_inputs_one_token_later(corpus: TokenCorpus) -> None:
    inputs, targets = windows_at(corpus.token_ids, np.array([0, 1]), seq_length=3)
    assert inputs.tolist() == [corpus.token_ids[0:3].tolist(), corpus.token_ids[1:4].tolist()]
    assert targets.tolist() == [corpus.token_ids[1:4].tolist(), corpus.token_ids[2:5].tolist()]


def test_the_index_holds_train_at_the_stride_and_valid_without_overlap(corpus: TokenCorpus) -> None:
    table = index_table(corpus, seq_length=2, stride=1)
    assert starts_of(table, Split.TRAIN).tolist() == [0, 1, 2, 3, 6, 7]
    assert starts_of(table, Split.VALID).tolist() == [10, 12]


def test_target_positions_have_the_asked_for_context_within_their_piece() -> None:
    assert target_positions(np.array([[0, 6], [6, 4]]), 3).tolist() == [3, 4, 5, 9]


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
    assert window_starts(spans, seq_length, stride).tolist() == expected
