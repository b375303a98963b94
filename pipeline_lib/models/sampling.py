"""Sampling new sequences one token at a time.

Each sequence has its own random stream (Philox, keyed by seed and sequence number) and takes one uniform
number per token, which is looked up in the cumulative distribution. So a sequence does not depend on how
many others are sampled beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.tokens.vocabulary import END_ID, START_ID, UNKNOWN_ID


class Stepper(Protocol):
    """A model that reads one token at a time and remembers."""

    def reset(self, batch_size: int) -> None:
        """Begin new sequences."""

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Read one token per sequence, shape (batch,); logits of the next, (batch, vocab_size)."""


def sample_sequences(
    stepper: Stepper,
    prompts: Sequence[NDArray[np.int32]],
    *,
    length: int,
    temperature: float,
    seed: int,
    progress: Callable[[int, int], None] = lambda step, n_steps: None,
) -> list[NDArray[np.int32]]:
    """Continue every prompt.

    Parameters
    ----------
    stepper : Stepper
    prompts : sequence of int32 arrays
        Token ids, without the start token; all of one length.
    length : int
        New tokens per sequence at most. A sequence ends sooner where the model ends the piece.
    temperature : float
        Logits are divided by it.
    seed : int

    Returns
    -------
    list of int32 arrays
        The new tokens alone, without prompt, start or end.
    """
    streams = [
        np.random.Generator(np.random.Philox(key=[seed, n])).random(length)
        for n in range(len(prompts))
    ]
    uniforms = np.stack(streams)
    stepper.reset(len(prompts))
    logits = stepper.step(np.full(len(prompts), START_ID, np.int32))
    for token_ids in np.stack(prompts).T:
        logits = stepper.step(token_ids)
    sampled = np.full((len(prompts), length), END_ID, np.int32)
    running = np.ones(len(prompts), dtype=bool)
    for n in range(length):
        sampled[:, n] = np.where(running, choose(logits, temperature, uniforms[:, n]), END_ID)
        running &= sampled[:, n] != END_ID
        progress(n + 1, length)
        if not running.any():
            break
        logits = stepper.step(sampled[:, n])
    return [row[: int(np.argmax(row == END_ID)) if END_ID in row else length] for row in sampled]


def choose(
    logits: NDArray[np.float32], temperature: float, uniforms: NDArray[np.float64]
) -> NDArray[np.int32]:
    """One token per row from softmax(logits / temperature); never the start or the unknown token.

    Parameters
    ----------
    logits : float32 array, shape (n, vocab_size)
    temperature : float
    uniforms : float64 array, shape (n,)
        In [0, 1).
    """
    scaled = logits.astype(np.float64) / temperature
    scaled[:, [START_ID, UNKNOWN_ID]] = -np.inf
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    cumulative = np.cumsum(weights, axis=1)
    thresholds = uniforms * cumulative[:, -1]
    return (cumulative <= thresholds[:, None]).sum(axis=1).astype(np.int32)
