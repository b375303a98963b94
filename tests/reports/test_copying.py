"""What the report says about copying."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.evaluation.novelty import CopyBaseline
from pipeline_lib.reports.content import ReportContent
from pipeline_lib.reports.copying import copy_rows, copying_note, longest_caption
from pipeline_lib.reports.findings import findings
from pipeline_lib.reports.language import texts_in
from pipeline_lib.reports.music_plots import copy_rates
from pipeline_lib.reports.page import render_page

ENGLISH = texts_in("en")


def novelty(*rows: tuple[str | None, float, int, float, bool]) -> pd.DataFrame:
    columns = ["run", "temperature", "transposed_notes", "copy_rate", "is_flagged"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(set=np.where(frame["run"].isna(), "held_out", "generated"))


def test_a_row_for_held_out_pieces_and_one_for_each_temperature_of_a_run() -> None:
    rows = novelty(
        ("a", 0.5, 10, 0.1, False),
        ("a", 0.5, 31, 0.5, True),
        ("a", 1.0, 8, math.nan, False),
        (None, math.nan, 12, 0.2, False),
    )
    held_out, cold, warm = copy_rows(rows)
    assert (held_out.run, held_out.temperature, held_out.n_pieces) == (None, None, 1)
    assert (cold.run, cold.temperature, cold.n_pieces, cold.n_flagged) == ("a", 0.5, 2, 1)
    assert (cold.median_notes, cold.longest_notes, cold.copy_rate) == (20.5, 31, 0.3)
    assert math.isnan(warm.copy_rate)


def test_the_note_states_the_limits(content: ReportContent) -> None:
    note = copying_note(content.copying, ENGLISH)
    assert "of 26 notes" in note
    assert "53\u00a0%" in note
    unknown = replace(content.copying, baseline=CopyBaseline(math.nan, math.nan))
    assert copying_note(unknown, ENGLISH) == ENGLISH("copying.no_held_out")


@pytest.mark.parametrize(
    ("semitones", "words"),
    [(0, "at the same pitch"), (5, "5 semitones higher"), (-2, "2 semitones lower")],
)
def test_the_caption_says_how_the_key_differs(
    content: ReportContent, semitones: int, words: str
) -> None:
    assert content.copying.longest is not None
    caption = longest_caption(replace(content.copying.longest, semitones=semitones), ENGLISH)
    assert "16 notes" in caption
    assert words in caption


def test_flagged_samples_of_the_best_run_and_of_the_one_with_most_are_found(
    content: ReportContent,
) -> None:
    # Of twenty samples each the second run's have 10 to 29 notes in common; 27, 28, 29 are more than 26.
    novelty = content.copying.novelty
    n_flagged = novelty.groupby("run", sort=False)["is_flagged"].sum()
    sentence, *others = (text for text in findings(content, ENGLISH) if "copy more" in text)
    worst = n_flagged.idxmax()
    assert [other.split(" copy")[0] for other in others] == (
        [] if worst in sentence else [f"{n_flagged.max()} of 20 samples of {worst}"]
    )
    assert sentence.startswith("3 of 20 samples of lstm3x128-L50-lr0.002-s0 copy more")
    assert sentence.endswith("3 of 20 samples, and 1 of the 20 held-out pieces themselves.")
    of_samples = content.copying.novelty.query("set == 'generated'")
    chinese = " ".join(findings(content, texts_in("zh")))
    assert "20 个样本中，有 3 个从训练作品中照搬得比真实作品通常更多" in chinese
    without = replace(content, copying=replace(content.copying, novelty=of_samples))
    assert not any("held-out" in text for text in findings(without, ENGLISH))


def test_each_temperature_has_a_panel(content: ReportContent) -> None:
    copied = content.copying.copied
    warmer = copied.dropna(subset="temperature").assign(temperature=1.2)
    svg = copy_rates(pd.concat([copied, warmer]), ENGLISH)
    assert "temperature 1.2" in svg
    assert "temperature" not in copy_rates(copied, ENGLISH)


@pytest.mark.usefixtures("no_plots")
def test_without_a_match_no_score_is_shown(content: ReportContent) -> None:
    nothing = replace(content, samples=(), copying=replace(content.copying, longest=None))
    page = render_page(nothing)
    assert '<figure class="passage">' not in page
    assert ENGLISH("copying.none") in page


def test_where_nothing_is_flagged_one_run_is_named(content: ReportContent) -> None:
    nothing = content.copying.novelty.assign(is_flagged=False)
    found = findings(replace(content, copying=replace(content.copying, novelty=nothing)), ENGLISH)
    (text,) = (text for text in found if "held-out" in text)
    assert text.startswith("No sample of lstm3x128-L50-lr0.002-s0 copies more")
    assert "0 of 20 samples" in text
