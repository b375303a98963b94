"""Networks over note tokens: every architecture behind one interface.

A network reads token ids and the state that it left behind, and gives scores (logits) of the token that
follows each position, and the new state. It is an embedding, a stack of blocks and an output layer; which
blocks is all that tells architectures apart:

==================  =========================================================
``lstm``            recurrent blocks
``lstm_attention``  recurrent blocks, then one of attention
``transformer``     attention and feed-forward blocks by turns
==================  =========================================================
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from pipeline_lib.config import (
    LstmAttentionConfig,
    LstmConfig,
    NetworkConfig,
    RunConfig,
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
    """Token ids in, scores of the next tokens out.

    Parameters
    ----------
    config : RunConfig
        Its ``model``, ``precision``, ``seed``, and ``seq_length``, which is as far as attention looks.
    vocabulary : Vocabulary
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
        """A window.

        Parameters
        ----------
        token_ids : int32 tensor, shape (batch, n_positions)
        state : list of tensors
            What the window before left, or `initial_state`.
        training : bool
            Whether to drop out.
        last_only : bool
            Whether only the last position is scored.

        Returns
        -------
        logits : tensor, shape (batch, n_positions or 1, vocab_size)
        state : list of tensors
        """
        x = self.dropout(self.embedding(token_ids), training=training)
        left: State = []
        for block in self.blocks:
            read = state[len(left) : len(left) + len(block.carried_shapes)]
            x, new = block(x, read, training=training)
            left += new
        return self.logits(x[:, -1:] if last_only else x), left

    def step(self, token_ids: Any, state: State, position: Any) -> tuple[Any, State]:
        """One position.

        Parameters
        ----------
        token_ids : int32 tensor, shape (batch,)
        state : list of tensors
            What the step before left, or `initial_step_state`.
        position : int32 tensor, shape ()
            Tokens read before this one.

        Returns
        -------
        logits : tensor, shape (batch, vocab_size)
        state : list of tensors
        """
        x = self.embedding(token_ids)
        left: State = []
        for block in self.blocks:
            read = state[len(left) : len(left) + len(block.step_shapes)]
            x, new = block.step(x, read, position)
            left += new
        return self.logits(x), left

    def initial_state(self, batch_size: int) -> list[NDArray[np.float32]]:
        """Nothing read yet, for `call`."""
        return _zeros(batch_size, [s for block in self.blocks for s in block.carried_shapes])

    def initial_step_state(self, batch_size: int) -> list[NDArray[np.float32]]:
        """Nothing read yet, for `step`."""
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
