"""Probabilities computed by hand, and properties that hold for any corpus."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.models.ngrams.counts import NgramCounts, count_ngrams
from pipeline_lib.models.ngrams.smoothed import NgramModel, NgramStepper, kneser_ney, witten_bell

Smoothing = Callable[[NgramCounts, int], NgramModel]
both = pytest.mark.parametrize("smoothing", [witten_bell, kneser_ney])

# Tokens 0 = start, 1 = a, 2 = b. One piece: start a b a b.
TOKENS = np.array([0, 1, 2, 1, 2], dtype=np.int32)
SPANS = np.array([[0, 5]])


@pytest.fixture
def counts() -> NgramCounts:
    return count_ngrams(TOKENS, SPANS, vocab_size=3, max_order=3)


def probabilities(model: NgramModel, *context: int) -> list[float]:
    piece = np.array([*context, 0], dtype=np.int32)  # whatever its last token is
    (log_p,) = model.log_probabilities([piece], len(context))
    return np.exp(log_p)[0].tolist()


def test_witten_bell_unigrams_mix_counts_with_the_uniform_distribution(counts: NgramCounts) -> None:
    # Counts: a 2, b 2, total 4; three types, since the start token is known too, though never a target.
    # P(a) = (2 + 3 * 1/3) / (4 + 3) = 3/7; P(start) = (0 + 1) / 7.
    assert probabilities(witten_bell(counts, 1)) == pytest.approx([1 / 7, 3 / 7, 3 / 7])


def test_witten_bell_bigrams_mix_counts_with_unigrams(counts: NgramCounts) -> None:
    # After a: b twice, one type. P(b | a) = (2 + 1 * 3/7) / (2 + 1) = 17/21.
    assert probabilities(witten_bell(counts, 2), 1) == pytest.approx([1 / 21, 3 / 21, 17 / 21])


def test_witten_bell_trigrams_mix_counts_with_bigrams(counts: NgramCounts) -> None:
    # After a b: a once. P(a | b) = (1 + 1 * 3/7) / (1 + 1) = 5/7; P(a | a b) = (1 + 5/7) / 2 = 6/7.
    assert probabilities(witten_bell(counts, 3), 1, 2)[1] == pytest.approx(6 / 7)


def test_kneser_ney_unigrams_are_discounted_by_one_half_without_single_counts(
    counts: NgramCounts,
) -> None:
    # a 2, b 2: nothing was counted once, so D = 1/2. P(a) = 1.5/4 + (0.5 * 2 / 4) * 1/3 = 11/24.
    assert probabilities(kneser_ney(counts, 1)) == pytest.approx([2 / 24, 11 / 24, 11 / 24])


def test_kneser_ney_counts_what_stands_before_a_shorter_n_gram(counts: NgramCounts) -> None:
    # Before a: start and b, 2 different tokens; before b: a alone, 1. So a is likelier, though a and b are as frequent.
    # D = n1 / (n1 + 2 n2) = 1/3: P(a) = (2 - 1/3)/3 + (1/3 * 2/3)/3 = 17/27, P(b) = (2/3)/3 + 2/27 = 8/27.
    # Bigrams start-a 1, a-b 2, b-a 1: D = 2/(2 + 2) = 1/2. P(b | a) = 1.5/2 + (0.5 * 1/2) * 8/27 = 178/216.
    # P(a | a) = 1/4 * 17/27.
    model = kneser_ney(counts, 2)
    assert probabilities(model, 1) == pytest.approx([1 / 4 * 2 / 27, 1 / 4 * 17 / 27, 178 / 216])


@both
def test_an_unseen_context_changes_nothing(counts: NgramCounts, smoothing: Smoothing) -> None:
    bigrams, trigrams = smoothing(counts, 2), smoothing(counts, 3)
    assert probabilities(bigrams, 0, 0) == pytest.approx(probabilities(bigrams, 0))
    # After "b b", which was never seen, the trigrams say what they say after b.
    assert probabilities(trigrams, 2, 2) == pytest.approx(probabilities(trigrams, 2))


@both
def test_only_the_last_tokens_of_a_long_context_count(
    counts: NgramCounts, smoothing: Smoothing
) -> None:
    model = smoothing(counts, 3)
    assert probabilities(model, 0, 0, 0, 1, 2) == probabilities(model, 1, 2)


def test_ngrams_do_not_cross_pieces() -> None:
    tokens = np.array([0, 1, 0, 2], dtype=np.int32)
    two_pieces = witten_bell(count_ngrams(tokens, np.array([[0, 2], [2, 2]]), 3, 2), 2)
    whole = witten_bell(count_ngrams(tokens, np.array([[0, 4]]), 3, 2), 2)
    # Within pieces nothing ever follows 1, so its row is the unigrams'; as one piece, 0 follows it.
    assert probabilities(two_pieces, 1) == pytest.approx(probabilities(two_pieces))
    assert probabilities(whole, 1)[0] > probabilities(two_pieces, 1)[0]


@both
def test_the_saved_table_is_the_model(counts: NgramCounts, smoothing: Smoothing) -> None:
    back = NgramCounts.from_table(counts.to_table(), vocab_size=3)
    piece = np.array([0, 1, 2, 2, 1, 2, 0], dtype=np.int32)
    for order in (1, 2, 3):
        (saved,) = smoothing(back, order).log_probabilities([piece], 1)
        (own,) = smoothing(counts, order).log_probabilities([piece], 1)
        assert np.array_equal(saved, own)


@both
def test_step_by_step_is_the_whole_piece(counts: NgramCounts, smoothing: Smoothing) -> None:
    model = smoothing(counts, 3)
    pieces = np.array([[0, 1, 2, 2, 1, 0], [0, 2, 1, 2, 1, 2]], dtype=np.int32)
    stepper = NgramStepper(model)
    stepper.reset(2)
    steps = np.stack([stepper.step(tokens) for tokens in pieces.T[:-1]], axis=1)
    assert np.allclose(steps, list(model.log_probabilities(list(pieces), 1)), atol=1e-6)


def corpus_of(pieces: list[list[int]], order: int) -> NgramCounts:
    tokens = np.array([t for piece in pieces for t in piece], dtype=np.int32)
    lengths = np.array([len(piece) for piece in pieces])
    spans = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)
    return count_ngrams(tokens, spans, 6, order)


@both
@settings(deadline=None)
@given(
    pieces=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=12), min_size=1, max_size=4),
    context=st.lists(st.integers(0, 5), max_size=6),
    order=st.integers(1, 5),
)
def test_probabilities_are_positive_and_sum_to_one(
    smoothing: Smoothing, pieces: list[list[int]], context: list[int], order: int
) -> None:
    row = np.array(probabilities(smoothing(corpus_of(pieces, order), order), *context))
    assert row.sum() == pytest.approx(1.0)
    assert (row > 0).all()


@both
def test_of_shuffled_tokens_long_contexts_say_no_more_than_their_frequencies(
    smoothing: Smoothing,
) -> None:
    rng = np.random.default_rng(0)
    tune = np.tile([1, 2, 3, 4, 5, 3, 2, 4], 200).astype(np.int32)
    for tokens, gains in ((tune, True), (rng.permutation(tune), False)):
        counts = count_ngrams(tokens, np.array([[0, 1200]]), 6, 3)
        held_out = tokens[1200:]
        losses = []
        for order in (1, 3):
            (log_p,) = smoothing(counts, order).log_probabilities([held_out], 1)
            losses.append(-log_p[np.arange(len(held_out) - 1), held_out[1:]].mean())
        assert (losses[1] < losses[0]) == gains
