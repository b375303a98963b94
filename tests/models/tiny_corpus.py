"""A vocabulary and a corpus that a tiny network learns within seconds, and settings of such a network."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline_lib.config import (
    LstmAttentionConfig,
    LstmConfig,
    NetworkConfig,
    RunConfig,
    TransformerConfig,
)
from pipeline_lib.models.training.loop import TrainingData
from pipeline_lib.tokens.vocabulary import Vocabulary
from pipeline_lib.tokens.windows import WindowIndex
from tests.tokenisers import note_events

TOKENS = (
    "<start>",
    "<end>",
    "<unknown>",
    *(f"Pitch_{p}:{d}" for p in (60, 62, 64) for d in (1, 2)),
)
TOKENISER = note_events(4)
VOCABULARY = Vocabulary.of(TOKENS, TOKENISER)
VOCAB_SIZE = len(TOKENS)
SEQ_LENGTH = 8

N_PIECES, N_TRAIN, LENGTH = 20, 16, 40
# Pieces that count 3 4 5 6 7 3 4 5 ...: a network that learns anything learns this.
TOKEN_IDS = np.tile(np.tile(np.arange(3, 8, dtype=np.int32), 8), N_PIECES)
SPANS = np.array([[n * LENGTH, LENGTH] for n in range(N_PIECES)])

SMALL: dict[str, Any] = {"units": 16, "embedding_size": 8, "dropout": 0.1}
PLAIN = LstmConfig(layers=1, **SMALL)
ARCHITECTURES = [
    LstmConfig(layers=2, **SMALL),
    LstmConfig(layers=2, residual=False, token_input="one_hot", **SMALL),
    LstmConfig(layers=2, output="tied", layer_norm=True, variational_dropout=True, **SMALL),
    LstmConfig(layers=1, token_input="factored", output="pitch_duration", **SMALL),
    LstmAttentionConfig(layers=1, heads=2, **SMALL),
    TransformerConfig(layers=2, heads=2, **SMALL),
    TransformerConfig(layers=1, heads=4, output="tied", token_input="factored", **SMALL),
]
ARCHITECTURES += [
    kind(**{n: v for n, v in {**SMALL, "layers": 1, "heads": 2}.items() if n in kind.model_fields})
    for kind in (get_args(tagged)[0] for tagged in get_args(get_args(NetworkConfig)[0]))
    if kind not in map(type, ARCHITECTURES)
]
"""Those above, and each further kind that there is."""
FURTHER_KINDS = ARCHITECTURES[7:]
ACROSS_BACKENDS = [*ARCHITECTURES[2:6], *FURTHER_KINDS]


def names(configs: list[Any]) -> list[str]:
    return [config.name for config in configs]


def each(models: list[Any], *, fast: int = 1) -> Any:
    """A test for each of some networks; all but the first are slow, or all but the first few."""
    return pytest.mark.parametrize(
        "model",
        [pytest.param(m, marks=() if n < fast else pytest.mark.slow) for n, m in enumerate(models)],
        ids=[model.name for model in models],
    )


def run_config(**changes: Any) -> RunConfig:
    values: dict[str, Any] = {
        "model": PLAIN,
        "seq_length": SEQ_LENGTH,
        "learning_rate": 0.02,
        "seed": 0,
        "batch_tokens": 64,
        "max_epochs": 4,
    }
    return RunConfig(**{**values, **changes})


def training_data(token_ids: NDArray[np.int32] = TOKEN_IDS, **changes: Any) -> TrainingData:
    values: dict[str, Any] = {
        "vocabulary": VOCABULARY,
        "token_ids": token_ids,
        "train_spans": SPANS[:N_TRAIN],
        "valid_spans": SPANS[N_TRAIN:],
        "train_windows": WindowIndex.of(SPANS[:N_TRAIN], SEQ_LENGTH, 1),
        "valid_windows": WindowIndex.of(SPANS[N_TRAIN:], SEQ_LENGTH, SEQ_LENGTH),
    }
    return TrainingData(**{**values, **changes})


def random_ids(n: int, length: int, seed: int = 0) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(0, VOCAB_SIZE, (n, length)).astype(np.int32)
