"""The page and the tables behind its figures: the kind ``reports``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.stores import file_names
from pipeline_lib.stores.frames import write_frame


def write_page(draft: Draft, html: str) -> None:
    """Write the page."""
    draft.path(file_names.REPORT).write_text(html, encoding="utf-8")


def page_path(store: ArtifactStore, report: Artifact) -> Path:
    """Where the page lies."""
    return store.path(report, file_names.REPORT)


def write_results(draft: Draft, results: pa.Table, frames: Mapping[str, pd.DataFrame]) -> None:
    """Write the table of results, and others by their names."""
    draft.write_table(file_names.RESULTS, results)
    for name, frame in frames.items():
        write_frame(draft, f"{name}.parquet", frame)


def read_results(store: ArtifactStore, report: Artifact) -> list[dict[str, Any]]:
    """The rows of the table of results."""
    rows: list[dict[str, Any]] = store.read_table(report, file_names.RESULTS).to_pylist()
    return rows


def write_excerpts(draft: Draft, sample: str, source: str) -> None:
    """Write both sides of the longest match as MusicXML: of the sample and of the training piece."""
    draft.path(file_names.SAMPLE_EXCERPT).write_text(sample, encoding="utf-8")
    draft.path(file_names.SOURCE_EXCERPT).write_text(source, encoding="utf-8")
