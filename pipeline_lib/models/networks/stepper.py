"""Networks stepped token by token, their state kept in between: for composing."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pipeline_lib.models.networks.architectures import Network


class _Step(keras.Model):
    """`Network.step` as a model, so that Keras compiles it."""

    def __init__(self, network: Network) -> None:
        super().__init__(name="step")
        self.network = network

    def call(self, inputs: list[Any]) -> list[Any]:
        """Map token ids (batch,), positions (batch,) and the state to logits (batch, vocab_size) and the new state."""
        token_ids, position, *state = inputs
        logits, state = self.network.step(token_ids, state, position[0])
        return [ops.cast(logits, "float32"), *state]


class NetworkStepper:
    """A network as a `protocols.Stepper`: it reads one token at a time and carries its state along.

    Parameters
    ----------
    network : Network
        Its weights are used, not copied.

    Examples
    --------
    >>> from pipeline_lib.config import LstmConfig, RunConfig, token_config
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> from pipeline_lib.tokens.vocabulary import Vocabulary
    >>> model = LstmConfig(layers=1, units=8, embedding_size=4)
    >>> config = RunConfig(model=model, seq_length=3, learning_rate=0.01, seed=0)
    >>> tokens = ["<start>", "<end>", "<unknown>", "Pitch_60:1", "Pitch_62:1"]
    >>> vocabulary = Vocabulary.of(tokens, make_tokeniser(token_config({"kind": "note_event"})))
    >>> network = Network(config, vocabulary)
    >>> stepper = NetworkStepper(network)
    >>> stepper.reset(batch_size=2)
    >>> stepper.step(np.array([0, 0], np.int32)).shape  # both sequences read the start token
    (2, 5)
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._step = _Step(network)
        self._state: list[Any] = []
        self._position = 0

    def reset(self, batch_size: int) -> None:
        """Begin `batch_size` new sequences, of which nothing has been read."""
        self._state = list(self._network.initial_step_state(batch_size))
        self._position = 0

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Read one token of each sequence, shape (batch,); return the logits of the next, (batch, vocab_size)."""
        position = np.full(len(token_ids), self._position, np.int32)
        logits, *self._state = self._step.predict_on_batch([token_ids, position, *self._state])
        self._position += 1
        return logits

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Keep only the sequences at these rows, in this order; a row that is named twice is copied."""
        self._state = [np.asarray(state)[rows] for state in self._state]
