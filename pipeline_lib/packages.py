"""Versions of the packages that can change a number."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from functools import cache
from importlib import metadata

REPORTED_PACKAGES = (
    "keras",
    "music21",
    "numpy",
    "pandas",
    "pyarrow",
    "symusic",
    "tensorflow",
    "verovio",
)
_DEFAULT_BACKEND = "tensorflow"


def package_versions() -> dict[str, str]:
    """Python and the packages that a reader of a report will ask for."""
    versions = {name: _installed_version(name) for name in REPORTED_PACKAGES}
    return {"python": platform.python_version(), **versions}


def imported_versions(modules: Iterable[str]) -> dict[str, str]:
    """Versions behind imported top-level names, Python's included.

    Keras counts with its backend, which computes the numbers; names that no distribution claims are left
    out.
    """
    modules = set(modules)
    if "keras" in modules:
        modules.add(keras_backend())
    versions = {name: _version(name) for name in sorted(modules)}
    found = {name: version for name, version in versions.items() if version}
    return {"python": platform.python_version(), **found}


def keras_backend() -> str:
    """The backend that Keras will use, without importing it."""
    return os.environ.get("KERAS_BACKEND", _DEFAULT_BACKEND)


@cache
def _version(module: str) -> str | None:
    distributions = _distributions().get(module, [])
    return _installed_version(distributions[0]) if distributions else None


@cache
def _installed_version(distribution: str) -> str:
    return metadata.version(distribution)


@cache
def _distributions() -> dict[str, list[str]]:
    return {name: list(found) for name, found in metadata.packages_distributions().items()}
