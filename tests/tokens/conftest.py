"""A corpus small enough to count by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_lib.tokens.corpus import TokenCorpus, build_corpus
from pipeline_lib.tokens.sequences import TokenSequences
from pipeline_lib.tokens.vocabulary import build_vocabulary
from tests.tokenisers import NOTES

A, B, C = "Pitch_60:1", "Pitch_62:1", "Pitch_64:1"


def row(piece_id: str, split: str) -> dict[str, Any]:
    return {
        "piece_id": piece_id,
        "split": split,
        "time_signature": "3/4",
        "tempo_qpm": 90.0,
        "key_signature": None,
        "line": piece_id,
        "augmented_semitones": 0,
    }


def token_lines(**tokens: list[str]) -> TokenSequences:
    """Lines by piece_id."""
    lines = TokenSequences()
    for piece_id, line in tokens.items():
        lines.add(piece_id, line)
    return lines


@pytest.fixture
def corpus() -> TokenCorpus:
    """Train: A B A B (4) and A A (2); valid: B A B (3); test: C B (2), where C is unknown."""
    pieces = [row("p1", "train"), row("p2", "train"), row("p3", "valid"), row("p4", "test")]
    lines = token_lines(p1=[A, B, A, B], p2=[A, A], p3=[B, A, B], p4=[C, B])
    vocabulary, _ = build_vocabulary(lines.count(["p1", "p2"]), 2, 1, NOTES)
    return build_corpus(pieces, lines, vocabulary)
