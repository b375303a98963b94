"""Functions that read foreign files, run in processes that may crash, hang or run out of memory.

A worker process is an interpreter of its own, started when it is first needed, kept for the next call, and
replaced when it was lost. It is no `multiprocessing` process: the parent may be one itself (a Dask worker,
which may have no such children), may hold threads that do not survive a fork, and its main module must not
be imported again.

Limits: a file that takes more processor time than it may ends its process by the signal that a timer of the
kernel sends (``ITIMER_PROF``), whatever native code is at work; one that waits for ever is ended by the
parent, after ten times as long by the clock. Memory is limited for the process as a whole (``RLIMIT_DATA``,
which Linux keeps and macOS does not). Windows cannot start such processes.

Workers ignore interrupts from the terminal. When the pipe to their parent closes, however it ended, they end
at once, even in the middle of a call; native code that does not let Python's threads run has its limit.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import itertools
import mmap
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection, Pipe
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Mark = Callable[[int], None]
"""Function that marks the file that is read next, by its position in the caller's list; its time counts from here."""

_CLOCK_PER_PROCESSOR = 10
_LOOK_SEC = 1.0
_OBJECTS_PER_COLLECTION = 50_000
_NOWHERE = -1

_ENVIRONMENT = {
    # One process, one core: parallel work is for several of them.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # What one chunk of files has freed is what the next one needs: glibc would give it to the system, page by page.
    "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
}


@dataclass(frozen=True)
class Limits:
    """Time and memory that a worker may use.

    Parameters
    ----------
    file_limit_sec : float
        Processor seconds from one mark to the next.
    memory_limit_mib : int
        Memory of the whole process, in MiB.
    """

    file_limit_sec: float
    memory_limit_mib: int


NO_LIMITS = Limits(file_limit_sec=3600.0, memory_limit_mib=1 << 20)
"""For what reads no foreign files, and runs in other processes for speed alone."""


class LossReason(StrEnum):
    """Why a worker process ended before its function did."""

    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"


class ProcessLost(Exception):  # noqa: N818 - it becomes a row of the piece table
    """A worker ended before its function did.

    Parameters
    ----------
    position : int or None
        Position of the file marked last; None before the first mark.
    reason : LossReason
        Why the worker ended.
    detail : str
        What is known of how it ended.
    """

    def __init__(self, position: int | None, reason: LossReason, detail: str) -> None:
        super().__init__(position, reason, detail)
        self.position = position
        self.reason = reason
        self.detail = detail


def run_isolated(
    function: Callable[Concatenate[Mark, P], T],
    limits: Limits,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call a function in a worker process.

    Several threads may call at once; each has a worker of its own.

    Parameters
    ----------
    function : callable
        A function that a module defines, so that the worker can import it. It is called with a `Mark` before
        its other arguments, and marks each file before it reads it.
    limits : Limits
        Time that each file, and memory that the worker may take.
    *args, **kwargs
        Other arguments of the function; they are pickled, as is what it returns.

    Returns
    -------
    object
        What the function returns.

    Raises
    ------
    ProcessLost
        The worker ended before the function did.
    Exception
        Whatever the function raises.
    """
    # A worker is kept from call to call, so it may have started in another folder.
    request = pickle.dumps((function, limits, os.getcwd(), args, kwargs))
    worker, is_new = _borrow()
    try:
        outcome, value = worker.call(request, limits)
    except ProcessLost as loss:
        if is_new or loss.position is not None:
            raise
        # It may have died while it was idle. A new one has no such excuse.
        worker = _Worker()
        outcome, value = worker.call(request, limits)
    _idle_workers().append(worker)
    if outcome == _RAISED:
        raise value
    result: T = value
    return result


_RETURNED, _RAISED, _OUT_OF_MEMORY = "returned", "raised", "out of memory"

_idle: dict[int, list[_Worker]] = {}
"""Workers that wait for a call, by the id of the process that started them: a fork of it must leave them alone."""


def _idle_workers() -> list[_Worker]:
    return _idle.setdefault(os.getpid(), [])


def _borrow() -> tuple[_Worker, bool]:
    """Take an idle worker or start one; returns it, and whether it is new."""
    try:
        return _idle_workers().pop(), False
    except IndexError:
        return _Worker(), True


class _Worker:
    """A worker process, as its parent sees it."""

    def __init__(self) -> None:
        self._pipe, theirs = Pipe()
        marks_fd = _shared_memory()
        os.ftruncate(marks_fd, mmap.PAGESIZE)
        self._marks = mmap.mmap(marks_fd, mmap.PAGESIZE)
        _MARKED.pack_into(self._marks, 0, _NOWHERE, 0)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, str(theirs.fileno()), str(marks_fd), repr(sys.path)],
            pass_fds=(theirs.fileno(), marks_fd),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **_ENVIRONMENT},
        )
        os.close(marks_fd)
        theirs.close()
        try:
            self._pipe.recv_bytes()  # it is there; what it takes to start is no file's fault
        except (EOFError, OSError):
            raise self._lost() from None

    @property
    def position(self) -> int | None:
        """Position of the file marked last; None before the first mark."""
        position: int = _MARKED.unpack_from(self._marks)[0]
        return None if position == _NOWHERE else position

    def call(self, request: bytes, limits: Limits) -> tuple[str, Any]:
        """Have one function called; returns how it ended, and with what. If this raises, the worker is gone."""
        _MARKED.pack_into(self._marks, 0, _NOWHERE, 0)
        try:
            outcome, value = self._ask(request, limits)
            if outcome == _OUT_OF_MEMORY:
                needed = f"more than {limits.memory_limit_mib} MiB are needed"
                raise ProcessLost(self.position, LossReason.OUT_OF_MEMORY, needed)
        except BaseException:  # an interrupt, too, would leave it at work
            self.end()
            raise
        return outcome, value

    def end(self) -> None:
        """End the worker, if it has not ended."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()
        self._marks.close()

    def _ask(self, request: bytes, limits: Limits) -> tuple[str, Any]:
        try:
            self._pipe.send_bytes(request)
            self._wait(limits)
            answer: tuple[str, Any] = pickle.loads(self._pipe.recv_bytes())
        except (EOFError, OSError):
            raise self._lost() from None
        return answer

    def _wait(self, limits: Limits) -> None:
        """Wait until there is an answer or the worker has ended; raises `ProcessLost` if it makes no progress."""
        patience_sec = limits.file_limit_sec * _CLOCK_PER_PROCESSOR
        progress, since = self._marks[: _MARKED.size], time.monotonic()
        while not self._pipe.poll(min(_LOOK_SEC, patience_sec)):
            now = time.monotonic()
            if self._marks[: _MARKED.size] != progress:
                progress, since = self._marks[: _MARKED.size], now
            elif now - since > patience_sec:
                raise ProcessLost(
                    self.position, LossReason.TIMED_OUT, f"no end after {patience_sec:g} s"
                )

    def _lost(self) -> ProcessLost:
        status = self._process.wait()
        if hasattr(signal, "SIGPROF") and status == -signal.SIGPROF:
            return ProcessLost(
                self.position, LossReason.TIMED_OUT, "its processor time was used up"
            )
        if status == -signal.SIGKILL:
            return ProcessLost(
                self.position,
                LossReason.CRASHED,
                "killed by signal 9, perhaps for want of memory",
            )
        how = signal.strsignal(-status) if status < 0 else f"exit status {status}"
        return ProcessLost(self.position, LossReason.CRASHED, f"the reading process died: {how}")


def _shared_memory() -> int:
    """Open a file without a name, in memory if possible, where a full disk does not matter."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("marks")
    fd, path = tempfile.mkstemp()
    os.unlink(path)
    return fd


@atexit.register
def _end_workers() -> None:
    for worker in _idle_workers():
        worker.end()
    _idle_workers().clear()


_MAIN = """
import ast, sys
_, pipe_fd, marks_fd, path = sys.argv
sys.path[:] = ast.literal_eval(path)
from pipeline_lib.workers import serve
serve(int(pipe_fd), int(marks_fd))
"""

_MARKED = struct.Struct("qq")
"""Layout of the shared memory: position of the file in progress, and number of marks, since a file may be
marked again for each part."""


def serve(pipe_fd: int, marks_fd: int) -> None:
    """Answer calls in a worker process until its parent is gone.

    Parameters
    ----------
    pipe_fd : int
        File descriptor of the pipe to the parent.
    marks_fd : int
        File descriptor of the memory that marks are written to.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Parsing makes many small objects and hardly a cycle: looking for cycles as often as usual costs 8 %.
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    threading.Thread(target=_end_with_parent, args=(pipe_fd,), daemon=True).start()
    pipe = Connection(pipe_fd)
    pipe.send_bytes(b"")
    marks = mmap.mmap(marks_fd, mmap.PAGESIZE)
    while True:
        try:
            request = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        outcome, value = _answer(request, marks)
        with contextlib.suppress(BrokenPipeError):
            pipe.send_bytes(_pickled(outcome, value))


def _end_with_parent(pipe_fd: int) -> None:
    poll = select.poll()
    poll.register(pipe_fd, 0)  # for nothing but its end
    poll.poll()
    os._exit(1)


def _answer(request: bytes, marks: mmap.mmap) -> tuple[str, Any]:
    try:
        function, limits, folder, args, kwargs = pickle.loads(request)
        os.chdir(folder)
        _limit_memory(limits.memory_limit_mib)

        n_marks = itertools.count(1)

        def mark(position: int) -> None:
            _MARKED.pack_into(marks, 0, position, next(n_marks))
            _limit_time(limits.file_limit_sec)

        return _RETURNED, function(mark, *args, **kwargs)
    except MemoryError:
        return _OUT_OF_MEMORY, None
    except Exception as error:
        error.add_note(f"In the worker process:\n{traceback.format_exc()}")
        return _RAISED, error
    finally:
        _limit_time(0.0)


def _pickled(outcome: str, value: Any) -> bytes:
    try:
        answer = pickle.dumps((outcome, value))
        pickle.loads(answer)  # some exceptions can be pickled, but not read back
    except MemoryError:
        return pickle.dumps((_OUT_OF_MEMORY, None))
    except Exception as error:
        told = RuntimeError(f"{value!r} could not be sent back: {error!r}")
        return pickle.dumps((_RAISED, told))
    return answer


def _limit_time(processor_sec: float) -> None:
    """Limit the processor time from now on; 0 lifts the limit."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, processor_sec)


def _limit_memory(limit_mib: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (limit_mib << 20, hard))
