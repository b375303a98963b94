"""Making of layers: each has a seed of its own, and all have one precision.

No random choice and no precision depends on Keras' global state, which threads share: the same run gives the
same weights and dropout masks, whatever else is being trained.
"""

from __future__ import annotations

from typing import TypeVar

import keras
import numpy as np
from keras import layers

Recurrent = TypeVar("Recurrent", bound=layers.RNN)

_EMBEDDING_START = 0.5
"""Initial embeddings are uniform between minus and plus this; Keras' 0.05 learns far more slowly (EXPERIMENTS.md)."""


class LayerMaker:
    """Maker of the layers of one network.

    Parameters
    ----------
    seed : int
        Seed that those of all layers derive from.
    precision : str
        A Keras dtype policy, such as "float32".
    """

    def __init__(self, seed: int, precision: str) -> None:
        self._sequence = np.random.SeedSequence(seed)
        self.precision = precision

    def recurrent(self, kind: type[Recurrent], units: int) -> Recurrent:
        """Make a recurrent layer, such as an LSTM, that returns its output at each position, and its state."""
        return kind(
            units,
            return_sequences=True,
            return_state=True,
            kernel_initializer=self._glorot(),
            recurrent_initializer=keras.initializers.Orthogonal(seed=self._seed()),
            dtype=self.precision,
            name=kind.__name__.lower(),
        )

    def dense(self, units: int, name: str, *, use_bias: bool = True) -> layers.Dense:
        """Make a dense layer."""
        return layers.Dense(
            units,
            use_bias=use_bias,
            kernel_initializer=self._glorot(),
            dtype=self.precision,
            name=name,
        )

    def embedding(self, n_rows: int, width: int, name: str) -> layers.Embedding:
        """Make an embedding with a trained vector for each row."""
        start = keras.initializers.RandomUniform(-_EMBEDDING_START, _EMBEDDING_START, self._seed())
        return layers.Embedding(
            n_rows, width, embeddings_initializer=start, dtype=self.precision, name=name
        )

    def zero_embedding(self, n_rows: int, width: int, name: str) -> layers.Embedding:
        """Make an embedding whose trained vectors are zero at the start."""
        return layers.Embedding(
            n_rows, width, embeddings_initializer="zeros", dtype=self.precision, name=name
        )

    def one_hot(self, n_rows: int, name: str) -> layers.Embedding:
        """Make an embedding that gives one-hot vectors: rows of the identity matrix, never trained."""
        return layers.Embedding(
            n_rows,
            n_rows,
            embeddings_initializer="identity",
            trainable=False,
            dtype=self.precision,
            name=name,
        )

    def norm(self, name: str = "norm") -> layers.LayerNormalization:
        """Make a layer normalisation."""
        return layers.LayerNormalization(dtype=self.precision, name=name)

    def dropout(self, rate: float, *, is_variational: bool = False) -> layers.Layer:
        """Make a dropout layer; a variational one drops the same numbers at all positions of a window."""
        kind = layers.SpatialDropout1D if is_variational else layers.Dropout
        return kind(rate, seed=self._seed(), dtype=self.precision, name="dropout")

    def _glorot(self) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(self._seed())

    def _seed(self) -> int:
        # 31 bits: PyTorch keeps the state of a dropout layer in signed numbers.
        return int(self._sequence.spawn(1)[0].generate_state(1)[0] >> 1)
