"""What a prompt is, and what becomes of tokens that the vocabulary lacks."""

from __future__ import annotations

import pytest

from pipeline_lib.errors import ConfigError
from pipeline_lib.tokens.prompts import (
    Prompt,
    check_prompt,
    prompt_table,
    prompts_from_table,
    with_nearest,
)
from pipeline_lib.tokens.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.tokenisers import NOTES
from tests.tokens.conftest import A, B, C

KNOWN = Vocabulary.of((*SPECIAL_TOKENS, A, B), NOTES)


def prompt(*tokens: str) -> Prompt:
    return Prompt("tune.mid", tokens, "4/4", 120.0, None)


def test_known_tokens_can_be_continued_and_so_can_nothing() -> None:
    check_prompt(prompt(A, B), KNOWN, NOTES)
    check_prompt(prompt(), KNOWN, NOTES)


def test_unknown_tokens_are_named_with_the_nearest_known() -> None:
    with pytest.raises(ConfigError, match="cannot be continued") as caught:
        check_prompt(prompt(A, C, "Rest:1", C), KNOWN, NOTES)
    assert caught.value.problem == (
        "the prompt tune.mid cannot be continued: never seen in training: "
        "E4:1 (nearest: D4:1, C4:1); R:1 (nearest: none)"
    )
    assert "prompts.nearest=true" in caught.value.remedy


def test_of_many_unknown_tokens_a_few_are_named() -> None:
    unknown = [f"Pitch_{pitch}:1" for pitch in range(70, 77)]
    with pytest.raises(ConfigError, match=r"D5:1 \(nearest: D4:1, C4:1\); and 2 more"):
        check_prompt(prompt(*unknown), KNOWN, NOTES)


def test_unknown_tokens_are_replaced_by_the_nearest_and_that_is_recorded() -> None:
    replaced = with_nearest(prompt(C, A, C, "Pitch_60:1/2"), KNOWN, NOTES)
    assert replaced.tokens == (B, A, B, A)
    assert replaced.replaced == ("E4:1 -> D4:1", "C4:1/2 -> C4:1")
    check_prompt(replaced, KNOWN, NOTES)


def test_what_nothing_is_near_to_stays() -> None:
    replaced = with_nearest(prompt(A, "Rest:1"), KNOWN, NOTES)
    assert (replaced.tokens, replaced.replaced) == ((A, "Rest:1"), ())


def test_the_saved_prompts_come_back() -> None:
    prompts = [prompt(A, B), with_nearest(prompt(C), KNOWN, NOTES), prompt()]
    assert prompts_from_table(prompt_table(prompts)) == prompts
