"""The ``music-pipeline`` command.

Each command imports what it needs when it is called: ``--help`` must not wait for TensorFlow or Prefect.
"""

from __future__ import annotations

import atexit
import gc
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.types import ExistingDirectory, NonNegativeInt

from flows.cli_options import (
    DEFAULT_ARTIFACTS,
    OPTION_OF,
    Artifacts,
    ExperimentOptions,
    Json,
    LogFolder,
    MachineOptions,
    ReadingAssignments,
    SamplingOptions,
    named_as_typed,
    parse_assignments,
)
from pipeline_lib.errors import PipelineError

if TYPE_CHECKING:
    from rich.console import Console

_THIS_MACHINE = MachineOptions()
_DEFAULT_EXPERIMENT = ExperimentOptions()
_DEFAULT_SAMPLING = SamplingOptions()

app = App(
    name="music-pipeline",
    help="From a folder of MIDI to trained sequence models, new music and an honest report.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # `main` says what becomes of the work
)

_NOBODY_READS = 141
"""Exit status of a process whose output goes to one that has ended, such as `head`: 128 + SIGPIPE."""

_OBJECTS_PER_COLLECTION = 50_000
"""Imports make many objects and hardly a cycle: looked for as often as usual, TensorFlow takes a seventh longer to load."""


@app.command
def run(
    *,
    experiment: ExperimentOptions = _DEFAULT_EXPERIMENT,
    machines: MachineOptions = _THIS_MACHINE,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Run the whole pipeline; stages whose inputs have not changed are taken from the cache."""
    from flows.running import run_flow
    from flows.summaries import print_outcome

    started = time.perf_counter()
    try:
        with named_as_typed(experiment.option_of):
            journal = run_flow(
                experiment.corpus,
                experiment.preset,
                experiment.scale,
                experiment.settings(),
                artifacts,
                **asdict(machines),
            )
    finally:
        # Prefect says good-bye while the process ends, when the terminal is ours again.
        logging.disable()
    _show(journal, partial(print_outcome, seconds=time.perf_counter() - started), as_json)


@app.command
def ingest(
    corpus: Annotated[
        str, Parameter(help="Folder of MIDI, scores and archives of them, or a bundled corpus.")
    ],
    *,
    max_rejected_fraction: Annotated[
        float | None,
        Parameter(help="Fail when a larger share than this, 0 to 1, cannot be used (0.75)."),
    ] = None,
    assignments: ReadingAssignments = (),
    machines: MachineOptions = _THIS_MACHINE,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Read a corpus into note tables, and say what became of every file.

    These are the first stages of `run`, which then finds them done.
    """
    from flows.running import run_ingestion
    from flows.summaries import print_ingestion

    settings, option_of = parse_assignments(assignments), {}
    if max_rejected_fraction is not None:
        settings["ingest.max_rejected_fraction"] = max_rejected_fraction
        option_of["ingest.max_rejected_fraction"] = "--max-rejected-fraction"
    try:
        with named_as_typed(option_of):
            outcome = run_ingestion(corpus, settings, artifacts, **asdict(machines))
    finally:
        logging.disable()
    _show(outcome, print_ingestion, as_json)


@app.command
def plan(
    *,
    experiment: ExperimentOptions = _DEFAULT_EXPERIMENT,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Show which stages a run would run, and why, without running anything.

    States: "run"; "run-if-changed" (something it reads will be computed again, and it runs only if that
    comes out different); "cached".
    """
    from flows.running import plan_flow
    from flows.summaries import print_plan

    with named_as_typed(experiment.option_of):
        calls = plan_flow(
            experiment.corpus,
            experiment.preset,
            experiment.scale,
            experiment.settings(),
            artifacts,
        )
    _show(calls, print_plan, as_json, listed_as="stages")


@app.command
def generate(
    *,
    run: Annotated[
        str,
        Parameter(help="'latest' (the best of the last experiment), a run's name, or its folder."),
    ] = "latest",
    out: Annotated[Path, Parameter(help="Folder to write to.")] = Path("new-music"),
    n: Annotated[int, Parameter(help="Samples for each temperature.")] = 4,
    prompt: Annotated[
        str | None, Parameter(help="As for run: random, window, none, a file, or notes.")
    ] = None,
    prompt_length: Annotated[
        int | None, Parameter(help="Notes, chords or rests that a piece or file gives (16).")
    ] = None,
    nearest: Annotated[
        bool,
        Parameter(negative=(), help="Take the nearest known notes for those that are not known."),
    ] = False,
    formats: Annotated[
        tuple[Literal["mid", "musicxml", "abc", "mp3", "wav", "ogg", "png"], ...],
        Parameter(
            name="--format",
            negative_iterable=(),
            show_default=False,
            help="What to write; all but wav and ogg if not given.",
        ),
    ] = ("mid", "musicxml", "abc", "mp3", "png"),
    sampling: SamplingOptions = _DEFAULT_SAMPLING,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Write new music with a finished run: as files to play, to read, to hear and to look at.

    Every sample comes with a JSON file of all that decided it; samples.parquet and explanations.parquet hold the
    samples, and for each new note its probability, surprise, and the likeliest others.
    """
    from flows.generation import generate_music
    from flows.summaries import print_new_music
    from pipeline_lib.presets import build_config

    settings = {**sampling.settings(), "generate.n_samples": n, "prompts.nearest": nearest}
    if prompt is not None:
        settings["prompts.source"] = prompt
    if prompt_length is not None:
        settings["prompts.length"] = prompt_length
    with named_as_typed(OPTION_OF):
        config = build_config(settings=settings)
        music = generate_music(
            run, artifacts, out, formats, config.prompts, config.generate, sampling.composer
        )
    _show(music, print_new_music, as_json)


@app.command
def evaluate(
    path: Annotated[ExistingDirectory, Parameter(help="Folder of MIDI or scores to measure.")],
    /,
    *,
    against: Annotated[
        ExistingDirectory | None,
        Parameter(help="Folder of music to compare it with, such as the corpus."),
    ] = None,
    log_folder: LogFolder = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Measure any folder of music, this program's or another's, and how far it is from other music.

    With --against: the distance of the two sets metric by metric and over all of them, whether chance explains the
    difference, and the longest passages that both have. A piece that is there in several formats is measured once.
    """
    from flows.evaluation import evaluate_music
    from flows.evaluation_summary import print_evaluation

    evaluation = evaluate_music(path, against, log_folder)
    _show(evaluation, print_evaluation, as_json)


@app.command
def status(*, artifacts: Artifacts = DEFAULT_ARTIFACTS, as_json: Json = False) -> None:
    """Show what the last run did: every stage, whether it ran or was cached, and why."""
    from flows.journal import require_journal
    from flows.summaries import print_status
    from pipeline_lib.artifacts import ArtifactStore

    journal = require_journal(ArtifactStore(artifacts))
    _show(journal, print_status, as_json)


@app.command
def inspect(
    path: Annotated[Path, Parameter(help="A Parquet file, or the folder of an artifact.")],
    /,
    *,
    rows: Annotated[NonNegativeInt, Parameter(help="Sample rows to show.")] = 5,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Open an artifact: schema, rows, provenance, and lineage back to the files it came from.

    A path that is not found is looked for under --artifacts.
    """
    from flows.inspection import inspect_artifact
    from flows.summaries import print_inspection

    inspection = inspect_artifact(path, artifacts, rows)
    _show(inspection, print_inspection, as_json)


@app.command(name="settings")
def list_settings(*, as_json: Json = False) -> None:
    """List every setting that --set takes: its default, what is allowed, and what it means."""
    from flows.summaries import print_settings
    from pipeline_lib.config.described import all_settings

    _show(all_settings(), print_settings, as_json, listed_as="settings")


@app.command
def doctor(*, as_json: Json = False) -> None:
    """Check that this machine has what the pipeline needs, and say what is missing."""
    from flows.checks import check_machine
    from flows.summaries import print_checks

    checks = check_machine()
    _show(checks, print_checks, as_json, listed_as="checks")
    if any(check.state == "missing" for check in checks):
        sys.exit(1)


def _show(
    found: Any, print_text: Callable[[Console, Any], None], as_json: bool, listed_as: str = ""
) -> None:
    """Print what a command came to, as text or as JSON, where a list needs a name."""
    if not as_json:
        from flows.terminal import make_console

        print_text(make_console(), found)
        return
    value = {listed_as: found} if listed_as else found
    print(json.dumps(value, indent=2, ensure_ascii=False, default=asdict))


def main() -> None:
    """Run the command; a `PipelineError` ends it with one clear message and exit status 1.

    When nobody reads its output any more, it ends quietly.
    """
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    # All goes with the process: to look through it would take another second after TensorFlow.
    atexit.register(gc.freeze)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What Python has yet to write at its end must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_NOBODY_READS)
    except PipelineError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # While Python shuts down, a second interrupt would print a traceback: let it just end us.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        print(
            "Stopped. Finished stages are kept: the next run goes on from there.", file=sys.stderr
        )
        sys.exit(130)


if __name__ == "__main__":
    main()
