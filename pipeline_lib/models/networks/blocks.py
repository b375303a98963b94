"""The parts that networks are stacked from: recurrent, attention and position-wise blocks.

A block reads a whole window, ``(batch, n_positions, width)``, or one position of it at a time, ``(batch,
width)``, with the same weights and the same outcome; dropout is for training only. What it has to remember from
position to position is its *state*, a list of arrays: of an LSTM, hidden and cell state; of attention, the
keys and values of the last ``span`` positions.

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

_FEED_FORWARD_FACTOR = 4
_ROTARY_BASE = 10_000.0
_NEVER = -1e9
"""Score of a position that is not looked at."""

Shape = tuple[int, ...]
State = list[Any]


class Block(layers.Layer):
    """A part of a network.

    Attributes
    ----------
    carried_shapes : list of tuple
        Shapes, without the batch, of the state that goes from window to window.
    step_shapes : list of tuple
        The same, from step to step.
    """

    carried_shapes: list[Shape] = []  # noqa: RUF012 - replaced, never changed
    step_shapes: list[Shape] = []  # noqa: RUF012

    def call(self, x: Any, state: State, training: bool = False) -> tuple[Any, State]:
        """A window: what it gives, (batch, n_positions, width), and its new state."""
        raise NotImplementedError

    def step(self, x: Any, state: State, position: Any) -> tuple[Any, State]:
        """One position, the `position`-th from 0: what it gives, (batch, width), and its new state."""
        raise NotImplementedError


class RecurrentBlock(Block):
    """An LSTM, with dropout behind it; state: hidden and cell.

    Parameters
    ----------
    make : LayerMaker
    units : int
    dropout : float
    is_residual : bool
        Whether it adds to what it reads.
    is_normalised : bool
        Whether what it reads is normalised first.
    is_variational : bool
        Whether its dropout has one mask for all positions.
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
        self.lstm = make.lstm(units)
        self.dropout = make.dropout(dropout, is_variational=is_variational)
        self.is_residual = is_residual
        self.carried_shapes = self.step_shapes = [(units,), (units,)]

    def call(self, x: Any, state: State, training: bool = False) -> tuple[Any, State]:
        """A window."""
        read = x if self.norm is None else self.norm(x)
        y, *state = self.lstm(read, initial_state=state, training=training)
        y = self.dropout(y, training=training)
        return (x + y if self.is_residual else y), state

    def step(self, x: Any, state: State, position: Any) -> tuple[Any, State]:
        """One position."""
        read = x if self.norm is None else self.norm(x)
        y, state = self.lstm.cell(read, state)
        return (x + y if self.is_residual else y), state


class AttentionBlock(Block):
    """Causal self-attention with rotary positions, added to what it reads.

    State, for steps alone: keys and values of the last `span` positions. Between windows nothing is carried.

    Parameters
    ----------
    make : LayerMaker
    width : int
        Of what it reads and writes; a multiple of twice `heads`.
    heads : int
    span : int
        Positions that each one looks at, itself included.
    dropout : float
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
        """A window."""
        position = ops.arange(ops.shape(x)[1])
        query, key, value = self._heads_of(x, position)
        distance = position[:, None] - position[None, :]
        is_seen = ops.logical_and(distance >= 0, distance < self.span)
        weights = self._weights(ops.einsum("bqhd,bkhd->bhqk", query, key), is_seen)
        found = ops.einsum("bhqk,bkhd->bqhd", weights, value)
        merged = self.merge(ops.reshape(found, ops.shape(x)))
        return x + self.dropout(merged, training=training), state

    def step(self, x: Any, state: State, position: Any) -> tuple[Any, State]:
        """One position; the slot of the oldest is overwritten, so that what is in any is within the span."""
        query, key, value = self._heads_of(x[:, None], ops.reshape(position, (1,)))
        slots = ops.arange(self.span)
        is_new = ops.reshape(slots == position % self.span, (1, self.span, 1, 1))
        keys = ops.where(is_new, key, state[0])
        values = ops.where(is_new, value, state[1])
        weights = self._weights(ops.einsum("bhd,bkhd->bhk", query[:, 0], keys), slots <= position)
        found = ops.einsum("bhk,bkhd->bhd", weights, values)
        return x + self.merge(ops.reshape(found, ops.shape(x))), [keys, values]

    def _heads_of(self, x: Any, position: Any) -> tuple[Any, Any, Any]:
        """Query, key and value, each (batch, n_positions, heads, size)."""
        shape = (-1, ops.shape(x)[1], 3, self.heads, self.size)
        split = ops.reshape(self.project(self.norm(x)), shape)
        return rotate(split[:, :, 0], position), rotate(split[:, :, 1], position), split[:, :, 2]

    def _weights(self, scores: Any, is_seen: Any) -> Any:
        scores = ops.cast(scores, "float32") / np.sqrt(self.size).astype("float32")
        weights = ops.softmax(ops.where(is_seen, scores, _NEVER), axis=-1)
        return ops.cast(weights, self.compute_dtype)


class FeedForwardBlock(Block):
    """Two dense layers with GELU between them, added to what they read; no state."""

    def __init__(self, make: LayerMaker, width: int, dropout: float, *, name: str) -> None:
        super().__init__(name=name, dtype=make.precision)
        self.norm = make.norm()
        self.widen = make.dense(_FEED_FORWARD_FACTOR * width, "widen")
        self.narrow = make.dense(width, "narrow")
        self.dropout = make.dropout(dropout)

    def call(self, x: Any, state: State, training: bool = False) -> tuple[Any, State]:
        """A window, position by position."""
        y = self.narrow(ops.gelu(self.widen(self.norm(x))))
        return x + self.dropout(y, training=training), state

    def step(self, x: Any, state: State, position: Any) -> tuple[Any, State]:
        """One position."""
        return self.call(x, state)


class PlainBlock(Block):
    """Any layer that treats positions one by one, such as a change of width; no state."""

    def __init__(self, layer: layers.Layer, *, name: str) -> None:
        super().__init__(name=name, dtype=layer.dtype_policy)
        self.layer = layer

    def call(self, x: Any, state: State, training: bool = False) -> tuple[Any, State]:
        """A window."""
        return self.layer(x), state

    def step(self, x: Any, state: State, position: Any) -> tuple[Any, State]:
        """One position."""
        return self.layer(x), state


def rotate(x: Any, position: Any) -> Any:
    """Turn pairs of numbers by angles that grow with the position, so that products tell distances.

    Parameters
    ----------
    x : tensor, shape (batch, n_positions, heads, size)
    position : int tensor, shape (n_positions,)
    """
    half = x.shape[-1] // 2
    frequency = (_ROTARY_BASE ** (-np.arange(half) / half)).astype("float32")
    angle = ops.cast(position, "float32")[:, None] * frequency
    cos, sin = (ops.cast(f(angle), x.dtype)[None, :, None] for f in (ops.cos, ops.sin))
    a, b = x[..., :half], x[..., half:]
    return ops.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
