"""A corpus small enough to count by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_lib.tokens.corpus import TokenCorpus, build_corpus
from pipeline_lib.tokens.vocabulary import build_vocabulary

A, B, C = "Pitch_60:1", "Pitch_62:1", "Pitch_64:1"


def row(piece_id: str, split: str) -> dict[str, Any]:
    return {
        "piece_id": piece_id,
        "split": split,
        "time_signature": "3/4",
        "tempo_qpm": 90.0,
        "key_signature": None,
    }


@pytest.fixture
def corpus() -> TokenCorpus:
    """Train: A B A B (4) and A A (2); valid: B A B (3); test: C B (2), where C is unknown."""
    pieces = [row("p1", "train"), row("p2", "train"), row("p3", "valid"), row("p4", "test")]
    tokens = [[A, B, A, B], [A, A], [B, A, B], [C, B]]
    vocabulary, _ = build_vocabulary(tokens[:2], min_count=1)
    return build_corpus(pieces, tokens, vocabulary)
