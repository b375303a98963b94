from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import GenerateConfig
from tasks.stages import artifacts_in, stage


@stage(kind="numbers")
def count(draft: Draft, limit: int, config: GenerateConfig | None = None) -> None:
    """Write the numbers below a limit."""
    draft.write_table("n.parquet", pa.table({"n": list(range(limit))}))


@stage(kind="numbers")
def add(draft: Draft, terms: list[Artifact], by: int) -> None:
    """Write the sum of the terms' sums, plus a number."""
    tables = [draft.store.read_table(t, "n.parquet") for t in terms]
    total = sum(sum(t.column("n").to_pylist()) for t in tables) + by
    draft.write_table("n.parquet", pa.table({"n": [total]}))


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


def test_a_stage_reads_artifacts_and_writes_one(store: ArtifactStore) -> None:
    terms = [count(store, 3), count(store, 4)]
    total = add(store, terms, by=10)
    assert store.read_table(total, "n.parquet").column("n").to_pylist() == [3 + 6 + 10]
    parents = [p["relpath"] for p in store.manifest(total)["parent_artifacts"]]
    assert parents == [t.relpath for t in terms]


def test_the_key_counts_contents_and_settings(store: ArtifactStore) -> None:
    three, four = count(store, 3), count(store, 4)

    def key(terms: list[Artifact], by: int) -> str:
        return add.key(add.bind(terms, by)).digest

    assert key([three], 1) == key([count(store, 3)], 1)
    assert len({key([three], 1), key([four], 1), key([three], 2), key([three, four], 1)}) == 4


def test_the_key_does_not_count_where_an_artifact_lies_or_what_code_made_it() -> None:
    here = Artifact("numbers", "numbers/1", "1" * 64, "c" * 64, 1)
    there = Artifact("numbers", "numbers/2", "2" * 64, "c" * 64, 1)
    assert add.key(add.bind([here], 1)) == add.key(add.bind([there], 1))


def test_defaults_count_as_if_they_were_given() -> None:
    assert count.key(count.bind(3)) == count.key(count.bind(3, config=None))
    assert count.key(count.bind(3)) != count.key(count.bind(3, GenerateConfig()))


@pytest.mark.parametrize("value", [{1, 2}, object(), Path("x"), b"bytes"])
def test_inputs_without_canonical_content_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be a stage's input"):
        count.key({"limit": value})


def test_wrong_arguments_fail_where_the_call_is_written() -> None:
    with pytest.raises(TypeError):
        count.bind(3, limit=4)  # type: ignore[misc]


def test_artifacts_are_found_however_deep() -> None:
    one, two = (Artifact("k", f"k/{n}", "", "", 1) for n in "12")
    assert list(artifacts_in({"a": [one, ("x", two)], "b": 3})) == [one, two]


@dataclass(frozen=True)
class Terms:
    """Some numbers by name, and one that stands alone."""

    named: dict[str, Artifact]
    alone: Artifact


def test_a_dataclass_of_inputs_counts_field_by_field() -> None:
    one, two, three = (Artifact("k", f"k/{n}", n, n, 1) for n in "123")
    terms = Terms({"a": one, "b": two}, three)
    assert list(artifacts_in({"terms": [terms]})) == [one, two, three]
    assert add.key(add.bind(terms, 1)).inputs["terms"] == {  # type: ignore[arg-type]
        "named": {"a": "k:1", "b": "k:2"},
        "alone": "k:3",
    }


def test_an_input_that_says_itself_what_counts_is_not_looked_into() -> None:
    class Chosen(Terms):
        def cache_value(self) -> str:
            return "chosen"

    one = Artifact("k", "k/1", "1", "1", 1)
    chosen = Chosen({}, one)
    assert list(artifacts_in(chosen)) == []
    assert count.key({"limit": chosen}).inputs == {"limit": "chosen"}
