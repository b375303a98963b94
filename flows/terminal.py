"""What a person sees while the pipeline runs: progress bars, and nothing that a library prints.

Prefect, TensorFlow and native code write to standard output and error in many ways. For the time of a run
both are sent to a log file at the level of file descriptors; our own console writes to the terminal as it
was before. On a terminal progress is drawn as bars; elsewhere each activity is one line when it ends.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from pipeline_lib.errors import ArtifactError
from tasks.progress import add_listener

_NON_TERMINAL_WIDTH = 120


@contextmanager
def quiet_output(log_path: Path) -> Iterator[Console]:
    """Send all that is printed to a log file; yields a console on what was standard error before.

    Parameters
    ----------
    log_path : Path
        Appended to.

    Raises
    ------
    ArtifactError
        It cannot be written.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    with (
        _open_log(log_path) as log,
        os.fdopen(os.dup(saved[1]), "w", encoding="utf-8") as terminal,
    ):
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)
        try:
            yield make_console(terminal)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)


def _open_log(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise unwritable(path.parent, error.strerror or str(error)) from None


def unwritable(artifacts: Path, why: str) -> ArtifactError:
    """The error for an artifacts folder that cannot be used."""
    return ArtifactError(
        f"nothing can be written to the artifacts folder ({why})",
        path=artifacts,
        remedy="name another with --artifacts, or make it writable",
    )


class _Console(Console):
    """A console that leaves it to the command what becomes of a reader that has gone."""

    def on_broken_pipe(self) -> None:
        """Raise the error that rich is handling; it would end the process."""
        raise


def make_console(stream: TextIO | None = None) -> Console:
    """A console as wide as the terminal, or of a fixed width where there is none."""
    file = stream or sys.stdout
    width = None if file.isatty() else _NON_TERMINAL_WIDTH
    return _Console(file=file, width=width, highlight=False)


def make_table(*columns: str, right: Collection[str] = ()) -> Table:
    """A table without lines; the columns named in `right` hold figures."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        table.add_column(name, overflow="fold", justify="right" if name in right else "left")
    return table


class ProgressDisplay:
    """Draws what `tasks.progress` reports for as long as it is open: a context manager.

    Parameters
    ----------
    console : Console
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[text]}[/]"),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> ProgressDisplay:
        self._progress.start()
        self._stop_listening = add_listener(self)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop_listening()
        self._progress.stop()

    def __call__(self, label: str, done: float, total: float, text: str) -> None:
        """Show how far an activity is."""
        is_new = label not in self._bars
        if is_new:
            self._bars[label] = self._progress.add_task(label, total=total, text=text)
            self._started[label] = time.monotonic()
        bar = self._bars[label]
        if self._progress.tasks[bar].finished:
            return  # a stage that counts for itself is reported once more when it has ended
        self._progress.update(bar, completed=done, total=total, text=text)
        # What is done when it is first heard of, such as a scan that read no file, is not worth a line.
        if done >= total and not is_new and not self._console.is_terminal:
            seconds = time.monotonic() - self._started[label]
            self._console.print(
                f"  {label}: {total:g} done in {seconds:.1f} s {text}", markup=False
            )

    @contextmanager
    def waiting(self, label: str) -> Iterator[None]:
        """Show that something of unknown length is under way, and then that it is done."""
        bar = self._progress.add_task(label, total=None, text="")
        yield
        self._progress.update(bar, completed=1, total=1)
