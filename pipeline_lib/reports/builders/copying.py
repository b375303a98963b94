"""The section on copying: what samples share with training pieces, and the longest match of all in both."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.evaluation.pieces import Pieces
from pipeline_lib.evaluation.sets import GENERATED
from pipeline_lib.generation.samples import Sample
from pipeline_lib.notes.corpus.catalogue import piece_path
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.table import Split
from pipeline_lib.reports.content import Copying, ExcerptScore, LongestMatch
from pipeline_lib.reports.passages import Excerpt, excerpt
from pipeline_lib.scores.notation import to_musicxml
from pipeline_lib.stores.measures import Copies
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.tokenisers.base import Tokeniser


def build_copying(
    copies: Mapping[str, Copies],
    samples: Mapping[str, Sequence[Sample]],
    corpus: TokenCorpus,
    pieces: pa.Table,
    tokeniser: Tokeniser,
) -> Copying:
    """Put what was found of all runs together, and engrave the longest match.

    Parameters
    ----------
    copies, samples : mapping
        By the names of the runs.
    corpus : TokenCorpus
        What they were trained on.
    pieces : pyarrow.Table
        Where its pieces come from, with `notes.table.PIECE_SCHEMA` and a split.
    tokeniser : Tokeniser
    """
    novelty = _samples_and_held_out({name: c.pieces.to_pandas() for name, c in copies.items()})
    of_samples = novelty[novelty["set"] == GENERATED]
    row = of_samples.to_dict("records")[int(of_samples["transposed_notes"].argmax())]
    longest = None
    if row["transposed_notes"]:
        sample = next(s for s in samples[row["run"]] if s.name == row["piece"])
        longest = _longest_match(row, sample, corpus, pieces, tokeniser)
    return Copying(
        novelty=novelty,
        copied=_samples_and_held_out({name: c.rates for name, c in copies.items()}),
        baseline=next(iter(copies.values())).baseline,
        longest=longest,
    )


def _samples_and_held_out(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The samples of every run, and the held-out pieces once: they are the same for each run, and have no run."""
    chosen: list[pd.DataFrame] = []
    for run, frame in frames.items():
        is_sample = frame["set"] == GENERATED
        named = frame.copy()
        named.insert(0, "run", pd.Series(run, frame.index).where(is_sample))
        chosen.append(named if not chosen else named[is_sample])
    return pd.concat(chosen, ignore_index=True)


def _longest_match(
    row: Mapping[Hashable, Any],
    sample: Sample,
    corpus: TokenCorpus,
    pieces: pa.Table,
    tokeniser: Tokeniser,
) -> LongestMatch:
    """Both sides of a match, given by its row of ``novelty``, as scores."""
    n_notes, source = int(row["transposed_notes"]), row["transposed_source"]
    given = sample.prompt.continued((), tokeniser)
    start = len(Pieces.of([given]).top_line.pitch) + int(row["transposed_start"])
    of_sample = excerpt(sample.notes(tokeniser), start, n_notes)
    source_notes = _train_piece(corpus, source, tokeniser)
    of_source = excerpt(source_notes, int(row["transposed_source_start"]), n_notes)
    return LongestMatch(
        run=row["run"],
        n_notes=n_notes,
        semitones=int(row["transposed_semitones"]),
        sample=_score(sample.name, of_sample),
        source=_score(_path_of(pieces, source), of_source),
    )


def _train_piece(corpus: TokenCorpus, piece_id: str, tokeniser: Tokeniser) -> GridNotes:
    row = next(row for row in corpus.rows(Split.TRAIN) if row["piece_id"] == piece_id)
    return corpus.excerpt(row, 0, row["length"], tokeniser)


def _path_of(pieces: pa.Table, piece_id: str) -> str:
    is_used = pc.and_(pc.equal(pieces["piece_id"], piece_id), pc.is_valid(pieces["split"]))
    return piece_path(pieces.filter(is_used).slice(0, 1).to_pylist()[0])


def _score(name: str, bars: Excerpt) -> ExcerptScore:
    return ExcerptScore(name, bars, to_musicxml(bars.notes, title=name))
