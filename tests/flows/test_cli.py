"""The command as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.cli import app
from flows.journal import Entry, Journal
from pipeline_lib.artifacts import ArtifactStore

COMMAND = Path(sys.executable).with_name("music-pipeline")
COMMANDS = ("run", "plan", "status", "inspect", "doctor")


def call(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_comes_in_well_under_a_second(command: str) -> None:
    seconds = []
    for _ in range(3):  # the first may have to read the disk, and the machine may be busy
        started = time.perf_counter()
        done = call(command, "--help")
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0
        assert "Usage: music-pipeline" in done.stdout
    assert min(seconds) < 0.8


def test_every_command_and_parameter_is_documented() -> None:
    names = [name for name in app if not name.startswith("-")]
    assert sorted(names) == sorted(COMMANDS)
    for name in names:
        assert app[name].help, f"{name} has no help text"
        for argument in app[name].assemble_argument_collection(parse_docstring=True):
            if argument.show:
                assert argument.parameter.help, f"{name} {argument.name} has no help text"


def test_help_imports_neither_prefect_nor_tensorflow() -> None:
    code = (
        "import sys; from flows.cli import app\n"
        "try: app(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "print({'prefect', 'tensorflow', 'keras', 'pandas', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["status", "--artifacts", "none"], "nothing has run here yet"),
        (["inspect", "none"], "this is no artifact"),
        (["run", "--corpus", "none"], "there is no such corpus folder"),
        (["run", "--temperature", "99"], "generate.temperature = 99"),
        (["plan", "--set", "nonsense"], "--set 'nonsense' has no value"),
        (["plan", "--set", "a.b=1"], "unknown setting 'a.b'"),
    ],
)
def test_errors_are_one_message_with_a_remedy_and_no_traceback(
    arguments: list[str], problem: str, tmp_path: Path
) -> None:
    done = call(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert problem in done.stderr
    assert "to fix it:" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_as_json_lists_every_stage(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    entry = Entry("scan", "ran", "first time", "corpus/0123", 1.5, 0.0)
    Journal(corpus="walks", config={}, state="completed", stages=[entry]).save(store)
    done = call("status", "--json", "--artifacts", str(tmp_path))
    (stage,) = json.loads(done.stdout)["stages"]
    assert stage == {
        "stage": "scan",
        "state": "ran",
        "reason": "first time",
        "artifact": "corpus/0123",
        "seconds": 1.5,
        "saved_seconds": 0.0,
    }


def test_doctor_as_json_names_what_to_do_about_what_is_missing() -> None:
    done = call("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["Python"]["state"] == "ok"
    assert all(check["remedy"] for check in checks.values() if check["state"] == "missing")
