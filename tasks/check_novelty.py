"""Look for what was copied: generated music beside held-out music, both against the training pieces."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.evaluation.novelty import (
    GENERATED,
    HELD_OUT,
    CopyBaseline,
    copy_baseline,
    copy_rates_by_set,
    measure_novelty,
    novelty_table,
)
from pipeline_lib.evaluation.pieces import Pieces
from pipeline_lib.evaluation.top_lines import join_lines, lines_of_corpus
from pipeline_lib.generation.samples import samples_from_table
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.table import Split
from pipeline_lib.reports.content import Copying, ExcerptScore, LongestMatch
from pipeline_lib.reports.passages import Excerpt, excerpt
from pipeline_lib.scores.notation import write_musicxml
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from tasks.catalogue import PIECES_NAME, piece_path
from tasks.encode import load_corpus, load_tokeniser
from tasks.evaluate import stretches
from tasks.generate import SAMPLES_NAME
from tasks.stages import stage

NOVELTY_NAME, COPIED_NAME, BASELINE_NAME = "novelty.parquet", "copied.parquet", "baseline.json"


@stage(kind="novelty", schema_version=1)
def check_novelty(draft: Draft, tokens: Artifact, samples: Artifact, length: int) -> None:
    """Write ``novelty.parquet`` (a row per piece), ``copied.parquet`` (copy rates of each set) and ``baseline.json``.

    Of samples counts only what was added to the prompts; of valid and test pieces the same stretch, ``length`` tokens
    after as many as the prompts have. Training pieces are searched whole.
    """
    corpus = load_corpus(draft.store, tokens)
    tokeniser = load_tokeniser(draft.store, tokens)
    made = list(samples_from_table(draft.store.read_table(samples, SAMPLES_NAME)))
    generated = {s.name: s.prompt.continuation(s.tokens, tokeniser) for s in made}
    n_given = len(made[0].prompt.tokens)
    held_out = {
        piece_id: notes
        for split in (Split.VALID, Split.TEST)
        for piece_id, notes in stretches(corpus, split, n_given, length, tokeniser).items()
    }
    novelty = measure_novelty(
        join_lines(generated | held_out),
        lines_of_corpus(corpus, corpus.rows(Split.TRAIN), tokeniser),
    )
    labels = pd.DataFrame(
        {
            "set": [GENERATED] * len(generated) + [HELD_OUT] * len(held_out),
            "temperature": [s.temperature for s in made] + [math.nan] * len(held_out),
        }
    )
    baseline = copy_baseline(novelty, (labels["set"] == HELD_OUT).to_numpy())
    draft.write_table(NOVELTY_NAME, novelty_table(novelty, labels, baseline))
    copied = copy_rates_by_set(novelty, labels)
    draft.write_table(COPIED_NAME, pa.Table.from_pandas(copied, preserve_index=False))
    known = {n: None if math.isnan(value) else value for n, value in vars(baseline).items()}
    draft.write_json(BASELINE_NAME, known)


def read_copying(
    draft: Draft,
    runs: Sequence[str],
    samples: Sequence[Artifact],
    novelty: Sequence[Artifact],
    tokens: Artifact,
    pieces: Artifact,
) -> Copying:
    """What `check_novelty` found of several runs, for the report.

    The longest match of all is written into the report's draft, too: the bars around it in the sample as
    ``copy.musicxml``, in the training piece as ``copied.musicxml``.
    """
    store = draft.store
    of_pieces = _samples_and_held_out(store, runs, novelty, NOVELTY_NAME)
    known = store.read_json(novelty[0], BASELINE_NAME)
    of_samples = of_pieces[of_pieces["set"] == GENERATED]
    row = of_samples.to_dict("records")[int(of_samples["transposed_notes"].argmax())]
    longest = None
    if row["transposed_notes"]:
        of_run = samples[runs.index(row["run"])]
        longest = _longest_match(draft, row, of_run, tokens, pieces)
    return Copying(
        novelty=of_pieces,
        copied=_samples_and_held_out(store, runs, novelty, COPIED_NAME),
        baseline=CopyBaseline(
            **{n: math.nan if value is None else value for n, value in known.items()}
        ),
        longest=longest,
    )


def _longest_match(
    draft: Draft,
    row: Mapping[Hashable, Any],
    samples: Artifact,
    tokens: Artifact,
    pieces: Artifact,
) -> LongestMatch:
    """Both sides of a match, given by its row of ``novelty.parquet``, as scores in the draft."""
    store, n_notes, source = draft.store, int(row["transposed_notes"]), row["transposed_source"]
    starts = int(row["transposed_start"]), int(row["transposed_source_start"])
    tokeniser = load_tokeniser(store, tokens)
    sample_notes, n_given = _sample(store, samples, row["piece"], tokeniser)
    source_notes = _train_piece(store, tokens, source, tokeniser)
    return LongestMatch(
        run=row["run"],
        n_notes=n_notes,
        semitones=int(row["transposed_semitones"]),
        sample=_score(
            draft.path("copy.musicxml"),
            row["piece"],
            excerpt(sample_notes, n_given + starts[0], n_notes),
        ),
        source=_score(
            draft.path("copied.musicxml"),
            _path_of(store, pieces, source),
            excerpt(source_notes, starts[1], n_notes),
        ),
    )


def _samples_and_held_out(
    store: ArtifactStore, runs: Sequence[str], novelty: Sequence[Artifact], file: str
) -> pd.DataFrame:
    """The samples of every run, and the held-out pieces once: they are the same for each run, and have no run."""
    frames = []
    for run, artifact in zip(runs, novelty, strict=True):
        frame = store.read_table(artifact, file).to_pandas()
        is_sample = frame["set"] == GENERATED
        frame.insert(0, "run", pd.Series(run, frame.index).where(is_sample))
        frames.append(frame[is_sample | (run == runs[0])])
    return pd.concat(frames, ignore_index=True)


def _sample(
    store: ArtifactStore, samples: Artifact, name: str, tokeniser: Tokeniser
) -> tuple[GridNotes, int]:
    """A whole sample, and how many notes of its top line were given."""
    made = samples_from_table(store.read_table(samples, SAMPLES_NAME))
    sample = next(sample for sample in made if sample.name == name)
    given = sample.prompt.continued((), tokeniser)
    return sample.notes(tokeniser), len(Pieces.of([given]).top_line.pitch)


def _train_piece(
    store: ArtifactStore, tokens: Artifact, piece_id: str, tokeniser: Tokeniser
) -> GridNotes:
    corpus = load_corpus(store, tokens)
    row = next(row for row in corpus.rows(Split.TRAIN) if row["piece_id"] == piece_id)
    return corpus.excerpt(row, 0, row["length"], tokeniser)


def _path_of(store: ArtifactStore, pieces: Artifact, piece_id: str) -> str:
    table = store.read_table(pieces, PIECES_NAME)
    is_used = pc.and_(pc.equal(table["piece_id"], piece_id), pc.is_valid(table["split"]))
    return piece_path(table.filter(is_used).slice(0, 1).to_pylist()[0])


def _score(path: Path, name: str, bars: Excerpt) -> ExcerptScore:
    write_musicxml(bars.notes, path, title=name)
    return ExcerptScore(name, bars, path.read_text(encoding="utf-8"))
