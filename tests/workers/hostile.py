"""Functions that a worker process does not survive, or only just; importable by it."""

from __future__ import annotations

import ctypes
import os
import time

import numpy as np

from pipeline_lib.errors import CorpusError
from pipeline_lib.workers import Mark


def add(mark: Mark, a: int, b: int = 0) -> tuple[int, int]:
    mark(0)
    return a + b, os.getpid()


def wait(mark: Mark, seconds: float) -> int:
    mark(1)
    time.sleep(seconds)
    return os.getpid()


def whereabouts(mark: Mark) -> str:
    return os.getcwd()


def abort(mark: Mark) -> None:
    mark(2)
    os.abort()


def crash(mark: Mark) -> None:
    mark(3)
    ctypes.string_at(0)


def compute_for_ever(mark: Mark) -> None:
    mark(4)
    sum(range(10**15))  # in native code, which no Python signal handler interrupts


def take_memory(mark: Mark) -> int:
    mark(5)
    return len(np.ones(10**10))


def survive_taking_memory(mark: Mark) -> str:
    """A parser that catches what it cannot have goes on."""
    mark(6)
    try:
        return str(len(bytearray(10**11)))
    except MemoryError:
        return "caught"


def mark_many(mark: Mark, n: int) -> float:
    """Seconds per mark."""
    started = time.perf_counter()
    for position in range(n):
        mark(position)
    return (time.perf_counter() - started) / n


def mark_slowly(mark: Mark, n: int, seconds: float) -> int:
    """One file in many parts."""
    for _ in range(n):
        mark(9)
        time.sleep(seconds)
    return n


class UnpicklableError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("cannot be rebuilt from this")


def fail(mark: Mark, how: str) -> None:
    mark(7)
    raise UnpicklableError(1, 2) if how == "unpicklable" else ValueError(how)


def exit_quietly(mark: Mark) -> None:
    mark(8)
    os._exit(3)


def refuse(mark: Mark) -> None:
    raise CorpusError("a problem", path="a.mid", remedy="mend it")
