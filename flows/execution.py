"""Two ways to walk an experiment: run its stages with Prefect, or only say which would run.

The experiment itself (`flows.music_pipeline.experiment`) is written once and given either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from prefect.futures import PrefectFuture

from flows.journal import CACHED, Entry
from flows.reasons import explain
from pipeline_lib.artifacts import Artifact, ArtifactStore
from pipeline_lib.errors import ArtifactError
from tasks.caching import as_prefect_task, find_cached, has_record
from tasks.fingerprint import read_all
from tasks.progress import report
from tasks.stages import Call, StageKey, artifacts_in


class Executor(Protocol):
    """Whatever turns calls into artifacts."""

    def __call__(self, call: Call) -> Artifact:
        """The artifact of one call."""

    def all(self, calls: Sequence[Call]) -> list[Artifact]:
        """The artifacts of calls that do not depend on each other, side by side."""


@dataclass(frozen=True)
class _Submitted:
    call: Call
    key: StageKey
    had_record: bool
    future: PrefectFuture[Artifact]


class PrefectExecutor:
    """Runs calls as Prefect tasks, inside a flow run.

    Parameters
    ----------
    store : ArtifactStore
    last : mapping
        Each label's artifact in the last experiment, to explain what is different.
    """

    def __init__(self, store: ArtifactStore, last: dict[str, Path]) -> None:
        self._store = store
        self._last = last
        self.entries: list[Entry] = []
        read_all()

    def __call__(self, call: Call) -> Artifact:
        """Run one call."""
        return self.all([call])[0]

    def all(self, calls: Sequence[Call]) -> list[Artifact]:
        """Run calls side by side; all are waited for before the first error is raised."""
        if not calls:
            return []
        label = calls[0].label if len(calls) == 1 else calls[0].stage.name
        report(label, 0, len(calls))
        submitted = [self._submit(call) for call in calls]
        finished: list[Artifact] = []
        errors: list[Exception] = []
        for one in submitted:
            try:
                finished.append(self._finish(one))
            except Exception as error:
                errors.append(error)
                continue
            n_cached = sum(e.state == "cached" for e in self.entries[-len(finished) :])
            report(label, len(finished), len(calls), f"{n_cached} cached" if n_cached else "")
        if errors:
            raise errors[0]
        return finished

    def _submit(self, call: Call) -> _Submitted:
        # Keys are computed here, in the flow's own thread: parsing code in several at once is not safe.
        key = call.stage.key(call.inputs)
        had_record = has_record(self._store, key)
        prefect_task = as_prefect_task(call.stage, call.label, self._store)
        future = prefect_task.submit(inputs=dict(call.inputs), key=key)
        return _Submitted(call, key, had_record, future)

    def _finish(self, submitted: _Submitted) -> Artifact:
        artifact = submitted.future.result()
        label = submitted.call.label
        seconds = float(self._store.manifest(artifact)["seconds"])
        if submitted.future.state.name == "Cached":
            entry = Entry(label, "cached", CACHED, artifact.relpath, 0.0, seconds)
        else:
            reason = (
                "its artifact was missing or damaged"
                if submitted.had_record
                else explain(submitted.key, self._last.get(label), self._store)
            )
            entry = Entry(label, "ran", reason, artifact.relpath, seconds, 0.0)
        self.entries.append(entry)
        return artifact


@dataclass(frozen=True)
class PlannedCall:
    """What would become of one call.

    Parameters
    ----------
    stage : str
        The call's label.
    state : {"run", "run-if-changed", "cached"}
        "run-if-changed": something it reads will be computed again; it runs only if that comes out
        different.
    reason : str
    artifact : str or None
        The valid artifact, where there is one.
    """

    stage: str
    state: Literal["run", "run-if-changed", "cached"]
    reason: str
    artifact: str | None


class Planner:
    """Walks the experiment without running anything.

    Parameters
    ----------
    store, last
        As for `PrefectExecutor`.
    """

    def __init__(self, store: ArtifactStore, last: dict[str, Path]) -> None:
        self._store = store
        self._last = last
        self._awaited: dict[Artifact, str] = {}
        """Artifacts that do not exist yet, and the label of the call that would write them."""
        self.calls: list[PlannedCall] = []

    def __call__(self, call: Call) -> Artifact:
        """Plan one call."""
        key = call.stage.key(call.inputs)
        awaited = sorted(
            {self._awaited[a] for a in artifacts_in(call.inputs) if a in self._awaited}
        )
        if awaited:
            return self._plan_after(call, key, awaited)
        artifact, reason = decide(key, self._store, self._last.get(call.label))
        if artifact is None:
            return self._add(call, "run", reason)
        self.calls.append(PlannedCall(call.label, "cached", reason, artifact.relpath))
        return artifact

    def all(self, calls: Sequence[Call]) -> list[Artifact]:
        """Plan calls one after the other."""
        return [self(call) for call in calls]

    def _plan_after(self, call: Call, key: StageKey, awaited: list[str]) -> Artifact:
        """Plan a call whose inputs are not all known: it runs for sure if anything else differs."""
        fixed = {name for name, value in call.inputs.items() if not any(artifacts_in(value))}
        own = explain(key, self._last.get(call.label), self._store, fixed)
        if own:
            return self._add(call, "run", own)
        more = f" and {len(awaited) - 1} more" if len(awaited) > 1 else ""
        reason = f"after {awaited[0]}{more}, if that comes out different"
        return self._add(call, "run-if-changed", reason)

    def _add(self, call: Call, state: Literal["run", "run-if-changed"], reason: str) -> Artifact:
        self.calls.append(PlannedCall(call.label, state, reason, None))
        artifact = Artifact(call.stage.kind, call.label, "", f"awaited {call.label}", 0)
        self._awaited[artifact] = call.label
        return artifact


def decide(
    key: StageKey, store: ArtifactStore, last_artifact: Path | None
) -> tuple[Artifact | None, str]:
    """The valid cached result for a key, if any, and why there is one or none."""
    try:
        artifact = find_cached(store, key)
    except ArtifactError as error:
        return None, error.problem
    if artifact is not None:
        return artifact, CACHED
    return None, explain(key, last_artifact, store) or "no cached result"
