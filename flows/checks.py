"""What ``music-pipeline doctor`` looks at: the parts of a machine that make a difference."""

from __future__ import annotations

import ctypes.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

_GIB = 1 << 30
_LEAST_FREE_GIB = 2
_PINNED_PYTHON = (3, 11)
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_PACKAGES = ("prefect", "tensorflow", "keras", "music21", "symusic", "pyarrow", "verovio")


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Parameters
    ----------
    name : str
    state : {"ok", "optional", "missing"}
        "optional": the pipeline runs without it, and the remedy says what is lost.
    found : str
    remedy : str
        What to do; empty when there is nothing to do.
    """

    name: str
    state: Literal["ok", "optional", "missing"]
    found: str
    remedy: str = ""


def check_machine() -> list[Check]:
    """All checks, in the order in which a new user meets their subjects."""
    return [
        _python(),
        *(_package(name) for name in _PACKAGES),
        _disk(),
        _gpu(),
        _fluidsynth(),
        _browser(),
        _prefect_server(),
    ]


def _python() -> Check:
    found = platform.python_version()
    if sys.version_info[:2] == _PINNED_PYTHON:
        return Check("Python", "ok", found)
    return Check("Python", "missing", found, "the pinned requirements are for Python 3.11")


def _package(name: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "missing", "not installed", "make .venv")


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free / _GIB
    found = f"{free:.1f} GiB free here"
    if free >= _LEAST_FREE_GIB:
        return Check("disk", "ok", found)
    return Check("disk", "missing", found, f"free at least {_LEAST_FREE_GIB} GiB")


def _gpu() -> Check:
    """A driver is what we can see without waiting for TensorFlow."""
    if Path("/proc/driver/nvidia/version").exists():
        return Check("GPU", "ok", "NVIDIA driver", "for TensorFlow on it: pip install -e .[gpu]")
    return Check(
        "GPU", "optional", f"none; {os.cpu_count()} CPU cores", "larger presets take hours"
    )


def _fluidsynth() -> Check:
    library = ctypes.util.find_library("fluidsynth")
    if library:
        return Check("FluidSynth", "ok", library)
    return Check(
        "FluidSynth",
        "optional",
        "libfluidsynth not found",
        "samples sound as sine tones; Debian: apt-get install libfluidsynth3",
    )


def _browser() -> Check:
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found:
        return Check("browser", "ok", found)
    return Check(
        "browser",
        "optional",
        "no Chromium",
        "only the report's own test needs it: apt-get install chromium",
    )


def _prefect_server() -> Check:
    url = os.environ.get("PREFECT_API_URL")
    if url:
        return Check("Prefect server", "ok", url)
    return Check(
        "Prefect server",
        "optional",
        "none set",
        "runs start their own; deployments need one: see docs/schedule-and-deploy.md",
    )
