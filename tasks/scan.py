"""Record which files a corpus holds, by content."""

from __future__ import annotations

from pipeline_lib.artifacts import Draft
from pipeline_lib.notes.corpus import CorpusSnapshot, snapshot_table
from tasks.stages import stage


@stage(kind="corpus")
def scan(draft: Draft, snapshot: CorpusSnapshot) -> None:
    """Write ``files.parquet``: one row per file with its path, size and SHA-256."""
    draft.write_table("files.parquet", snapshot_table(snapshot))
