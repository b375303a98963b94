"""The last layer: from what a network knows at a position to a score (logit) for each token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from pipeline_lib.models.layer_maker import LayerMaker


class TiedOutput(layers.Layer):
    """Scores are products with the embeddings of the tokens (Press and Wolf 2017), plus a bias each.

    Parameters
    ----------
    make : LayerMaker
    embedding : Embedding
        The one that the network reads through.
    width : int
        Of what is read; where the embedding has another one, a dense layer comes between.
    """

    def __init__(self, make: LayerMaker, embedding: layers.Embedding, width: int) -> None:
        super().__init__(name="logits", dtype=make.precision)
        self.embedding = embedding
        size = embedding.output_dim
        self.fit = make.dense(size, "fit") if width != size else None
        self.bias = self.add_weight(shape=(embedding.input_dim,), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        """(..., width) -> (..., vocab_size)."""
        x = x if self.fit is None else self.fit(x)
        vectors = ops.cast(self.embedding.embeddings, self.compute_dtype)
        return ops.matmul(x, ops.transpose(vectors)) + ops.cast(self.bias, self.compute_dtype)


class PitchDurationOutput(layers.Layer):
    """A token's score is that of its pitch plus that of its duration, plus a bias.

    What is learnt of a pitch holds for all its durations, and the other way round. Rests, chords and special
    tokens count as pitches of their own.

    Parameters
    ----------
    make : LayerMaker
    tokens : sequence of str
        The text of each id, such as "Pitch_60:1/2".
    """

    def __init__(self, make: LayerMaker, tokens: Sequence[str]) -> None:
        super().__init__(name="logits", dtype=make.precision)
        pitches, self._pitch_of = np.unique(
            [t.partition(":")[0] for t in tokens], return_inverse=True
        )
        durations, self._duration_of = np.unique(
            [t.partition(":")[2] for t in tokens], return_inverse=True
        )
        self.pitch = make.dense(len(pitches), "pitch", use_bias=False)
        self.duration = make.dense(len(durations), "duration", use_bias=False)
        self.bias = self.add_weight(shape=(len(tokens),), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        """(..., width) -> (..., vocab_size)."""
        pitch = ops.take(self.pitch(x), self._pitch_of, axis=-1)
        duration = ops.take(self.duration(x), self._duration_of, axis=-1)
        return pitch + duration + ops.cast(self.bias, self.compute_dtype)
