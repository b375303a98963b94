"""What the last experiment did: one entry per stage call, kept in ``artifacts/status.json``."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from pipeline_lib.artifacts import ArtifactStore
from pipeline_lib.errors import ArtifactError

STATUS_NAME = "status.json"

CACHED = "cached: same inputs"

TRAIN_LABEL = "train/"
"""What the labels of trainings start with; the name of the run follows."""


@dataclass(frozen=True)
class Entry:
    """Record of one stage call in the journal.

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
    known : dict
        Each label's latest artifact, relative to ``artifacts/``, of this and of earlier experiments.
    """

    corpus: str
    config: Mapping[str, Any]
    flow_run: str = ""
    state: Literal["running", "completed", "failed", "stopped"] = "running"
    started_at: str = ""
    seconds: float = 0.0
    report: str = ""
    results: list[dict[str, Any]] = field(default_factory=list)
    stages: list[Entry] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)

    def save(self, store: ArtifactStore) -> None:
        """Replace the saved journal, at once or not at all; its entries become known."""
        self.known.update({entry.stage: entry.artifact for entry in self.stages})
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False)
        store.root.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=store.root, prefix=".status-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(scratch, store.root / STATUS_NAME)


def load_journal(store: ArtifactStore) -> Journal | None:
    """The last experiment's journal; None before the first.

    Raises
    ------
    ArtifactError
        It is damaged, or was written by another version.
    """
    path = store.root / STATUS_NAME
    if not path.is_file():
        return None
    try:
        return _journal(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(
            f"{STATUS_NAME} is unreadable ({error})",
            path=path,
            remedy="run `music-pipeline run` again: it is written anew",
        ) from None


def require_journal(store: ArtifactStore) -> Journal:
    """Load the journal of the last experiment, of which there has to be one.

    Raises
    ------
    ArtifactError
        Nothing has run yet, or the journal is damaged or of another version.
    """
    journal = load_journal(store)
    if journal is None:
        raise ArtifactError(
            "nothing has run here yet", path=store.root, remedy="run `music-pipeline run` first"
        )
    return journal


def last_journal(store: ArtifactStore) -> Journal | None:
    """Load the last experiment's journal; None where there is none, or where it cannot be read.

    A damaged journal must not keep a run from starting: the run writes a new one.
    """
    try:
        return load_journal(store)
    except ArtifactError:
        return None


def artifacts_by_label(journal: Journal | None) -> dict[str, Path]:
    """Where each stage call's latest artifact lies, relative to ``artifacts/``."""
    return {label: Path(relpath) for label, relpath in journal.known.items()} if journal else {}


def _journal(values: Any) -> Journal:
    """Make a journal from what `Journal.save` wrote; an unknown or missing field is an error."""
    if not isinstance(values, dict) or set(values) != {f.name for f in fields(Journal)}:
        raise ValueError("it has other fields than this version writes")
    if not isinstance(values["known"], dict):
        raise TypeError("`known` is no object")
    return Journal(**{**values, "stages": [Entry(**entry) for entry in values["stages"]]})
