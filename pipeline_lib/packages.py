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
"""Packages of which manifests and reports state the version."""

_DEFAULT_BACKEND = "tensorflow"


def package_versions() -> dict[str, str]:
    """Versions of Python and of the `REPORTED_PACKAGES`."""
    versions = {name: _installed_version(name) for name in REPORTED_PACKAGES}
    return {"python": platform.python_version(), **versions}


def imported_versions(modules: Iterable[str]) -> dict[str, str]:
    """Versions of the packages that some modules belong to, and of Python.

    Parameters
    ----------
    modules : iterable of str
        Top-level names as they are imported, such as "yaml". Keras counts with its backend, which computes the
        numbers; names that no installed package claims are left out.
    """
    modules = set(modules)
    if "keras" in modules:
        modules.add(keras_backend())
    versions = {name: _version(name) for name in sorted(modules)}
    found = {name: version for name, version in versions.items() if version}
    return {"python": platform.python_version(), **found}


def keras_backend() -> str:
    """Name of the backend that Keras will use; Keras is not imported."""
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
