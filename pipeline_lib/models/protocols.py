"""Protocols of models: a `Predictor` can be scored, a `Composer` continues prompts, a `Stepper` can be made into one.

Networks, n-gram models and mixtures of them all follow these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.config import ComposeConfig
from pipeline_lib.tokens.constraints import Constraints


class Predictor(Protocol):
    """A model that predicts each token of a piece from those before it."""

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[NDArray[np.float64]]:
        """Yield the distributions of the next token, piece by piece, in order.

        The model decides how many of the tokens before a target it reads; it never reads the target, nor what
        follows it.

        Parameters
        ----------
        pieces : sequence of int32 arrays
            Token ids of whole pieces, start and end token included.
        first_target : int
            Place, in each piece, of the first token to predict; at least 1.

        Yields
        ------
        float64 array, shape (max(n_tokens - first_target, 0), vocab_size)
            Natural logarithms of probabilities; row i is for the token at ``first_target + i``.
        """


class Stepper(Protocol):
    """A model that reads sequences one token at a time, and remembers what it has read."""

    def reset(self, batch_size: int) -> None:
        """Begin `batch_size` new sequences, of which nothing has been read."""

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Read one token of each sequence, shape (batch,); return the logits of the next, (batch, vocab_size)."""


class Composer(Protocol):
    """A model that writes music: it continues prompts."""

    def continue_prompts(
        self,
        prompts: Sequence[NDArray[np.int32]],
        constraints: Constraints,
        config: ComposeConfig,
        length: int,
        progress: Callable[[int, int], None],
    ) -> list[NDArray[np.int32]]:
        """Continue each prompt with new tokens.

        Parameters
        ----------
        prompts : sequence of int32 arrays
            Token ids, without the start token; all of one length, which may be 0.
        constraints : Constraints
            Constraints with a row for each prompt.
        config : ComposeConfig
        length : int
            Number of new tokens per prompt at most.
        progress : callable
            A function that is told the steps done and the number of steps.

        Returns
        -------
        list of int32 arrays
            The new tokens of each prompt, without prompt, start or end.
        """
