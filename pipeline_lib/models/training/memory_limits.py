"""Running out of memory in training, turned into an error that names a batch size that would fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline_lib.errors import TrainingError

_MARKS = ("ResourceExhaustedError", "RESOURCE_EXHAUSTED", "OutOfMemoryError", "out of memory")
"""Words by which errors of TensorFlow, JAX and PyTorch tell, in their type or text, that memory ran out."""


@contextmanager
def out_of_memory_explained(batch_size: int, attempt: Callable[[int], None]) -> Iterator[None]:
    """Turn a lack of memory into an error that says which batch size would fit.

    Parameters
    ----------
    batch_size : int
        Number of windows per update within the context.
    attempt : callable
        A function of a smaller batch size that does one update with it.

    Raises
    ------
    TrainingError
        Memory is too small for `batch_size`.
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
    """The first of a batch size, its half, its quarter and so on that fits into memory; 0 if none does."""
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
