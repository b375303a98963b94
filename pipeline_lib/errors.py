"""The errors that reach a user.

::

    PipelineError               what happened, where, and what to do about it
    ├── ConfigError             a setting is unknown, out of bounds or contradicts another
    ├── CorpusError             a corpus is missing, empty, unreadable or too small
    ├── ArtifactError           a file under ``artifacts/`` is missing or not what it should be
    └── TrainingError           a model cannot be trained on what it was given

A message says what is wrong and the value received, where it was found, and the next command to type.
Unreadable input files are *not* errors: each becomes a rejected row of the piece table (see
`pipeline_lib.notes.table.RejectReason`).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class PipelineError(Exception):
    """Base of every error that music-pipeline raises on purpose.

    Parameters
    ----------
    problem : str
        What is wrong, with the value received.
    path : Path, optional
        The file or folder concerned.
    remedy : str
        What the user can do next; a command where there is one.

    Examples
    --------
    >>> print(CorpusError("no music files in this folder", path="mine", remedy="put files there"))
    no music files in this folder
      where: mine
      to fix it: put files there
    """

    def __init__(self, problem: str, *, path: Path | str | None = None, remedy: str) -> None:
        self.problem = problem
        self.path = Path(path) if path is not None else None
        self.remedy = remedy
        super().__init__(problem, self.path, remedy)

    def __str__(self) -> str:
        where = f"\n  where: {self.path}" if self.path is not None else ""
        return f"{self.problem}{where}\n  to fix it: {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling, and errors cross process borders.
        return (_rebuild, (type(self), self.problem, self.path, self.remedy))


def _rebuild(
    cls: type[PipelineError], problem: str, path: Path | None, remedy: str
) -> PipelineError:
    return cls(problem, path=path, remedy=remedy)


class ConfigError(PipelineError):
    """A setting is unknown, out of bounds, or contradicts another."""


class CorpusError(PipelineError):
    """A corpus is missing, empty, unreadable or too small for what was asked."""


class ArtifactError(PipelineError):
    """A file under ``artifacts/`` is missing, damaged or of another kind than expected."""


class TrainingError(PipelineError):
    """A model cannot be trained on the data or with the settings it was given."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Ask whether one of up to three known names was meant; empty where none is like the name.

    Examples
    --------
    >>> did_you_mean("max_epoch", ["max_epochs", "patience"])
    'did you mean max_epochs? '
    """
    close = get_close_matches(name, list(known), n=3, cutoff=0.75)
    return f"did you mean {listed(close)}? " if close else ""


def listed(names: Iterable[str]) -> str:
    """List names, at least one, in words.

    Examples
    --------
    >>> listed(["train", "valid", "test"])
    'train, valid or test'
    """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
