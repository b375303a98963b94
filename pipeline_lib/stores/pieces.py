"""From files to the table of pieces: the kinds ``corpus``, ``selections``, ``catalogues`` and ``pieces``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.notes.corpus.snapshot import CorpusSnapshot, snapshot_table
from pipeline_lib.stores import file_names


def write_files(draft: Draft, snapshot: CorpusSnapshot) -> None:
    """Write what a corpus folder holds: one row per file."""
    draft.write_table(file_names.FILES, snapshot_table(snapshot))


def read_files(store: ArtifactStore, files: Artifact) -> pa.Table:
    """The files of a corpus folder, with `notes.corpus.snapshot.SNAPSHOT_SCHEMA`."""
    return store.read_table(files, file_names.FILES)


def write_selection(draft: Draft, selection: pa.Table) -> None:
    """Write what is kept of each piece of a shard, with `notes.table.SELECTION_SCHEMA`."""
    draft.write_table(file_names.SELECTIONS, selection)


def read_selection(store: ArtifactStore, selection: Artifact) -> pa.Table:
    """What is kept of each piece of a shard, with `notes.table.SELECTION_SCHEMA`."""
    return store.read_table(selection, file_names.SELECTIONS)


def write_pieces(draft: Draft, pieces: pa.Table) -> None:
    """Write the table of pieces, with a split or without."""
    draft.write_table(file_names.PIECES, pieces)


def read_pieces(
    store: ArtifactStore, pieces: Artifact, columns: Sequence[str] | None = None
) -> pa.Table:
    """The table of pieces of the whole corpus.

    Parameters
    ----------
    store : ArtifactStore
    pieces : Artifact
        Of the kind ``pieces``, or ``catalogues``, where no piece has a split yet.
    columns : sequence of str, optional
        All if not given.
    """
    return store.read_table(pieces, file_names.PIECES, None if columns is None else list(columns))


def pieces_path(store: ArtifactStore, pieces: Artifact) -> Path:
    """Where the table of pieces lies."""
    return store.path(pieces, file_names.PIECES)
