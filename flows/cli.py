"""The ``music-pipeline`` command.

Each command imports what it needs when it is called: ``--help`` must not wait for TensorFlow or Prefect.
"""

from __future__ import annotations

import atexit
import gc
import json
import logging
import re
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Group, Parameter

from pipeline_lib.errors import ConfigError, PipelineError

app = App(
    name="music-pipeline",
    help="From a folder of MIDI to trained sequence models, new music and an honest report.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # `main` says what becomes of the work
)

_SETTINGS = Group("Settings", help="What is not set keeps the preset's value.")

_SAMPLING = Group("Sampling", help="Off, or as in brackets, where not given.")

DEFAULT_CORPUS = "ryans-mammoth"
"""As in `pipeline_lib.presets`, which `--help` must not wait for; a test compares them."""

DEFAULT_ARTIFACTS = Path("artifacts")

_OBJECTS_PER_COLLECTION = 50_000
"""Imports make many objects and hardly a cycle: looked for as often as usual, TensorFlow takes a seventh longer to load."""

Artifacts = Annotated[Path, Parameter(help="Folder that results are kept in.")]
Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print JSON for programs.")]


def _setting(help_text: str, name: str | None = None) -> Parameter:
    return Parameter(name=name, group=_SETTINGS, negative_iterable=(), help=help_text)


def _sampling(help_text: str, name: str | None = None) -> Parameter:
    return Parameter(name=name, group=_SAMPLING, negative=(), negative_iterable=(), help=help_text)


Assignments = Annotated[
    tuple[str, ...], _setting("Any setting by name, such as train.max_epochs=20.", "--set")
]


@Parameter(name="*")
@dataclass(frozen=True)
class Machines:
    """Where to compute: shared by the commands that do."""

    workers: Annotated[
        int | None,
        Parameter(help="Stages computed side by side on this machine; one per core if not given."),
    ] = None
    dask_address: Annotated[
        str | None,
        Parameter(help="Address of a Dask scheduler to compute on, such as tcp://10.0.0.5:8786."),
    ] = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ConfigError(
                f"--workers {self.workers}: less than one", remedy="give 1 or more, or leave it out"
            )


_THIS_MACHINE = Machines()


@Parameter(name="*")
@dataclass(frozen=True)
class Experiment:
    """What to run: shared by the commands that run and that plan."""

    corpus: Annotated[
        str, Parameter(help="Name of the bundled corpus, or path of a folder of MIDI or scores.")
    ] = DEFAULT_CORPUS
    preset: Annotated[
        Literal["quick", "full", "tiny", "lab-report"],
        _setting(
            "quick: minutes on two cores; full: hours; tiny: to see it run; lab-report: what learning rate, "
            "length and temperature do, with the lab report's seven claims judged."
        ),
    ] = "quick"
    scale: Annotated[
        Literal["small", "original", "full"] | None,
        _setting(
            "Of the preset lab-report. small: half an hour on two cores (used if not given); original: its "
            "three runs, hours; full: everything at their size, days."
        ),
    ] = None
    seq_lengths: Annotated[
        tuple[int, ...], _setting("Input tokens per window; a run for each.", "--seq-length")
    ] = ()
    learning_rates: Annotated[
        tuple[float, ...], _setting("Adam's learning rate; a run for each.", "--learning-rate")
    ] = ()
    temperatures: Annotated[
        tuple[float, ...],
        _setting(
            "Sampling temperature, lower is safer; a set of samples by every run for each.",
            "--temperature",
        ),
    ] = ()
    prompt: Annotated[
        str | None,
        _setting(
            "What is continued: random, window (stretches of the corpus), none, a MIDI or score file, or "
            "notes such as 'C4:1 E4:0.5 R:1/2'."
        ),
    ] = None
    assignments: Assignments = ()

    def settings(self) -> dict[str, Any]:
        """Settings by dotted name."""
        settings = _parse_assignments(self.assignments)
        if self.seq_lengths:
            settings["windows.seq_lengths"] = list(self.seq_lengths)
        if self.learning_rates:
            settings["train.learning_rates"] = list(self.learning_rates)
        if self.temperatures:
            settings["generate.temperatures"] = list(self.temperatures)
        if self.prompt is not None:
            settings["prompts.source"] = self.prompt
        return settings


_DEFAULT_EXPERIMENT = Experiment()


@app.command
def run(
    *,
    experiment: Experiment = _DEFAULT_EXPERIMENT,
    machines: Machines = _THIS_MACHINE,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Run the whole pipeline; stages whose inputs have not changed are taken from the cache."""
    from flows.running import run_flow
    from flows.summaries import print_outcome
    from flows.terminal import make_console

    started = time.perf_counter()
    try:
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
    if as_json:
        _print_json(asdict(journal))
    else:
        print_outcome(make_console(), journal, time.perf_counter() - started)


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
    assignments: Assignments = (),
    machines: Machines = _THIS_MACHINE,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Read a corpus into note tables, and say what became of every file.

    These are the first stages of `run`, which then finds them done.
    """
    from flows.running import run_ingestion
    from flows.summaries import print_ingestion
    from flows.terminal import make_console

    settings = _parse_assignments(assignments)
    if max_rejected_fraction is not None:
        settings["ingest.max_rejected_fraction"] = max_rejected_fraction
    try:
        outcome = run_ingestion(corpus, settings, artifacts, **asdict(machines))
    finally:
        logging.disable()
    if as_json:
        _print_json(asdict(outcome))
    else:
        print_ingestion(make_console(), outcome)


@app.command
def plan(
    *,
    experiment: Experiment = _DEFAULT_EXPERIMENT,
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

    calls = plan_flow(
        experiment.corpus, experiment.preset, experiment.scale, experiment.settings(), artifacts
    )
    if as_json:
        _print_json({"stages": [asdict(call) for call in calls]})
    else:
        print_plan(make_console(), calls)


@Parameter(name="*")
@dataclass(frozen=True)
class Sampling:
    """How notes are drawn and what they must keep to; what is not given is off."""

    temperatures: Annotated[
        tuple[float, ...],
        _sampling(
            "Lower is safer, 0 takes the likeliest; several: a set of samples for each (1.0).",
            "--temperature",
        ),
    ] = ()
    top_k: Annotated[int | None, _sampling("Draw from so many of the likeliest tokens.")] = None
    top_p: Annotated[
        float | None, _sampling("Draw from the likeliest that together have this probability.")
    ] = None
    min_p: Annotated[
        float | None,
        _sampling("Draw from those with this share of the likeliest one's probability."),
    ] = None
    repetition_penalty: Annotated[
        float | None, _sampling("Above 1: recent notes become less likely.")
    ] = None
    beam_width: Annotated[
        int | None, _sampling("Search for the likeliest piece among so many; nothing is drawn.")
    ] = None
    length: Annotated[int | None, _sampling("New notes, chords and rests at most (160).")] = None
    bars: Annotated[int | None, _sampling("Exact length in bars, with the prompt.")] = None
    seconds: Annotated[float | None, _sampling("Exact length in seconds, with the prompt.")] = None
    key: Annotated[
        str | None, _sampling("Only notes of this key: 'G major', or 'prompt' for the prompt's.")
    ] = None
    pitches: Annotated[
        str | None, _sampling("Only notes from one to the other: C4-C6.", "--range")
    ] = None
    end_on_tonic: Annotated[
        bool, _sampling("End with the tonic at the last bar line (with --bars).")
    ] = False
    seed: Annotated[int | None, _sampling("Another seed, other music (0).")] = None

    def settings(self) -> dict[str, Any]:
        """Settings by dotted name."""
        given = {
            name: value
            for name, value in vars(self).items()
            if name != "pitches" and value not in (None, ())
        }
        if self.pitches is not None:
            given["min_pitch"], given["max_pitch"] = _parse_range(self.pitches)
        return {f"generate.{name}": value for name, value in given.items()}


_DEFAULT_SAMPLING = Sampling()


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
        int | None, Parameter(help="Tokens taken from a piece or file as the prompt (16).")
    ] = None,
    nearest: Annotated[
        bool,
        Parameter(negative=(), help="Take the nearest known notes for those that are not known."),
    ] = False,
    formats: Annotated[
        tuple[Literal["mid", "musicxml", "abc", "mp3", "wav", "ogg", "png"], ...],
        Parameter(
            name="--format", negative_iterable=(), help="What to write; all but wav and ogg."
        ),
    ] = ("mid", "musicxml", "abc", "mp3", "png"),
    sampling: Sampling = _DEFAULT_SAMPLING,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Write new music with a finished run: as files to play, to read, to hear and to look at.

    Every sample comes with a JSON file of all that decided it; samples.parquet and explanations.parquet hold the
    samples, and for each new note its probability, surprise, and the likeliest others.
    """
    from flows.generation import generate_music
    from flows.summaries import print_new_music
    from flows.terminal import make_console
    from pipeline_lib.presets import build_config

    settings = {**sampling.settings(), "generate.n_samples": n, "prompts.nearest": nearest}
    if prompt is not None:
        settings["prompts.source"] = prompt
    if prompt_length is not None:
        settings["prompts.length"] = prompt_length
    try:
        config = build_config(settings=settings)
        music = generate_music(run, artifacts, out, formats, config.prompts, config.generate)
    except ConfigError as error:
        raise ConfigError(
            _with_options(error.problem), path=error.path, remedy=_with_options(error.remedy)
        ) from None
    if as_json:
        _print_json(asdict(music))
    else:
        print_new_music(make_console(), music)


_OPTIONS = {
    "pipeline_lib/config/ lists every setting with its bounds": "`music-pipeline generate --help` says what "
    "every option means",
    "generate.temperatures": "--temperature",
    "generate.n_samples": "--n",
    "prompts.source": "--prompt",
    "prompts.length": "--prompt-length",
    "prompts.nearest=true": "--nearest",
}


def _with_options(text: str) -> str:
    """A message about settings, as one about the options of `generate`."""
    for setting, option in _OPTIONS.items():
        text = text.replace(setting, option)
    text = re.sub(r"(--temperature)\.\d+", r"\1", text)  # which of several
    return re.sub(r"generate\.(\w+)", lambda found: "--" + found[1].replace("_", "-"), text)


def _parse_range(text: str) -> tuple[int, int]:
    from pipeline_lib.tokens.typed_notes import parse_pitch

    ends = re.fullmatch(r"(.+\d)-(.+)", text)
    try:
        if ends is None:
            raise ValueError("it has no lowest and highest note")
        lowest, highest = parse_pitch(ends[1]), parse_pitch(ends[2])
        if lowest > highest:
            raise ValueError("its first note is the higher one")
        return lowest, highest
    except ValueError as error:
        raise ConfigError(f"--range {text!r}: {error}", remedy="write it as C4-C6") from None


@app.command
def evaluate(
    path: Annotated[Path, Parameter(help="Folder of MIDI or scores to measure.")],
    *,
    against: Annotated[
        Path | None, Parameter(help="Folder of music to hold it against, such as the corpus.")
    ] = None,
    artifacts: Artifacts = DEFAULT_ARTIFACTS,
    as_json: Json = False,
) -> None:
    """Measure any folder of music, this program's or another's, and how far it is from other music.

    With --against: the distance of the two sets metric by metric and over all of them, whether differences are more
    than chance, and the longest passages that both have. A piece that is there in several formats is measured once.
    """
    from flows.evaluation import evaluate_music
    from flows.evaluation_summary import print_evaluation
    from flows.terminal import make_console

    evaluation = evaluate_music(path, against, artifacts)
    if as_json:
        _print_json(asdict(evaluation))
    else:
        print_evaluation(make_console(), evaluation)


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
        _print_json(asdict(journal))
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
    """Open an artifact: schema, rows, provenance, and lineage back to the files it came from.

    A path that is not found is looked for under --artifacts.
    """
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


def _parse_assignments(assignments: tuple[str, ...]) -> dict[str, Any]:
    """Settings by dotted name; a value of ``--set`` is JSON where it can be, otherwise text."""
    settings: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment!r} has no value", remedy="write --set name=value")
        settings[name.strip()] = _parse_value(value.strip())
    return settings


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def main() -> None:
    """Run the command; a `PipelineError` ends it with one clear message and exit status 1."""
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
    # All goes with the process: to look through it would take another second after TensorFlow.
    atexit.register(gc.freeze)
    try:
        app()
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
