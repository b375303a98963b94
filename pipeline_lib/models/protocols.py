"""What a model has to offer: to be scored, and to write music."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.config import ComposeConfig
from pipeline_lib.tokens.constraints import Constraints


class Predictor(Protocol):
    """Anything that predicts the tokens of a piece from those before them."""

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[NDArray[np.float64]]:
        """The distributions of the next token, piece by piece, in order.

        How much of what stands before a target is read is for the model to decide; it is never the target,
        nor what follows it.

        Parameters
        ----------
        pieces : sequence of int32 arrays
            Token ids of whole pieces, start and end token included.
        first_target : int
            Place in its piece of the first token to predict, at least 1.

        Yields
        ------
        float64 array, shape (max(n_tokens - first_target, 0), vocab_size)
            Natural logarithms; row i is for the token at ``first_target + i``.
        """


class Stepper(Protocol):
    """A model that reads one token at a time and remembers."""

    def reset(self, batch_size: int) -> None:
        """Begin new sequences."""

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Read one token per sequence, shape (batch,); logits of the next, (batch, vocab_size)."""


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
        """The new tokens of each prompt, without prompt, start or end.

        Parameters
        ----------
        prompts : sequence of int32 arrays
            Token ids, without the start token; all of one length, which may be 0.
        constraints : Constraints
            A row for each prompt.
        config : ComposeConfig
        length : int
            New tokens per prompt at most.
        progress : callable
            Told the steps done and the number of steps.
        """
