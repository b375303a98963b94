from __future__ import annotations

from pathlib import Path

import pytest

from flows.reasons import explain
from pipeline_lib.artifacts import ArtifactStore, Draft
from tasks.stages import stage
from tasks.staleness import StageKey


@stage(kind="numbers")
def write(draft: Draft, files: list[list[str]], config: dict[str, object]) -> None:
    """Write nothing of interest."""
    draft.write_json("n.json", 1)


BEFORE = {"files": [["a.mid", "1"], ["b.mid", "2"]], "config": {"temperature": 1.0, "seed": 0}}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"config": {"temperature": 0.8, "seed": 0}}, "config.temperature 1.0 -> 0.8"),
        ({"files": [["a.mid", "9"], ["b.mid", "2"]]}, "files changed: a.mid"),
        ({"files": [["a.mid", "1"]]}, "files gone: b.mid"),
        ({"files": [*BEFORE["files"], ["c.mid", "3"]]}, "files new: c.mid"),
    ],
)
def test_the_reason_names_what_is_different(
    change: dict[str, object], reason: str, tmp_path: Path
) -> None:
    store = ArtifactStore(tmp_path)
    last = write.compute(store, BEFORE)
    assert explain(write.key({**BEFORE, **change}), Path(last.relpath), store) == reason


def test_changed_code_and_packages_are_named(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    last = write.compute(store, BEFORE)
    key = write.key(BEFORE)
    code = {**key.code, "pipeline_lib.new": "0"}
    changed = StageKey(key.stage, key.inputs, code, {**key.packages, "numpy": "99"})
    reason = explain(changed, Path(last.relpath), store)
    assert "code changed: pipeline_lib.new" in reason
    assert reason.endswith("-> 99")


def test_without_a_last_time_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert explain(write.key(BEFORE), None, ArtifactStore(tmp_path)) == "first time"
