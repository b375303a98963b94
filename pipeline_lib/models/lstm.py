"""Stacked LSTM over note tokens, and the same weights as a one-step model for generation.

Layout: token ids -> embedding (or one-hot) -> dropout -> [LSTM -> dropout] * layers -> dense -> logits.
From the second on, each LSTM adds to what it reads (a residual connection, after He et al. 2016): without
these, three layers need several times the notes to learn as much (EXPERIMENTS.md). The activations are those that the fused GPU kernels need (tanh, sigmoid; no recurrent dropout).

Every random choice has its own seed, derived from the run's: two models built in two threads do not
disturb each other, and the same seed gives the same weights.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from pipeline_lib.config import LstmConfig
from pipeline_lib.models.recurrence import LSTM


def build_lstm(config: LstmConfig, vocab_size: int, seed: int) -> keras.Model:
    """The network for training: a whole window at once.

    Parameters
    ----------
    config : LstmConfig
    vocab_size : int
    seed : int
        Of the initial weights and the dropout masks.

    Returns
    -------
    keras.Model
        int32 ids (batch, seq_length) -> float32 logits (batch, seq_length, vocab_size), for any length.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(4 + 3 * config.layers).tolist())
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = _token_layer(config, vocab_size, next(seeds))(token_ids)
    x = layers.Dropout(config.dropout, seed=next(seeds), name="input_dropout")(x)
    for n in range(1, config.layers + 1):
        y = LSTM(
            config.units,
            return_sequences=True,
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
            name=f"lstm_{n}",
        )(x)
        y = layers.Dropout(config.dropout, seed=next(seeds), name=f"dropout_{n}")(y)
        x = x + y if n > 1 else y
    output = layers.Dense(
        vocab_size, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)), name="logits"
    )
    return keras.Model(token_ids, output(x), name="lstm")


def _token_layer(config: LstmConfig, vocab_size: int, seed: int) -> Any:
    if config.token_input == "one_hot":
        # A one-hot vector is a row of the identity matrix: an embedding that is never trained.
        return layers.Embedding(
            vocab_size,
            vocab_size,
            embeddings_initializer="identity",
            trainable=False,
            name="tokens",
        )
    return layers.Embedding(
        vocab_size,
        config.embedding_size,
        embeddings_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed),
        name="tokens",
    )


class _StepModel(keras.Model):
    """The layers of a `build_lstm` model, called for one position; dropout is for training only."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name="step")
        self.tokens = model.get_layer("tokens")
        self.lstms = [layer for layer in model.layers if isinstance(layer, layers.LSTM)]
        self.logits = model.get_layer("logits")

    def call(self, inputs: list[Any]) -> list[Any]:
        """Token ids (batch,), then hidden and cell state of each layer -> logits and new states."""
        token_ids, *states = inputs
        x = self.tokens(token_ids)
        new_states: list[Any] = []
        for n, lstm in enumerate(self.lstms):
            y, state = lstm.cell(x, states[2 * n : 2 * n + 2])
            x = x + y if n > 0 else y
            new_states += state
        return [self.logits(x), *new_states]


class LstmStepper:
    """One token at a time, the LSTM state carried from step to step.

    Parameters
    ----------
    model : keras.Model
        From `build_lstm`; its weights are used, not copied.
    """

    def __init__(self, model: keras.Model) -> None:
        self._step = _StepModel(model)
        self._widths = [lstm.units for lstm in self._step.lstms for _ in range(2)]
        self._states: list[Any] = []

    def reset(self, batch_size: int) -> None:
        """Begin new sequences: all states zero."""
        self._states = [np.zeros((batch_size, width), np.float32) for width in self._widths]

    def step(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Read one token per sequence, shape (batch,); logits of the next, (batch, vocab_size)."""
        logits, *self._states = self._step.predict_on_batch([token_ids, *self._states])
        return logits


class LstmPredictor:
    """Next-token probabilities after contexts of one length, each read from a zero state.

    Parameters
    ----------
    model : keras.Model
        From `build_lstm`.
    seq_length : int
        Tokens of context that are read; older ones are ignored.
    """

    def __init__(self, model: keras.Model, seq_length: int) -> None:
        # Only the last position is asked for: the dense layer need not run on the others.
        last = model.get_layer("logits").input[:, -1]
        self._model = keras.Model(
            model.input, keras.ops.log_softmax(model.get_layer("logits")(last))
        )
        self.seq_length = seq_length

    def log_probabilities(self, contexts: NDArray[np.int32]) -> NDArray[np.float64]:
        """Natural logarithms of the next token's probabilities.

        Parameters
        ----------
        contexts : int32 array, shape (n, n_context)
            ``n_context`` at least ``seq_length``; oldest token first.

        Returns
        -------
        float64 array, shape (n, vocab_size)
        """
        return self._model.predict_on_batch(contexts[:, -self.seq_length :]).astype(np.float64)
