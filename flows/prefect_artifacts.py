"""What Prefect's own page shows of an experiment: a results table, training progress, the report's place."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import cast
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from flows.journal import TRAIN_LABEL, Journal
from tasks.progress import add_listener

_SECONDS_BETWEEN_UPDATES = 5.0
_log = logging.getLogger(__name__)


class TrainingProgress:
    """While it is open, every training run has a progress artifact."""

    def __init__(self) -> None:
        self._ids: dict[str, UUID] = {}
        self._updated: dict[str, float] = {}

    def __enter__(self) -> None:
        self._stop_listening = add_listener(self._on_progress)

    def __exit__(self, *exception: object) -> None:
        self._stop_listening()

    def _on_progress(self, label: str, done: float, total: float, text: str) -> None:
        if not label.startswith(TRAIN_LABEL):
            return
        now = time.monotonic()
        is_due = now - self._updated.get(label, 0.0) >= _SECONDS_BETWEEN_UPDATES
        if not is_due and done < total:
            return
        self._updated[label] = now
        try:
            self._show(label, 100.0 * done / total, text)
        except Exception as error:  # a server that is away must not cost the training
            _log.warning("progress of %s not shown: %s", label, error)

    def _show(self, label: str, percent: float, text: str) -> None:
        if label in self._ids:
            update_progress_artifact(self._ids[label], progress=percent, description=text)
        else:
            created = create_progress_artifact(percent, key=_as_key(label), description=text)
            self._ids[label] = cast(UUID, created)


def publish_results(journal: Journal) -> None:
    """The results as a table, and a link to the report."""
    create_table_artifact(
        journal.results,
        key="results",
        description=f"Held-out likelihood on {journal.corpus}: the same targets for every row.",
    )
    report = Path(journal.report)
    create_link_artifact(
        report.as_uri(),
        link_text=report.name,
        key="report",
        description=journal.report,
    )


def _as_key(label: str) -> str:
    """Prefect's keys hold lowercase letters, digits and dashes only."""
    return "".join(c if c.isalnum() else "-" for c in label.lower())
