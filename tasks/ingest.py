"""Read one bucket of files into note and piece tables."""

from __future__ import annotations

from pipeline_lib.artifacts import Draft
from pipeline_lib.notes.corpus import Bucket
from pipeline_lib.notes.parsing import parse_bucket
from pipeline_lib.notes.table import NOTE_PARQUET_OPTIONS
from tasks.stages import stage


@stage(kind="notes")
def ingest(draft: Draft, bucket: Bucket, min_notes: int) -> None:
    """Write ``notes.parquet`` and ``pieces.parquet``, rejects with their reasons among the latter."""
    notes, pieces = parse_bucket(bucket, min_notes)
    draft.write_table("notes.parquet", notes, **NOTE_PARQUET_OPTIONS)
    draft.write_table("pieces.parquet", pieces)
