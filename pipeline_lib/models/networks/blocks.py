"""The parts that networks are stacked from: recurrent, attention and position-wise blocks.

A block reads a whole window, ``(batch, time, width)``, or one position of it at a time, ``(batch, width)``, with
the same weights and the same outcome; dropout is for training only. What it has to remember from position to
position is its *state*, a list of arrays: of an LSTM, hidden and cell state; of attention, the keys and values of
the last ``span`` positions. `architectures` explains the names of all axes.

LSTMs keep to what the fused GPU kernels need: tanh and sigmoid activations, a bias, no mask, no recurrent
dropout. Sources: residual connections after He et al. (2016); normalisation before each block after Xiong
et al. (2020); one dropout mask for all positions after Gal and Ghahramani (2016); rotary positions, which make
attention depend on distances alone, after Su et al. (2021).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers, ops

from pipeline_lib.models.networks.layer_maker import LayerMaker
from pipeline_lib.models.networks.recurrence import LSTM

_FEED_FORWARD_FACTOR = 4
_ROTARY_BASE = 10_000.0
_NEVER = -1e9
"""Attention score of a position that must not be looked at: its weight becomes 0."""

Shape = tuple[int, ...]
State = list[Any]


class Block(layers.Layer):
    """A part of a network that maps each position to a new vector.

    Attributes
    ----------
    carried_shapes : list of tuple
        Shapes, without the batch, of the state that goes from window to window.
    step_shapes : list of tuple
        Shapes, without the batch, of the state that goes from step to step.
    """

    carried_shapes: list[Shape] = []  # noqa: RUF012 - replaced, never changed
    step_shapes: list[Shape] = []  # noqa: RUF012

    def call(self, x: Any, state: State, training: bool = False) -> tuple[Any, State]:
        """Read a window, (batch, time, width); return its new vectors, of the same shape, and the new state."""
        raise NotImplementedError

    def step(self, x: Any, state: State, position: Any) -> tuple[Any, State]:
        """Read one position, (batch, width), the `position`-th from 0; return its new vector and the new state."""
        raise NotImplementedError


class RecurrentBlock(Block):
    """An LSTM, followed by dropout. Its state is the hidden and the cell state, each (batch, units).

    Parameters
    ----------
    make : LayerMaker
    units : int
        Size of the hidden state, which is the width that the block gives.
    dropout : float
        Share of the outputs that are dropped in training.
    is_residual : bool
        Whether the output is added to the input.
    is_normalised : bool
        Whether the input is layer-normalised first.
    is_variational : bool
        Whether one dropout mask holds for all positions of a window.
    """

    def __init__(
        self,
        make: LayerMaker,
        units: int,
        dropout: float,
        *,
        is_residual: bool,
        is_normalised: bool,
        is_variational: bool,
        name: str,
    ) -> None:
        super().__init__(name=name, dtype=make.precision)
        self.norm = make.norm() if is_normalised else None
        self.lstm = make.recurrent(LSTM, units)
        self.dropout = make.dropout(dropout, is_variational=is_variational)
        self.is_residual = is_residual
        self.carried_shapes = self.step_shapes = [(units,), (units,)]

    def call(self, x: Any, state: State, training: bool = False) -> tuple[Any, State]:
        """Read a window, as in `Block.call`."""
        read = x if self.norm is None else self.norm(x)
        y, *state = self.lstm(read, initial_state=state, training=training)  # (batch, time, units)
        y = self.dropout(y, training=training)
        return (x + y if self.is_residual else y), state

    def step(self, x: Any, state: State, position: Any) -> tuple[Any, State]:
        """Read one position, as in `Block.step`."""
        read = x if self.norm is None else self.norm(x)
        y, state = self.lstm.cell(read, state)  # (batch, units)
        return (x + y if self.is_residual else y), state


class AttentionBlock(Block):
    """Causal self-attention with rotary positions, added to its input.

    Its state, for steps alone, is the keys and the values of the last `span` positions, each (batch, span, heads,
    size). Between windows nothing is carried.

    Parameters
    ----------
    make : LayerMaker
    width : int
        Width of input and output; a multiple of twice `heads`.
    heads : int
        Number of attention heads.
    span : int
        Number of positions that each one looks at, itself included.
    dropout : float
        Share of the outputs that are dropped in training.
    """

    def __init__(
        self, make: LayerMaker, width: int, heads: int, span: int, dropout: float, *, name: str
    ) -> None:
        super().__init__(name=name, dtype=make.precision)
        self.heads, self.span, self.size = heads, span, width // heads
        self.norm = make.norm()
        self.project = make.dense(3 * width, "project", use_bias=False)
        self.merge = make.dense(width, "merge")
        self.dropout = make.dropout(dropout)
        self.step_shapes = [(span, heads, self.size), (span, heads, self.size)]

    def call(self, x: Any, state: State, training: bool = False) -> tuple[Any, State]:
        """Read a window, as in `Block.call`."""
        position = ops.arange(ops.shape(x)[1])  # (time,)
        query, key, value = self._heads_of(x, position)  # (batch, time, heads, size)
        distance = (
            position[:, None] - position[None, :]
        )  # (time, time): from each query to all keys
        is_seen = ops.logical_and(distance >= 0, distance < self.span)
        # (batch, heads, time, time): for each query, the weights of all keys
        weights = self._weights(ops.einsum("bqhd,bkhd->bhqk", query, key), is_seen)
        found = ops.einsum("bhqk,bkhd->bqhd", weights, value)  # (batch, time, heads, size)
        merged = self.merge(ops.reshape(found, ops.shape(x)))  # (batch, time, width)
        return x + self.dropout(merged, training=training), state

    def step(self, x: Any, state: State, position: Any) -> tuple[Any, State]:
        """Read one position, as in `Block.step`.

        Its key and value overwrite those of the oldest position, so that all that are remembered lie within the span.
        """
        # (batch, 1, heads, size)
        query, key, value = self._heads_of(x[:, None], ops.reshape(position, (1,)))
        slots = ops.arange(self.span)
        is_new = ops.reshape(slots == position % self.span, (1, self.span, 1, 1))
        keys = ops.where(is_new, key, state[0])  # (batch, span, heads, size)
        values = ops.where(is_new, value, state[1])
        # (batch, heads, span)
        weights = self._weights(ops.einsum("bhd,bkhd->bhk", query[:, 0], keys), slots <= position)
        found = ops.einsum("bhk,bkhd->bhd", weights, values)  # (batch, heads, size)
        return x + self.merge(ops.reshape(found, ops.shape(x))), [keys, values]  # (batch, width)

    def _heads_of(self, x: Any, position: Any) -> tuple[Any, Any, Any]:
        """Query, key and value of a window, each (batch, time, heads, size)."""
        shape = (-1, ops.shape(x)[1], 3, self.heads, self.size)
        split = ops.reshape(self.project(self.norm(x)), shape)  # (batch, time, 3, heads, size)
        return rotate(split[:, :, 0], position), rotate(split[:, :, 1], position), split[:, :, 2]

    def _weights(self, scores: Any, is_seen: Any) -> Any:
        """Attention weights of the keys, in the shape of the scores; those of keys that are not seen are 0."""
        scores = ops.cast(scores, "float32") / np.sqrt(self.size).astype("float32")
        weights = ops.softmax(ops.where(is_seen, scores, _NEVER), axis=-1)
        return ops.cast(weights, self.compute_dtype)


class FeedForwardBlock(Block):
    """Two dense layers with a GELU between them, added to their input. It has no state."""

    def __init__(self, make: LayerMaker, width: int, dropout: float, *, name: str) -> None:
        super().__init__(name=name, dtype=make.precision)
        self.norm = make.norm()
        self.widen = make.dense(_FEED_FORWARD_FACTOR * width, "widen")
        self.narrow = make.dense(width, "narrow")
        self.dropout = make.dropout(dropout)

    def call(self, x: Any, state: State, training: bool = False) -> tuple[Any, State]:
        """Read a window or a single position, (..., width); each position is treated by itself."""
        y = self.narrow(ops.gelu(self.widen(self.norm(x))))  # (..., 4 width) -> (..., width)
        return x + self.dropout(y, training=training), state

    def step(self, x: Any, state: State, position: Any) -> tuple[Any, State]:
        """Read one position, as in `Block.step`."""
        return self.call(x, state)


class PlainBlock(Block):
    """A block of one layer that treats positions one by one, such as a change of width. It has no state."""

    def __init__(self, layer: layers.Layer, *, name: str) -> None:
        super().__init__(name=name, dtype=layer.dtype_policy)
        self.layer = layer

    def call(self, x: Any, state: State, training: bool = False) -> tuple[Any, State]:
        """Read a window, as in `Block.call`; the width may change."""
        return self.layer(x), state

    def step(self, x: Any, state: State, position: Any) -> tuple[Any, State]:
        """Read one position, as in `Block.step`; the width may change."""
        return self.layer(x), state


def rotate(x: Any, position: Any) -> Any:
    """Rotate pairs of numbers by angles that grow with the position (rotary positions, Su et al. 2021).

    A product of two rotated vectors depends on the distance of their positions, not on where they are.

    Parameters
    ----------
    x : tensor, shape (batch, time, heads, size)
        Queries or keys; the i-th number is paired with the one ``size / 2`` after it.
    position : int tensor, shape (time,)

    Returns
    -------
    tensor, shape (batch, time, heads, size)
    """
    half = x.shape[-1] // 2
    frequency = (_ROTARY_BASE ** (-np.arange(half) / half)).astype("float32")
    angle = ops.cast(position, "float32")[:, None] * frequency  # (time, size / 2)
    cos, sin = (ops.cast(f(angle), x.dtype)[None, :, None] for f in (ops.cos, ops.sin))
    a, b = x[..., :half], x[..., half:]
    return ops.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
