"""Record which files a corpus holds, by content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline_lib.artifacts import ArtifactStore, Draft
from pipeline_lib.notes.corpus.scanning import scan_corpus
from pipeline_lib.notes.corpus.snapshot import CorpusSnapshot
from pipeline_lib.stores.pieces import write_files
from tasks.progress import reporter
from tasks.stages import stage

INDEX_FOLDER = ".index"


def take_snapshot(store: ArtifactStore, folder: Path, *, keep_index: bool = True) -> CorpusSnapshot:
    """What a corpus folder holds now; files that an earlier snapshot saw are not read again.

    Not a stage: it makes the input of all stages.

    Parameters
    ----------
    store : ArtifactStore
        Where the index of checksums is kept, one per corpus folder.
    folder : Path
    keep_index : bool
        Whether to bring that index up to date.
    """
    place = hashlib.sha256(bytes(folder.resolve())).hexdigest()[:16]
    index = store.root / INDEX_FOLDER / f"{place}.parquet"
    return scan_corpus(folder, index=index, keep_index=keep_index, progress=reporter("scan"))


@stage(kind="corpus", schema_version=2)
def scan(draft: Draft, snapshot: CorpusSnapshot) -> None:
    """Write ``files.parquet``: one row per file with its path, size and SHA-256."""
    write_files(draft, snapshot)
