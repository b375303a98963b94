"""Processes that write samples side by side, and load what that takes while the network is still being loaded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from pipeline_lib.generation.composing import ExplainedComposition
from pipeline_lib.generation.rendering import Format, render
from pipeline_lib.generation.samples import Sample
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.scores.audio import Backend, available_backend
from pipeline_lib.stores.samples import write_sample
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.workers import NO_LIMITS, Mark, run_isolated

_ONE_NOTE = GridNotes(np.array([0]), np.array([4]), np.array([60]), 4)


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

    def write(
        self, folder: Path, composition: ExplainedComposition, run: str, tokeniser: Tokeniser
    ) -> Iterator[None]:
        """Write all samples of a composition; yields as often as one is done, in order.

        Parameters
        ----------
        folder : Path
            It may be relative.
        composition : ExplainedComposition
        run : str
            Name of the model.
        tokeniser : Tokeniser
        """

        def write_one(sample: Sample) -> None:
            of_sample = folder, sample, composition, run, self._formats, tokeniser
            run_isolated(_write, NO_LIMITS, partial(write_sample, *of_sample))

        return self._threads.map(write_one, composition.samples)


def _rehearse(mark: Mark, formats: Sequence[Format]) -> None:
    """Write a single note: imports take seconds, and fonts of letters and of sounds some tenths."""
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "one-note"
        render(_ONE_NOTE, stem, formats, title="", audio_backend=available_backend())


def _write(mark: Mark, write: Callable[[Backend], None]) -> None:
    write(available_backend())
