"""The section on the corpus: what was read, and what became of it."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.notes.corpus.catalogue import count_corpus, piece_path
from pipeline_lib.notes.table import Status
from pipeline_lib.reports.content import CorpusSummary, Reject

MOST_REJECTS = 200
"""Rejected pieces that the page lists: a folder from the web can have ten thousand."""


def build_corpus(
    name: str, pieces: pa.Table, vocab_size: int, unknown_share: float
) -> CorpusSummary:
    """Count the pieces and list the rejected ones.

    Parameters
    ----------
    name : str
    pieces : pyarrow.Table
        With `notes.table.PIECE_SCHEMA` and a split.
    vocab_size, unknown_share
        As for `CorpusSummary`.
    """
    rejected = pieces.filter(pc.equal(pieces["status"], Status.REJECTED.value))
    return CorpusSummary(
        name=name,
        counts=count_corpus(pieces),
        n_pieces_by_split=dict(Counter(pieces["split"].drop_null().to_pylist())),
        vocab_size=vocab_size,
        rejects=tuple(
            Reject(piece_path(row), row["reject_reason"], row["reject_detail"] or "")
            for row in rejected.slice(0, MOST_REJECTS).to_pylist()
        ),
        unknown_share=unknown_share,
    )
