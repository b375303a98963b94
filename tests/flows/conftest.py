"""A corpus of small tunes, and Prefect with a database of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.midi.files import write_midi

TINY = {"ingest.n_shards": 8, "generate.length": 16, "generate.n_samples": 3, "tokens.min_count": 1}
N_TUNES = 14


def write_tune(path: Path, seed: int, n_notes: int = 40) -> None:
    """A random walk in C major, in eighths and quarters."""
    random = np.random.default_rng(seed)
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72])
    steps = np.clip(np.cumsum(random.integers(-2, 3, n_notes)) + 3, 0, len(scale) - 1)
    duration = random.choice([12, 24], n_notes)
    notes = GridNotes(np.cumsum(duration) - duration, duration, scale[steps], 24)
    write_midi(notes, path, track_name=path.stem)


def write_bad_files(folder: Path) -> None:
    """The three that every folder from the web has: text, nothing, and half a file."""
    (folder / "x.mid").write_text("This is not music.\n")
    (folder / "empty.mid").write_bytes(b"")
    whole = (folder / "tune-00.mid").read_bytes()
    (folder / "half.mid").write_bytes(whole[: len(whole) // 2])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "walks"
    folder.mkdir()
    for n in range(N_TUNES):
        write_tune(folder / f"tune-{n:02d}.mid", seed=n)
    write_bad_files(folder)
    for name in ("copy-1.mid", "copy-2.mid"):  # the same bytes, most likely in other buckets
        shutil.copy(folder / "tune-01.mid", folder / name)
    return folder


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield
