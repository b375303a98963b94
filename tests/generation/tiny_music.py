"""Networks at random over a vocabulary of a few notes, chords and rests."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from pipeline_lib.config import NetworkConfig
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.vocabulary import END_ID, SPECIAL_TOKENS, Vocabulary
from tests.models.tiny_corpus import PLAIN, run_config
from tests.tokenisers import note_events

STEPS = 4
TOKENISER = note_events(STEPS)
KNOWN = Vocabulary.of(
    (
        *SPECIAL_TOKENS,
        *(f"Pitch_{pitch}:{d}" for pitch in range(57, 75) for d in ("1/2", "1", "3/2")),
        *(f"Chord_{root}.{root + 4}.{root + 7}:2" for root in range(57, 68)),
        *(f"Rest:{d}" for d in ("1/4", "1/2", "1")),
    ),
    TOKENISER,
)


@cache
def network(model: NetworkConfig = PLAIN) -> Network:
    return Network(run_config(model=model), KNOWN)


def ending_network(score: float) -> Network:
    """One whose scores are 0, but for the end's."""
    net = Network(run_config(), KNOWN)
    for variable in net.logits.trainable_variables:
        variable.assign(np.zeros(variable.shape, np.float32))
    net.logits.bias.assign(np.where(np.arange(len(KNOWN)) == END_ID, score, 0.0))
    return net


def prompt(*tokens: str, **changes: Any) -> Prompt:
    values: dict[str, Any] = {
        "source": "tune.mid",
        "time_signature": "6/8",
        "tempo_qpm": 90.0,
        "key_signature": "G major",
    }
    return Prompt(tokens=tokens, **{**values, **changes})
