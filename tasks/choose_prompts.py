"""Choose what generation continues, before anything is trained."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import PromptConfig
from pipeline_lib.tokens.prompt_sources import Given, choose
from pipeline_lib.tokens.prompts import prompt_table
from tasks.encode import load_corpus, load_tokeniser
from tasks.stages import stage


@stage(kind="prompts", schema_version=2)
def choose_prompts(
    draft: Draft, tokens: Artifact, given: Given | None, n_prompts: int, config: PromptConfig
) -> None:
    """Write ``prompts.parquet``: one row per sample; the same prompt in all where one is given."""
    corpus = load_corpus(draft.store, tokens)
    tokeniser = load_tokeniser(draft.store, tokens)
    prompts = choose(config, given, corpus, tokeniser, n_prompts)
    draft.write_table("prompts.parquet", prompt_table(prompts))
