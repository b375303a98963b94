"""Sets of pieces that are measured and compared, and the stretches of real pieces that new music is compared with."""

from __future__ import annotations

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.tokenisers.base import Tokeniser

GENERATED, CONTROL = "generated", "control"
"""Names of the sets of samples: those of a network, and those of the n-gram model."""
CORPUS, TRAIN, HELD_OUT = "corpus", "train", "held_out"
"""Names of the sets of real pieces: those of test, those of train, and those of valid and test together."""


def stretches(
    corpus: TokenCorpus, split: Split, prompt_length: int, length: int, tokeniser: Tokeniser
) -> dict[str, GridNotes]:
    """Take the stretches of real pieces that continuations are compared with, by piece_id.

    A stretch is as long as a continuation, and begins after as many tokens of its piece as a prompt has.

    Parameters
    ----------
    corpus : TokenCorpus
    split : Split
        The split whose pieces are taken.
    prompt_length : int
        Number of tokens that are left out at the beginning of each piece. A piece with no more has no stretch.
    length : int
        Number of tokens that are taken at most.
    tokeniser : Tokeniser
        Tokeniser that the corpus was encoded with.
    """
    stop = prompt_length + length
    return {
        row["piece_id"]: corpus.excerpt(row, prompt_length, stop, tokeniser)
        for row in corpus.rows(split)
        if row["length"] - 2 > prompt_length
    }
