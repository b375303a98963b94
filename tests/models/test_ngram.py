"""Witten-Bell probabilities computed by hand, and properties that hold for any corpus."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.models.ngram import NgramModel, count_ngrams

# Tokens 0 = start, 1 = a, 2 = b. One piece: start a b a b.
TOKENS = np.array([0, 1, 2, 1, 2], dtype=np.int32)
SPANS = np.array([[0, 5]])


@pytest.fixture
def model() -> NgramModel:
    return count_ngrams(TOKENS, SPANS, vocab_size=3, max_order=3)


def probabilities(model: NgramModel, *context: int) -> list[float]:
    piece = np.array([*context, 0], dtype=np.int32)  # whatever its last token is
    (log_p,) = model.log_probabilities([piece], len(context))
    return np.exp(log_p)[0].tolist()


def test_unigrams_mix_counts_with_the_uniform_distribution(model: NgramModel) -> None:
    # Counts: a 2, b 2, total 4; three types, since the start token is known too, though never a target.
    # P(a) = (2 + 3 * 1/3) / (4 + 3) = 3/7; P(start) = (0 + 1) / 7.
    assert probabilities(model.truncated(1)) == pytest.approx([1 / 7, 3 / 7, 3 / 7])


def test_bigrams_mix_counts_with_unigrams(model: NgramModel) -> None:
    # After a: b twice, one type. P(b | a) = (2 + 1 * 3/7) / (2 + 1) = 17/21.
    assert probabilities(model.truncated(2), 1) == pytest.approx([1 / 21, 3 / 21, 17 / 21])


def test_trigrams_mix_counts_with_bigrams(model: NgramModel) -> None:
    # After a b: a once. P(a | b) = (1 + 1 * 3/7) / (1 + 1) = 5/7; P(a | a b) = (1 + 5/7) / 2 = 6/7.
    assert probabilities(model, 1, 2)[1] == pytest.approx(6 / 7)


def test_an_unseen_context_changes_nothing(model: NgramModel) -> None:
    assert probabilities(model.truncated(2), 0, 0) == pytest.approx(
        probabilities(model.truncated(2), 0)
    )
    assert probabilities(model, 2, 2) == pytest.approx(probabilities(model.truncated(2), 2))


def test_only_the_last_tokens_of_a_long_context_count(model: NgramModel) -> None:
    assert probabilities(model, 0, 0, 0, 1, 2) == probabilities(model, 1, 2)


def test_ngrams_do_not_cross_pieces() -> None:
    two_pieces = count_ngrams(
        np.array([0, 1, 0, 2], dtype=np.int32), np.array([[0, 2], [2, 2]]), 3, 2
    )
    whole = count_ngrams(np.array([0, 1, 0, 2], dtype=np.int32), np.array([[0, 4]]), 3, 2)
    # Within pieces nothing ever follows 1, so its row is the unigrams'; as one piece, 0 follows it.
    assert probabilities(two_pieces, 1) == pytest.approx(probabilities(two_pieces.truncated(1)))
    assert probabilities(whole, 1)[0] > probabilities(two_pieces, 1)[0]


def test_the_saved_table_is_the_model(model: NgramModel) -> None:
    back = NgramModel.from_table(model.to_table(), vocab_size=3)
    piece = np.array([0, 1, 2, 2, 1, 2, 0], dtype=np.int32)
    (saved,), (own,) = (m.log_probabilities([piece], 1) for m in (back, model))
    assert np.array_equal(saved, own)


@settings(deadline=None)
@given(
    pieces=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=12), min_size=1, max_size=4),
    context=st.lists(st.integers(0, 5), max_size=6),
    order=st.integers(1, 5),
)
def test_probabilities_are_positive_and_sum_to_one(
    pieces: list[list[int]], context: list[int], order: int
) -> None:
    tokens = np.array([t for piece in pieces for t in piece], dtype=np.int32)
    lengths = np.array([len(piece) for piece in pieces])
    spans = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)
    row = np.array(probabilities(count_ngrams(tokens, spans, 6, order), *context))
    assert row.sum() == pytest.approx(1.0)
    assert (row > 0).all()
