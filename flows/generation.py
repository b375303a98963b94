"""New music from a finished run, without Prefect: what ``music-pipeline generate`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flows.finished_runs import FinishedRun, find_run
from flows.running import LOG_NAME
from flows.sample_writers import Job, SampleWriters
from flows.terminal import ProgressDisplay, quiet_output
from pipeline_lib.config import ComposeConfig, GenerateConfig, ParseConfig, PromptConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.generation.rendering import Format
from pipeline_lib.generation.samples import Sample, sample_table
from pipeline_lib.tokens.prompt_sources import choose, read_prompt
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from tasks.generate import EXPLANATIONS_NAME, SAMPLES_NAME
from tasks.progress import report, reporter

if TYPE_CHECKING:
    from pipeline_lib.models.networks.architectures import Network


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
    """What was written, where, and with which run."""

    run: str
    folder: str
    samples: list[WrittenSample]


def generate_music(
    run: str,
    artifacts: Path,
    out: Path,
    formats: Sequence[Format],
    prompt: PromptConfig,
    config: GenerateConfig,
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

    Raises
    ------
    PipelineError
        There is no such run, or the prompt or the settings cannot be used.
    """
    found = find_run(run, artifacts)
    given = read_prompt(prompt, ParseConfig(), found.selection, found.tokeniser)
    prompts = choose(prompt, given, found.corpus, found.tokeniser, config.n_samples)
    _make_folder(out)
    with (
        quiet_output(artifacts / LOG_NAME) as console,
        ProgressDisplay(console) as display,
        SampleWriters(formats, config.n_samples) as writers,
    ):
        try:
            with display.waiting("load the network"):
                from pipeline_lib.models.networks.saved import load_network

                network, _ = load_network(found.folder)
            writer = _Writer(found, network, out, writers)
            for settings in config.grid:
                writer.write(prompts, settings)
            return NewMusic(found.name, str(out), writer.finished())
        except OSError as error:
            raise _unwritable(error, Path(error.filename or out)) from None


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


class _Writer:
    """Composes and writes, one temperature after another."""

    def __init__(
        self, run: FinishedRun, network: Network, out: Path, writers: SampleWriters
    ) -> None:
        self._run, self._network = run, network
        self._out, self._writers = out, writers
        self._written: list[WrittenSample] = []
        self._samples: list[pa.Table] = []
        self._explanations: list[pa.Table] = []

    def write(self, prompts: Sequence[Prompt], config: ComposeConfig) -> None:
        """Continue the prompts, and write what comes out."""
        from pipeline_lib.generation.composing import compose
        from pipeline_lib.generation.explanation import explain

        run, vocabulary = self._run, self._run.corpus.vocabulary
        tokeniser = run.tokeniser
        label = f"temperature {config.temperature:g}"
        samples = compose(
            self._network, vocabulary, prompts, config, tokeniser, reporter(f"compose, {label}")
        )
        explained = explain(self._network, vocabulary, samples)
        jobs = [
            Job(self._out / sample.name, sample, explained, run.name, config, tokeniser)
            for sample in samples
        ]
        for n, _ in enumerate(self._writers.write(jobs), start=1):
            report(f"write, {label}", n, len(samples))
        self._written += [_described(sample, explained, tokeniser) for sample in samples]
        self._samples.append(sample_table(samples, run.name, config))
        self._explanations.append(explained)

    def finished(self) -> list[WrittenSample]:
        """Write the tables of all samples; what was written."""
        pq.write_table(pa.concat_tables(self._samples), self._out / SAMPLES_NAME)
        pq.write_table(pa.concat_tables(self._explanations), self._out / EXPLANATIONS_NAME)
        return self._written


def _described(sample: Sample, explained: pa.Table, tokeniser: Tokeniser) -> WrittenSample:
    notes = sample.notes(tokeniser)
    of_sample = explained.filter(pc.field("sample") == sample.number)
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
