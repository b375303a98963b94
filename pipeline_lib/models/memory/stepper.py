"""A mixture of models with the memory, reading one token at a time: what writes music with all that predicts it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.models.bar_habits import BarHabits
from pipeline_lib.models.memory.gate import FloatArray, apply_gate
from pipeline_lib.models.memory.mixture import MemoryMixture, mix_models
from pipeline_lib.models.memory.recall import Clock, IntArray, next_matches, recall
from pipeline_lib.models.protocols import Stepper

_UNUSUAL_NAT = 50.0
"""By how much less likely a token is where it is not usual: never drawn, unless nothing else is allowed."""


class MixtureStepper:
    """A mixture of models with the memory, as a `protocols.Stepper`; every sequence has a memory of its own.

    It keeps to what is usual at each place of a bar.

    Parameters
    ----------
    steppers : sequence of Stepper
        The models.
    mixture : MemoryMixture
        Weights that were fitted for these models, in this order.
    habits : BarHabits
    advance_step : int32 array, shape (vocab_size,)
        Grid steps that each token takes.
    bar_step : int64 array, shape (n_sequences,)
        Grid steps in a bar of each sequence.
    """

    def __init__(
        self,
        steppers: Sequence[Stepper],
        mixture: MemoryMixture,
        habits: BarHabits,
        advance_step: NDArray[np.int32],
        bar_step: IntArray,
    ) -> None:
        self._steppers, self._mixture, self._habits = steppers, mixture, habits
        self._advance_step, self._bar_step = advance_step, bar_step

    def reset(self, batch_size: int) -> None:
        """Begin new sequences, as many as there are bars given."""
        if batch_size != len(self._bar_step):
            raise ValueError(f"{batch_size} sequences, but bars of {len(self._bar_step)}")
        for stepper in self._steppers:
            stepper.reset(batch_size)
        self._tokens = np.empty((batch_size, 0), np.int32)
        self._matches = np.full((batch_size, 0), -1, np.int16)
        self._onset_step = np.empty((batch_size, 0), np.int64)
        self._now_step = np.zeros(batch_size, np.int64)

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Read one token per sequence, shape (batch,); log-probabilities of the next, (batch, vocab_size)."""
        log_p = mix_models(
            self._mixture.shares, [_log_softmax(s.step(token_ids)) for s in self._steppers]
        )
        self._play(token_ids)
        clock = Clock(self._onset_step, self._now_step, self._bar_step)
        recalled = recall(self._tokens, self._matches, clock, log_p.shape[1])
        log_p = apply_gate(self._mixture.gate, log_p, recalled)
        is_usual = self._habits.is_usual(self._bar_step, self._now_step)
        return np.where(is_usual, log_p, log_p - _UNUSUAL_NAT).astype(np.float32)

    def _play(self, token_ids: NDArray[np.int32]) -> None:
        """Remember one more token of each sequence."""
        self._matches = next_matches(self._matches, self._tokens, token_ids)
        self._tokens = np.append(self._tokens, token_ids[:, None], axis=1)
        self._onset_step = np.append(self._onset_step, self._now_step[:, None], axis=1)
        self._now_step = self._now_step + self._advance_step[token_ids]


def _log_softmax(logits: NDArray[np.float32]) -> FloatArray:
    """Log-probabilities in double precision, row by row; those that are log-probabilities already stay so."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_p: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_p
