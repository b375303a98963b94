from __future__ import annotations

from collections import Counter

import pytest

from pipeline_lib.errors import ConfigError
from pipeline_lib.tokens.corpus import TokenCorpus, build_corpus
from pipeline_lib.tokens.prompts import (
    Prompt,
    check_prompt,
    prompt_table,
    prompts_from_table,
    random_prompts,
)
from pipeline_lib.tokens.vocabulary import build_vocabulary
from tests.tokens.conftest import A, B, C, row, token_lines


def corpus_with_valid(*valid: list[str]) -> TokenCorpus:
    """A and B are in the vocabulary, C is not."""
    vocabulary, _ = build_vocabulary(Counter([A, B]), 1, min_count=1)
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
    with pytest.raises(ConfigError, match="knows no token of any validation piece"):
        random_prompts(corpus_with_valid([C, C]), 1, 4, seed=0)


def test_a_given_prompt_with_unknown_tokens_names_them() -> None:
    vocabulary = corpus_with_valid([A]).vocabulary
    check_prompt(Prompt("tune.mid", (A, B), "4/4", 120.0, None), vocabulary)
    with pytest.raises(ConfigError, match=r"tune\.mid cannot be continued.*Pitch_64:1"):
        check_prompt(Prompt("tune.mid", (A, C), "4/4", 120.0, None), vocabulary)
    with pytest.raises(ConfigError, match="it holds no notes"):
        check_prompt(Prompt("rest.mid", (), "4/4", 120.0, None), vocabulary)


def test_the_saved_prompts_come_back() -> None:
    prompts = random_prompts(corpus_with_valid([A, B], [B, A]), 3, 2, seed=1)
    assert prompts_from_table(prompt_table(prompts)) == prompts
