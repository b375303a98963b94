"""Find where training windows of one length may start."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.tokens.windows import WINDOW_PARQUET_OPTIONS, index_table
from tasks.encode import load_corpus
from tasks.stages import stage


@stage(kind="windows", schema_version=2)
def index_windows(draft: Draft, tokens: Artifact, seq_length: int, stride: int) -> None:
    """Write ``windows.parquet``: where the windows of train and valid pieces start."""
    corpus = load_corpus(draft.store, tokens)
    draft.write_table(
        "windows.parquet", index_table(corpus, seq_length, stride), **WINDOW_PARQUET_OPTIONS
    )
