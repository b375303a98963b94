"""Embedding and output layers: from token ids to vectors, and from a vector at each position to a score (logit) for
each token.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from pipeline_lib.models.networks.layer_maker import LayerMaker
from pipeline_lib.tokens.features import TokenFeatures


class TokenEmbedding(Protocol):
    """A layer that maps token ids to vectors."""

    input_dim: int
    """Number of tokens."""
    output_dim: int
    """Width of the tokens' vectors."""

    @property
    def embeddings(self) -> Any:
        """The vectors of all tokens, shape (input_dim, output_dim)."""

    def __call__(self, token_ids: Any) -> Any:
        """Look up the vectors of tokens: (...) -> (..., output_dim)."""


class FactoredEmbedding(layers.Layer):
    """Embedding in which a token's vector is the sum of its pitch's, its duration's and its own.

    The token's own vector starts at zero. What is learnt of a pitch holds for all its durations, and the other way
    round; rare tokens gain most.

    Parameters
    ----------
    make : LayerMaker
    tokens : TokenFeatures
        Pitch and duration of each token.
    width : int
        Width of the vectors.
    """

    def __init__(self, make: LayerMaker, tokens: TokenFeatures, width: int) -> None:
        super().__init__(name="tokens", dtype=make.precision)
        self.input_dim, self.output_dim = len(tokens.described), width
        self._pitch_of, self._duration_of = tokens.pitch_group, tokens.duration_group
        self.own = make.zero_embedding(self.input_dim, width, "own")
        self.pitch = make.embedding(_n_groups(self._pitch_of), width, "pitch")
        self.duration = make.embedding(_n_groups(self._duration_of), width, "duration")

    @property
    def embeddings(self) -> Any:
        """The vectors of all tokens, shape (vocab_size, width)."""
        ids = np.arange(self.input_dim)
        of_parts = self.pitch(self._pitch_of) + self.duration(self._duration_of)
        return self.own(ids) + of_parts

    def call(self, token_ids: Any) -> Any:
        """Look up the vectors of tokens: (...) -> (..., width)."""
        return ops.take(self.embeddings, token_ids, axis=0)


class TiedOutput(layers.Layer):
    """Output layer that shares the input's embedding: scores are products with it (Press and Wolf 2017), plus a bias.

    Parameters
    ----------
    make : LayerMaker
    embedding : TokenEmbedding
        The network's embedding of its input.
    width : int
        Width of this layer's input; where the embedding has another one, a dense layer comes between.
    """

    def __init__(self, make: LayerMaker, embedding: TokenEmbedding, width: int) -> None:
        super().__init__(name="logits", dtype=make.precision)
        self.embedding = embedding
        size = embedding.output_dim
        self.fit = make.dense(size, "fit") if width != size else None
        self.bias = self.add_weight(shape=(embedding.input_dim,), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        """Score all tokens: (..., width) -> (..., vocab_size)."""
        x = x if self.fit is None else self.fit(x)  # (..., output_dim)
        # (vocab_size, output_dim)
        vectors = ops.cast(self.embedding.embeddings, self.compute_dtype)
        return ops.matmul(x, ops.transpose(vectors)) + ops.cast(self.bias, self.compute_dtype)


class PitchDurationOutput(layers.Layer):
    """Output layer in which a token's score is that of its pitch plus that of its duration, plus a bias.

    What is learnt of a pitch holds for all its durations, and the other way round. Rests, chords and special
    tokens count as pitches of their own.

    Parameters
    ----------
    make : LayerMaker
    tokens : TokenFeatures
        Pitch and duration of each token.
    """

    def __init__(self, make: LayerMaker, tokens: TokenFeatures) -> None:
        super().__init__(name="logits", dtype=make.precision)
        self._pitch_of, self._duration_of = tokens.pitch_group, tokens.duration_group
        self.pitch = make.dense(_n_groups(self._pitch_of), "pitch", use_bias=False)
        self.duration = make.dense(_n_groups(self._duration_of), "duration", use_bias=False)
        shape = (len(tokens.described),)
        self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        """Score all tokens: (..., width) -> (..., vocab_size)."""
        # (..., number of pitches) -> (..., vocab_size), and likewise for durations
        pitch = ops.take(self.pitch(x), self._pitch_of, axis=-1)
        duration = ops.take(self.duration(x), self._duration_of, axis=-1)
        return pitch + duration + ops.cast(self.bias, self.compute_dtype)


def _n_groups(group: NDArray[np.int64]) -> int:
    """Number of groups, given the group of each token."""
    return int(group.max()) + 1
