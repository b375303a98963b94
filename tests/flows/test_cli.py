"""The command as a user types it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest

from flows import checks
from flows.cli import app
from flows.execution import PlannedCall
from flows.journal import Entry, Journal
from flows.summaries import print_plan
from flows.terminal import make_console
from pipeline_lib.artifacts import ArtifactStore
from tests.flows.conftest import N_TUNES, write_tune

COMMAND = Path(sys.executable).with_name("music-pipeline")
COMMANDS = (
    "run",
    "ingest",
    "generate",
    "evaluate",
    "plan",
    "status",
    "inspect",
    "settings",
    "doctor",
)


def call(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )


@pytest.mark.alone
@pytest.mark.parametrize("command", COMMANDS)
def test_help_comes_in_well_under_a_second(command: str) -> None:
    seconds = []
    for _ in range(3):  # the first may have to read the disk, and the machine may be busy
        started = time.perf_counter()
        done = call(command, "--help")
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0
        assert "Usage: music-pipeline" in done.stdout
        if seconds[-1] < 0.8:
            break
    assert min(seconds) < 0.8


def test_every_command_and_parameter_is_documented() -> None:
    names = [name for name in app if not name.startswith("-")]
    assert sorted(names) == sorted(COMMANDS)
    for name in names:
        assert app[name].help, f"{name} has no help text"
        for argument in app[name].assemble_argument_collection(parse_docstring=True):
            if argument.show:
                assert argument.parameter.help, f"{name} {argument.name} has no help text"


def test_the_defaults_are_those_of_the_library() -> None:
    from flows import cli_options
    from pipeline_lib import presets

    assert cli_options.DEFAULT_CORPUS == presets.DEFAULT_CORPUS
    assert cli_options.ExperimentOptions().preset == "quick"
    assert set(get_args(presets.PresetName)) == {"quick", "full", "tiny", "lab-report"}


def test_help_imports_neither_prefect_nor_tensorflow() -> None:
    code = (
        "import sys; from flows.cli import app\n"
        "try: app(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "print({'prefect', 'tensorflow', 'keras', 'pandas', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_settings_that_are_given_several_times_are_lists() -> None:
    from flows.cli_options import ExperimentOptions

    options = ("--temperature", "0.5", "--temperature", "1.2", "--seq-length", "25")
    _, bound, _ = app.parse_args(["plan", *options], print_error=False)
    experiment = bound.arguments["experiment"]
    assert isinstance(experiment, ExperimentOptions)
    assert experiment.settings() == {
        "generate.temperatures": [0.5, 1.2],
        "windows.seq_lengths": [25],
    }


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["status", "--artifacts", "none"], "nothing has run here yet"),
        (["inspect", "none"], "none does not exist; looked here and under artifacts/"),
        (["run", "--corpus", "none"], "there is no such corpus folder"),
        (["plan", "--corpus", "ryan-mammoth"], "did you mean ryans-mammoth?"),
        (["run", "--temperature", "99"], "--temperature = 99: it must be a number from 0 to 5"),
        (["plan", "--seq-length", "1"], "--seq-length = 1: it must be a whole number"),
        (["plan", "--set", "generate.temperatures=[9]"], "generate.temperatures.0 = 9"),
        (["ingest", ".", "--max-rejected-fraction", "3"], "--max-rejected-fraction = 3"),
        (["run", "--prompt", "C4:1 H4:1"], "'H4' is no note"),
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


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["evaluate", "none"], 'Invalid value "none" for PATH'),
        (["evaluate", ".", "--against", "none"], 'Invalid value "none" for --against'),
        (["inspect", "none", "--rows", "-1"], 'Invalid value "-1" for --rows'),
        (["inspect"], "parameter PATH requires an argument"),
    ],
)
def test_arguments_that_cannot_be_right_are_named_as_typed(
    arguments: list[str], problem: str, tmp_path: Path
) -> None:
    done = call(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert problem in done.stderr


@pytest.mark.parametrize("arguments", [["settings"], ["settings", "--json"]])
def test_it_ends_quietly_when_nobody_reads_its_output(arguments: list[str]) -> None:
    process = subprocess.Popen(
        [str(COMMAND), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()  # as `head` does when it has seen enough
    assert process.stderr is not None
    with process.stderr as errors:
        assert errors.read() == ""
    assert process.wait() == 141


def test_a_damaged_status_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"corpus": "wal')
    done = call("status", "--artifacts", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: status.json is unreadable")


@pytest.mark.parametrize("command", ["run", "plan"])
def test_artifacts_that_cannot_be_written_are_one_message(command: str, tmp_path: Path) -> None:
    (tmp_path / "afile").touch()
    done = call(command, "--corpus", "none", "--artifacts", "afile/x", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: nothing can be written to the artifacts folder")
    assert "where: afile/x" in done.stderr
    assert "--artifacts" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    corpus = write_walks(tmp_path / "walks")
    done = call("plan", "--preset", "tiny", "--corpus", str(corpus), "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["stages"]
    assert list(tmp_path.iterdir()) == [corpus]


@pytest.fixture
def training(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that has begun to train and would for long, with its server, as started in a terminal."""
    corpus = write_walks(tmp_path / "walks")
    long = ("train.max_epochs=200", "train.patience=200")
    settings = (*long, "tokens.min_count=1", "ingest.n_shards=2")
    arguments = [part for setting in settings for part in ("--set", setting)]
    process = subprocess.Popen(
        [str(COMMAND), "run", "--preset", "tiny", "--corpus", str(corpus), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    )
    try:
        wait_for_training(process, tmp_path / "artifacts")
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def write_walks(folder: Path) -> Path:
    folder.mkdir()
    for n in range(N_TUNES):
        write_tune(folder / f"tune-{n:02d}.mid", seed=n)
    return folder


def wait_for_training(process: subprocess.Popen[str], artifacts: Path) -> None:
    deadline = time.monotonic() + 120
    while not list(artifacts.glob(".writing/runs-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "training has not begun"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.integration
def test_ctrl_c_stops_training_soon(training: subprocess.Popen[str]) -> None:
    time.sleep(3)  # into TensorFlow, or past it
    os.killpg(training.pid, signal.SIGINT)  # as a terminal does: to the server, too
    _, errors = training.communicate(timeout=20)
    assert training.returncode == 130
    assert errors.endswith(
        "\nStopped. Finished stages are kept: the next run goes on from there.\n"
    )


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.integration
def test_a_second_ctrl_c_ends_it_at_once(training: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 20
    while training.poll() is None and time.monotonic() < deadline:
        os.kill(training.pid, signal.SIGINT)  # Python sees those as one that come while it imports
        time.sleep(0.5)
    output, errors = training.communicate(timeout=1)
    assert training.returncode == 130
    assert "Traceback" not in output + errors


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


def test_the_text_of_a_status_tells_wall_time_from_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [Entry(f"ingest/{n}", "ran", "first time", f"notes/{n}", 4.0, 0.0) for n in (1, 2)]
    Journal("walks", {}, state="completed", seconds=5.0, stages=entries).save(
        ArtifactStore(tmp_path)
    )
    with pytest.raises(SystemExit):
        app(["status", "--artifacts", str(tmp_path)])
    text = capsys.readouterr().out
    assert "took 5.0 s" in text
    assert "worker seconds" in text
    assert "8.0" in text  # two calls of four seconds, side by side


@pytest.mark.parametrize(
    ("states", "line"),
    [
        (["run", "cached"], "1 stage calls would run.\n"),
        (["run", "run-if-changed"], "1 stage calls would run, and up to 1 after them.\n"),
        (["cached"], "Nothing would run: every stage is cached.\n"),
    ],
)
def test_a_plan_ends_with_how_much_would_run(states: list[Any], line: str) -> None:
    stream = io.StringIO()
    print_plan(make_console(stream), [PlannedCall("scan", s, "", None) for s in states])
    assert stream.getvalue().endswith(f"\n{line}")


def test_of_many_runs_those_are_named_that_are_most_like_the_one_asked_for(tmp_path: Path) -> None:
    known = {f"train/lstm3x128-L{n}-lr0.004-s0": f"runs/{n}" for n in range(10, 67)}
    Journal("walks", {}, state="completed", known=known).save(ArtifactStore(tmp_path))
    done = call("generate", "--run", "lstm3x128-L50-lr0.004", "--artifacts", str(tmp_path))
    assert done.returncode == 1
    remedy = done.stderr.partition("to fix it:")[2]
    assert "one of: lstm3x128-L50-lr0.004-s0, " in remedy
    assert remedy.count("lstm3x128") == 3
    assert "… and 54 more: `music-pipeline status --json`" in remedy


def test_doctor_as_json_looks_at_this_machine() -> None:
    done = call("doctor", "--json")
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert found["Python"]["state"] == "ok"


def test_doctor_says_what_to_do_about_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "_PACKAGES", ("prefect", "no-such-package"))
    with pytest.raises(SystemExit) as ended:
        app(["doctor", "--json"])
    assert ended.value.code == 1
    found = json.loads(capsys.readouterr().out)["checks"]
    (missing,) = [check for check in found if check["state"] == "missing"]
    assert missing["name"] == "no-such-package"
    assert missing["remedy"]
