"""Sets of pieces that are measured side by side, and which stretch of a real piece stands beside new music."""

from __future__ import annotations

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.tokenisers.base import Tokeniser

GENERATED, CONTROL = "generated", "control"
"""Samples of a network, and of the n-gram model."""
CORPUS, TRAIN, HELD_OUT = "corpus", "train", "held_out"
"""Test pieces, train pieces, and valid and test pieces together."""


def stretches(
    corpus: TokenCorpus, split: Split, prompt_length: int, length: int, tokeniser: Tokeniser
) -> dict[str, GridNotes]:
    """What stands beside continuations, by piece_id: some tokens of each piece after as many as a prompt has.

    Parameters
    ----------
    corpus : TokenCorpus
    split : Split
    prompt_length, length : int
        Tokens that are left out, and that are taken at most. A piece without any after the prompt has no stretch.
    tokeniser : Tokeniser
    """
    stop = prompt_length + length
    return {
        row["piece_id"]: corpus.excerpt(row, prompt_length, stop, tokeniser)
        for row in corpus.rows(split)
        if row["length"] - 2 > prompt_length
    }
