"""What the last experiment did: one entry per stage call, kept in ``artifacts/status.json``."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline_lib.artifacts import ArtifactStore

STATUS_NAME = "status.json"

CACHED = "cached: same inputs"


@dataclass(frozen=True)
class Entry:
    """One stage call.

    Parameters
    ----------
    stage : str
        Its label: "train/lstm3x128-L50-lr0.002-s0".
    state : {"ran", "cached"}
    reason : str
        Why it ran, or why it did not.
    artifact : str
        Path of what it wrote, relative to ``artifacts/``.
    seconds : float
        Spent on it in this run; 0 when cached.
    saved_seconds : float
        What the cache saved: the time that the artifact once took; 0 when it ran.
    """

    stage: str
    state: Literal["ran", "cached"]
    reason: str
    artifact: str
    seconds: float
    saved_seconds: float


@dataclass
class Journal:
    """The record of one experiment.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    config : dict
        All settings.
    """

    corpus: str
    config: Mapping[str, Any]
    flow_run: str = ""
    state: Literal["running", "completed", "failed"] = "running"
    started_at: str = ""
    seconds: float = 0.0
    report: str = ""
    results: list[dict[str, Any]] = field(default_factory=list)
    stages: list[Entry] = field(default_factory=list)

    def save(self, store: ArtifactStore) -> None:
        """Replace the saved journal, at once or not at all."""
        store.root.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=store.root, prefix=".status-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(asdict(self), stream, indent=1, ensure_ascii=False)
        os.replace(scratch, store.root / STATUS_NAME)


def load_journal(store: ArtifactStore) -> Journal | None:
    """The last experiment's journal; None before the first."""
    path = store.root / STATUS_NAME
    if not path.is_file():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    return Journal(**{**values, "stages": [Entry(**entry) for entry in values["stages"]]})


def artifacts_by_label(journal: Journal | None) -> dict[str, Path]:
    """Where each stage call's last artifact lies, relative to ``artifacts/``."""
    return {entry.stage: Path(entry.artifact) for entry in journal.stages} if journal else {}
