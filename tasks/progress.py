"""Progress of running stages, told to whoever listens.

A stage reports; it does not know whether a terminal, Prefect's page or nobody is listening. Listeners are
per process: the command line adds one that draws bars.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Listener(Protocol):
    """Told about progress, from any thread."""

    def __call__(self, label: str, done: float, total: float, text: str) -> None:
        """`label` names the activity; `done` of `total` steps are finished."""


_listeners: list[Listener] = []


def add_listener(listener: Listener) -> Callable[[], None]:
    """Start telling a listener; the function returned stops it."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def report(label: str, done: float, total: float, text: str = "") -> None:
    """Tell all listeners how far an activity is."""
    for listener in tuple(_listeners):
        listener(label, done, total, text)


def reporter(label: str) -> Callable[[float, float], None]:
    """A plain ``progress(done, total)`` function for the library."""
    return lambda done, total: report(label, done, total)
