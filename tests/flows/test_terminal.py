from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from flows.terminal import ProgressDisplay, make_console, quiet_output
from pipeline_lib.errors import ArtifactError

SCRIPT = """
import os, subprocess, sys
from pathlib import Path
from flows.terminal import quiet_output

with quiet_output(Path(sys.argv[1])) as console:
    print("from Python")
    print("a warning", file=sys.stderr)
    os.write(2, b"from native code\\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    console.print("for the user")
print("afterwards")
"""


def test_everything_printed_goes_to_the_log_and_the_console_to_the_terminal(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "run.log"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(log)], capture_output=True, text=True, check=True
    )
    # Standard output is for results, which programs read.
    assert done.stderr == "for the user\n"
    assert done.stdout == "afterwards\n"
    lines = log.read_text().splitlines()
    assert sorted(lines) == ["a warning", "from Python", "from a child", "from native code"]


def test_output_comes_back_after_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ZeroDivisionError), quiet_output(tmp_path / "run.log"):
        raise ZeroDivisionError
    print("still here")
    assert capfd.readouterr().out == "still here\n"


def test_a_log_that_cannot_be_written_is_one_clear_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "afile").touch()
    for log in (tmp_path / "afile" / "x" / "run.log", tmp_path):
        with pytest.raises(ArtifactError, match="nothing can be written"), quiet_output(log):
            pytest.fail("there is no log")
    print("still here")
    assert capfd.readouterr().out == "still here\n"


def test_without_a_terminal_each_activity_is_one_line() -> None:
    stream = io.StringIO()
    with ProgressDisplay(Console(file=stream, width=100)) as display:
        display("ingest", 0, 2, "")
        display("ingest", 1, 2, "")
        display("ingest", 2, 2, "1 cached")
        display("ingest", 1, 1, "")
    (line,) = stream.getvalue().strip().splitlines()
    assert line.strip().startswith("ingest: 2 done in 0.0 s 1 cached")


def test_without_a_terminal_what_took_no_time_is_no_line() -> None:
    stream = io.StringIO()
    with ProgressDisplay(Console(file=stream, width=100)) as display:
        display("scan", 1059, 1059, "")
    assert stream.getvalue() == ""


def test_a_console_leaves_a_broken_pipe_to_the_command() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with (
        pytest.raises(BrokenPipeError),
        open(writing, "w", buffering=1, encoding="utf-8") as stream,
    ):
        make_console(stream).print("nobody reads this")


def test_on_a_terminal_a_bar_shows_how_far_an_activity_is() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=120, force_terminal=True)
    with ProgressDisplay(console) as display:
        display("train", 3, 4, "loss 2.345")
    shown = stream.getvalue()
    assert "train" in shown
    assert "3/4" in shown
    assert "loss 2.345" in shown
