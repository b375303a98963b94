"""The commands in README and how-tos work as pasted.

Bash runs every block unchanged, in a folder of a user's own. ``make run``, the first, is the real one, with the
preset tiny. After it, two programs on the path only note what they were called with:

- ``music-pipeline``: this process, which has loaded TensorFlow and Prefect already, does what it was asked. Only
  ``music-pipeline run`` is shortened: it parses its options, reads settings, prompt and corpus, and plans every stage.
- ``pip``: what is to be installed must stand in ``pyproject.toml``; ``requirements.lock`` has installed it.

Blocks that cannot run here stand in `RUN_ELSEWHERE`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flows.cli import app
from flows.journal import Journal, require_journal
from pipeline_lib.artifacts import ArtifactStore
from tests.conftest import REPOSITORY
from tests.flows.conftest import write_tune

# Prefect's own code warns when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore")

MAIN_JOB = "make run"
TINY = (
    "--preset tiny --corpus data/raw/ryans-mammoth --seq-length 16 --set ingest.n_shards=1 "
    "--set tokens.min_count=1 --set generate.length=16 --set generate.n_samples=2"
)
N_TUNES = 14

RUN_ELSEWHERE = {
    "make test": "it is what runs this test",
    "tensorboard --logdir": "a server; test_telemetry.py reads what it would show",
    "dask scheduler": "servers; test_dask.py runs the flow on a cluster of as many workers",
    "prefect server start": "a server; every test of a flow has one of its own",
    "prefect worker start": "a server; test_deployments.py holds the name of its work pool",
    "prefect --no-prompt deploy": "needs both; test_deployments.py holds what is deployed, and reads its short name",
}
"""First words of a block, after any ``export``, and why it is not run here."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]

NOTE_THE_CALL = """#!{python} -S
import json, os, sys
with open({calls!r}, "a") as file:
    print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]), file=file)
"""


@dataclass(frozen=True)
class Block:
    """Commands that a document tells its reader to paste together."""

    document: str
    commands: str

    @property
    def first_command(self) -> str:
        return next(s for s in self.commands.splitlines() if not s.startswith("export "))

    @property
    def runs_here(self) -> bool:
        return not self.first_command.startswith(tuple(RUN_ELSEWHERE))

    def __str__(self) -> str:
        return f"{self.document}: {self.first_command}"


BLOCKS = [
    Block(path.name, text)
    for path in DOCUMENTS
    for language, text in FENCE.findall(path.read_text(encoding="utf-8"))
    if language != "text"
]


@dataclass(frozen=True)
class Workspace:
    """A user's folder: the project's Makefile, the bundled corpus (here, a few tunes), and other music."""

    folder: Path
    prefect_api: str

    @property
    def noted(self) -> Path:
        return self.folder / "noted-calls.jsonl"

    def bash(self, commands: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.folder / 'programs'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "HOME": str(self.folder / "home"),
            "PREFECT_API_URL": self.prefect_api,
            "ARGS": TINY,
            "PYTHON": "false",  # make must not install into the environment that this process uses
        }
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def take_noted_calls(self) -> list[list[str]]:
        """Words of the calls that the last block made."""
        if not self.noted.exists():
            return []
        lines = self.noted.read_text(encoding="utf-8").splitlines()
        self.noted.unlink()
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Nothing has run in it yet."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    folder = tmp_path_factory.mktemp("user") / "music-pipeline"
    (folder / "home").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(REPOSITORY / name, folder)
    add_music(folder)
    with prefect_test_harness(server_startup_timeout=120):
        workspace = Workspace(folder, PREFECT_API_URL.value())
        add_programs(workspace)
        yield workspace


@pytest.fixture(scope="module")
def journal(workspace: Workspace) -> Journal:
    """What README's first command did."""
    done = workspace.bash(MAIN_JOB)
    assert done.returncode == 0, done.stderr
    *_, report = done.stdout.split("Report:")
    assert (workspace.folder / "".join(report.split())).is_file()
    return require_journal(ArtifactStore(workspace.folder / "artifacts"))


def add_music(folder: Path) -> None:
    corpus = folder / "data" / "raw" / "ryans-mammoth"
    for music in (corpus, folder / "path" / "to" / "folder", folder / "new-music"):
        music.mkdir(parents=True)
        for n in range(N_TUNES):
            write_tune(music / f"tune-{n:02d}.mid", seed=n)
    (corpus / "prepared.json").write_text("{}")
    write_tune(folder / "path" / "to" / "opening.mid", seed=1)


def add_programs(workspace: Workspace) -> None:
    """The virtual environment of this process, and what stands before its programs."""
    environment, programs = workspace.folder / ".venv", workspace.folder / "programs"
    environment.mkdir()
    (environment / "bin").symlink_to(Path(sys.executable).parent)
    (environment / "installed").touch()
    programs.mkdir()
    for name in ("music-pipeline", "pip"):
        text = NOTE_THE_CALL.format(python=sys.executable, calls=str(workspace.noted))
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.runs_here and b.first_command != MAIN_JOB], ids=str
)
def test_commands_run_as_pasted(
    block: Block, workspace: Workspace, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = workspace.bash(block.commands)
    assert done.returncode == 0, done.stderr
    calls = workspace.take_noted_calls()
    assert len(calls) == len(re.findall(r"\b(?:music-pipeline|pip) [a-z]", block.commands))
    monkeypatch.chdir(workspace.folder)
    monkeypatch.setattr("tasks.prepare.DATA_FOLDER", workspace.folder / "data")
    monkeypatch.setattr("flows.running.run_flow", partial(plan_instead, journal))
    for program, *words in calls:
        if program == "pip":
            assert_pip_can(words)
        else:
            run_here(words)


def run_here(words: list[str]) -> None:
    """Do what ``music-pipeline`` does with these words."""
    try:
        with pytest.raises(SystemExit) as ended:
            app(words)
    finally:
        logging.disable(logging.NOTSET)  # the command ends its process silently; ours goes on
    assert not ended.value.code


def plan_instead(journal: Journal, *experiment: Any, **machines: Any) -> Journal:
    """Stands for `flows.running.run_flow`; what it returns is shown."""
    from flows.running import plan_flow

    planned = [call.stage for call in plan_flow(*experiment)]
    assert any(stage.startswith("train/") for stage in planned)
    assert planned[-1] == "write_report"
    return journal


def assert_pip_can(words: list[str]) -> None:
    *options, asked = words
    assert options == ["install", "-e"]
    extras = re.fullmatch(r"\.\[(.*)\]", asked)
    assert extras
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(extras[1].split(",")) <= set(project["project"]["optional-dependencies"])


def test_readme_is_short_and_begins_with_the_two_commands() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 900
    in_readme = [block.commands.strip() for block in BLOCKS if block.document == "README.md"]
    assert in_readme[:2] == [MAIN_JOB, "make test"]


@pytest.mark.parametrize("start", RUN_ELSEWHERE)
def test_what_runs_elsewhere_is_in_a_document_and_so_are_the_tests(start: str) -> None:
    assert any(block.first_command.startswith(start) for block in BLOCKS)
    for name in re.findall(r"\btest_\w+\.py", RUN_ELSEWHERE[start]):
        assert list((REPOSITORY / "tests").rglob(name))


@pytest.mark.parametrize("path", [*DOCUMENTS, REPOSITORY / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_commands_within_sentences_exist(path: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for code in re.findall(r"`([^`\n]+)`", path.read_text(encoding="utf-8")):
        for command in re.findall(r"\bmusic-pipeline ([a-z]+)", code):
            assert command in app, f"{path.name} names `music-pipeline {command}`"
        for target in re.findall(r"\bmake ([a-z]+)\b", code):
            assert f"\n{target}:" in makefile, f"{path.name} names `make {target}`"
