"""New music from a finished run, without Prefect: what ``music-pipeline generate`` does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.finished_runs import FinishedRun, find_run
from flows.running import LOG_NAME
from flows.sample_writers import SampleWriters
from flows.terminal import ProgressDisplay, quiet_output
from pipeline_lib.config import ComposerKind, GenerateConfig, ParseConfig, PromptConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.generation.composing import ExplainedComposition
from pipeline_lib.generation.rendering import Format
from pipeline_lib.generation.samples import Sample
from pipeline_lib.stores.composers import read_composer
from pipeline_lib.stores.samples import export_samples
from pipeline_lib.tokens.prompt_sources import choose, read_prompt
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from tasks.progress import report, reporter


@dataclass(frozen=True)
class WrittenSample:
    """One new piece on disk.

    Parameters
    ----------
    name : str
        Of its files, without the suffix.
    prompt : str
        What it continues.
    n_notes : int
        The prompt's included.
    n_bars, duration_sec : float
        Its length.
    ended_by : str
        As `pipeline_lib.generation.samples.Ending` says.
    mean_surprise_bit : float
        Of the tokens that were added.
    """

    name: str
    prompt: str
    n_notes: int
    n_bars: float
    duration_sec: float
    ended_by: str
    mean_surprise_bit: float


@dataclass(frozen=True)
class NewMusic:
    """What was written, where, by which run, and by which of its models.

    ``has_memory`` says whether the run has a memory of the piece, without which its network writes alone.
    """

    run: str
    composer: ComposerKind
    has_memory: bool
    folder: str
    samples: list[WrittenSample]


def generate_music(
    run: str,
    artifacts: Path,
    out: Path,
    formats: Sequence[Format],
    prompt: PromptConfig,
    config: GenerateConfig,
    composer: ComposerKind | None,
) -> NewMusic:
    """Write new pieces.

    Parameters
    ----------
    run : str
        As `finished_runs.find_run` takes it.
    artifacts : Path
        Folder that results are kept in; all that libraries print goes to its log.
    out : Path
        The folder to write to. Files of the same names are replaced.
    formats : sequence of str
    prompt : PromptConfig
        A file is read as those of a corpus are by default.
    config : GenerateConfig
        All samples are written, in the formats above.
    composer : {"mixture", "network", "ngram"}, optional
        What has to write them, or else an error says why it cannot. If not given, what the run has decides, not
        ``config``.

    Raises
    ------
    PipelineError
        There is no such run, or the prompt or the settings cannot be used.
    """
    found = find_run(run, artifacts)
    config = config.model_copy(update={"composer": found.composer(composer)})
    given = read_prompt(prompt, ParseConfig(), found.selection, found.tokeniser)
    prompts = choose(prompt, given, found.corpus, found.tokeniser, config.n_samples)
    _make_folder(out)
    with (
        quiet_output(artifacts / LOG_NAME) as console,
        ProgressDisplay(console) as display,
        SampleWriters(formats, config.n_samples) as writers,
    ):
        try:
            tokeniser, progress = found.tokeniser, reporter("compose")
            vocabulary = found.corpus.vocabulary
            with display.waiting("load the models"):
                from pipeline_lib.generation.new_music import compose_and_explain

                model = read_composer(
                    found.store,
                    config.composer,
                    found.models,
                    vocabulary,
                    prompts,
                    tokeniser.steps_per_quarter,
                )
            composing = compose_and_explain(
                model, vocabulary, prompts, config.grid, tokeniser, progress
            )
            return _write(composing, found, config.composer, out, writers)
        except OSError as error:
            raise _unwritable(error, Path(error.filename or out)) from None


def _write(
    composing: Iterable[ExplainedComposition],
    run: FinishedRun,
    composer: ComposerKind,
    out: Path,
    writers: SampleWriters,
) -> NewMusic:
    """Write each temperature's samples as they come, and then the tables of all."""
    compositions = []
    for made in composing:
        label = f"write, temperature {made.config.temperature:g}"
        for n, _ in enumerate(writers.write(out, made, run.name, run.tokeniser), start=1):
            report(label, n, len(made.samples))
        compositions.append(made)
    export_samples(out, run.name, compositions)
    written = [_described(s, made, run.tokeniser) for made in compositions for s in made.samples]
    return NewMusic(run.name, composer, run.models.memory is not None, str(out), written)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(error, out) from None


def _unwritable(error: OSError, path: Path) -> ConfigError:
    return ConfigError(
        f"nothing can be written there ({error.strerror})",
        path=path,
        remedy="name another folder with --out",
    )


def _described(sample: Sample, made: ExplainedComposition, tokeniser: Tokeniser) -> WrittenSample:
    """What is told of one sample of a composition."""
    notes = sample.notes(tokeniser)
    of_sample = made.explanation_of(sample)
    surprises = of_sample["surprise_bit"].to_numpy()
    return WrittenSample(
        sample.name,
        sample.prompt.source,
        len(notes),
        notes.end_step / notes.steps_per_bar,
        notes.duration_sec,
        sample.ended_by,
        float(surprises.mean()) if len(surprises) else float("nan"),
    )
