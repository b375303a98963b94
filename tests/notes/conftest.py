"""Folders of files that a test makes up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def write_corpus(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Write files by relative path into one folder; returns it."""

    def write(files: dict[str, bytes]) -> Path:
        root = tmp_path / "corpus"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return root

    return write
