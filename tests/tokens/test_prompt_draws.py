"""Prompts drawn from validation pieces of few tokens, whose stretches can be listed by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline_lib.errors import ConfigError
from pipeline_lib.tokens.corpus import TokenCorpus, build_corpus
from pipeline_lib.tokens.prompt_draws import random_prompts, window_prompts
from pipeline_lib.tokens.vocabulary import build_vocabulary
from tests.tokenisers import NOTES
from tests.tokens.conftest import A, B, C, row, token_lines


def corpus_with_valid(*valid: list[str]) -> TokenCorpus:
    """A and B are in the vocabulary, C is not."""
    vocabulary, _ = build_vocabulary(Counter([A, B]), 1, 1, NOTES)
    lines = {f"v{n}": line for n, line in enumerate(valid)}
    rows = [row("train", "train"), *(row(name, "valid") for name in lines)]
    return build_corpus(rows, token_lines(train=[A, B], **lines), vocabulary)


def drawn(
    corpus: TokenCorpus, n_prompts: int, n_tokens: int, seed: int = 0
) -> set[tuple[str, ...]]:
    return {prompt.tokens for prompt in random_prompts(corpus, n_prompts, n_tokens, seed)}


def test_a_prompt_is_the_opening_of_a_validation_piece() -> None:
    assert drawn(corpus_with_valid([A, B, A, A]), 3, 2) == {(A, B)}


def test_unknown_tokens_are_passed_over() -> None:
    assert drawn(corpus_with_valid([A, C, B, B, A]), 1, 3) == {(B, B, A)}


def test_prompts_are_shorter_where_the_vocabulary_knows_too_few_tokens() -> None:
    assert drawn(corpus_with_valid([A, C, B, B], [C, A]), 2, 16) == {(B, B)}


def test_every_piece_is_used_before_any_comes_twice() -> None:
    corpus = corpus_with_valid([A, A], [A, B], [B, A], [B, B])
    assert len(drawn(corpus, 4, 2)) == 4
    sources = [prompt.source for prompt in random_prompts(corpus, 8, 2, seed=0)]
    assert sorted(sources[:4]) == sorted(sources[4:])
    assert sources == [prompt.source for prompt in random_prompts(corpus, 8, 2, seed=0)]
    assert any(
        sources != [prompt.source for prompt in random_prompts(corpus, 8, 2, seed)]
        for seed in range(1, 5)
    )


def test_a_corpus_without_known_tokens_is_refused() -> None:
    for draw in (random_prompts, window_prompts):
        with pytest.raises(ConfigError, match="knows no token of any validation piece"):
            draw(corpus_with_valid([C, C]), 1, 4, 0)


def windows(
    corpus: TokenCorpus, n_prompts: int, n_tokens: int, seed: int = 0
) -> list[tuple[str, ...]]:
    return [prompt.tokens for prompt in window_prompts(corpus, n_prompts, n_tokens, seed)]


def test_windows_are_stretches_from_anywhere_in_a_piece() -> None:
    assert sorted(windows(corpus_with_valid([A, B, B, A]), 3, 2)) == [(A, B), (B, A), (B, B)]


def test_windows_hold_known_tokens_only_and_bring_the_metre_of_their_piece() -> None:
    (prompt,) = window_prompts(corpus_with_valid([A, C, B, A, C, B]), 1, 2, seed=0)
    assert (prompt.source, prompt.tokens) == ("v0", (B, A))
    assert (prompt.time_signature, prompt.tempo_qpm, prompt.key_signature) == ("3/4", 90.0, None)


def test_windows_are_shorter_where_the_vocabulary_knows_too_few_tokens() -> None:
    assert set(windows(corpus_with_valid([A, C, B, B], [C, A]), 2, 16)) == {(B, B)}


def test_all_different_windows_come_before_any_comes_twice() -> None:
    # Of two tokens: A A three times, A B, B A; of those pieces 2 and 3 have A A alone.
    corpus = corpus_with_valid([A, A, B, A], [A, A], [A, A])
    for seed in range(5):
        drawn = windows(corpus, 6, 2, seed)
        assert set(drawn[:3]) == {(A, A), (A, B), (B, A)}
        assert drawn[3:] == drawn[:3]


def test_pieces_take_turns_in_giving_windows() -> None:
    corpus = corpus_with_valid([A, B, A, A, A, B, B, B], [B, B, A, B, A, B, A, A])
    for seed in range(5):
        first, second = window_prompts(corpus, 2, 4, seed)
        assert first.source != second.source


def test_the_seed_decides_the_windows() -> None:
    corpus = corpus_with_valid([A, B, A, A, B, B, B, A])
    assert windows(corpus, 3, 3) == windows(corpus, 3, 3)
    assert len({tuple(windows(corpus, 3, 3, seed)) for seed in range(5)}) > 1
