"""A copy that was planted in a sample is reported with the file that it was taken from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import ComposeConfig
from pipeline_lib.evaluation.novelty import NOVELTY_SCHEMA
from pipeline_lib.generation.composing import Composition
from pipeline_lib.generation.samples import Sample
from pipeline_lib.reports.builders.copying import build_copying
from pipeline_lib.reports.content import Copying
from pipeline_lib.stores.measures import read_copies
from pipeline_lib.stores.pieces import read_pieces
from pipeline_lib.stores.pieces import write_pieces as save_pieces
from pipeline_lib.stores.samples import read_samples
from pipeline_lib.stores.samples import write_samples as save_samples
from pipeline_lib.stores.tokens import read_tokens
from pipeline_lib.stores.tokens import write_tokens as save_tokens
from pipeline_lib.tokens.corpus import build_corpus
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.sequences import TokenSequences
from pipeline_lib.tokens.vocabulary import build_vocabulary
from tasks.check_novelty import check_novelty
from tasks.stages import stage
from tests.tokenisers import NOTES

# The key of a stage takes seconds: all code that it reaches is read.
pytestmark = pytest.mark.slow

N_TRAIN, N_VALID, N_TEST = 6, 10, 10
N_GIVEN = 4


def random_notes(seed: int, n: int = 44) -> list[tuple[int, int]]:
    """Pitches and durations in quarters."""
    draw = np.random.default_rng(seed)
    return list(
        zip(draw.integers(60, 72, n).tolist(), draw.integers(1, 5, n).tolist(), strict=True)
    )


def as_tokens(notes: list[tuple[int, int]]) -> list[str]:
    return [f"Pitch_{pitch}:{duration}" for pitch, duration in notes]


def splits() -> dict[str, str]:
    numbers = {"train": N_TRAIN, "valid": N_VALID, "test": N_TEST}
    return {f"{split}{n}": split for split, number in numbers.items() for n in range(number)}


@stage(kind="tokens")
def write_tokens(draft: Draft) -> None:
    """Write pieces of random notes."""
    lines = TokenSequences()
    rows = []
    for seed, (piece_id, split) in enumerate(splits().items()):
        lines.add(piece_id, as_tokens(random_notes(seed)))
        rows.append(
            {
                "piece_id": piece_id,
                "line": piece_id,
                "split": split,
                "time_signature": "4/4",
                "tempo_qpm": 120.0,
                "key_signature": None,
                "augmented_semitones": 0,
            }
        )
    train = [row["line"] for row in rows if row["split"] == "train"]
    vocabulary, table = build_vocabulary(lines.count(train), N_TRAIN, 1, NOTES)
    save_tokens(draft, build_corpus(rows, lines, vocabulary), table, NOTES)


@stage(kind="pieces")
def write_pieces(draft: Draft) -> None:
    """Write where the pieces come from."""
    rows = [
        {"piece_id": piece_id, "path": f"{split}/{piece_id}.abc", "tune": None, "split": split}
        for piece_id, split in splits().items()
    ]
    schema = pa.schema(
        [*((n, pa.string()) for n in ("piece_id", "path", "split")), ("tune", pa.int32())]
    )
    save_pieces(draft, pa.Table.from_pylist(rows, schema=schema))


@stage(kind="samples")
def write_samples(draft: Draft, n_copied: int) -> None:
    """Write two samples; the second has notes 20 and following of train3, a fourth up, from its 10th new note on."""
    samples = []
    for number in range(2):
        notes = random_notes(seed=100 + number)
        if number:
            tune = random_notes(seed=3)[20 : 20 + n_copied]
            notes[10 : 10 + n_copied] = [(pitch + 5, duration) for pitch, duration in tune]
        given = as_tokens(random_notes(seed=200, n=N_GIVEN))
        prompt = Prompt("test0", tuple(given), "4/4", 120.0, None)
        samples.append(Sample(1.0, number, prompt, tuple(as_tokens(notes)), "asked"))
    save_samples(draft, "lstm", [Composition(ComposeConfig(), samples)])


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


def test_a_planted_copy_is_flagged_and_its_source_found(store: ArtifactStore) -> None:
    tokens, samples = write_tokens(store), write_samples(store, 12)
    novelty = check_novelty(store, tokens, samples, 40)
    table = read_copies(store, novelty).pieces
    assert table.schema.remove_metadata().equals(NOVELTY_SCHEMA.remove_metadata())
    new, copy, *held_out = table.to_pylist()
    assert [row["set"] for row in held_out] == ["held_out"] * (N_VALID + N_TEST)
    # Held-out pieces have 44 notes, of which the first 4 stand for the prompt.
    assert {row["n_notes"] for row in held_out} == {40}
    assert (new["piece"], new["is_flagged"]) == ("t1-01", False)
    assert (copy["piece"], copy["is_flagged"]) == ("t1-02", True)
    assert (copy["transposed_notes"], copy["transposed_semitones"]) == (12, 5)
    assert (copy["transposed_source"], copy["nearest_source"]) == ("train3", "train3")
    assert (copy["transposed_start"], copy["transposed_source_start"]) == (10, 20)
    baseline = read_copies(store, novelty).baseline
    assert new["transposed_notes"] <= baseline.match_notes < 12


def report_on(store: ArtifactStore, samples: Artifact, runs: list[str]) -> Copying:
    """The report's section on runs that all wrote these samples."""
    tokens, pieces = write_tokens(store), write_pieces(store)
    novelty = check_novelty(store, tokens, samples, 40)
    return build_copying(
        dict.fromkeys(runs, read_copies(store, novelty)),
        dict.fromkeys(runs, read_samples(store, samples)),
        read_tokens(store, tokens),
        read_pieces(store, pieces),
        NOTES,
    )


def test_a_planted_copy_is_reported_with_its_file(store: ArtifactStore) -> None:
    longest = report_on(store, write_samples(store, 12), ["lstm"]).longest
    assert longest is not None
    assert (longest.run, longest.n_notes, longest.semitones) == ("lstm", 12, 5)
    assert (longest.sample.name, longest.source.name) == ("t1-02", "train/train3.abc")
    # The passage begins as many quarters into the piece as all notes before it last, the prompt's included.
    before = random_notes(seed=200, n=N_GIVEN) + random_notes(seed=101)[:10]
    quarters = sum(duration for _, duration in before)
    shown = longest.sample.excerpt
    assert shown.first_bar == quarters // 4  # counted from 1, and one bar before
    assert shown.first_onset_step == (4 + quarters % 4) * NOTES.steps_per_quarter
    assert "<work-title>t1-02</work-title>" in longest.sample.musicxml


def test_the_same_held_out_pieces_stand_beside_all_runs_once(store: ArtifactStore) -> None:
    report = report_on(store, write_samples(store, 12), ["a", "b"])
    assert report.novelty.groupby("set").size().to_dict() == {"generated": 4, "held_out": 20}
    assert report.novelty["run"].value_counts().to_dict() == {"a": 2, "b": 2}
    of_eight = report.copied[report.copied["n"] == 8]
    assert of_eight["set"].tolist() == ["generated", "held_out", "generated"]
