"""``music-pipeline generate`` as a user types it, on a run that took seconds to train."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows import cli
from flows.cli_options import parse_range
from flows.execution import Executor
from flows.finished_runs import FinishedRun, find_run
from flows.journal import Entry, Journal
from pipeline_lib.artifacts import Artifact, ArtifactStore
from pipeline_lib.presets import build_config
from pipeline_lib.stores import file_names
from tasks.stages import Call

# Prefect's own code warns when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore")

SETTINGS = {"ingest.n_shards": 2, "tokens.min_count": 1, "windows.seq_lengths": [4, 8]}
SHORT = ("--length", "6", "--format", "mid")
ALL_FORMATS = {"mid", "musicxml", "abc", "mp3", "png", "json"}


@dataclass(frozen=True)
class Outcome:
    status: int
    output: str
    errors: str


Generate = Callable[..., Outcome]


@pytest.fixture
def generate(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Generate:
    """The command, in this process; it writes to ``tmp_path / "out"``."""

    def call(*arguments: str | Path, out: Path = tmp_path / "out") -> Outcome:
        words = ["music-pipeline", "generate", "--out", str(out), *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", words)
        status: Any = 0
        try:
            cli.main()
        except SystemExit as stopped:
            status = stopped.code or 0
        return Outcome(status, *capfd.readouterr())

    return call


class Directly(Executor):
    """Runs stages in this process, without Prefect, and keeps the journal."""

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store
        self.entries: list[Entry] = []

    def all(self, calls: Sequence[Call]) -> list[Artifact]:
        artifacts = [call.stage.compute(self.store, call.inputs) for call in calls]
        self.entries += [
            Entry(call.label, "ran", "", artifact.relpath, 0.0, 0.0)
            for call, artifact in zip(calls, artifacts, strict=True)
        ]
        return artifacts


@pytest.fixture(scope="module")
def artifacts(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, of which the one that reads four tokens predicts better, and alone has a memory."""
    from flows.experiment import encode_corpus, read_corpus
    from tasks.fit_baselines import fit_baselines
    from tasks.fit_memory import fit_memory
    from tasks.index_windows import index_windows
    from tasks.prepare import prepare
    from tasks.scan import take_snapshot
    from tasks.train import train

    config = build_config("tiny", SETTINGS)
    run = Directly(ArtifactStore(tmp_path_factory.mktemp("results") / "artifacts"))
    snapshot = take_snapshot(run.store, prepare(str(corpus)))
    catalogued, shards = read_corpus(run, snapshot, config)
    _, tokens = encode_corpus(run, catalogued, shards, config)
    trained = {}
    for point in config.runs:
        windows = run(index_windows.call(tokens, point.seq_length, 1))
        observed = config.checkpoints, config.telemetry
        trained |= run.each({point.name: train.call(tokens, windows, point, *observed)})
    best = next(iter(trained.values()))
    baselines = run(fit_baselines.call(tokens, 8, config.baselines))
    run(fit_memory.call(tokens, best, baselines, config.baselines.memory_targets))
    results = [
        {"name": point.name, "test_perplexity": float(point.seq_length)} for point in config.runs
    ]
    Journal("walks", {}, state="completed", results=results, stages=run.entries).save(run.store)
    return run.store.root


def folder_of(run: FinishedRun) -> Path:
    return run.store.path(run.models.run)


def run_folder(artifacts: Path) -> Path:
    return min((artifacts / "runs").iterdir())


def contents(folder: Path, names: str = "*") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob(names)}


def manifests(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]


def new_tokens(folder: Path) -> list[list[str]]:
    return [manifest["tokens"] for manifest in manifests(folder)]


@pytest.mark.parametrize(
    ("arguments", "problem", "remedy"),
    [
        ((), "nothing has run here yet", "music-pipeline run"),
        (("--temperature", "-1"), "--temperature = -1: it must be a number", "lower is safer"),
        (("--temperature", "nan"), "--temperature = nan", "lower is safer"),
        (("--top-k", "0"), "--top-k = 0", "--top-k: Draw from this many"),
        (("--n", "0"), "--n = 0", "--n: Samples"),
        (("--key", "H major"), "--key = 'H major'", "--key: Only notes of this key"),
        (("--range", "C6-C4"), "--range 'C6-C4'", "C4-C6"),
        (("--range", "C4"), "--range 'C4'", "C4-C6"),
        (("--bars", "4", "--seconds", "9"), "two lengths", "change one"),
        (("--end-on-tonic",), "end_on_tonic needs bars", "change one"),
        (("--beam-width", "4"), "it needs --composer=network", "change one"),
    ],
)
def test_mistakes_are_one_message_with_a_remedy(
    generate: Generate, tmp_path: Path, arguments: tuple[str, ...], problem: str, remedy: str
) -> None:
    done = generate("--artifacts", tmp_path, *arguments)
    assert done.status == 1
    assert done.errors.startswith("Error: ")
    assert problem in done.errors
    assert remedy in done.errors.partition("to fix it:")[2]
    assert "Traceback" not in done.errors
    assert not (tmp_path / "out").exists()


def test_a_range_is_read_from_its_lowest_to_its_highest_note() -> None:
    assert parse_range("C4-C6") == (60, 84)
    assert parse_range("C-1-G9") == (0, 127)
    assert parse_range("F#3-Bb3") == (54, 58)


@pytest.mark.slow
def test_the_same_command_writes_the_same_bytes_in_another_process_without_prefect(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    arguments = ("--artifacts", artifacts, "--n", "2", "--length", "12")
    here = generate(*arguments, out=tmp_path / "here")
    assert here.status == 0, here.errors
    code = (
        "import sys; from flows.cli import main; main(); "
        "sys.exit('prefect is loaded' if 'prefect' in sys.modules else 0)"
    )
    words = ["generate", "--out", str(tmp_path / "there"), *map(str, arguments)]
    child = [sys.executable, "-c", code, *words]
    done = subprocess.run(child, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = contents(tmp_path / "here")
    assert written == contents(tmp_path / "there")
    expected = {f"t1-{n:02d}.{suffix}" for n in (1, 2) for suffix in ALL_FORMATS}
    assert set(written) == expected | {file_names.SAMPLES, file_names.EXPLANATIONS}


@pytest.mark.slow
def test_a_sample_does_not_depend_on_how_many_there_are(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    for n in (4, 8):
        done = generate(
            *("--artifacts", artifacts, "--n", n, "--length", "12"),
            *("--format", "mid", "--format", "png"),
            out=tmp_path / f"{n}",
        )
        assert done.status == 0, done.errors
    four, eight = (contents(tmp_path / n, "t1-*") for n in ("4", "8"))
    assert len(four) == 4 * 3
    assert len(eight) == 8 * 3
    assert four == {name: eight[name] for name in four}


@pytest.mark.slow
def test_another_seed_gives_other_music(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    for seed in ("0", "1"):
        arguments = ("--artifacts", artifacts, "--seed", seed, "--n", "2", *SHORT)
        assert generate(*arguments, out=tmp_path / seed).status == 0
    first, other = (new_tokens(tmp_path / seed) for seed in ("0", "1"))
    assert all(a != b for a, b in zip(first, other, strict=True))


@pytest.mark.slow
def test_each_temperature_continues_the_same_prompts(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    grid = ("--temperature", "0.5", "--temperature", "1.2", "--n", "2")
    done = generate("--artifacts", artifacts, *grid, *SHORT, "--json")
    music = json.loads(done.output)
    names = ["t0.5-01", "t0.5-02", "t1.2-01", "t1.2-02"]
    assert [sample["name"] for sample in music["samples"]] == names
    assert music["folder"] == str(tmp_path / "out")
    of = {m["temperature"]: m for m in manifests(tmp_path / "out")}
    assert set(of) == {0.5, 1.2}
    assert of[0.5]["prompt_tokens"] == of[1.2]["prompt_tokens"]
    samples = pq.read_table(tmp_path / "out" / file_names.SAMPLES)
    assert samples["temperature"].to_pylist() == [0.5, 0.5, 1.2, 1.2]
    explained = pq.read_table(tmp_path / "out" / file_names.EXPLANATIONS)
    n_new = sum(map(len, new_tokens(tmp_path / "out")))
    assert len(explained) == n_new
    assert set(explained["temperature"].to_pylist()) == {0.5, 1.2}


@pytest.mark.slow
def test_a_run_is_the_best_unless_it_is_named_or_its_folder_is(
    artifacts: Path, tmp_path: Path
) -> None:
    best = find_run("latest", artifacts)
    assert "-L4-" in best.name
    other = best.name.replace("-L4-", "-L8-")
    by_name = find_run(other, artifacts)
    by_folder = find_run(str(folder_of(by_name)), tmp_path / "elsewhere")
    assert by_name.name == by_folder.name == other
    assert folder_of(by_folder) == folder_of(by_name)
    assert by_folder.corpus.vocabulary == best.corpus.vocabulary


def written_by(generate: Generate, out: Path, *arguments: str | Path) -> tuple[str, Outcome]:
    """What composed the samples, as all of their manifests say."""
    done = generate(*arguments, "--n", "2", *SHORT, out=out)
    assert done.status == 0, done.errors
    (composer,) = {manifest["composer"] for manifest in manifests(out)}
    return composer, done


@pytest.mark.slow
def test_a_run_with_a_memory_writes_with_all_its_models_unless_told_otherwise(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    here = "--artifacts", artifacts
    by_folder = "--run", folder_of(find_run("latest", artifacts)), "--artifacts", tmp_path / "log"
    for out, arguments in {
        "mixture": here,
        "by-folder": by_folder,
        "network": (*here, "--composer", "network"),
        "ngram": (*here, "--composer", "ngram"),
    }.items():
        composer, done = written_by(generate, tmp_path / out, *arguments)
        assert composer == ("mixture" if out == "by-folder" else out)
        assert "alone" not in done.output
    assert contents(tmp_path / "mixture") == contents(tmp_path / "by-folder")
    explained = [
        pq.read_table(tmp_path / out / file_names.EXPLANATIONS)["probability"][0].as_py()
        for out in ("mixture", "network", "ngram")
    ]
    assert len(set(explained)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["memories", "baselines"])
def test_a_run_without_a_memory_writes_with_its_network_alone_and_says_so(
    generate: Generate, artifacts: Path, tmp_path: Path, lost: str
) -> None:
    copy = tmp_path / "artifacts"
    shutil.copytree(artifacts, copy)
    for path in (copy / lost).rglob("*.json"):
        path.write_bytes(path.read_bytes()[:-9])
    composer, done = written_by(generate, tmp_path / "out", "--artifacts", copy)
    assert composer == "network"
    assert "Written by the network alone: the run has no memory" in done.output
    refused = generate("--artifacts", copy, "--composer", "mixture", *SHORT)
    assert refused.status == 1
    assert "cannot compose as mixture: there is no memory of the piece" in refused.errors
    assert "--composer" in refused.errors.partition("to fix it:")[2]


@pytest.mark.slow
def test_a_run_that_was_never_given_a_memory_can_write_with_the_n_grams_of_its_tokens(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    other = find_run("latest", artifacts).name.replace("-L4-", "-L8-")
    of_other = "--artifacts", artifacts, "--run", other
    assert written_by(generate, tmp_path / "network", *of_other)[0] == "network"
    composer, _ = written_by(generate, tmp_path / "ngram", *of_other, "--composer", "ngram")
    assert composer == "ngram"


@pytest.mark.slow
def test_what_is_no_run_is_refused(generate: Generate, artifacts: Path) -> None:
    for run, problem in {
        "nope": "there is no run 'nope'",
        "": "there is no run ''",
        str(artifacts / "tokens"): "no readable manifest.json",
        str(next((artifacts / "tokens").iterdir())): "is no run, but of the kind 'tokens'",
    }.items():
        done = generate("--artifacts", artifacts, "--run", run)
        assert done.status == 1
        assert problem in done.errors
    names = [find_run(str(folder), artifacts).name for folder in (artifacts / "runs").iterdir()]
    errors = generate("--artifacts", artifacts, "--run", "nope").errors
    assert len(names) == 2
    assert all(name in errors.partition("to fix it:")[2] for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("damaged", ["runs/*/weights.npz", "tokens/*/vocabulary.parquet"])
def test_a_damaged_run_is_refused(
    generate: Generate, artifacts: Path, tmp_path: Path, damaged: str
) -> None:
    copy = tmp_path / "artifacts"
    shutil.copytree(artifacts, copy)
    for path in copy.glob(damaged):
        path.write_bytes(path.read_bytes()[:-9])
    done = generate("--artifacts", copy, *SHORT)
    assert done.status == 1
    assert "has changed since it was written" in done.errors
    for path in copy.glob(damaged):
        path.unlink()
    assert generate("--artifacts", copy, *SHORT).status == 1


@pytest.mark.slow
def test_typed_notes_none_and_stretches_of_pieces_are_continued(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    for source in ("C4:1 D4:1/2", "none", "window"):
        done = generate("--artifacts", artifacts, "--prompt", source, "--n", "2", *SHORT)
        assert done.status == 0, done.errors
        given = [manifest["prompt_tokens"] for manifest in manifests(tmp_path / "out")]
        if source == "window":
            assert [len(tokens) for tokens in given] == [16, 16]
            assert given[0] != given[1]
        else:
            assert given == [["Pitch_60:1", "Pitch_62:1/2"] if source != "none" else []] * 2


@pytest.mark.slow
def test_unknown_notes_are_refused_with_the_nearest_or_replaced_by_them(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    unknown = ("--artifacts", artifacts, "--prompt", "C4:1 C#5:1 D4:1", "--n", "1")
    done = generate(*unknown)
    assert done.status == 1
    assert "C#5:1 (nearest: C5:1, C5:1/2, B4:1)" in done.errors
    assert "--nearest" in done.errors.partition("to fix it:")[2]
    assert generate(*unknown, "--nearest", *SHORT).status == 0
    (manifest,) = manifests(tmp_path / "out")
    assert manifest["prompt_tokens"] == ["Pitch_60:1", "Pitch_72:1", "Pitch_62:1"]
    assert manifest["prompt_replaced"] == ["C#5:1 -> C5:1"]


@pytest.mark.slow
def test_a_file_that_is_no_prompt_is_refused(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.mid").touch()
    for source in ("empty.mid", "missing.mid", ""):
        done = generate("--artifacts", artifacts, "--prompt", tmp_path / source)
        assert done.status == 1
        assert "the prompt cannot be read" in done.errors
        assert f"where: {tmp_path / source}" in done.errors


@pytest.mark.slow
def test_a_prompt_that_is_longer_than_the_piece_can_be_made_shorter(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    one_bar = ("--artifacts", artifacts, "--bars", "1", "--n", "1", "--format", "mid")
    done = generate(*one_bar)
    assert done.status == 1
    assert "quarter notes; 1 bar is 4" in done.errors
    assert "--prompt-length" in done.errors.partition("to fix it:")[2]
    done = generate(*one_bar, "--prompt-length", "1", "--json")
    assert json.loads(done.output)["samples"][0]["n_bars"] == 1.0
    (manifest,) = manifests(tmp_path / "out")
    assert len(manifest["prompt_tokens"]) == 1


@pytest.mark.slow
def test_at_temperature_0_every_seed_writes_the_same(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    for seed in ("0", "7"):
        cold = ("--temperature", "0", "--seed", seed, "--prompt", "C4:1 D4:1/2", "--n", "2")
        assert generate("--artifacts", artifacts, *cold, *SHORT, out=tmp_path / seed).status == 0
    one, two = new_tokens(tmp_path / "0")
    assert one == two
    assert new_tokens(tmp_path / "7") == [one, two]


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_to_is_refused(
    generate: Generate, artifacts: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    in_the_way = tmp_path / "out" / "t1-01.mid"
    in_the_way.mkdir(parents=True)
    for out, where in {
        tmp_path / "file": tmp_path / "file",
        tmp_path / "file" / "x": tmp_path / "file" / "x",
        tmp_path / "out": in_the_way,
    }.items():
        done = generate("--artifacts", artifacts, *SHORT, out=out)
        assert done.status == 1
        assert f"where: {where}\n" in done.errors
        assert "--out" in done.errors.partition("to fix it:")[2]
