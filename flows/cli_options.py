"""Options that several commands share, and the settings that they stand for.

A setting has a dotted name, such as ``generate.temperatures``; an option is what is typed for it. Nothing heavy is
imported here: ``--help`` must not wait for TensorFlow or Prefect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from pipeline_lib.errors import ConfigError

_SETTINGS = Group("Settings", help="What is not set keeps the preset's value.")

_READING = Group("Settings", help="What is not set keeps its default.")

_SAMPLING = Group("Sampling", help="Off, or as in brackets, where not given.")

DEFAULT_CORPUS = "ryans-mammoth"
"""The corpus that is read where none is named. It stands in `pipeline_lib.presets`, too, for which `--help` must not wait;
a test compares them."""

DEFAULT_ARTIFACTS = Path("artifacts")

Artifacts = Annotated[Path, Parameter(help="Folder that results are kept in.")]
LogFolder = Annotated[Path, Parameter(name="--artifacts", help="Folder for the log.")]
Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print JSON for programs.")]


def _setting(help_text: str, name: str | None = None, group: Group = _SETTINGS) -> Parameter:
    return Parameter(
        name=name, group=group, negative_iterable=(), show_default=False, help=help_text
    )


def _sampling(help_text: str, name: str | None = None) -> Parameter:
    return Parameter(
        name=name,
        group=_SAMPLING,
        negative=(),
        negative_iterable=(),
        show_default=False,
        help=help_text,
    )


_EVERY_SETTING = "`music-pipeline settings` lists them."

Assignments = Annotated[
    tuple[str, ...],
    _setting(f"Any setting by name, such as train.max_epochs=20; {_EVERY_SETTING}", "--set"),
]
ReadingAssignments = Annotated[
    tuple[str, ...],
    _setting(
        f"Any setting by name, such as parse.repair=true; {_EVERY_SETTING}", "--set", _READING
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class MachineOptions:
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


@Parameter(name="*")
@dataclass(frozen=True)
class ExperimentOptions:
    """What to run: shared by the commands that run and that plan."""

    corpus: Annotated[
        str, Parameter(help="Name of the bundled corpus, or path of a folder of MIDI or scores.")
    ] = DEFAULT_CORPUS
    preset: Annotated[
        Literal["quick", "full", "tiny", "lab-report"],
        _setting(
            "quick: minutes on two cores (used if not given); full: hours; tiny: to see it run; lab-report: what "
            "learning rate, length and temperature do, with the lab report's seven claims tested."
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
        return {**parse_assignments(self.assignments), **self._given}

    @property
    def option_of(self) -> dict[str, str]:
        """The option that a setting was typed as, unless it was `--set`."""
        options = {
            "windows.seq_lengths": "--seq-length",
            "train.learning_rates": "--learning-rate",
            "generate.temperatures": "--temperature",
            "prompts.source": "--prompt",
        }
        return {name: options[name] for name in self._given}

    @property
    def _given(self) -> dict[str, Any]:
        settings = {
            "windows.seq_lengths": list(self.seq_lengths),
            "train.learning_rates": list(self.learning_rates),
            "generate.temperatures": list(self.temperatures),
            "prompts.source": self.prompt,
        }
        return {name: value for name, value in settings.items() if value not in (None, [])}


@Parameter(name="*")
@dataclass(frozen=True)
class SamplingOptions:
    """How notes are drawn and what they must keep to; what is not given is off."""

    temperatures: Annotated[
        tuple[float, ...],
        _sampling(
            "Lower is safer, 0 takes the likeliest; several: a set of samples for each (1.0).",
            "--temperature",
        ),
    ] = ()
    top_k: Annotated[int | None, _sampling("Draw only from the k likeliest tokens.")] = None
    top_p: Annotated[
        float | None,
        _sampling(
            "Draw only from the fewest likeliest tokens that together reach this probability."
        ),
    ] = None
    min_p: Annotated[
        float | None, _sampling("Drop tokens less likely than this share of the likeliest one.")
    ] = None
    repetition_penalty: Annotated[
        float | None, _sampling("Above 1: recent notes become less likely.")
    ] = None
    composer: Annotated[
        Literal["mixture", "network", "ngram"] | None,
        _sampling(
            "What writes: mixture, the network with n-grams and a memory of the piece (used where the run has "
            "them); network, or ngram, alone."
        ),
    ] = None
    beam_width: Annotated[
        int | None,
        _sampling(
            "Beam search with this many candidates; nothing is drawn (with --composer network)."
        ),
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
            given["min_pitch"], given["max_pitch"] = parse_range(self.pitches)
        return {f"generate.{name}": value for name, value in given.items()}


def parse_assignments(assignments: tuple[str, ...]) -> dict[str, Any]:
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


def parse_range(text: str) -> tuple[int, int]:
    """Lowest and highest MIDI pitch of a range such as ``C4-C6``."""
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


OPTION_OF = {
    "generate.temperatures": "--temperature",
    "generate.min_pitch": "--range",
    "generate.max_pitch": "--range",
    "generate.n_samples": "--n",
    "prompts.source": "--prompt",
    "prompts.length": "--prompt-length",
    "prompts.nearest=true": "--nearest",
    **{
        f"generate.{name}": f"--{name.replace('_', '-')}"
        for name in vars(SamplingOptions())
        if name not in ("temperatures", "pitches")
    },
}
"""What each setting is called among the options of `generate`."""


@contextmanager
def named_as_typed(option_of: Mapping[str, str]) -> Iterator[None]:
    """Let an error about a setting name the option that was typed for it."""
    try:
        yield
    except ConfigError as error:
        problem, remedy = (_as_typed(text, option_of) for text in (error.problem, error.remedy))
        raise ConfigError(problem, path=error.path, remedy=remedy) from None


def _as_typed(text: str, option_of: Mapping[str, str]) -> str:
    for setting, option in option_of.items():
        # A number tells which of several values, but an option is typed once for each; and its default may be another.
        name = rf"\b{re.escape(setting)}(\.\d+)?(?!\w)( \(default: [^)]*\))?"
        text = re.sub(name, option, text)
    return text
