"""Find where training windows of one length may start."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.stores.tokens import read_tokens, write_windows
from pipeline_lib.tokens.windows import index_table
from tasks.stages import stage


@stage(kind="windows", schema_version=2)
def index_windows(draft: Draft, tokens: Artifact, seq_length: int, stride: int) -> None:
    """Write ``windows.parquet``: where the windows of train and valid pieces start."""
    corpus = read_tokens(draft.store, tokens)
    write_windows(draft, index_table(corpus, seq_length, stride))
