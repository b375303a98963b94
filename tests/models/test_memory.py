"""What the memory of a piece recalls, by hand; and models mixed with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline_lib.models.bar_habits import HABIT_SCHEMA, BarHabits, count_habits
from pipeline_lib.models.memory import recall as memory
from pipeline_lib.models.memory.gate import CLASS_STARTS, N_FEATURES, N_WEIGHTS, apply_gate
from pipeline_lib.models.memory.mixture import (
    MemoryMixture,
    MemoryPredictor,
    fit_mixture,
)
from pipeline_lib.models.memory.recall import Contexts, Recalled, recall_piece
from pipeline_lib.models.memory.stepper import MixtureStepper
from pipeline_lib.tokens.metre import PieceMetre, piece_metres

VOCAB_SIZE = 8
BAR_STEP = 4
ADVANCE_STEP = np.array([0, 0, 1, 1, 1, 1, 1, 1], np.int32)
"""Of each token: start and end take no time, all others a quarter of a bar."""

Piece = NDArray[np.int32]


def metres(pieces: Sequence[Piece]) -> list[PieceMetre]:
    return piece_metres(pieces, ADVANCE_STEP, [BAR_STEP] * len(pieces))


def recalled_in(piece: Piece, first_target: int, vocab_size: int = VOCAB_SIZE) -> list[Recalled]:
    return list(recall_piece(piece, metres([piece])[0], first_target, vocab_size))


class Favourite:
    """Gives one token a probability of its own and all others the same."""

    def __init__(self, token_id: int = 5, probability: float = 1 / VOCAB_SIZE) -> None:
        row = np.full(VOCAB_SIZE, (1 - probability) / (VOCAB_SIZE - 1))
        row[token_id] = probability
        self.row = np.log(row)

    def log_probabilities(
        self, pieces: Sequence[Piece], first_target: int
    ) -> Iterator[NDArray[np.float64]]:
        for piece in pieces:
            yield np.tile(self.row, (max(len(piece) - first_target, 0), 1))


def as_piece(*tokens: int) -> Piece:
    return np.array(tokens, dtype=np.int32)


def repeating_tunes(n: int, seed: int = 0) -> list[Piece]:
    """Tunes of sixteen tokens drawn by chance, played twice."""
    rng = np.random.default_rng(seed)
    halves = rng.integers(3, VOCAB_SIZE, (n, 16)).astype(np.int32)
    return [np.concatenate([[0], half, half, [1]]).astype(np.int32) for half in halves]


def losses(mixture: MemoryMixture, pieces: Sequence[Piece]) -> NDArray[np.float64]:
    """Shape (n_pieces, n_tokens - 1), in nats."""
    rows = predictor_of(mixture, len(pieces)).log_probabilities(pieces, 1)
    return np.stack(
        [-row[np.arange(len(p) - 1), p[1:]] for p, row in zip(pieces, rows, strict=True)]
    )


def predictor_of(mixture: MemoryMixture, n_pieces: int = 1) -> MemoryPredictor:
    return MemoryPredictor([Favourite()], mixture, ADVANCE_STEP, [BAR_STEP] * n_pieces)


def fitted(pieces: Sequence[Piece], *models: Favourite) -> MemoryMixture:
    chosen = models or (Favourite(),)
    return fit_mixture(
        [m.log_probabilities(pieces, 1) for m in chosen], pieces, metres(pieces), 1, 10_000
    )


@pytest.fixture(scope="module")
def mixture() -> MemoryMixture:
    return fitted(repeating_tunes(60))


def entries(recalled: Recalled, row: int, contexts: Contexts) -> dict[int, tuple[int, float, int]]:
    """Of a row, token to (length, share, distance), of those that were played there."""
    return {
        int(token_id): (int(length), float(share), int(distance))
        for r, token_id, length, share, distance in zip(
            recalled.row,
            recalled.token_id,
            contexts.length,
            contexts.share,
            contexts.distance,
            strict=True,
        )
        if r == row and length >= 0
    }


def anywhere(recalled: Recalled, row: int) -> dict[int, tuple[int, float, int]]:
    return entries(recalled, row, recalled.anywhere)


def test_the_longest_context_that_each_token_followed_is_recalled() -> None:
    # start a b c a b d a b ?  with a = 3, b = 4, c = 5, d = 6
    (recalled,) = recalled_in(as_piece(0, 3, 4, 5, 3, 4, 6, 3, 4, 7), 1)
    assert recalled.n_rows == 9
    assert anywhere(recalled, 0) == {}  # only the start has been
    # At the end: after "a b" came c (6 tokens ago) and d (3 ago), once each; "a" and "b" only after other tokens.
    assert anywhere(recalled, 8) == {
        3: (0, 0.375, 2),
        4: (0, 0.375, 1),
        5: (2, 0.5, 6),
        6: (2, 0.5, 3),
    }


def test_what_comes_more_often_after_a_context_has_the_larger_share() -> None:
    # b b b c b ?: after b came b twice and c once, each by the context b; "b b" was followed by b and by c.
    (recalled,) = recalled_in(as_piece(0, 4, 4, 4, 5, 4, 7), 6)
    assert anywhere(recalled, 0) == {4: (1, 2 / 3, 3), 5: (1, 1 / 3, 2)}


def test_long_pieces_are_recalled_in_parts_that_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = repeating_tunes(1)[0]
    (whole,) = recalled_in(piece, 3)
    monkeypatch.setattr(memory, "_ROWS_AT_ONCE", 7)
    parts = recalled_in(piece, 3)
    assert [part.n_rows for part in parts] == [7, 7, 7, 7, 3]
    joined = memory.join_recalled(parts)
    for name in ("row", "token_id"):
        assert np.array_equal(getattr(joined, name), getattr(whole, name))
    for name in ("length", "share", "distance"):
        assert np.array_equal(getattr(joined.anywhere, name), getattr(whole.anywhere, name))
        assert np.array_equal(getattr(joined.aligned, name), getattr(whole.aligned, name))


def test_aligned_is_what_lies_whole_pairs_of_bars_back() -> None:
    # Four tokens a bar. The last place is the third of bar 3; two bars before it stands 5, after the context 7 3 4, as
    # now. The 6 that followed the same context in bar 2 stands at the third place, too, but only one bar before.
    piece = as_piece(0, 7, 7, 7, 7, 3, 4, 5, 7, 3, 4, 6, 7, 3, 4, 2)
    (recalled,) = recalled_in(piece, 15)
    assert anywhere(recalled, 0)[5] == (3, 0.5, 8)
    assert anywhere(recalled, 0)[6] == (3, 0.5, 4)
    aligned = entries(recalled, 0, recalled.aligned)
    assert aligned == {5: (3, 1.0, 2)}


def test_an_upbeat_changes_nothing_but_when_everything_happens() -> None:
    piece = repeating_tunes(1)[0]
    metre = metres([piece])[0]
    later = PieceMetre(metre.onset_step + 3, metre.bar_step)
    (one,), (other,) = (list(recall_piece(piece, m, 1, VOCAB_SIZE)) for m in (metre, later))
    assert np.array_equal(one.aligned.length, other.aligned.length)


def test_no_weights_leave_the_model_as_it_is() -> None:
    nothing = MemoryMixture(np.ones(1), np.zeros(N_WEIGHTS))
    piece = as_piece(0, 3, 4, 3, 4, 1)
    predictor = MemoryPredictor([Favourite(5, 0.3)], nothing, ADVANCE_STEP, [BAR_STEP])
    (rows,) = predictor.log_probabilities([piece], 2)
    assert np.allclose(rows, np.tile(Favourite(5, 0.3).row, (4, 1)))


def test_a_bonus_multiplies_what_the_model_gives() -> None:
    # Uniform over 4; token 3 was played (context of length 0) and gets the bonus log 2: weights 2, 1, 1, 1 of 5.
    gate = np.zeros(N_WEIGHTS)
    gate[0] = np.log(2)
    (recalled,) = recalled_in(as_piece(0, 3, 2), 2, 4)
    row = np.exp(apply_gate(gate, np.full((1, 4), np.log(1 / 4)), recalled))
    assert row.tolist() == [pytest.approx([0.2, 0.2, 0.2, 0.4])]


def test_what_the_memory_recalls_may_outweigh_the_model() -> None:
    # -1 for what the model thinks of it: the bonus cancels the model's tiny probability, 1 remains against the rest.
    gate = np.zeros(N_WEIGHTS)
    gate[3] = -1
    (recalled,) = recalled_in(as_piece(0, 3, 2), 2, 4)
    log_p = np.log([[0.5, 0.25, 0.25 - 1e-6, 1e-6]])
    assert np.exp(apply_gate(gate, log_p, recalled))[0, 3] == pytest.approx(0.5, abs=1e-5)


def test_a_tune_that_repeats_itself_is_predicted_better_the_second_time(
    mixture: MemoryMixture,
) -> None:
    unheard = losses(mixture, repeating_tunes(40, seed=1))
    # The first time nothing can be known: five tokens, as likely as each other.
    assert unheard[:, :16].mean() > np.log(5) - 0.05
    assert unheard[:, 20:32].mean() < 0.5


def test_without_repetition_the_memory_says_no_more_than_frequencies() -> None:
    rng = np.random.default_rng(2)
    shuffled = [rng.permutation(p).astype(np.int32) for p in repeating_tunes(120)]
    known = fitted(shuffled[:60])
    frequency = np.bincount(np.concatenate(shuffled[60:]), minlength=VOCAB_SIZE) / (60 * 34)
    entropy = -(frequency[frequency > 0] * np.log(frequency[frequency > 0])).sum()
    assert losses(known, shuffled[60:]).mean() > entropy - 0.1


@settings(deadline=None, max_examples=50)
@given(
    tokens=st.lists(st.integers(1, VOCAB_SIZE - 1), min_size=2, max_size=30),
    cut=st.integers(1, 29),
    later=st.lists(st.integers(1, VOCAB_SIZE - 1), min_size=1, max_size=30),
)
def test_neither_the_target_nor_what_follows_it_is_seen(
    mixture: MemoryMixture, tokens: list[int], cut: int, later: list[int]
) -> None:
    cut = min(cut, len(tokens))
    predictor = predictor_of(mixture)
    one, other = as_piece(0, *tokens), as_piece(0, *tokens[:cut], *later)
    rows = [next(predictor.log_probabilities([piece], 1)) for piece in (one, other)]
    # Row i is for token i + 1; all rows up to that of the first changed token must agree.
    assert np.array_equal(rows[0][: cut + 1], rows[1][: cut + 1][: len(rows[0])])
    assert np.allclose(np.exp(rows[0]).sum(axis=1), 1.0)
    assert np.isfinite(rows[0]).all()


def test_of_two_models_the_better_has_the_larger_share() -> None:
    pieces = [as_piece(0, *([5] * 7), 4) for _ in range(20)]
    known = fitted(pieces, Favourite(5, 0.8), Favourite(5, 0.01))
    assert known.shares.sum() == pytest.approx(1.0)
    assert known.shares[0] > 0.9


def test_targets_that_the_vocabulary_does_not_know_teach_nothing() -> None:
    pieces = repeating_tunes(30)
    unknown = [np.where(piece == 7, 2, piece).astype(np.int32) for piece in pieces]
    spoilt = [np.append(piece, [2, 2, 2]).astype(np.int32) for piece in unknown]
    assert np.allclose(fitted(unknown).gate, fitted(spoilt).gate)


def test_no_more_pieces_are_read_than_there_have_to_be() -> None:
    def predicted() -> Iterator[NDArray[np.float64]]:
        yield from Favourite().log_probabilities(pieces[:2], 1)
        pytest.fail("a third piece was asked for")

    pieces = repeating_tunes(5)  # of 33 targets each
    enough = fit_mixture([predicted()], pieces, metres(pieces), 1, max_targets=60)
    assert np.array_equal(enough.gate, fitted(pieces[:2]).gate)


def test_the_fit_is_the_minimum(mixture: MemoryMixture) -> None:
    pieces = repeating_tunes(60)
    prior = 0.1 * (mixture.gate**2).sum()
    best = losses(mixture, pieces).sum() + prior
    rng = np.random.default_rng(0)
    for _ in range(20):
        gate = mixture.gate + rng.normal(0, 0.02, mixture.gate.shape)
        nearby = losses(MemoryMixture(mixture.shares, gate), pieces).sum() + 0.1 * (gate**2).sum()
        assert nearby > best


def test_the_saved_numbers_are_the_mixture(mixture: MemoryMixture) -> None:
    back = MemoryMixture.from_json(json.loads(json.dumps(mixture.to_json())))
    assert np.array_equal(losses(back, repeating_tunes(2)), losses(mixture, repeating_tunes(2)))


def test_what_comes_back_at_its_place_in_the_bar_is_believed_more() -> None:
    """Bars of one note and three others, in any order but the first: a token means what its place in the bar says."""
    rng = np.random.default_rng(3)
    tunes = []
    for _ in range(60):
        first = rng.integers(3, VOCAB_SIZE)
        bars = [[first, *rng.permutation([3, 4, 5])] for _ in range(8)]
        tunes.append(as_piece(0, *np.concatenate(bars), 1))
    known = fitted(tunes)
    aligned = known.gate.reshape(2, len(CLASS_STARTS), N_FEATURES)[1]
    without = MemoryMixture(
        known.shares, np.concatenate([known.gate[: N_WEIGHTS // 2], 0 * aligned.ravel()])
    )
    on_the_bar = np.arange(12, 32, 4)
    assert (
        losses(known, tunes)[:, on_the_bar].mean()
        < losses(without, tunes)[:, on_the_bar].mean() - 0.2
    )


class FavouriteStepper:
    """`Favourite`, one token at a time."""

    def reset(self, batch_size: int) -> None:
        self.rows = np.tile(Favourite().row, (batch_size, 1)).astype(np.float32)

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        return self.rows


NO_HABITS = BarHabits(HABIT_SCHEMA.empty_table(), ADVANCE_STEP)


def stepper_of(mixture: MemoryMixture, habits: BarHabits) -> MixtureStepper:
    """The mixture with the favourite, for three sequences."""
    bar_step = np.full(3, BAR_STEP)
    return MixtureStepper([FavouriteStepper()], mixture, habits, ADVANCE_STEP, bar_step)


def test_what_is_never_played_at_a_place_of_the_bar_is_as_good_as_impossible_there(
    mixture: MemoryMixture,
) -> None:
    piece = repeating_tunes(1, seed=5)[0]
    metres = piece_metres([piece] * 30, ADVANCE_STEP, [BAR_STEP] * 30)
    habits = BarHabits(count_habits([piece] * 30, metres, ADVANCE_STEP), ADVANCE_STEP)
    free, bound = stepper_of(mixture, NO_HABITS), stepper_of(mixture, habits)
    free.reset(3)
    bound.reset(3)
    for now_step, token in zip(metres[0].onset_step, piece, strict=True):
        is_usual = habits.is_usual(np.full(3, BAR_STEP), np.full(3, now_step + ADVANCE_STEP[token]))
        read = np.full(3, token, np.int32)
        assert np.allclose(bound.step(read), free.step(read) - 50 * ~is_usual, atol=1e-4)


def test_what_is_read_token_by_token_is_what_is_scored(mixture: MemoryMixture) -> None:
    pieces = repeating_tunes(3, seed=5)
    stepper = stepper_of(mixture, NO_HABITS)
    stepper.reset(3)
    steps = np.stack([stepper.step(token_ids) for token_ids in np.stack(pieces).T[:-1]], axis=1)
    scored = list(predictor_of(mixture, 3).log_probabilities(pieces, 1))
    assert np.allclose(steps, scored, atol=1e-5)


def test_a_bar_is_needed_for_every_sequence(mixture: MemoryMixture) -> None:
    stepper = stepper_of(mixture, NO_HABITS)
    with pytest.raises(ValueError, match="2 sequences, but bars of 3"):
        stepper.reset(2)
