"""What a stage is: a named function that reads artifacts and writes one.

A stage's function takes a `Draft` to write to, then its inputs: artifacts, its own settings, plain values,
dataclasses of these, or objects with a ``cache_value`` method. It logs, calls the library and saves; it returns nothing. Whether its
last result still holds is decided in `tasks.staleness`.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module
from typing import Any, Concatenate, Generic, ParamSpec

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft, Provenance
from pipeline_lib.errors import ArtifactError
from tasks.fingerprint import edited_since_read, fingerprint, read_all
from tasks.staleness import HasCacheValue, StageKey, stage_key

Inputs = ParamSpec("Inputs")

_reading = threading.Lock()
"""Python 3.11 cannot parse code in several threads at once."""


@dataclass(frozen=True)
class Stage(Generic[Inputs]):
    """A function that writes one artifact.

    Parameters
    ----------
    name : str
        The verb: "ingest", "train".
    kind : str
        What it writes: the folder under ``artifacts/``.
    schema_version : int
        Raised when the files of the artifact change shape.
    body : callable
        The function itself.
    in_other_processes : bool
        Whether it has processes of its own do the work, which load the code when they start.
    """

    name: str
    kind: str
    schema_version: int
    body: Callable[Concatenate[Draft, Inputs], None]
    in_other_processes: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        # By name, so that another process uses its own code, which `compute` then compares.
        return (getattr, (import_module(self.body.__module__), self.name))

    def bind(self, *args: Inputs.args, **kwargs: Inputs.kwargs) -> dict[str, Any]:
        """The inputs of a call, by parameter name."""
        signature = inspect.signature(self.body)
        parameters = list(signature.parameters.values())[1:]
        bound = signature.replace(parameters=parameters).bind(*args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def call(self, *args: Inputs.args, **kwargs: Inputs.kwargs) -> Call:
        """One use of the stage in an experiment, labelled with the stage's name."""
        return Call(self.name, self, self.bind(*args, **kwargs))

    def key(self, inputs: Mapping[str, Any]) -> StageKey:
        """What decides the result for these inputs.

        Raises
        ------
        TypeError
            An input has no canonical content: it would make the key depend on the process.
        """
        return stage_key(f"{self.name}/{self.schema_version}", self.body, inputs)

    def compute(
        self, store: ArtifactStore, inputs: Mapping[str, Any], key: StageKey | None = None
    ) -> Artifact:
        """Run the function and publish what it wrote.

        Raises
        ------
        ArtifactError
            The code was edited meanwhile, or `key` is of other code than this process has.
        """
        key = key or self.key(inputs)
        self._check_same_code(key)
        provenance = Provenance(
            stage=self.name,
            key=key.digest,
            code=key.code_digest,
            parents=tuple(artifacts_in(inputs)),
            parameters={n: v for n, v in key.inputs.items() if not any(artifacts_in(inputs[n]))},
        )
        with store.draft(self.kind, provenance, schema_version=self.schema_version) as (
            draft,
            done,
        ):
            draft.facts["code"] = dict(key.code)
            draft.facts["inputs"] = dict(key.inputs)
            draft.facts["packages"] = dict(key.packages)
            body: Callable[..., None] = self.body
            body(draft, **inputs)
            self._check_not_edited(key)
        return done[0]

    def __call__(
        self, store: ArtifactStore, *args: Inputs.args, **kwargs: Inputs.kwargs
    ) -> Artifact:
        """Run the stage directly, without Prefect or a cache."""
        return self.compute(store, self.bind(*args, **kwargs))

    def _check_same_code(self, key: StageKey) -> None:
        """Raise in a long-lived worker that was started before the code was edited."""
        with _reading:
            read_all()
            own = fingerprint(self.body.__module__, self.body.__name__).code
        if own != key.code:
            raise ArtifactError(
                f"this worker's code for {self.name} is not what the flow runs",
                remedy="restart the workers, with the same version of the project as the flow",
            )

    def _check_not_edited(self, key: StageKey) -> None:
        edited = edited_since_read(key.code, even_loaded=self.in_other_processes)
        if edited:
            raise ArtifactError(
                f"{edited[0]} was edited while {self.name} ran: which code made its result is unknown",
                remedy="run again; what had finished before the edit is kept",
            )


@dataclass(frozen=True)
class Call:
    """A stage with its inputs, ready to be run or planned.

    `label` names it in the experiment: the stage's name, and after a slash which of several it is, such as "ingest/0f".
    """

    label: str
    stage: Stage[Any]
    inputs: Mapping[str, Any]
    n_files: int = 0
    """Files that it reads, where it is their number that tells how long it takes."""

    def labelled(self, label: str) -> Call:
        """The same call under another label."""
        return replace(self, label=label)

    def reading(self, n_files: int) -> Call:
        """The same call, whose progress is counted in files."""
        return replace(self, n_files=n_files)


def stage(
    *, kind: str, schema_version: int = 1, in_other_processes: bool = False
) -> Callable[[Callable[Concatenate[Draft, Inputs], None]], Stage[Inputs]]:
    """Turn a function into a `Stage` of the same name."""

    def wrap(body: Callable[Concatenate[Draft, Inputs], None]) -> Stage[Inputs]:
        return Stage(body.__name__, kind, schema_version, body, in_other_processes)

    return wrap


def artifacts_in(value: Any) -> Iterator[Artifact]:
    """All artifacts in an input, however deep."""
    match value:
        case Artifact():
            yield value
        case str() | HasCacheValue():
            return
        case Mapping():
            for item in value.values():
                yield from artifacts_in(item)
        case list() | tuple():
            for item in value:
                yield from artifacts_in(item)
        case _ if is_dataclass(value):
            for part in fields(value):
                yield from artifacts_in(getattr(value, part.name))
