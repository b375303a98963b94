"""Processes that write samples side by side, and load what that takes while the network is still being loaded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline_lib.config import ComposeConfig
from pipeline_lib.generation.rendering import Format, render
from pipeline_lib.generation.samples import Sample
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.scores.audio import available_backend
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.workers import Mark, run_isolated
from tasks.generate import write_sample
from tasks.select import NO_LIMITS

_ONE_NOTE = GridNotes(np.array([0]), np.array([4]), np.array([60]), 4)


@dataclass(frozen=True)
class Job:
    """A sample to write, as `tasks.generate.write_sample` takes it; the path may be relative."""

    stem: Path
    sample: Sample
    explained: pa.Table
    run: str
    config: ComposeConfig
    tokeniser: Tokeniser


class SampleWriters:
    """Write samples, one on each core; a context manager.

    Parameters
    ----------
    formats : sequence of str
    n_samples : int
        No more processes than these are started.
    """

    def __init__(self, formats: Sequence[Format], n_samples: int) -> None:
        self._formats = formats
        n_processes = min(n_samples, os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(n_processes)
        for _ in range(n_processes):
            self._threads.submit(run_isolated, _rehearse, NO_LIMITS, formats)

    def __enter__(self) -> SampleWriters:
        return self

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def write(self, jobs: Sequence[Job]) -> Iterator[None]:
        """Write them all; yields as often as one is done, in order."""
        return self._threads.map(self._write, jobs)

    def _write(self, job: Job) -> None:
        run_isolated(_write_job, NO_LIMITS, job, self._formats)


def _rehearse(mark: Mark, formats: Sequence[Format]) -> None:
    """Write a single note: imports take seconds, and fonts of letters and of sounds some tenths."""
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "one-note"
        render(_ONE_NOTE, stem, formats, title="", audio_backend=available_backend())


def _write_job(mark: Mark, job: Job, formats: Sequence[Format]) -> None:
    write_sample(
        job.stem,
        formats,
        job.sample,
        job.explained,
        job.run,
        job.config,
        job.tokeniser,
        available_backend(),
    )
