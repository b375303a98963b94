"""A network that reads one token at a time and remembers, for writing music."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pipeline_lib.models.networks.architectures import Network


class _Step(keras.Model):
    """`Network.step`, compiled."""

    def __init__(self, network: Network) -> None:
        super().__init__(name="step")
        self.network = network

    def call(self, inputs: list[Any]) -> list[Any]:
        """Token ids (batch,), position (batch,) and state -> logits (batch, vocab_size) and the new state."""
        token_ids, position, *state = inputs
        logits, state = self.network.step(token_ids, state, position[0])
        return [ops.cast(logits, "float32"), *state]


class NetworkStepper:
    """One token at a time, the state carried from step to step (see `protocols.Stepper`).

    Parameters
    ----------
    network : Network
        Its weights are used, not copied.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._step = _Step(network)
        self._state: list[Any] = []
        self._position = 0

    def reset(self, batch_size: int) -> None:
        """Begin new sequences."""
        self._state = list(self._network.initial_step_state(batch_size))
        self._position = 0

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Read one token per sequence, shape (batch,); logits of the next, (batch, vocab_size)."""
        position = np.full(len(token_ids), self._position, np.int32)
        logits, *self._state = self._step.predict_on_batch([token_ids, position, *self._state])
        self._position += 1
        return logits

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Go on with these sequences, some perhaps several times, in this order."""
        self._state = [np.asarray(state)[rows] for state in self._state]
