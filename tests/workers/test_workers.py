"""Worker processes that crash, hang or take all memory: the caller learns of which file, and goes on."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hostile
import psutil
import pytest

from pipeline_lib import workers
from pipeline_lib.errors import CorpusError
from pipeline_lib.workers import Limits, LossReason, ProcessLost, run_isolated

AMPLE = Limits(file_limit_sec=60, memory_limit_mib=2048)


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def wait_until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def test_a_result_comes_back_from_another_process() -> None:
    result, pid = run_isolated(hostile.add, AMPLE, 1, b=2)
    assert result == 3
    assert pid != os.getpid()


def test_a_process_is_used_again() -> None:
    assert run_isolated(hostile.add, AMPLE, 1)[1] == run_isolated(hostile.add, AMPLE, 1)[1]


def test_threads_have_a_process_each() -> None:
    with ThreadPoolExecutor(2) as threads:
        pids = list(threads.map(lambda _: run_isolated(hostile.wait, AMPLE, 0.5), range(2)))
    assert len(set(pids)) == 2


@pytest.mark.parametrize(
    ("function", "limits", "position", "reason", "detail"),
    [
        (hostile.abort, AMPLE, 2, LossReason.CRASHED, "Aborted"),
        (hostile.crash, AMPLE, 3, LossReason.CRASHED, "Segmentation fault"),
        (hostile.exit_quietly, AMPLE, 8, LossReason.CRASHED, "exit status 3"),
        (hostile.compute_for_ever, Limits(0.3, 2048), 4, LossReason.TIMED_OUT, "processor time"),
        (hostile.take_memory, Limits(60, 512), 5, LossReason.OUT_OF_MEMORY, "512 MiB"),
    ],
)
def test_a_lost_process_names_the_file(
    function: Callable[..., Any], limits: Limits, position: int, reason: LossReason, detail: str
) -> None:
    with pytest.raises(ProcessLost) as caught:
        run_isolated(function, limits)
    assert (caught.value.position, caught.value.reason) == (position, reason)
    assert detail in caught.value.detail
    assert run_isolated(hostile.add, AMPLE, 1)[0] == 1  # the next call finds a process


def test_waiting_for_ever_is_ended_by_the_clock() -> None:
    started = time.monotonic()
    with pytest.raises(ProcessLost) as caught:
        run_isolated(hostile.wait, Limits(0.05, 2048), 3600)
    assert (caught.value.position, caught.value.reason) == (1, LossReason.TIMED_OUT)
    assert time.monotonic() - started < 10


@pytest.mark.alone
def test_a_file_that_is_marked_again_has_its_time_anew() -> None:
    # One second by the clock from mark to mark; two in all.
    assert run_isolated(hostile.mark_slowly, Limits(0.1, 2048), 8, 0.25) == 8


def test_time_to_start_is_no_file_s(monkeypatch: pytest.MonkeyPatch) -> None:
    workers._end_workers()
    monkeypatch.setattr(workers, "_MAIN", f"import time; time.sleep(1.5){workers._MAIN}")
    assert run_isolated(hostile.add, Limits(0.1, 2048), 1)[0] == 1


def test_a_process_that_cannot_start_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    workers._end_workers()
    monkeypatch.setattr(workers, "_MAIN", "raise SystemExit(3)")
    with pytest.raises(ProcessLost, match="exit status 3") as caught:
        run_isolated(hostile.add, AMPLE, 1)
    assert caught.value.position is None


def test_a_function_may_catch_its_own_want_of_memory() -> None:
    assert run_isolated(hostile.survive_taking_memory, Limits(60, 512)) == "caught"


def test_being_killed_from_outside_is_a_crash() -> None:
    _, pid = run_isolated(hostile.add, AMPLE, 1)
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(ProcessLost) as caught:
        run_isolated(hostile.wait, AMPLE, 5)
    assert caught.value.reason == LossReason.CRASHED
    assert "signal 9" in caught.value.detail


def test_a_process_that_died_between_calls_is_replaced() -> None:
    _, pid = run_isolated(hostile.add, AMPLE, 1)
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: is_gone(pid))
    assert run_isolated(hostile.add, AMPLE, 1)[1] != pid


def test_a_process_works_where_its_caller_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_isolated(hostile.whereabouts, AMPLE) == os.getcwd()
    monkeypatch.chdir(tmp_path)
    assert run_isolated(hostile.whereabouts, AMPLE) == os.getcwd()


def test_an_interrupted_call_leaves_nothing_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    _, pid = run_isolated(hostile.add, AMPLE, 1)
    monkeypatch.setattr(workers._Worker, "_wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_isolated(hostile.wait, AMPLE, 60)
    assert is_gone(pid)


def test_what_cannot_be_sent_costs_no_process() -> None:
    _, pid = run_isolated(hostile.add, AMPLE, 1)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        run_isolated(lambda mark: None, AMPLE)
    assert run_isolated(hostile.add, AMPLE, 1)[1] == pid


def test_what_a_function_raises_is_raised_here() -> None:
    with pytest.raises(ValueError, match="as it was") as caught:
        run_isolated(hostile.fail, AMPLE, "as it was")
    assert "hostile.py" in caught.value.__notes__[0]  # where it was raised
    with pytest.raises(RuntimeError, match="could not be sent back"):
        run_isolated(hostile.fail, AMPLE, "unpicklable")


def test_our_own_errors_keep_their_parts() -> None:
    with pytest.raises(CorpusError) as caught:
        run_isolated(hostile.refuse, AMPLE)
    assert (caught.value.path, caught.value.remedy) == (Path("a.mid"), "mend it")


def test_a_mark_costs_little_beside_a_file() -> None:
    # A file takes some 500 microseconds; a mark takes one or so, on a busy machine a few.
    assert run_isolated(hostile.mark_many, AMPLE, 20_000) < 50e-6


PARENT = """
    import sys, time
    sys.path.insert(0, {folder!r})
    import hostile
    from pipeline_lib.workers import Limits, run_isolated
    print(run_isolated(hostile.add, Limits(60, 2048), 1)[1], flush=True)
    {then}
"""


def start_parent(then: str) -> subprocess.Popen[str]:
    script = textwrap.dedent(PARENT).format(folder=str(Path(__file__).parent), then=then)
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_processes_end_with_their_parent() -> None:
    with start_parent("") as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert parent.wait(timeout=10) == 0
    assert wait_until(lambda: is_gone(pid))


@pytest.mark.parametrize(
    "then",
    [
        "time.sleep(60)",
        "run_isolated(hostile.wait, Limits(60, 2048), 60)",
        "run_isolated(hostile.mark_many, Limits(60, 2048), 10**9)",
    ],
)
def test_processes_end_when_their_parent_is_killed(then: str) -> None:
    with start_parent(then) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.1)  # the second call is under way
        parent.kill()
    assert wait_until(lambda: is_gone(pid))


def test_an_interrupt_does_not_reach_them() -> None:
    _, pid = run_isolated(hostile.add, AMPLE, 1)
    os.kill(pid, signal.SIGINT)
    assert run_isolated(hostile.add, AMPLE, 1)[1] == pid
