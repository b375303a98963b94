"""New music by a model: composed at each temperature, and explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline_lib.config import ComposeConfig
from pipeline_lib.generation.composers import ExplainingComposer
from pipeline_lib.generation.composing import ExplainedComposition, Progress, compose_grid
from pipeline_lib.generation.explanation import explain
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.tokens.vocabulary import Vocabulary


def compose_and_explain(
    model: ExplainingComposer,
    vocabulary: Vocabulary,
    prompts: Sequence[Prompt],
    grid: Sequence[ComposeConfig],
    tokeniser: Tokeniser,
    progress: Progress = lambda step, n_steps: None,
) -> Iterator[ExplainedComposition]:
    """Continue every prompt at each temperature, and say what the model thought of every new token.

    Parameters
    ----------
    model : ExplainingComposer
    vocabulary, prompts, grid, tokeniser, progress
        As for `composing.compose_grid`.
    """
    for made in compose_grid(model.composer, vocabulary, prompts, grid, tokeniser, progress):
        explained = explain(model.predictor, vocabulary, made.samples)
        yield ExplainedComposition(made.config, made.samples, explained)
