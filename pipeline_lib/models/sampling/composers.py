"""Models as composers: what continues prompts (see `pipeline_lib.models.protocols.Composer`)."""

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
    """A network, whose tokens are drawn in a compiled loop, or searched for where a beam width is set."""

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
        """The new tokens of each prompt."""
        if config.beam_width is not None:
            width = config.beam_width
            return search_each(self._network, prompts, constraints, width, length, progress)
        sampler = Sampler(self._network, config)
        return sampler.sample(
            prompts, constraints, length=length, seed=config.seed, progress=progress
        )


class StepperComposer:
    """Any model that reads one token at a time, such as an n-gram model; tokens are always drawn."""

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
        """The new tokens of each prompt."""
        return sample_stepwise(
            self._stepper,
            config,
            prompts,
            constraints,
            length=length,
            seed=config.seed,
            progress=progress,
        )
