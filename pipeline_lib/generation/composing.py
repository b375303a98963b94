"""From a model and prompts to new pieces: drawn note by note, or searched for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.config import ComposeConfig
from pipeline_lib.generation.samples import Ending, Sample
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.protocols import Stepper
from pipeline_lib.models.sampling.beam_search import search
from pipeline_lib.models.sampling.network_loop import Sampler
from pipeline_lib.models.sampling.stepper_loop import sample_stepwise
from pipeline_lib.tokens.constraints import Constraints, constrain
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.tokens.vocabulary import Vocabulary

Progress = Callable[[int, int], None]


def compose(
    network: Network,
    vocabulary: Vocabulary,
    prompts: Sequence[Prompt],
    config: ComposeConfig,
    tokeniser: Tokeniser,
    progress: Progress = lambda step, n_steps: None,
) -> list[Sample]:
    """Continue every prompt.

    Parameters
    ----------
    network : Network
    vocabulary : Vocabulary
        The network's.
    prompts : sequence of Prompt
        All with the same number of tokens, which the vocabulary knows. The n-th one's sample has the number n.
    config : ComposeConfig
    tokeniser : Tokeniser
        The vocabulary's.

    Raises
    ------
    ConfigError
        The constraints cannot be met.
    """
    constraints = constrain(config, prompts, vocabulary, tokeniser)
    given, length = _encoded(prompts, vocabulary), _most_tokens(constraints, config)
    if config.beam_width is None:
        sampler = Sampler(network, config)
        added = sampler.sample(
            given, constraints, length=length, seed=config.seed, progress=progress
        )
    else:
        added = _searched(network, given, constraints, config.beam_width, length, progress)
    return _samples(prompts, added, vocabulary, constraints, config)


def compose_stepwise(
    stepper: Stepper,
    vocabulary: Vocabulary,
    prompts: Sequence[Prompt],
    config: ComposeConfig,
    tokeniser: Tokeniser,
    progress: Progress = lambda step, n_steps: None,
) -> list[Sample]:
    """Continue every prompt with another model than a network, by the same rules; it is always drawn.

    Parameters
    ----------
    stepper : Stepper
        The model, such as `models.ngrams.smoothed.NgramStepper`.
    vocabulary, prompts, config, tokeniser, progress
        As for `compose`; ``beam_width`` is not read.

    Raises
    ------
    ConfigError
        The constraints cannot be met.
    """
    constraints = constrain(config, prompts, vocabulary, tokeniser)
    added = sample_stepwise(
        stepper,
        config,
        _encoded(prompts, vocabulary),
        constraints,
        length=_most_tokens(constraints, config),
        seed=config.seed,
        progress=progress,
    )
    return _samples(prompts, added, vocabulary, constraints, config)


def _encoded(prompts: Sequence[Prompt], vocabulary: Vocabulary) -> list[NDArray[np.int32]]:
    return [vocabulary.encode(prompt.tokens) for prompt in prompts]


def _most_tokens(constraints: Constraints, config: ComposeConfig) -> int:
    """New tokens per sample at most; a length that was asked for is met, however many tokens it takes."""
    return constraints.most_tokens if constraints.has_length else config.length


def _samples(
    prompts: Sequence[Prompt],
    added: Sequence[NDArray[np.int32]],
    vocabulary: Vocabulary,
    constraints: Constraints,
    config: ComposeConfig,
) -> list[Sample]:
    """What was added to each prompt, as samples."""
    length = _most_tokens(constraints, config)
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


def _ending(added: NDArray[np.int32], length: int, constraints: Constraints) -> Ending:
    if constraints.has_length:
        return "asked"
    return "limit" if len(added) == length else "model"


def _searched(
    network: Network,
    prompts: Sequence[NDArray[np.int32]],
    constraints: Constraints,
    width: int,
    length: int,
    progress: Progress,
) -> list[NDArray[np.int32]]:
    """The outcome of a search for each prompt; what is the same for several is searched for once."""
    found: dict[bytes, NDArray[np.int32]] = {}
    outcomes = []
    for n, prompt in enumerate(prompts):
        of_prompt = constraints.of(slice(n, n + 1))
        key = prompt.tobytes() + of_prompt.is_allowed.tobytes() + of_prompt.steps_left.tobytes()
        if key not in found:
            found[key] = search(network, prompt, of_prompt, width=width, length=length)
        outcomes.append(found[key])
        progress(n + 1, len(prompts))
    return outcomes
