"""What decides that a stage's last result still holds: its key.

The key covers the stage's name and schema version, the content of every input, the fingerprint of the code
that it reaches (`tasks.fingerprint`), and the versions of the packages that can change its numbers. Nothing else:
not paths, not times, not the machine. A stage whose key has no valid result is stale, and runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol, runtime_checkable

from pipeline_lib.artifacts import Artifact
from pipeline_lib.config import StageConfig
from pipeline_lib.packages import imported_versions
from tasks.fingerprint import fingerprint


@runtime_checkable
class HasCacheValue(Protocol):
    """An input that says itself which part of it decides a result."""

    def cache_value(self) -> Any:
        """The deciding part, as JSON values."""


@dataclass(frozen=True)
class StageKey:
    """All that decides a stage's result, in parts, so that a difference can be named."""

    stage: str
    inputs: Mapping[str, Any]
    code: Mapping[str, str]
    packages: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 over all parts."""
        return _digest([self.stage, self.inputs, self.code, self.packages])

    @property
    def code_digest(self) -> str:
        """SHA-256 over the code alone."""
        return _digest(self.code)


def stage_key(stage: str, body: Callable[..., None], inputs: Mapping[str, Any]) -> StageKey:
    """What decides the result of a stage's function for these inputs.

    Parameters
    ----------
    stage : str
        Name and schema version of the stage.
    body : callable
        Its function; all code that it can reach counts.
    inputs : mapping of str to object
        By parameter name.

    Raises
    ------
    TypeError
        An input has no canonical content: it would make the key depend on the process.
    """
    reached = fingerprint(body.__module__, body.__name__)
    return StageKey(
        stage=stage,
        inputs={name: _canonical(value) for name, value in inputs.items()},
        code=reached.code,
        packages=imported_versions(reached.packages),
    )


def _canonical(value: Any) -> Any:
    """The part of an input that decides a result, as JSON values."""
    match value:
        # Nearly everything in a bucket of files is text in lists, and the protocol is slow to check.
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_canonical(item) for item in value]
        case Artifact():
            return f"{value.kind}:{value.content_sha256}"
        case HasCacheValue():
            return _canonical(value.cache_value())
        case StageConfig():
            return value.model_dump(mode="json")
        case Mapping():
            return {str(name): _canonical(item) for name, item in sorted(value.items())}
        case _ if is_dataclass(value):
            return {part.name: _canonical(getattr(value, part.name)) for part in fields(value)}
        case _:
            raise TypeError(
                f"{type(value).__name__} cannot be a stage's input: give it a cache_value method, "
                "or pass artifacts, settings, plain values, or a dataclass of these"
            )


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
