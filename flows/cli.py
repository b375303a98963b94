"""The ``music-pipeline`` command.

Each command imports what it needs when it is called: ``--help`` must not wait for TensorFlow or Prefect.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Group, Parameter

from pipeline_lib.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from rich.console import Console

    from flows.journal import Journal

app = App(
    name="music-pipeline",
    help="From a folder of MIDI to trained sequence models, new music and an honest report.",
    version_flags=["--version"],
)

_SETTINGS = Group("Settings", help="What is not set keeps the preset's value.")

Corpus = Annotated[
    str, Parameter(help="Name of the bundled corpus, or path of a folder of MIDI or scores.")
]
Preset = Annotated[
    Literal["quick", "full", "tiny"],
    Parameter(group=_SETTINGS, help="quick: minutes on two cores; full: hours; tiny: to see it run."),
]
SeqLengths = Annotated[
    list[int] | None,
    Parameter(
        name="--seq-length", group=_SETTINGS, help="Input tokens per window; repeat it for more runs."
    ),
]
LearningRates = Annotated[
    list[float] | None,
    Parameter(
        name="--learning-rate", group=_SETTINGS, help="Adam's learning rate; repeat it for more runs."
    ),
]
Temperature = Annotated[
    float | None, Parameter(group=_SETTINGS, help="Sampling temperature: lower is safer.")
]
Prompt = Annotated[
    str | None, Parameter(group=_SETTINGS, help="A MIDI or score file whose opening is continued.")
]
Settings = Annotated[
    list[str] | None,
    Parameter(
        name="--set",
        group=_SETTINGS,
        help="Any setting by name, such as train.max_epochs=20; repeat it for more.",
    ),
]
Artifacts = Annotated[Path, Parameter(help="Folder that results are kept in.")]
Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print JSON for programs.")]

DEFAULT_CORPUS = "ryans-mammoth"
DEFAULT_ARTIFACTS = Path("artifacts")


@app.command
def run(
    *,
    corpus: Corpus = DEFAULT_CORPUS,
    preset: Preset = "quick",
    seq_length: SeqLengths = None,
    learning_rate: LearningRates = None,
    temperature: Temperature = None,
    prompt: Prompt = None,
    set_: Settings = None,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Run the whole pipeline; stages whose inputs have not changed are taken from the cache."""
    from flows.running import run_flow
    from flows.terminal import make_console

    settings = _settings(seq_length, learning_rate, temperature, prompt, set_)
    started = time.perf_counter()
    journal = run_flow(corpus, preset, settings, artifacts)
    if as_json:
        _print_json(_as_dict(journal))
    else:
        from flows.summaries import print_outcome

        print_outcome(make_console(), journal, time.perf_counter() - started)


@app.command
def plan(
    *,
    corpus: Corpus = DEFAULT_CORPUS,
    preset: Preset = "quick",
    seq_length: SeqLengths = None,
    learning_rate: LearningRates = None,
    temperature: Temperature = None,
    prompt: Prompt = None,
    set_: Settings = None,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Show which stages a run would run, and why, without running anything.

    States: "run"; "run-if-changed" (something it reads will be computed again, and it runs only if that
    comes out different); "cached".
    """
    from flows.running import plan_flow
    from flows.summaries import print_plan
    from flows.terminal import make_console

    settings = _settings(seq_length, learning_rate, temperature, prompt, set_)
    calls = plan_flow(corpus, preset, settings, artifacts)
    if as_json:
        _print_json({"stages": [asdict(call) for call in calls]})
    else:
        print_plan(make_console(), calls)


@app.command
def status(*, artifacts: Artifacts = DEFAULT_ARTIFACTS, as_json: Json = False) -> None:
    """Show what the last run did: every stage, whether it ran or was cached, and why."""
    from flows.journal import load_journal
    from flows.summaries import print_status
    from flows.terminal import make_console
    from pipeline_lib.artifacts import ArtifactStore
    from pipeline_lib.errors import ArtifactError

    journal = load_journal(ArtifactStore(artifacts))
    if journal is None:
        raise ArtifactError(
            "nothing has run here yet", path=artifacts, remedy="run `music-pipeline run` first"
        )
    if as_json:
        _print_json(_as_dict(journal))
    else:
        print_status(make_console(), journal)


@app.command
def inspect(
    path: Annotated[Path, Parameter(help="A Parquet file, or the folder of an artifact.")],
    *,
    rows: Annotated[int, Parameter(help="Sample rows to show.")] = 5,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Open an artifact: schema, rows, provenance, and lineage back to the files it came from."""
    from flows.inspection import inspect_artifact
    from flows.summaries import print_inspection
    from flows.terminal import make_console

    inspection = inspect_artifact(path, artifacts, rows)
    if as_json:
        _print_json(asdict(inspection))
    else:
        print_inspection(make_console(), inspection)


@app.command
def doctor(*, as_json: Json = False) -> None:
    """Check that this machine has what the pipeline needs, and say what is missing."""
    from flows.checks import check_machine
    from flows.summaries import print_checks
    from flows.terminal import make_console

    checks = check_machine()
    if as_json:
        _print_json({"checks": [asdict(check) for check in checks]})
    else:
        print_checks(make_console(), checks)
    if any(check.state == "missing" for check in checks):
        sys.exit(1)


def _settings(
    seq_lengths: list[int] | None,
    learning_rates: list[float] | None,
    temperature: float | None,
    prompt: str | None,
    assignments: list[str] | None,
) -> dict[str, Any]:
    """Settings by dotted name; a value in ``--set`` is JSON where it can be, otherwise text."""
    settings: dict[str, Any] = {}
    for assignment in assignments or []:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(
                f"--set {assignment!r} has no value", remedy="write --set name=value"
            )
        settings[name.strip()] = _parse_value(value.strip())
    named = {
        "windows.seq_lengths": seq_lengths,
        "train.learning_rates": learning_rates,
        "generate.temperature": temperature,
        "generate.prompt": str(Path(prompt).resolve()) if prompt else None,
    }
    return settings | {name: value for name, value in named.items() if value is not None}


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _as_dict(journal: Journal) -> dict[str, Any]:
    return asdict(journal)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def main() -> None:
    """Run the command; a `PipelineError` ends it with one clear message and exit status 1."""
    try:
        app()
    except PipelineError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Stopped. Finished stages are kept: the next run goes on from there.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
