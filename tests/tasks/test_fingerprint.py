"""Which edits change which stages' fingerprints, on a copy of the real code."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks import fingerprint as module
from tests.conftest import REPOSITORY

STAGES = {
    "scan": "scan",
    "ingest": "ingest",
    "select": "select",
    "catalogue": "catalogue",
    "split": "split",
    "tokenise": "tokenise",
    "encode": "encode",
    "index_windows": "index_windows",
    "fit_baselines": "fit_baselines",
    "score_baselines": "score",
    "fit_memory": "fit_memory",
    "train": "train",
    "score": "score",
    "generate": "generate",
    "evaluate": "evaluate",
    "measure_distance": "measure_distance",
    "write_report": "write_report",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the code that may be edited."""
    for package in module.PROJECT_PACKAGES:
        shutil.copytree(REPOSITORY / package, tmp_path / package)
    monkeypatch.setattr(module, "_PROJECT_ROOT", tmp_path)
    _forget()
    yield tmp_path
    _forget()


def _forget() -> None:
    for cached in (
        module.fingerprint,
        module._load,
        module._source,
        module._hash_file,
        module._when_read,
    ):
        cached.cache_clear()


def fingerprints() -> dict[str, module.Fingerprint]:
    _forget()
    return {stage: module.fingerprint(f"tasks.{file}", stage) for stage, file in STAGES.items()}


def changed_by(edit: Callable[[], None]) -> set[str]:
    before = fingerprints()
    edit()
    after = fingerprints()
    return {stage for stage in STAGES if before[stage] != after[stage]}


def replace(path: Path, old: str, new: str) -> Callable[[], None]:
    def edit() -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is no longer in {path.name}: mend this test"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reaches_its_own_function(stage: str) -> None:
    assert (
        f"tasks.{STAGES[stage]}.{stage}" in module.fingerprint(f"tasks.{STAGES[stage]}", stage).code
    )


def test_a_comment_or_a_docstring_changes_nothing(project: Path) -> None:
    path = project / "pipeline_lib" / "notes" / "midi" / "files.py"

    def edit() -> None:
        text = path.read_text(encoding="utf-8")
        text = text.replace('"""', '"""Reworded. ').replace("\nimport ", "\n# why\nimport ")
        text = text.replace('"""Reworded. \n', '"""\n')  # leave closing quotes as they are
        path.write_text(f"# a comment\n{text}\n\n# the end\n", encoding="utf-8")

    assert changed_by(edit) == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        (
            "models/networks/architectures.py",
            "def _make_blocks(",
            "def _make_blocks(_extra, ",
            {"train", "fit_memory", "score", "generate"},
        ),
        *(
            pytest.param(*edit, marks=pytest.mark.slow)
            for edit in (
                ("reports/plots.py", "import", "import math\nX = math.pi\nimport", set()),
                ("notes/midi/chunks.py", "def take_apart(", "def take_apart(_extra, ", {"ingest"}),
                (
                    "notes/keys.py",
                    "def estimate_key(",
                    "def estimate_key(_extra, ",
                    {"select", "tokenise", "generate", "write_report"},
                ),
                ("notes/corpus/duplicates.py", "def minhash(", "def minhash(_extra, ", {"select"}),
                (
                    "evaluation/pitch.py",
                    "def leap_rate(",
                    "def leap_rate(_extra, ",
                    # The report names the units of metrics, which stand beside their functions.
                    {"evaluate", "write_report"},
                ),
                ("notes/corpus/splits.py", "_MIN_DISTINCT = 3", "_MIN_DISTINCT = 4", {"split"}),
                (
                    "models/sampling/logit_filters.py",
                    "def sample_token(",
                    "def sample_token(_extra, ",
                    {"generate"},
                ),
                (
                    "models/memory/recall.py",
                    "LONGEST_CONTEXT = 64",
                    "LONGEST_CONTEXT = 65",
                    {"fit_baselines", "fit_memory", "score_baselines", "score", "generate"},
                ),
                (
                    "models/training/loop.py",
                    "_MOST_PER_CALL = 64",
                    "_MOST_PER_CALL = 1",
                    {"train"},
                ),
                ("reports/templates/page.html.j2", "<main", "<main ", {"write_report"}),
                ("reports/locale/zh.toml", "=", " =", {"write_report"}),
            )
        ),
    ],
)
def test_an_edited_definition_changes_the_stages_that_reach_it(
    project: Path, file: str, old: str, new: str, stages: set[str]
) -> None:
    assert changed_by(replace(project / "pipeline_lib" / file, old, new)) == stages


@pytest.mark.slow
def test_a_setting_that_only_generation_reads_does_not_touch_training(project: Path) -> None:
    edit = replace(
        project / "pipeline_lib" / "config" / "sampling.py",
        "class GenerateConfig(",
        "class GenerateConfig(object, ",
    )
    assert "generate" in changed_by(edit)
    assert "train" not in changed_by(edit)


@pytest.mark.slow
def test_a_new_text_of_the_page_samples_no_music_again(project: Path) -> None:
    font = project / "pipeline_lib" / "reports" / "fonts" / "zh-subset.ttf"

    def edit() -> None:
        font.write_bytes(font.read_bytes() + b"another glyph")

    assert changed_by(edit) == {"write_report"}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(module, "_PROJECT_ROOT", tmp_path)
    _forget()
    yield tmp_path
    _forget()


@pytest.mark.parametrize(
    ("imports", "use"),
    [
        ("from pipeline_lib.a import f", "f()"),
        ("from pipeline_lib.a import f as g", "g()"),
        ("from pipeline_lib import a", "a.f()"),
        ("import pipeline_lib.a", "pipeline_lib.a.f()"),
        ("import pipeline_lib.a as x", "x.f()"),
        ("from pipeline_lib.b import f", "f()"),
    ],
)
@pytest.mark.parametrize("inside", [False, True], ids=["at the top", "in the function"])
def test_names_are_followed_through_every_kind_of_import(
    toy: Path, imports: str, use: str, inside: bool
) -> None:
    top, body = ("", f"    {imports}\n") if inside else (f"{imports}\n", "")
    files = {
        "pipeline_lib/__init__.py": "",
        "pipeline_lib/a.py": "LIMIT = 3\ndef f():\n    return LIMIT\ndef unused():\n    return 1\n",
        "pipeline_lib/b.py": "from pipeline_lib.a import f\n",
        "tasks/__init__.py": "",
        "tasks/t.py": f"{top}def t():\n{body}    return {use}\n",
    }
    write(toy, files)
    found = module.fingerprint("tasks.t", "t").code
    assert set(found) == {"tasks.t.t", "pipeline_lib.a.f", "pipeline_lib.a.LIMIT"}


def test_a_module_used_as_a_value_counts_whole(toy: Path) -> None:
    files = {
        "pipeline_lib/__init__.py": "",
        "pipeline_lib/a.py": "def f():\n    return 1\ndef g():\n    return 2\n",
        "tasks/__init__.py": "",
        "tasks/t.py": "from pipeline_lib import a\ndef t():\n    return [getattr(a, n) for n in 'fg']\n",
    }
    write(toy, files)
    assert {"pipeline_lib.a.f", "pipeline_lib.a.g"} <= set(module.fingerprint("tasks.t", "t").code)


def test_statements_that_run_on_import_count(toy: Path) -> None:
    code = "def f():\n    return REGISTRY\nREGISTRY = {}\nREGISTRY['x'] = 1\nprint('side effect')\n"
    files = {
        "pipeline_lib/__init__.py": "",
        "pipeline_lib/a.py": code,
        "tasks/__init__.py": "",
        "tasks/t.py": "from pipeline_lib.a import f\ndef t():\n    return f()\n",
    }
    write(toy, files)
    before = module.fingerprint("tasks.t", "t")
    write(toy, {"pipeline_lib/a.py": code.replace("= 1", "= 2")})
    _forget()
    assert module.fingerprint("tasks.t", "t") != before


def test_what_only_type_checkers_import_counts_where_it_is_named(toy: Path) -> None:
    code = "if TYPE_CHECKING:\n    from pipeline_lib.b import {}\n{}\n"
    functions = "def f(x: B):\n    return x\ndef g(x):\n    return x\n"
    files = {
        "pipeline_lib/__init__.py": "",
        "pipeline_lib/a.py": code.format("B", functions),
        "pipeline_lib/b.py": "class B:\n    pass\nclass C:\n    pass\n",
        "tasks/__init__.py": "",
        "tasks/t.py": "from pipeline_lib.a import f, g\ndef t():\n    f(1)\ndef u():\n    g(1)\n",
    }
    write(toy, files)
    assert "pipeline_lib.b.B" in module.fingerprint("tasks.t", "t").code
    before = module.fingerprint("tasks.t", "u")
    write(toy, {"pipeline_lib/a.py": code.format("B, C", functions)})
    _forget()
    assert module.fingerprint("tasks.t", "u") == before


def test_a_package_counts_where_it_is_used() -> None:
    packages = {
        stage: module.fingerprint(f"tasks.{file}", stage).packages for stage, file in STAGES.items()
    }
    assert "keras" in packages["train"]
    assert "symusic" in packages["ingest"]
    assert "verovio" in packages["write_report"]
    assert not {"verovio", "symusic", "music21", "matplotlib"} & set(packages["train"])
    assert not any(
        "keras" in packages[stage] for stage in ("scan", "ingest", "encode", "fit_baselines")
    )


@pytest.mark.parametrize(
    "imports",
    [
        "try:\n    from {} import f\nexcept ImportError:\n    pass\n",
        "if True:\n    from {} import f\n",
    ],
)
def test_imports_in_blocks_are_followed(toy: Path, imports: str) -> None:
    files = {
        "pipeline_lib/__init__.py": "",
        "pipeline_lib/a.py": "def f():\n    return 1\n",
        "tasks/__init__.py": "",
        "tasks/t.py": imports.format("pipeline_lib.a") + "def t():\n    return f()\n",
    }
    write(toy, files)
    assert "pipeline_lib.a.f" in module.fingerprint("tasks.t", "t").code


LEAP_RATE = ("pipeline_lib/evaluation/pitch.py", "def leap_rate(", "def leap_rate(_x, ")
MAKE_BLOCKS = (
    "pipeline_lib/models/networks/architectures.py",
    "def _make_blocks(",
    "def _make_blocks(_x, ",
)
TEMPLATE = ("pipeline_lib/reports/templates/page.html.j2", "<main", "<main ")


@pytest.mark.parametrize(
    ("stage", "edit", "loaded", "edited"),
    [
        ("evaluate", LEAP_RATE, True, False),  # Python runs what it had loaded
        ("train", MAKE_BLOCKS, False, True),  # imported by the stage itself, after the edit
        ("train", LEAP_RATE, False, False),  # not reached
        ("write_report", TEMPLATE, True, True),  # read whenever a page is made
    ],
)
def test_an_edit_during_a_run_is_noticed_where_it_may_matter(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    edit: tuple[str, str, str],
    loaded: bool,
    edited: bool,
) -> None:
    file, old, new = edit
    monkeypatch.setitem(sys.modules, "pipeline_lib.evaluation.pitch", sys)
    if not loaded:
        monkeypatch.delitem(
            sys.modules, "pipeline_lib.models.networks.architectures", raising=False
        )
    module.read_all()
    before = module.fingerprint(f"tasks.{stage}", stage)
    assert module.edited_since_read(before.code) == []
    replace(project / file, old, new)()
    assert bool(module.edited_since_read(before.code)) is edited
    assert module.fingerprint(f"tasks.{stage}", stage) == before
