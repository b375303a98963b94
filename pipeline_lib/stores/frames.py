"""Data frames as files of artifacts, without their index."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft


def write_frame(draft: Draft, name: str, frame: pd.DataFrame) -> None:
    """Write a data frame as a Parquet file."""
    draft.write_table(name, pa.Table.from_pandas(frame, preserve_index=False))


def read_frame(store: ArtifactStore, artifact: Artifact, name: str) -> pd.DataFrame:
    """Read a Parquet file as a data frame."""
    frame: pd.DataFrame = store.read_table(artifact, name).to_pandas()
    return frame
