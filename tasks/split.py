"""Divide the pieces into train, valid and test, before any window exists."""

from __future__ import annotations

import pyarrow as pa

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import SplitConfig
from pipeline_lib.notes.corpus import snapshot_files
from pipeline_lib.notes.splits import check_rejects, piece_table
from tasks.stages import stage


@stage(kind="pieces")
def split(
    draft: Draft,
    corpus: Artifact,
    shards: list[Artifact],
    config: SplitConfig,
    max_rejected_fraction: float,
) -> None:
    """Write ``pieces.parquet``: one row per file, with its split or the reason why it has none."""
    files = snapshot_files(draft.store.read_table(corpus, "files.parquet"))
    shard_pieces = pa.concat_tables(draft.store.read_table(s, "pieces.parquet") for s in shards)
    pieces = piece_table(files, shard_pieces, config)
    check_rejects(pieces, max_rejected_fraction)
    draft.write_table("pieces.parquet", pieces)
