"""Divide the pieces into train, valid and test, before any window exists."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import SplitConfig
from pipeline_lib.notes.corpus.splits import with_splits
from tasks.catalogue import PIECES_NAME
from tasks.stages import stage


@stage(kind="pieces", schema_version=2)
def split(draft: Draft, pieces: Artifact, config: SplitConfig) -> None:
    """Write ``pieces.parquet``: the table of pieces, with a split for all that are used."""
    table = draft.store.read_table(pieces, PIECES_NAME)
    draft.write_table(PIECES_NAME, with_splits(table, config))
