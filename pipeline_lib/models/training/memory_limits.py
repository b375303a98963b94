"""Running out of memory, told as a batch size that would fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline_lib.errors import TrainingError

_MARKS = ("ResourceExhaustedError", "RESOURCE_EXHAUSTED", "OutOfMemoryError", "out of memory")
"""How TensorFlow, JAX and PyTorch call it, in an error's type or text."""


@contextmanager
def out_of_memory_explained(batch_size: int, attempt: Callable[[int], None]) -> Iterator[None]:
    """Turn a lack of memory into an error that says which batch size would fit.

    Parameters
    ----------
    batch_size : int
        Windows per update that are being tried.
    attempt : callable
        Does an update with fewer of them.

    Raises
    ------
    TrainingError
        Memory is too small.
    """
    try:
        yield
    except Exception as error:
        if not _is_lack_of_memory(error):
            raise
        fitting = _largest_fitting(batch_size // 2, attempt)
        raise TrainingError(
            f"out of memory with {batch_size} windows per update",
            remedy=f"set train.batch_size to {fitting}, which fits"
            if fitting
            else "use a smaller seq_length or a smaller model: not even one window fits",
        ) from error


def _largest_fitting(batch_size: int, attempt: Callable[[int], None]) -> int:
    """The first of a size, its half, and so on, that fits; 0 if none does."""
    while batch_size:
        try:
            attempt(batch_size)
        except Exception as error:
            if not _is_lack_of_memory(error):
                raise
            batch_size //= 2
        else:
            return batch_size
    return 0


def _is_lack_of_memory(error: BaseException) -> bool:
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(mark in text for mark in _MARKS)
