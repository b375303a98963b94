"""The networks, each with its own `kind`: what they are made of, and what they are called."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from pipeline_lib.config.base import StageConfig


class _NetworkConfig(StageConfig):
    """Settings that all networks share: tokens go in as vectors, scores of the next token come out."""

    token_input: Literal["embedding", "factored", "one_hot"] = Field(
        "embedding",
        description="How a token id enters the network. embedding: a vector for each token; factored: the "
        "sum of one for its pitch, one for its duration, and one of its own.",
    )
    embedding_size: int = Field(
        128, ge=4, le=2048, description="Width of the embedding (unused for one_hot)."
    )
    output: Literal["dense", "tied", "pitch_duration"] = Field(
        "dense",
        description="How scores of the next token are computed. dense: a weight vector for each token; "
        "tied: the token's embedding is that vector; pitch_duration: the sum of a score for its pitch "
        "and one for its duration.",
    )
    dropout: float = Field(
        0.3, ge=0, lt=1, description="Dropout after the input and after each layer."
    )

    carries_state: ClassVar[bool] = False
    """Whether a window can go on from what the one before left; without, a network cannot learn from streams."""

    @property
    def _size(self) -> str:
        """Kind and size, with which every name begins."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Kind and size, then whatever is not the default: ``lstm2x256-dropout0.5``."""
        usual = type(self).model_fields
        others = set(usual) - {"kind", "layers", "units"}
        changed = {n: getattr(self, n) for n in usual if n in others}
        parts = [_in_name(n, v) for n, v in changed.items() if v != usual[n].default]
        return "-".join([self._size, *parts])

    @model_validator(mode="after")
    def _tied_to_an_embedding(self) -> Self:
        if self.output == "tied" and self.token_input == "one_hot":
            raise ValueError('output="tied" needs a trained token_input: there is nothing to tie')
        return self


def _in_name(field: str, value: Any) -> str:
    """A setting as part of a run's name: switches and choices by themselves, numbers with their field."""
    if isinstance(value, bool):
        return field.replace("_", "") if value else f"no{field.replace('_', '')}"
    if isinstance(value, str):
        return value.replace("_", "")
    return f"{field.removesuffix('_size')}{value!r}"


class LstmConfig(_NetworkConfig):
    """A stacked LSTM over note tokens."""

    carries_state: ClassVar[bool] = True
    kind: Literal["lstm"] = "lstm"
    layers: int = Field(3, ge=1, le=4, description="LSTM layers.")
    units: int = Field(128, ge=8, le=2048, description="Units per LSTM layer.")
    residual: bool = Field(
        True,
        description="Add what a layer reads to what it puts out, from the second layer on.",
    )
    layer_norm: bool = Field(False, description="Normalise what each layer reads.")
    variational_dropout: bool = Field(
        False,
        description="Use one dropout mask for all positions of a window, not one for each.",
    )

    @property
    def _size(self) -> str:
        return f"lstm{self.layers}x{self.units}"


class LstmAttentionConfig(LstmConfig):
    """A stacked LSTM whose outputs look back at each other through causal self-attention."""

    kind: Literal["lstm_attention"] = "lstm_attention"  # type: ignore[assignment]
    heads: int = Field(4, ge=1, le=32, description="Attention heads.")

    @property
    def _size(self) -> str:
        return f"lstm{self.layers}x{self.units}-attention"

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        _check_heads(self.units, self.heads)
        return self


class TransformerConfig(_NetworkConfig):
    """A small decoder-only Transformer with rotary positions."""

    kind: Literal["transformer"] = "transformer"
    layers: int = Field(4, ge=1, le=24, description="Blocks of attention and feed-forward layers.")
    units: int = Field(128, ge=8, le=2048, description="Width of the vectors between the blocks.")
    heads: int = Field(4, ge=1, le=32, description="Attention heads.")

    @property
    def _size(self) -> str:
        return f"transformer{self.layers}x{self.units}"

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        _check_heads(self.units, self.heads)
        return self


def _check_heads(units: int, heads: int) -> None:
    # Rotary positions turn pairs of numbers.
    if units % (2 * heads):
        raise ValueError(f"units {units} is no multiple of twice the {heads} heads")


def _kind(value: Any) -> str:
    """Kind of a network, given as a model or as a mapping; lstm where it is not stated."""
    kind = value.get("kind", "lstm") if isinstance(value, dict) else getattr(value, "kind", "lstm")
    return str(kind)


NetworkConfig = Annotated[
    Annotated[LstmConfig, Tag("lstm")]
    | Annotated[LstmAttentionConfig, Tag("lstm_attention")]
    | Annotated[TransformerConfig, Tag("transformer")],
    Discriminator(_kind),
]
