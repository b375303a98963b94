"""Put the shards together into one table of pieces, and find which are the same music."""

from __future__ import annotations

import pyarrow as pa

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import DuplicateConfig
from pipeline_lib.notes.corpus.catalogue import check_rejects, piece_table
from pipeline_lib.notes.table import SELECTION_SCHEMA, SHARD_PIECE_SCHEMA
from pipeline_lib.stores.notes import read_shard_pieces
from pipeline_lib.stores.pieces import read_files, read_selection, write_pieces
from tasks.stages import stage


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
    shard_pieces = [read_shard_pieces(store, s) for s in shards]
    selected = [read_selection(store, s) for s in selections]
    pieces = piece_table(
        read_files(store, files),
        pa.concat_tables([SHARD_PIECE_SCHEMA.empty_table(), *shard_pieces]),
        pa.concat_tables([SELECTION_SCHEMA.empty_table(), *selected]),
        config,
    )
    check_rejects(pieces, max_rejected_fraction)
    write_pieces(draft, pieces)
