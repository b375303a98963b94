"""Composers: models wrapped so that they continue prompts (`pipeline_lib.models.protocols.Composer`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.config import ComposeConfig
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.protocols import Stepper
from pipeline_lib.models.sampling.beam_search import search_each
from pipeline_lib.models.sampling.network_loop import Progress, Sampler
from pipeline_lib.models.sampling.stepper_loop import sample_stepwise
from pipeline_lib.tokens.constraints import Constraints


class NetworkComposer:
    """A network as a composer: it samples in a compiled loop, or by beam search where a beam width is set."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def continue_prompts(
        self,
        prompts: Sequence[NDArray[np.int32]],
        constraints: Constraints,
        config: ComposeConfig,
        length: int,
        progress: Progress,
    ) -> list[NDArray[np.int32]]:
        """Continue prompts, as `Composer.continue_prompts` says."""
        if config.beam_width is not None:
            width = config.beam_width
            return search_each(self._network, prompts, constraints, width, length, progress)
        sampler = Sampler(self._network, config)
        return sampler.sample(
            prompts, constraints, length=length, seed=config.seed, progress=progress
        )


class StepperComposer:
    """A stepper, such as an n-gram model, as a composer: it always samples, one token at a time.

    Examples
    --------
    A bigram model of one piece, whose likeliest notes follow each other for as long as the end is not allowed:

    >>> from pipeline_lib.models.ngrams.counts import count_ngrams
    >>> from pipeline_lib.models.ngrams.smoothed import NgramStepper, witten_bell
    >>> piece = np.array([0, 3, 4, 3, 4, 1], np.int32)  # start, four notes, end
    >>> counts = count_ngrams(piece, np.array([[0, 6]]), vocab_size=5, max_order=2)
    >>> notes_only = Constraints(
    ...     is_allowed=np.array([[False, False, False, True, True]]),
    ...     steps_left=np.zeros(1, np.int32),
    ...     closes=np.ones((1, 5), bool),
    ...     is_fillable=np.ones((1, 1), bool),
    ...     duration_step=np.ones(5, np.int32),
    ...     has_length=False,
    ... )
    >>> composer = StepperComposer(NgramStepper(witten_bell(counts, order=2)))
    >>> (new,) = composer.continue_prompts(
    ...     [np.array([3], np.int32)],
    ...     notes_only,
    ...     ComposeConfig(temperature=0, seed=0),
    ...     length=5,
    ...     progress=lambda done, total: None,
    ... )
    >>> new.tolist()
    [4, 3, 4, 3, 4]
    """

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def continue_prompts(
        self,
        prompts: Sequence[NDArray[np.int32]],
        constraints: Constraints,
        config: ComposeConfig,
        length: int,
        progress: Progress,
    ) -> list[NDArray[np.int32]]:
        """Continue prompts, as `Composer.continue_prompts` says."""
        return sample_stepwise(
            self._stepper,
            config,
            prompts,
            constraints,
            length=length,
            seed=config.seed,
            progress=progress,
        )
