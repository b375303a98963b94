"""The project is laid out as its documents say."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from pipeline_lib.stores import file_names
from tests.conftest import REPOSITORY

THIS_FILE = Path(__file__).relative_to(REPOSITORY).as_posix()


def tracked_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: there is no list of the project's files")
    return [name for name in listed.stdout.splitlines() if (REPOSITORY / name).exists()]


def tree_in(document: str) -> set[str]:
    """Paths of the file tree in a document: indented names, folders end with a slash."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    block = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert block, f"{document} has no file tree"
    paths: set[str] = set()
    folders: list[str] = []
    for line in block[1].splitlines():
        if not line.strip():
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        folders = [*folders[:depth], name] if name.endswith("/") else folders[:depth]
        paths.add("".join(folders) + ("" if name.endswith("/") else name))
    return paths


def test_the_tree_in_contributing_names_every_package_and_nothing_that_is_not_there() -> None:
    modules = [n for n in tracked_files() if re.match(r"(flows|tasks|pipeline_lib)/.*\.py$", n)]
    packages = {name.rpartition("/")[0] + "/" for name in modules}
    described = tree_in("CONTRIBUTING.md")
    assert packages <= described
    assert {path for path in described if not (REPOSITORY / path).exists()} == set()


def test_the_top_level_is_fixed() -> None:
    folders = {name.split("/")[0] for name in tracked_files() if "/" in name}
    visible = {name for name in folders if not name.startswith(".")}
    assert visible <= {
        "flows",
        "tasks",
        "pipeline_lib",
        "data",
        "artifacts",
        "tests",
        "benchmarks",
        "docs",
    }


def test_every_stage_is_in_a_file_of_its_name() -> None:
    stages = {
        match[1]: path.stem
        for path in (REPOSITORY / "tasks").glob("*.py")
        for match in re.finditer(
            r"^@stage\(.*\)\ndef (\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert {"scan", "ingest", "split", "encode", "train", "write_report"} <= set(stages)
    assert all(name.startswith(file) for name, file in stages.items())


def test_only_tokenisers_know_what_tokens_look_like() -> None:
    """Others ask `Tokeniser.describe`, or the features of a vocabulary."""
    folder = "pipeline_lib/tokens/tokenisers/"
    kinds = [Path(name).stem for name in tracked_files() if name.startswith(folder)]
    own = [kind for kind in kinds if kind not in ("__init__", "base", "line")]
    assert {"note_event", "pitch_duration"} <= set(own)
    for name in tracked_files():
        if not re.match(r"(flows|tasks|pipeline_lib)/.*\.py$", name) or name.startswith(folder):
            continue
        tree = ast.parse((REPOSITORY / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.rpartition(".")[2] not in own, f"{name} imports {node.module}"
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                is_token = re.fullmatch(r"(Pitch|Chord|Rest|Duration)([_:]\S*)?", node.value)
                assert not is_token, f"{name}:{node.lineno} holds the text of a token: {node.value}"


def imported_modules(path: Path) -> set[str]:
    """Modules that a file imports, names of packages' members included, wherever the import stands."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


MACHINERY = {"stages", "staleness", "fingerprint", "caching", "progress"}


def test_stages_know_nothing_of_each_other() -> None:
    known = {path.stem for path in (REPOSITORY / "tasks").glob("*.py")} - MACHINERY
    assert {"encode", "train", "write_report"} <= known
    others = {
        path.stem: {name for name in known if f"tasks.{name}" in imported_modules(path)}
        for path in (REPOSITORY / "tasks").glob("*.py")
    }
    assert {name: found for name, found in others.items() if found} == {}


def test_the_name_of_a_file_of_an_artifact_stands_once() -> None:
    names = {value for value in vars(file_names).values() if isinstance(value, str)}
    names = {name for name in names if re.fullmatch(r"\w+\.(parquet|json|npz|html|musicxml)", name)}
    assert {"tokens.parquet", "run.json", "weights.npz", "report.html"} <= names
    found = {
        (name, node.value)
        for name in tracked_files()
        if name.endswith(".py")
        for node in ast.walk(ast.parse((REPOSITORY / name).read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert {value for _, value in found} == names
    assert {name for name, _ in found} == {"pipeline_lib/stores/file_names.py", THIS_FILE}


def test_every_module_says_what_it_is() -> None:
    silent = [
        name
        for name in tracked_files()
        if re.match(r"(flows|tasks|pipeline_lib)/.*\.py$", name)
        and not name.endswith("__init__.py")
        and not (REPOSITORY / name).read_text(encoding="utf-8").startswith('"""')
    ]
    assert silent == []


def test_the_lock_holds_exact_pins_with_hashes_and_no_address() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    entries = [line for line in lock.splitlines() if line and not line[0].isspace()]
    assert len(entries) > 100
    assert all(re.match(r"[a-z0-9._-]+==\S+( ; .*)? \\$", line) for line in entries)
    assert "://" not in lock
    assert lock.count("--hash=sha256:") >= len(entries)
