"""Where an artifact's ancestors and source files are looked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from flows.inspection import inspect_artifact
from pipeline_lib.artifacts import MANIFEST_NAME, Artifact, ArtifactStore, Provenance
from pipeline_lib.errors import ArtifactError
from pipeline_lib.stores import file_names


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "results")


def write_scan(store: ArtifactStore, files: dict[str, str], written_at: str) -> Artifact:
    """A scan of files with these contents, by path."""
    provenance = Provenance("scan", "key", "code")
    with store.draft("corpus", provenance) as (draft, finished):
        table = pa.table({"path": list(files), "sha256": list(files.values())})
        draft.write_table(file_names.FILES, table)
        draft.facts["inputs"] = {"snapshot": [list(pair) for pair in files.items()]}
    (scanned,) = finished
    manifest = store.manifest(scanned)
    text = json.dumps({**manifest, "written_at": written_at})
    (store.path(scanned) / MANIFEST_NAME).write_text(text)
    return scanned


def write_shard(
    store: ArtifactStore, contents: list[str], parents: tuple[Artifact, ...] = ()
) -> Path:
    """The folder of what was ingested from these contents."""
    with store.draft("notes", Provenance("ingest", "key", "code", parents)) as (draft, finished):
        draft.write_table(file_names.NOTES, pa.table({"pitch": [60, 62]}))
        draft.facts["inputs"] = {"bucket": {"contents": [[c, ".mid"] for c in contents]}}
    return store.path(finished[0])


def test_the_artifacts_folder_is_the_one_that_the_artifact_lies_in(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned = write_scan(store, {"a.mid": "aa"}, "2026-01-01")
    shard = write_shard(store, ["aa"], (scanned,))
    of_file = inspect_artifact(shard / file_names.NOTES, tmp_path / "elsewhere", 1)
    assert [step.stage for step in of_file.lineage] == ["ingest", "scan"]
    assert of_file.sources == ["a.mid"]
    monkeypatch.chdir(shard)
    assert inspect_artifact(Path(), tmp_path / "elsewhere", 1) == of_file


def test_a_path_that_is_not_here_is_relative_to_artifacts(store: ArtifactStore) -> None:
    shard = write_shard(store, ["aa"])
    relative = shard.relative_to(store.root)
    assert inspect_artifact(relative, store.root, 1).artifact == relative.as_posix()


def test_a_path_that_is_nowhere_is_told_where_it_was_looked_for(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactError) as caught:
        inspect_artifact(Path("none.parquet"), store.root, 1)
    problem = f"none.parquet does not exist; looked here and under {store.root}/"
    assert caught.value.problem == problem


def test_a_folder_that_is_no_artifact_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="this is no artifact, nor a file of one"):
        inspect_artifact(tmp_path, store.root, 1)


def test_the_ancestors_of_a_moved_artifact_are_looked_for_under_artifacts(
    store: ArtifactStore, tmp_path: Path
) -> None:
    shard = write_shard(store, [], (write_scan(store, {"a.mid": "aa"}, "2026-01-01"),))
    moved = shutil.move(shard, tmp_path / "moved")
    lineage = inspect_artifact(Path(moved), store.root, 1).lineage
    assert [step.stage for step in lineage] == ["ingest", "scan"]


def test_paths_come_from_every_scan_the_latest_first(store: ArtifactStore) -> None:
    write_scan(store, {"new.mid": "aa", "copy.mid": "aa"}, "2026-01-03")
    write_scan(store, {"old.mid": "aa", "gone.mid": "bb"}, "2026-01-01")
    write_scan(store, {"gone-2.mid": "bb"}, "2026-01-02")
    shard = write_shard(store, ["aa", "bb", "cc"])
    sources = inspect_artifact(shard, store.root, 1).sources
    assert sources == ["copy.mid", "gone-2.mid", "new.mid", "sha256:cc"]


def test_a_scan_in_the_lineage_knows_best(store: ArtifactStore) -> None:
    scanned = write_scan(store, {"then.mid": "aa"}, "2026-01-01")
    write_scan(store, {"now.mid": "aa"}, "2026-01-02")
    assert inspect_artifact(store.path(scanned), store.root, 1).sources == ["then.mid"]


def test_a_damaged_scan_knows_nothing(store: ArtifactStore) -> None:
    damaged = store.path(write_scan(store, {"a.mid": "aa"}, "2026-01-01"))
    (damaged / file_names.FILES).write_bytes(b"no Parquet")
    (damaged / MANIFEST_NAME).unlink()
    shard = write_shard(store, ["aa"])
    assert inspect_artifact(shard, store.root, 1).sources == ["sha256:aa"]
