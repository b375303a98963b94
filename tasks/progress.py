"""Progress of running stages, told to whoever listens, and the way to stop them.

A stage reports; it does not know whether a terminal, Prefect's page or nobody is listening. Listeners are
per process: the command line adds one that draws bars.

Stages run in threads, which an interrupt does not reach. Since they report at every step, a report is also
where they learn that they should stop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol


class Stopped(Exception):  # noqa: N818 - not an error: the user asked for it
    """Raised in a stage that reports after `request_stop`."""


class Listener(Protocol):
    """Told about progress, from any thread."""

    def __call__(self, label: str, done: float, total: float, text: str) -> None:
        """`label` names the activity; `done` of `total` steps are finished."""


_listeners: list[Listener] = []
_stop = threading.Event()


def add_listener(listener: Listener) -> Callable[[], None]:
    """Start telling a listener; the function returned stops it."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def request_stop() -> None:
    """Make every stage of this process stop at its next report."""
    _stop.set()


def report(label: str, done: float, total: float, text: str = "") -> None:
    """Tell all listeners how far an activity is.

    Raises
    ------
    Stopped
        After `request_stop`.
    """
    if _stop.is_set():
        raise Stopped
    for listener in tuple(_listeners):
        listener(label, done, total, text)


def reporter(label: str) -> Callable[[float, float], None]:
    """A plain ``progress(done, total)`` function for the library."""
    return lambda done, total: report(label, done, total)
