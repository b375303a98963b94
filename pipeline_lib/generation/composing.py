"""From a model and prompts to new pieces, by the same rules whatever the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.config import ComposeConfig
from pipeline_lib.generation.samples import Ending, Sample
from pipeline_lib.models.protocols import Composer
from pipeline_lib.tokens.constraints import Constraints, constrain
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.tokens.vocabulary import Vocabulary

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Composition:
    """What a model made of all prompts at one temperature.

    Parameters
    ----------
    config : ComposeConfig
    samples : list of Sample
        One for each prompt.
    """

    config: ComposeConfig
    samples: list[Sample]


@dataclass(frozen=True, eq=False)
class ExplainedComposition(Composition):
    """The same, and what the model thought of every new token.

    Parameters
    ----------
    explained : pyarrow.Table
        With `generation.explanation.EXPLANATION_SCHEMA`.
    """

    explained: pa.Table

    def explanation_of(self, sample: Sample) -> pa.Table:
        """The rows of one sample."""
        return self.explained.filter(pc.field("sample") == sample.number)


def compose(
    composer: Composer,
    vocabulary: Vocabulary,
    prompts: Sequence[Prompt],
    config: ComposeConfig,
    tokeniser: Tokeniser,
    progress: Progress = lambda step, n_steps: None,
) -> list[Sample]:
    """Continue every prompt.

    Parameters
    ----------
    composer : Composer
        Such as `models.sampling.composers.NetworkComposer`.
    vocabulary : Vocabulary
        The composer's.
    prompts : sequence of Prompt
        All with the same number of tokens, which the vocabulary knows. The n-th one's sample has the number n.
    config : ComposeConfig
    tokeniser : Tokeniser
        The vocabulary's.
    progress : callable
        Told the steps done and the number of steps.

    Raises
    ------
    ConfigError
        The constraints cannot be met.
    """
    constraints = constrain(config, prompts, vocabulary, tokeniser)
    given = [vocabulary.encode(prompt.tokens) for prompt in prompts]
    # A length that was asked for is met, however many tokens it takes.
    length = constraints.most_tokens if constraints.has_length else config.length
    added = composer.continue_prompts(given, constraints, config, length, progress)
    return [
        Sample(
            config.temperature,
            n,
            prompt,
            tuple(vocabulary.decode(ids.tolist())),
            _ending(ids, length, constraints),
        )
        for n, (prompt, ids) in enumerate(zip(prompts, added, strict=True))
    ]


def compose_grid(
    composer: Composer,
    vocabulary: Vocabulary,
    prompts: Sequence[Prompt],
    grid: Sequence[ComposeConfig],
    tokeniser: Tokeniser,
    progress: Progress = lambda step, n_steps: None,
) -> Iterator[Composition]:
    """Continue every prompt at each temperature.

    Parameters
    ----------
    composer, vocabulary, prompts, tokeniser
        As for `compose`.
    grid : sequence of ComposeConfig
        One for each temperature.
    progress : callable
        Told the same of all temperatures together.
    """
    for nth, config in enumerate(grid):
        of_part = _part(progress, nth, len(grid))
        samples = compose(composer, vocabulary, prompts, config, tokeniser, of_part)
        yield Composition(config, samples)


def _part(progress: Progress, nth: int, n: int) -> Progress:
    """Progress of the nth of n equal parts, as that of the whole."""
    return lambda done, total: progress(nth * total + done, n * total)


def _ending(added: NDArray[np.int32], length: int, constraints: Constraints) -> Ending:
    """Why a sample is as long as it is."""
    if constraints.has_length:
        return "asked"
    return "limit" if len(added) == length else "model"
