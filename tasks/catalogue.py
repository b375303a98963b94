"""Put the shards together into one table of pieces, and find which are the same music."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import DuplicateConfig
from pipeline_lib.notes.corpus.catalogue import check_rejects, piece_table
from pipeline_lib.notes.table import SELECTION_SCHEMA, SHARD_PIECE_SCHEMA
from tasks.stages import stage

PIECES_NAME = "pieces.parquet"


@stage(kind="catalogues")
def catalogue(
    draft: Draft,
    files: Artifact,
    shards: list[Artifact],
    selections: list[Artifact],
    config: DuplicateConfig,
    max_rejected_fraction: float,
) -> None:
    """Write ``pieces.parquet``: a row for every piece of every file, or the reason why there is none."""
    store = draft.store
    shard_pieces = [store.read_table(s, "pieces.parquet") for s in shards]
    selected = [store.read_table(s, "selections.parquet") for s in selections]
    pieces = piece_table(
        store.read_table(files, "files.parquet"),
        pa.concat_tables([SHARD_PIECE_SCHEMA.empty_table(), *shard_pieces]),
        pa.concat_tables([SELECTION_SCHEMA.empty_table(), *selected]),
        config,
    )
    check_rejects(pieces, max_rejected_fraction)
    draft.write_table(PIECES_NAME, pieces)


def piece_path(row: dict[str, Any]) -> str:
    """Where a piece of the table comes from: its file's path, and which tune of it, if it has several."""
    return f"{row['path']} #{row['tune']}" if row["tune"] else str(row["path"])
