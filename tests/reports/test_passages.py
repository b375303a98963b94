"""Which bars of a piece are shown, and which notes in them are in colour."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.reports.passages import excerpt, with_passage_lit
from pipeline_lib.scores.engraving import engrave
from pipeline_lib.scores.notation import write_musicxml


@pytest.fixture(scope="module")
def scale(make_melody):
    """Eight bars of four quarters, a step higher each."""
    return make_melody([(60 + n, 24) for n in range(32)])


def test_bars_around_a_passage(scale):
    # Notes 10 to 14 lie in bars 3 and 4; with one on either side, bars 2 to 5 begin with note 4 and end with 19.
    bars = excerpt(scale, 10, 5)
    assert bars.first_bar == 2
    assert bars.notes.pitch.tolist() == [60 + n for n in range(4, 20)]
    assert bars.notes.onset_step.tolist() == [24 * n for n in range(16)]
    assert (bars.first_onset_step, bars.last_onset_step) == (6 * 24, 10 * 24)


def test_at_the_ends_of_a_piece_there_is_no_further_bar(scale):
    assert excerpt(scale, 0, 32).notes.pitch.tolist() == scale.pitch.tolist()
    assert excerpt(scale, 0, 1).first_bar == 1
    assert len(excerpt(scale, 31, 1).notes) == 8


def test_notes_of_the_top_line_are_counted_and_all_notes_shown(make_melody):
    chords = make_melody([((48, 60 + n), 24) for n in range(12)])
    bars = excerpt(chords, 5, 2)
    assert len(bars.notes) == 2 * 12
    assert (bars.first_onset_step, bars.last_onset_step) == (5 * 24, 6 * 24)


def test_what_is_held_ends_with_the_excerpt(make_melody):
    held = make_melody([(60, 24), (62, 24 * 20)])
    assert np.max(excerpt(held, 0, 1).notes.duration_step) == 7 * 24


def test_exactly_the_notes_of_the_passage_are_in_colour(make_melody, tmp_path: Path):
    eighths = make_melody([(60 + n % 12, 12) for n in range(64)], tempo_qpm=90.0)
    bars = excerpt(eighths, 20, 9)
    path = tmp_path / "bars.musicxml"
    write_musicxml(bars.notes, path, title="bars")
    engraving = engrave(path.read_text(), seed=1)
    svg = with_passage_lit(engraving, bars)
    lit = re.findall(r'id="(\w+)" class="lit note"', svg)
    in_order = [ids[0] for _, _, ids in engraving.highlights]
    # Notes 20 to 28 of the piece; the excerpt begins with note 8, the second bar of eight eighths.
    assert lit == in_order[12:21]
    assert svg.replace("lit ", "") == engraving.svg
