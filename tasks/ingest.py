"""Read one bucket of files into note and piece tables."""

from __future__ import annotations

from functools import partial

from pipeline_lib.artifacts import Draft
from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.corpus.shards import write_shard
from pipeline_lib.notes.corpus.snapshot import Bucket
from pipeline_lib.stores.notes import open_shard
from tasks.stages import stage


@stage(kind="notes", schema_version=3, in_other_processes=True)
def ingest(draft: Draft, bucket: Bucket, config: ParseConfig) -> None:
    """Write ``notes.parquet``, ``pieces.parquet``, ``tracks.parquet`` and ``changes.parquet``.

    Rejects are rows of the piece table, with their reasons.
    """
    draft.facts["n_rejected"] = write_shard(partial(open_shard, draft), bucket, config)
