"""The real flow, with real Prefect and TensorFlow, on a tiny corpus: what runs, what is cached, and why.

The tests build on each other's artifacts: each changes one thing, looks at the plan, and puts it back.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.execution import PlannedCall
from flows.inspection import inspect_artifact
from flows.journal import CACHED, Journal, load_journal
from flows.running import plan_flow
from pipeline_lib.artifacts import ArtifactStore, read_manifest
from pipeline_lib.errors import ConfigError, CorpusError
from pipeline_lib.stores import file_names
from pipeline_lib.tokens.tokenisers import TOKENISERS
from tests.flows.conftest import N_TUNES, TINY, write_tune

pytestmark = [
    pytest.mark.slow,
    pytest.mark.integration,
    # Prefect's own code warns and leaves sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore"),
]


def run(
    corpus: Path, artifacts: Path, temperatures: list[float] | None = None, **settings: object
) -> Journal:
    from flows.music_pipeline import music_pipeline

    music_pipeline(
        corpus=str(corpus),
        preset="tiny",
        temperatures=temperatures,
        settings={**TINY, **settings},
        artifacts=str(artifacts),
    )
    journal = load_journal(ArtifactStore(artifacts))
    assert journal is not None
    return journal


def plan(corpus: Path, artifacts: Path, **settings: object) -> dict[str, PlannedCall]:
    calls = plan_flow(str(corpus), "tiny", None, {**TINY, **settings}, artifacts)
    return {call.stage: call for call in calls}


def would_run(calls: dict[str, PlannedCall]) -> dict[str, list[str]]:
    """Stage names by planned state, cached ones left out."""
    found: dict[str, list[str]] = {}
    for label, call in calls.items():
        if call.state != "cached":
            found.setdefault(call.state, []).append(label.partition("/")[0])
    return found


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results") / "artifacts"


@pytest.fixture(scope="module")
def first(corpus: Path, artifacts: Path, prefect_server: None) -> Journal:
    return run(corpus, artifacts)


def artifact_of(journal: Journal, label: str) -> str:
    return next(entry.artifact for entry in journal.stages if entry.stage.startswith(label))


def test_the_first_run_runs_every_stage_and_ends_in_a_report(first: Journal) -> None:
    assert first.state == "completed"
    assert {entry.state for entry in first.stages} == {"ran"}
    page = Path(first.report).read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    lengths = [row["seq_length"] for row in first.results]
    assert lengths == [4, 8, None, None, None, 4, 8, None]
    names = [row["name"] for row in first.results]
    kinds = [name.partition("-")[0] for name in names[2:5]]
    assert kinds == ["unigram", "witten_bell", "kneser_ney"]
    assert names[5:7] == [f"{name}+memory" for name in names[:2]]
    assert names[7].removesuffix("+memory") in names[3:5]
    assert len({row["n_targets"] for row in first.results}) == 1


def test_bad_files_are_named_with_their_reasons(first: Journal, artifacts: Path) -> None:
    table = pq.read_table(artifacts / artifact_of(first, "split") / file_names.PIECES)
    rows = {row["path"]: row for row in table.to_pylist()}
    reasons = {path: row["reject_reason"] for path, row in rows.items() if row["reject_reason"]}
    assert reasons == {"x.mid": "not_music", "empty.mid": "empty_file", "half.mid": "truncated"}
    page = Path(first.report).read_text(encoding="utf-8")
    assert all(path in page for path in reasons)


def test_a_second_run_runs_nothing(first: Journal, corpus: Path, artifacts: Path) -> None:
    again = run(corpus, artifacts)
    assert {(entry.state, entry.reason) for entry in again.stages} == {("cached", CACHED)}
    # Networks this small may write the same music: then stages that read nothing else have one key, and one artifact.
    assert {e.artifact for e in again.stages} <= {e.artifact for e in first.stages}
    assert [e.stage for e in again.stages] == [e.stage for e in first.stages]
    assert again.results == first.results


def test_after_touching_nothing_nothing_would_run(
    first: Journal, corpus: Path, artifacts: Path
) -> None:
    assert would_run(plan(corpus, artifacts)) == {}


def test_a_moved_corpus_is_the_same_corpus(
    first: Journal, corpus: Path, artifacts: Path, tmp_path: Path
) -> None:
    moved = tmp_path / corpus.name
    shutil.copytree(corpus, moved)
    assert would_run(plan(moved, artifacts)) == {}


def test_an_edited_file_runs_its_shard_and_what_depends_on_it(
    first: Journal, corpus: Path, artifacts: Path, tmp_path: Path
) -> None:
    edited = tmp_path / corpus.name
    shutil.copytree(corpus, edited)
    write_tune(edited / "tune-03.mid", seed=100)
    calls = plan(edited, artifacts)
    running = would_run(calls)
    assert Counter(running["run"]) == {"scan": 1, "ingest": 1}
    assert "changed: tune-03.mid" in calls["scan"].reason
    dependents = {
        "select",
        "catalogue",
        "split",
        "tokenise",
        "encode",
        "choose_prompts",
        "index_windows",
        "fit_baselines",
        "fit_memory",
        "score",
        "train",
        "generate",
    }
    assert set(running["run-if-changed"]) == dependents | {
        "evaluate",
        "measure_distance",
        "check_novelty",
        "write_report",
    }


def test_another_temperature_touches_nothing_before_generation(
    first: Journal, corpus: Path, artifacts: Path
) -> None:
    calls = plan(corpus, artifacts, **{"generate.temperatures": [0.5]})
    running = would_run(calls)
    assert Counter(running["run"]) == {"generate": 3, "write_report": 1}
    assert Counter(running["run-if-changed"]) == {
        "evaluate": 3,
        "measure_distance": 2,
        "check_novelty": 2,
    }
    reasons = {call.reason for call in calls.values() if call.stage.startswith("generate/")}
    assert reasons == {"config.temperatures new: 0.5, gone: 1.0"}


@pytest.mark.parametrize("damage", ["delete", "corrupt"])
def test_a_damaged_artifact_is_made_again_and_only_it(
    first: Journal, corpus: Path, artifacts: Path, damage: str
) -> None:
    folder = artifacts / artifact_of(first, "train/")
    if damage == "delete":
        shutil.rmtree(folder)
    else:
        weights = folder / file_names.WEIGHTS
        weights.write_bytes(weights.read_bytes()[:-7] + b"garbage")
    running = would_run(plan(corpus, artifacts))
    assert running["run"] == ["train"]
    # Of the two networks' dependents only this one's might change.
    assert Counter(running["run-if-changed"]) == {
        "fit_memory": 1,
        "score": 1,
        "generate": 1,
        "evaluate": 1,
        "measure_distance": 1,
        "check_novelty": 1,
        "write_report": 1,
    }
    healed = run(corpus, artifacts)
    ran = [entry for entry in healed.stages if entry.state == "ran"]
    # Training is deterministic: the same weights come out, so nothing after them has to run.
    assert [entry.stage.partition("/")[0] for entry in ran] == ["train"]
    assert ran[0].reason == "its artifact was missing or damaged"


def test_inspect_leads_back_to_the_midi_files(
    first: Journal, corpus: Path, artifacts: Path
) -> None:
    results = artifacts / artifact_of(first, "write_report") / file_names.RESULTS
    inspection = inspect_artifact(results, artifacts, n_rows=2)
    (file,) = inspection.files
    assert (file.n_rows, len(file.rows)) == (8, 2)
    assert file.schema["test_perplexity"] == "double"
    assert inspection.lineage[0].stage == "write_report"
    assert {"train", "encode", "ingest", "scan"} <= {step.stage for step in inspection.lineage}
    assert inspection.sources == sorted(path.name for path in corpus.iterdir())

    shard = artifacts / artifact_of(first, "ingest/") / file_names.NOTES
    of_shard = inspect_artifact(shard, artifacts, n_rows=1).sources
    assert of_shard
    assert set(of_shard) < set(inspection.sources)


def test_a_folder_without_a_usable_file_ends_in_one_clear_error(
    artifacts: Path, tmp_path: Path, prefect_server: None
) -> None:
    (tmp_path / "a.mid").write_text("no")
    (tmp_path / "b.mid").write_bytes(b"")
    with pytest.raises(CorpusError, match="no usable file among 2") as caught:
        run(tmp_path, tmp_path / "results")
    assert "a.mid" in str(caught.value)
    assert "to fix it" in str(caught.value)


def test_every_content_is_one_piece_however_often_it_is_there(
    first: Journal, artifacts: Path
) -> None:
    files = pq.read_table(artifacts / artifact_of(first, "split") / file_names.PIECES).to_pylist()
    status = Counter(row["status"] for row in files)
    assert status == {"accepted": N_TUNES, "duplicate": 2, "rejected": 3}
    table = pq.read_table(artifacts / artifact_of(first, "encode") / file_names.PIECES)
    assert table.num_rows == N_TUNES


def test_without_a_prompt_music_is_written_from_nothing(
    first: Journal, corpus: Path, artifacts: Path
) -> None:
    promptless = run(corpus, artifacts, **{"prompts.source": "none"})
    assert promptless.state == "completed"
    ran = {entry.stage.partition("/")[0] for entry in promptless.stages if entry.state == "ran"}
    measured = {"evaluate", "measure_distance", "check_novelty"}
    assert ran == {"choose_prompts", "generate", *measured, "write_report"}
    prompts = pq.read_table(
        artifacts / artifact_of(promptless, "choose_prompts") / file_names.PROMPTS
    )
    assert prompts["tokens"].to_pylist() == [[], [], []]
    assert set(prompts["time_signature"].to_pylist()) == {"4/4"}
    samples = pq.read_table(artifacts / artifact_of(promptless, "generate/") / file_names.SAMPLES)
    assert any(samples["tokens"].to_pylist())


def test_each_temperature_has_samples_and_figures_in_one_call(
    first: Journal, corpus: Path, artifacts: Path
) -> None:
    grid = run(corpus, artifacts, temperatures=[0.5, 1.2])
    ran = Counter(entry.stage.partition("/")[0] for entry in grid.stages if entry.state == "ran")
    measured = {"evaluate": 3, "measure_distance": 2, "check_novelty": 2}
    assert ran == {"generate": 3, **measured, "write_report": 1}

    samples = artifacts / artifact_of(grid, "generate/")
    table = pq.read_table(samples / file_names.SAMPLES).to_pandas()
    assert table.groupby("temperature")["sample"].nunique().to_dict() == {0.5: 3, 1.2: 3}
    assert (
        table.groupby("sample")["prompt_tokens"].agg(lambda p: len({*map(tuple, p)})) == 1
    ).all()
    n_new = table["tokens"].map(len).groupby(table["temperature"]).sum().to_dict()
    explained = pq.read_table(samples / file_names.EXPLANATIONS).to_pandas()
    assert explained.groupby("temperature").size().to_dict() == n_new
    assert {path.stem for path in samples.glob("*.mid")} == {"t0.5-01", "t1.2-01"}
    assert json.loads((samples / "t1.2-01.json").read_text())["temperature"] == 1.2

    measured = artifacts / artifact_of(grid, "evaluate/")
    for name in (file_names.PIECES, file_names.LEAPS):
        table = pq.read_table(measured / name).to_pandas()
        assert table.query("set == 'generated'")["temperature"].unique().tolist() == [0.5, 1.2]
        assert table.query("set == 'corpus'")["temperature"].isna().all()
    summary = pq.read_table(measured / file_names.METRIC_SUMMARY).to_pandas()
    of_corpus = summary.groupby("metric")[["corpus_mean", "corpus_low", "corpus_high"]]
    assert (of_corpus.nunique() <= 1).all(axis=None)

    report = (artifacts / artifact_of(grid, "write_report") / file_names.REPORT).read_text()
    for temperature in ("0.5", "1.2"):
        assert report.count(f">temperature {temperature}</span>") == 2 + 2  # columns and samples


def test_an_experiment_can_judge_the_lab_reports_claims(
    first: Journal, corpus: Path, artifacts: Path
) -> None:
    """None of its runs are here, so that nothing can be told; but every claim is on the page."""
    judged = run(corpus, artifacts, **{"report.claims": True})
    ran = [entry.stage for entry in judged.stages if entry.state == "ran"]
    assert ran == ["judge_claims", "write_report"]
    findings = pq.read_table(artifacts / artifact_of(judged, "judge_claims") / file_names.FINDINGS)
    assert findings.num_rows == 0
    page = Path(judged.report).read_text(encoding="utf-8")
    assert page.count('class="claim cannot_tell"') == 7


def test_only_the_first_seeds_run_of_each_network_is_shown_in_detail(
    first: Journal, corpus: Path, artifacts: Path
) -> None:
    seeds = run(corpus, artifacts, **{"train.seeds": [0, 1], "windows.seq_lengths": [4]})
    kinds = Counter(entry.stage.partition("/")[0] for entry in seeds.stages)
    assert (kinds["train"], kinds["score"], kinds["generate"]) == (2, 2 + 1, 2 + 1)
    assert (kinds["fit_memory"], kinds["measure_distance"], kinds["check_novelty"]) == (1, 1, 1)
    names = [row["name"] for row in seeds.results]
    assert sum(name.endswith("-s1") for name in names) == 1
    assert sum(name.endswith("-s0+memory") for name in names) == 1
    rendered = {
        entry.stage: len(list((artifacts / entry.artifact).glob("*.mid")))
        for entry in seeds.stages
        if entry.stage.startswith("generate/lstm")
    }
    assert sorted(rendered.values()) == [0, 1]
    assert origin(artifacts / artifact_of(seeds, "generate/lstm1x16-embedding8-L4-lr0.004-s0")) == (
        {"mixture"},
        {"tokens", "prompts", "runs", "baselines", "memories"},
    )
    assert origin(artifacts / artifact_of(seeds, "generate/lstm1x16-embedding8-L4-lr0.004-s1")) == (
        {"network"},
        {"tokens", "prompts", "runs"},
    )
    assert origin(artifacts / artifact_of(seeds, "generate/ngram")) == (
        {"ngram"},
        {"tokens", "prompts", "baselines"},
    )


def origin(samples: Path) -> tuple[set[str], set[str]]:
    """What composed samples, and the kinds of all that it read."""
    composers = pq.read_table(samples / file_names.SAMPLES)["composer"].to_pylist()
    return {*composers}, {p["kind"] for p in read_manifest(samples)["parent_artifacts"]}


@pytest.mark.parametrize("kind", sorted(set(TOKENISERS) - {"note_event"}))
def test_every_stage_runs_with_every_tokeniser(
    kind: str, first: Journal, corpus: Path, artifacts: Path
) -> None:
    factored = [{"layers": 1, "units": 16, "embedding_size": 8, "token_input": "factored"}]
    constrained = {"generate.key": "C major", "generate.min_pitch": 60}
    journal = run(corpus, artifacts, **{"tokens.kind": kind, "models": factored, **constrained})
    assert journal.state == "completed"
    ran = {entry.stage.partition("/")[0] for entry in journal.stages if entry.state == "ran"}
    of_notes = {"scan", "ingest", "select", "catalogue", "split"}
    assert ran == {entry.stage.partition("/")[0] for entry in first.stages} - of_notes
    vocabulary = pq.read_table(artifacts / artifact_of(journal, "encode") / file_names.VOCABULARY)
    samples = pq.read_table(artifacts / artifact_of(journal, "generate/") / file_names.SAMPLES)
    made = set(itertools.chain.from_iterable(samples["tokens"].to_pylist()))
    assert made <= set(vocabulary["token"].to_pylist())
    assert all(entry["test_perplexity"] > 1 for entry in journal.results)


def test_a_length_that_a_tokeniser_cannot_count_is_refused(
    corpus: Path, artifacts: Path, prefect_server: None
) -> None:
    with pytest.raises(ConfigError, match=r"generate.bars asks .* tokens.kind=pitch_duration"):
        run(corpus, artifacts, **{"tokens.kind": "pitch_duration", "generate.bars": 8})
