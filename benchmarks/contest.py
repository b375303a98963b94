"""How contestants are measured: in processes of their own, which take turns.

A machine that slows down for a while so slows all of them. Processor seconds include system time; memory is the
peak of what is resident, above what the libraries need once imported.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Claim:
    """One line of the table."""

    what: str
    value: float
    unit: str
    bound: str = ""
    holds: bool = True


@dataclass(frozen=True)
class Cost:
    """Of one turn."""

    processor_sec: float
    wall_sec: float
    peak_mib: float


@dataclass(frozen=True)
class Work:
    """What a contestant does in a turn, and how often it does so before it is measured."""

    turn: Callable[[], object]
    n_warm_up: int = 0
    times: int = 1


@dataclass(frozen=True)
class Benchmark:
    """A module of contestants.

    Parameters
    ----------
    module : str
        Its name, by which contestants are started.
    contestants : mapping
        Name to a function from a size to its `Work`.
    read_size : callable
        Makes a size of its fields.
    n_repeats : int
        Turns of each contestant.
    """

    module: str
    contestants: Mapping[str, Callable[[Any], Work]]
    read_size: Callable[..., Any]
    n_repeats: int

    def main(self, claims: Callable[[], Iterable[Claim]]) -> None:
        """Print the table, or serve as one of the contestants."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--contestant", choices=self.contestants, help=argparse.SUPPRESS)
        parser.add_argument("--size", type=json.loads, help=argparse.SUPPRESS)
        arguments = parser.parse_args()
        if arguments.contestant:
            _serve(self.contestants[arguments.contestant](self.read_size(**arguments.size)))
        else:
            print_claims(f"{os.cpu_count()} cores, medians of {self.n_repeats}", claims())

    def turns(
        self, names: Sequence[str], size: Any, environment: dict[str, str], *, once: bool = False
    ) -> list[list[Cost]]:
        """The costs of contestants, turn by turn."""
        with ExitStack() as stack:
            contestants = [
                stack.enter_context(
                    contextlib.closing(_Contestant(self.module, name, size, environment))
                )
                for name in names
            ]
            n_rounds = 1 if once else self.n_repeats
            rounds = [[contestant.turn() for contestant in contestants] for _ in range(n_rounds)]
        return [list(costs) for costs in zip(*rounds, strict=True)]


def print_claims(title: str, claims: Iterable[Claim]) -> None:
    """The table of what was measured and what was wanted."""
    table = Table(title=title)
    for name in ("", "measured", "", "wanted", ""):
        table.add_column(name, justify="right" if name == "measured" else "left")
    for claim in claims:
        mark = "[green]yes[/]" if claim.holds else "[red]no[/]"
        table.add_row(
            claim.what, f"{claim.value:,.2f}", claim.unit, claim.bound, mark if claim.bound else ""
        )
    Console(width=140).print(table)


def median_ratio(slow: Sequence[Cost], fast: Sequence[Cost], what: str = "processor_sec") -> float:
    """How many times as much the first costs, turn by turn."""
    return statistics.median(
        getattr(a, what) / getattr(b, what) for a, b in zip(slow, fast, strict=True)
    )


class _Contestant:
    """A process that does its work when told to."""

    def __init__(self, module: str, name: str, size: Any, environment: dict[str, str]) -> None:
        arguments = ["--contestant", name, "--size", json.dumps(vars(size))]
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        )
        self._answer()

    def turn(self) -> Cost:
        assert self._process.stdin is not None
        print("turn", file=self._process.stdin, flush=True)
        return Cost(**self._answer())

    def close(self) -> None:
        self._process.communicate()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def _serve(work: Work) -> None:
    """Answer each line of standard input with the cost of one turn."""
    resident_mib = psutil.Process().memory_info().rss / 2**20
    for _ in range(work.n_warm_up):
        work.turn()
    print("{}", flush=True)
    for _ in sys.stdin:
        started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        for _ in range(work.times):
            work.turn()
        wall_sec, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
        cost = Cost(
            (now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime) / work.times,
            wall_sec / work.times,
            now.ru_maxrss / 2**10 - resident_mib,
        )
        print(json.dumps(vars(cost)), flush=True)
