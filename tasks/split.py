"""Divide the pieces into train, valid and test, before any window exists."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import SplitConfig
from pipeline_lib.notes.corpus.splits import with_splits
from pipeline_lib.stores.pieces import read_pieces, write_pieces
from tasks.stages import stage


@stage(kind="pieces", schema_version=3)
def split(draft: Draft, pieces: Artifact, config: SplitConfig) -> None:
    """Write ``pieces.parquet``: the table of pieces, with a split for all that are used."""
    write_pieces(draft, with_splits(read_pieces(draft.store, pieces), config))
