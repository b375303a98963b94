"""The report's section on what was copied: its table, its note and its pair of scores."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from pipeline_lib.evaluation.novelty import FLAGGED_NGRAM
from pipeline_lib.evaluation.sets import GENERATED
from pipeline_lib.reports.content import Copying, ExcerptScore, LongestMatch
from pipeline_lib.reports.language import Texts, in_all_languages
from pipeline_lib.reports.passages import with_passage_lit
from pipeline_lib.scores.engraving import engrave


@dataclass(frozen=True)
class CopyRow:
    """What the samples of a run at a temperature share with the training pieces; or held-out pieces, which have neither."""

    run: str | None
    temperature: float | None
    n_pieces: int
    n_flagged: int
    median_notes: float
    longest_notes: int
    copy_rate: float


@dataclass(frozen=True)
class ShownExcerpt:
    """One of two scores that share a passage."""

    label: Markup
    score: Markup


def copy_rows(novelty: pd.DataFrame) -> Iterator[CopyRow]:
    """Rows of the table: held-out pieces, then every run's temperatures."""
    is_generated = novelty["set"] == GENERATED
    if not is_generated.all():
        yield _copy_row(None, None, novelty[~is_generated])
    groups: Any = novelty[is_generated].groupby(["run", "temperature"], sort=False)
    for (run, temperature), rows in groups:
        yield _copy_row(str(run), float(temperature), rows)


def _copy_row(run: str | None, temperature: float | None, rows: pd.DataFrame) -> CopyRow:
    notes = rows["transposed_notes"]
    return CopyRow(
        run,
        temperature,
        len(rows),
        int(rows["is_flagged"].sum()),
        float(notes.median()),
        int(notes.max()),
        float(rows["copy_rate"].mean()),
    )


def copying_note(copying: Copying, texts: Texts) -> str:
    """What one has to know to read the section, in one language."""
    baseline = copying.baseline
    if math.isnan(baseline.match_notes):
        return texts("copying.no_held_out")
    sentences = [texts("copying.note", notes=f"{baseline.match_notes:.0f}", n=FLAGGED_NGRAM)]
    if not math.isnan(baseline.copy_rate):
        percent = f"{100 * baseline.copy_rate:.0f}"
        sentences.append(texts("copying.rate", percent=percent, n=FLAGGED_NGRAM))
    return texts("finding.between_sentences").join(sentences)


def longest_caption(match: LongestMatch, texts: Texts) -> str:
    """What the two scores show, in one language."""
    if match.semitones:
        direction = "copying.higher" if match.semitones > 0 else "copying.lower"
        where = texts(direction, semitones=abs(match.semitones))
    else:
        where = texts("copying.same_pitch")
    return texts("copying.longest", n=match.n_notes, where=where)


def shown_excerpts(match: LongestMatch, *, seed: int) -> list[ShownExcerpt]:
    """The sample's score and the source's.

    Parameters
    ----------
    match : LongestMatch
    seed : int
        Decides the ids in the first score, the next one those in the second; see `engrave`.
    """
    return [
        _shown(match.sample, f"{match.run} {match.sample.name}", "copying.sample", seed),
        _shown(match.source, match.source.name, "copying.source", seed + 1),
    ]


def _shown(score: ExcerptScore, name: str, key: str, seed: int) -> ShownExcerpt:
    label = Markup("<code>{}</code>").format(name)
    engraving = engrave(score.musicxml, seed=seed)
    return ShownExcerpt(
        in_all_languages(lambda texts: Markup(texts(key, name=label, bar=score.excerpt.first_bar))),
        Markup(with_passage_lit(engraving, score.excerpt)),
    )
