"""Two ways to walk an experiment: run its stages with Prefect, or only say which would run.

The experiment itself (`flows.experiment`) is written once and given either.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from flows.journal import CACHED, Entry
from flows.reasons import explain
from pipeline_lib.artifacts import Artifact, ArtifactStore
from pipeline_lib.errors import ArtifactError
from tasks.caching import as_prefect_task, find_cached, has_record
from tasks.fingerprint import read_all
from tasks.progress import report
from tasks.stages import Call, artifacts_in
from tasks.staleness import StageKey


class Executor(ABC):
    """Whatever turns calls into artifacts."""

    @abstractmethod
    def all(self, calls: Sequence[Call]) -> list[Artifact]:
        """The artifacts of calls that do not depend on each other, side by side."""

    def __call__(self, call: Call) -> Artifact:
        """The artifact of one call."""
        return self.all([call])[0]

    def each(self, calls: Mapping[str, Call]) -> dict[str, Artifact]:
        """The artifacts of one stage's calls that do not depend on each other, by the same names.

        A call's label is that of its stage and its name: "train/lstm3x128-L50-lr0.002-s0".
        """
        labelled = [call.labelled(f"{call.label}/{name}") for name, call in calls.items()]
        return dict(zip(calls, self.all(labelled), strict=True))


@dataclass(frozen=True)
class _Submitted:
    call: Call
    key: StageKey
    had_record: bool
    future: PrefectFuture[Artifact]


class PrefectExecutor(Executor):
    """Runs calls as Prefect tasks, inside a flow run.

    Parameters
    ----------
    store : ArtifactStore
    last : mapping
        Each label's artifact in the last experiment, to explain what is different.
    runner : prefect.task_runners.TaskRunner
        What computes them; it has been started.
    """

    def __init__(
        self, store: ArtifactStore, last: dict[str, Path], runner: TaskRunner[Any]
    ) -> None:
        self._store = store
        self._last = last
        self._runner = runner
        self.entries: list[Entry] = []
        read_all()

    def all(self, calls: Sequence[Call]) -> list[Artifact]:
        """Run calls side by side; all are waited for before the first error is raised."""
        if not calls:
            return []
        progress = _Progress(calls)
        submitted = [self._submit(call) for call in calls]
        finished: list[Artifact] = []
        errors: list[Exception] = []
        for one in submitted:
            try:
                finished.append(self._finish(one))
            except Exception as error:
                errors.append(error)
                continue
            progress.add(one.call, self.entries[-1], self._store.manifest(finished[-1])["facts"])
        if errors:
            raise errors[0]
        return finished

    def _submit(self, call: Call) -> _Submitted:
        # Keys are computed here, in the flow's own thread: parsing code in several at once is not safe.
        key = call.stage.key(call.inputs)
        had_record = has_record(self._store, key)
        prefect_task = as_prefect_task(call.stage, call.label, self._store)
        future = self._runner.submit(prefect_task, {"inputs": dict(call.inputs), "key": key})
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


class _Progress:
    """How far calls of one kind are: in files where they read files, otherwise in calls."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._label = calls[0].label if len(calls) == 1 else calls[0].stage.name
        self._n_files = sum(call.n_files for call in calls)
        self._total = self._n_files or len(calls)
        self._done = self._n_cached = self._n_rejected = 0
        self._started = time.perf_counter()
        report(self._label, 0, self._total)

    def add(self, call: Call, entry: Entry, facts: Mapping[str, Any]) -> None:
        """Count a call that has ended, of which the manifest of its artifact tells `facts`."""
        self._done += call.n_files if self._n_files else 1
        self._n_cached += entry.state == "cached"
        self._n_rejected += facts.get("n_rejected", 0)
        said = [f"{self._n_cached} cached"] if self._n_cached else []
        if self._n_files:
            files_per_sec = self._done / (time.perf_counter() - self._started)
            said.insert(0, f"{files_per_sec:,.0f} files/s, {self._n_rejected:,} rejected")
        report(self._label, self._done, self._total, "; ".join(said))


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


class Planner(Executor):
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

    def all(self, calls: Sequence[Call]) -> list[Artifact]:
        """Plan calls one after the other."""
        return [self._plan(call) for call in calls]

    def _plan(self, call: Call) -> Artifact:
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
