"""Networks over note tokens: every architecture behind one interface.

A network reads token ids and the state that it left behind, and gives scores (logits) of the token that
follows each position, and the new state. It is an embedding, a stack of blocks and an output layer; only the
blocks differ between architectures:

==================  =========================================================
``lstm``            recurrent blocks
``lstm_attention``  recurrent blocks, then one of attention
``transformer``     attention and feed-forward blocks by turns
==================  =========================================================

Shapes name their axes, here and in all modules about networks:

===============  ============================================================
``batch``        sequences that are read side by side
``time``         positions of a window, one for each token
``width``        numbers that describe a position between two blocks
``units``        numbers in the hidden and in the cell state of an LSTM
``heads, size``  a width, divided over attention heads
``span``         positions that attention looks at, the newest included
``vocab_size``   tokens of the vocabulary
===============  ============================================================
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from pipeline_lib.config import RunConfig
from pipeline_lib.config.networks import (
    LstmAttentionConfig,
    LstmConfig,
    NetworkConfig,
    TransformerConfig,
)
from pipeline_lib.models.networks.blocks import (
    AttentionBlock,
    Block,
    FeedForwardBlock,
    PlainBlock,
    RecurrentBlock,
    Shape,
    State,
)
from pipeline_lib.models.networks.layer_maker import LayerMaker
from pipeline_lib.models.networks.token_layers import (
    FactoredEmbedding,
    PitchDurationOutput,
    TiedOutput,
    TokenEmbedding,
)
from pipeline_lib.tokens.vocabulary import Vocabulary


class Network(keras.Model):
    """A network that reads token ids and scores the tokens that may come next.

    Parameters
    ----------
    config : RunConfig
        Settings of the run. Read are its ``model``, ``precision``, ``seed``, and ``seq_length``, which is as far as
        attention looks.
    vocabulary : Vocabulary
        The tokens that are read and scored.

    Examples
    --------
    >>> from pipeline_lib.config import LstmConfig, RunConfig, token_config
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> tokens = ["<start>", "<end>", "<unknown>", "Pitch_60:1", "Pitch_62:1"]
    >>> vocabulary = Vocabulary.of(tokens, make_tokeniser(token_config({"kind": "note_event"})))
    >>> model = LstmConfig(layers=1, units=8, embedding_size=4)
    >>> config = RunConfig(model=model, seq_length=3, learning_rate=0.01, seed=0)
    >>> network = Network(config, vocabulary)
    >>> logits, state = network(np.array([[0, 3, 4]]), network.initial_state(1))
    >>> tuple(logits.shape)  # one row, three positions, five tokens
    (1, 3, 5)
    >>> [tuple(array.shape) for array in state]  # hidden and cell state of the LSTM
    [(1, 8), (1, 8)]
    """

    def __init__(self, config: RunConfig, vocabulary: Vocabulary) -> None:
        super().__init__(name="network", dtype=config.precision)
        make = LayerMaker(config.seed, config.precision)
        self.vocab_size = len(vocabulary)
        self.embedding = _make_embedding(make, config.model, vocabulary)
        self.dropout = make.dropout(
            config.model.dropout, is_variational=_is_variational(config.model)
        )
        self.blocks = _make_blocks(make, config, self.embedding.output_dim)
        self.logits = _make_output(make, config.model, vocabulary, self.embedding)
        self(np.zeros((1, 2), np.int32), self.initial_state(1))  # makes the weights

    def call(
        self, token_ids: Any, state: State, training: bool = False, last_only: bool = False
    ) -> tuple[Any, State]:
        """Read a window of tokens at once.

        Parameters
        ----------
        token_ids : int32 tensor, shape (batch, time)
        state : list of tensors
            The state that the window before left, or `initial_state`.
        training : bool
            Whether dropout is applied.
        last_only : bool
            Whether only the last position is scored.

        Returns
        -------
        logits : tensor, shape (batch, time or 1, vocab_size)
            Scores of the token that follows each position.
        state : list of tensors
            The state after the window.
        """
        x = self.dropout(self.embedding(token_ids), training=training)  # (batch, time, width)
        left: State = []
        for block in self.blocks:
            read = state[len(left) : len(left) + len(block.carried_shapes)]
            x, new = block(x, read, training=training)
            left += new
        # (batch, time or 1, width) -> (batch, time or 1, vocab_size)
        return self.logits(x[:, -1:] if last_only else x), left

    def step(self, token_ids: Any, state: State, position: Any) -> tuple[Any, State]:
        """Read one token of each sequence.

        Parameters
        ----------
        token_ids : int32 tensor, shape (batch,)
        state : list of tensors
            The state that the step before left, or `initial_step_state`.
        position : int32 tensor, shape ()
            Number of tokens read before this one.

        Returns
        -------
        logits : tensor, shape (batch, vocab_size)
            Scores of the next token.
        state : list of tensors
            The state after the token.
        """
        x = self.embedding(token_ids)  # (batch, width)
        left: State = []
        for block in self.blocks:
            read = state[len(left) : len(left) + len(block.step_shapes)]
            x, new = block.step(x, read, position)
            left += new
        return self.logits(x), left  # (batch, vocab_size)

    def initial_state(self, batch_size: int) -> list[NDArray[np.float32]]:
        """The state, for `call`, of a network that has read nothing: zeros, each of shape (batch, ...)."""
        return _zeros(batch_size, [s for block in self.blocks for s in block.carried_shapes])

    def initial_step_state(self, batch_size: int) -> list[NDArray[np.float32]]:
        """The state, for `step`, of a network that has read nothing: zeros, each of shape (batch, ...)."""
        return _zeros(batch_size, [s for block in self.blocks for s in block.step_shapes])


def _zeros(batch_size: int, shapes: list[Shape]) -> list[NDArray[np.float32]]:
    return [np.zeros((batch_size, *shape), np.float32) for shape in shapes]


def _is_variational(model: NetworkConfig) -> bool:
    return isinstance(model, LstmConfig) and model.variational_dropout


def _make_embedding(
    make: LayerMaker, model: NetworkConfig, vocabulary: Vocabulary
) -> TokenEmbedding:
    match model.token_input:
        case "one_hot":
            return make.one_hot(len(vocabulary), "tokens")
        case "factored":
            return FactoredEmbedding(make, vocabulary.features, model.embedding_size)
        case "embedding":
            return make.embedding(len(vocabulary), model.embedding_size, "tokens")


def _make_blocks(make: LayerMaker, config: RunConfig, width: int) -> list[Block]:
    match config.model:
        case LstmAttentionConfig() as model:
            attention = AttentionBlock(
                make, model.units, model.heads, config.seq_length, model.dropout, name="attention"
            )
            return [*_recurrent_blocks(make, model), attention]
        case LstmConfig() as model:
            return _recurrent_blocks(make, model)
        case TransformerConfig() as model:
            return _transformer_blocks(make, model, config.seq_length, width)


def _recurrent_blocks(make: LayerMaker, model: LstmConfig) -> list[Block]:
    return [
        RecurrentBlock(
            make,
            model.units,
            model.dropout,
            is_residual=model.residual and n > 1,
            is_normalised=model.layer_norm,
            is_variational=model.variational_dropout,
            name=f"recurrent_{n}",
        )
        for n in range(1, model.layers + 1)
    ]


def _transformer_blocks(
    make: LayerMaker, model: TransformerConfig, span: int, width: int
) -> list[Block]:
    blocks: list[Block] = []
    if width != model.units:
        blocks.append(PlainBlock(make.dense(model.units, "dense"), name="widen"))
    for n in range(1, model.layers + 1):
        blocks += [
            AttentionBlock(
                make, model.units, model.heads, span, model.dropout, name=f"attention_{n}"
            ),
            FeedForwardBlock(make, model.units, model.dropout, name=f"feed_forward_{n}"),
        ]
    return [*blocks, PlainBlock(make.norm(), name="final")]


def _make_output(
    make: LayerMaker, model: NetworkConfig, vocabulary: Vocabulary, embedding: TokenEmbedding
) -> layers.Layer:
    if model.output == "tied":
        return TiedOutput(make, embedding, model.units)
    if model.output == "pitch_duration":
        return PitchDurationOutput(make, vocabulary.features)
    return make.dense(len(vocabulary), "logits")
