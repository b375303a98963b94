"""Artifacts are whole or absent, never changed unnoticed, and say where they come from."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_lib.artifacts import PROVENANCE_KEY, Artifact, ArtifactStore, Provenance
from pipeline_lib.errors import ArtifactError


def write(store: ArtifactStore, values: list[int], code: str = "c0de") -> Artifact:
    provenance = Provenance("double", "key", code, parameters={"seed": 7})
    with store.draft("numbers", provenance) as (draft, finished):
        draft.write_table("numbers.parquet", pa.table({"n": values}))
    return finished[0]


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def test_what_was_written_can_be_read_and_verified(store: ArtifactStore) -> None:
    artifact = write(store, [1, 2, 3])
    store.verify(artifact)
    assert store.read_table(artifact, "numbers.parquet").column("n").to_pylist() == [1, 2, 3]
    assert artifact.relpath == f"numbers/{artifact.sha256[:16]}"


def test_the_footer_and_the_manifest_say_where_it_comes_from(store: ArtifactStore) -> None:
    artifact = write(store, [1])
    footer = pq.read_schema(store.path(artifact, "numbers.parquet")).metadata[PROVENANCE_KEY]
    assert json.loads(footer) == {
        "stage": "double",
        "code": "c0de",
        "parents": [],
        "parameters": {"seed": 7},
    }
    manifest = store.manifest(artifact)
    assert manifest["artifact"]["sha256"] == artifact.sha256
    assert manifest["provenance"]["key"] == "key"
    assert manifest["seconds"] >= 0
    assert "numpy" in manifest["packages"]


def test_equal_content_has_equal_digests_whatever_code_made_it(store: ArtifactStore) -> None:
    first, again, other_code, other = (
        write(store, [1, 2]),
        write(store, [1, 2]),
        write(store, [1, 2], code="0ther"),
        write(store, [1, 3]),
    )
    assert first == again
    assert first.sha256 != other_code.sha256
    assert first.content_sha256 == other_code.content_sha256
    assert first.content_sha256 != other.content_sha256


@pytest.mark.parametrize("offset", [10, -60, -1], ids=["data", "footer", "magic"])
def test_a_changed_byte_is_noticed(store: ArtifactStore, offset: int) -> None:
    artifact = write(store, [1, 2, 3])
    path = store.path(artifact, "numbers.parquet")
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="has changed since it was written"):
        store.verify(artifact)


def test_a_deleted_or_added_file_is_noticed(store: ArtifactStore) -> None:
    artifact = write(store, [1])
    store.path(artifact, "extra.txt").write_text("?")
    with pytest.raises(ArtifactError, match="has changed"):
        store.verify(artifact)
    store.path(artifact, "extra.txt").unlink()
    store.path(artifact, "numbers.parquet").unlink()
    with pytest.raises(ArtifactError, match="has changed"):
        store.verify(artifact)


def test_a_missing_artifact_says_what_to_do(store: ArtifactStore) -> None:
    artifact = Artifact("numbers", "numbers/0123", "0" * 64, "0" * 64, 1)
    with pytest.raises(ArtifactError, match="is missing") as caught:
        store.verify(artifact)
    assert "music-pipeline run" in str(caught.value)


def test_an_error_while_writing_leaves_nothing(store: ArtifactStore) -> None:
    def fail_halfway() -> None:
        with store.draft("numbers", Provenance("s", "k", "c")) as (draft, _):
            draft.write_json("half.json", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert [p for p in store.root.rglob("*") if p.is_file()] == []


def test_writing_again_mends_a_damaged_artifact(store: ArtifactStore) -> None:
    artifact = write(store, [1, 2])
    store.path(artifact, "numbers.parquet").write_bytes(b"garbage")
    assert write(store, [1, 2]) == artifact
    store.verify(artifact)


def test_what_another_run_has_written_stays_where_it_is(store: ArtifactStore) -> None:
    artifact = write(store, [1, 2])
    before = store.path(artifact, "numbers.parquet").stat()
    assert write(store, [1, 2]) == artifact
    assert store.path(artifact, "numbers.parquet").stat().st_ino == before.st_ino
    assert list((store.root / ".writing").iterdir()) == []


def write_in_parts(store: ArtifactStore, parts: list[list[int]], **options: int) -> Artifact:
    with store.draft("numbers", Provenance("double", "key", "c0de")) as (draft, finished):
        with draft.open_table("numbers.parquet", N_SCHEMA, **options) as writer:
            for part in parts:
                writer.write_table(pa.table({"n": pa.array(part, pa.int64())}))
        written = pq.read_table(draft.path("numbers.parquet"))
        assert written.column("n").to_pylist() == [n for part in parts for n in part]
    return finished[0]


N_SCHEMA = pa.schema([pa.field("n", pa.int64())], metadata={"schema": "numbers/1"})


def test_a_table_may_be_written_piece_by_piece(store: ArtifactStore) -> None:
    artifact = write_in_parts(store, [[1, 2], [], [3]])
    assert store.read_table(artifact, "numbers.parquet")["n"].to_pylist() == [1, 2, 3]
    metadata = pq.read_schema(store.path(artifact, "numbers.parquet")).metadata
    assert metadata[b"schema"] == b"numbers/1"
    assert json.loads(metadata[PROVENANCE_KEY])["stage"] == "double"
    assert write_in_parts(store, [[1, 2], [], [3]]) == artifact


def test_a_table_without_parts_is_empty_but_has_its_schema(store: ArtifactStore) -> None:
    table = store.read_table(write_in_parts(store, []), "numbers.parquet")
    assert (len(table), table.column_names) == (0, ["n"])


def test_row_groups_are_as_large_as_asked_for(store: ArtifactStore) -> None:
    artifact = write_in_parts(store, [[1, 2, 3, 4, 5]], row_group_size=2)
    metadata = pq.read_metadata(store.path(artifact, "numbers.parquet"))
    assert [metadata.row_group(i).num_rows for i in range(3)] == [2, 2, 1]


def test_a_part_with_other_columns_is_refused(store: ArtifactStore) -> None:
    with (
        pytest.raises(ValueError, match="schema does not match"),
        store.draft("numbers", Provenance("s", "k", "c")) as (draft, _),
        draft.open_table("numbers.parquet", N_SCHEMA) as writer,
    ):
        writer.write_table(pa.table({"m": [1]}))
    assert [p for p in store.root.rglob("*") if p.is_file()] == []
