"""Choose what generation continues, before anything is trained."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import PromptConfig
from pipeline_lib.stores.tokens import read_tokeniser, read_tokens, write_prompts
from pipeline_lib.tokens.prompt_sources import Given, choose
from tasks.stages import stage


@stage(kind="prompts", schema_version=2)
def choose_prompts(
    draft: Draft, tokens: Artifact, given: Given | None, n_prompts: int, config: PromptConfig
) -> None:
    """Write ``prompts.parquet``: one row per sample; the same prompt in all where one is given."""
    corpus = read_tokens(draft.store, tokens)
    tokeniser = read_tokeniser(draft.store, tokens)
    write_prompts(draft, choose(config, given, corpus, tokeniser, n_prompts))
