"""What is remembered of earlier runs, and what becomes of a file that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.journal import (
    STATUS_NAME,
    Entry,
    Journal,
    artifacts_by_label,
    last_journal,
    load_journal,
    require_journal,
)
from pipeline_lib.artifacts import ArtifactStore
from pipeline_lib.errors import ArtifactError


def made(label: str, artifact: str) -> Entry:
    return Entry(label, "ran", "first time", artifact, 1.5, 0.0)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "new")
    journal = Journal("walks", {"a": 1}, state="stopped", stages=[made("scan", "corpus/0123")])
    journal.save(store)
    assert load_journal(store) == journal
    assert [path.name for path in store.root.iterdir()] == [STATUS_NAME]


def test_artifacts_of_earlier_runs_stay_known(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    first = Journal("walks", {}, stages=[made("scan", "corpus/01"), made("train/a", "runs/01")])
    first.save(store)
    last = last_journal(store)
    assert last is not None
    Journal("walks", {}, stages=[made("scan", "corpus/02")], known=dict(last.known)).save(store)
    assert artifacts_by_label(load_journal(store)) == {
        "scan": Path("corpus/02"),
        "train/a": Path("runs/01"),
    }


def test_before_the_first_run_nothing_is_known(tmp_path: Path) -> None:
    assert load_journal(ArtifactStore(tmp_path)) is None
    assert last_journal(ArtifactStore(tmp_path)) is None
    assert artifacts_by_label(None) == {}
    with pytest.raises(ArtifactError, match="nothing has run here yet"):
        require_journal(ArtifactStore(tmp_path))


OLDER = {"corpus": "walks", "config": {}, "stages": []}
WHOLE = {**OLDER, "flow_run": "", "state": "failed", "started_at": "", "seconds": 0.0}
WHOLE = {**WHOLE, "report": "", "results": [], "known": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"corpus": "wal',
        b"[]",
        b"\xff\xfe",
        json.dumps(OLDER).encode(),
        json.dumps({**WHOLE, "known": []}).encode(),
        json.dumps({**WHOLE, "stages": [{"stage": "scan"}]}).encode(),
    ],
)
def test_an_unreadable_file_is_an_error_to_show_and_nothing_to_go_on(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / STATUS_NAME).write_bytes(content)
    store = ArtifactStore(tmp_path)
    with pytest.raises(ArtifactError, match=r"status\.json is unreadable") as caught:
        load_journal(store)
    assert caught.value.path == tmp_path / STATUS_NAME
    assert "written anew" in caught.value.remedy
    assert last_journal(store) is None


def test_what_is_no_json_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Journal("walks", {}, results=[{"test_loss": float("nan")}]).save(ArtifactStore(tmp_path))
    assert list(tmp_path.iterdir()) == []
