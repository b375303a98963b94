"""What can be said of a picture without looking at it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.scores import piano_roll
from pipeline_lib.scores.piano_roll import Surprise, draw_piano_roll
from tests.conftest import MakeMelody


def surprise_of(notes: GridNotes, from_step: int) -> Surprise:
    is_new = notes.onset_step >= from_step
    bits = np.linspace(0.0, 8.0, is_new.sum())
    return Surprise(notes.onset_step[is_new], notes.duration_step[is_new], bits, bits[::-1])


def has_colour(path: Path, colour: str) -> bool:
    pixels = imread(path)[..., :3]
    return bool((np.abs(pixels - to_rgb(colour)).max(axis=-1) < 0.01).any())


def height(path: Path) -> int:
    return int(imread(path).shape[0])


@pytest.mark.parametrize(
    ("prompt_end_step", "is_given", "is_new"),
    [(0, False, True), (72, True, True), (999, True, False)],
)
def test_what_was_given_has_another_colour(
    jig: GridNotes, prompt_end_step: int, is_given: bool, is_new: bool
) -> None:
    figure, rows = piano_roll._panels(jig, with_strips=False)
    for bars, roll, _ in rows:
        piano_roll._draw_notes(roll, jig, prompt_end_step, bars.start * 72, bars.stop * 72)
    drawn = [notes for _, roll, _ in rows for notes in roll.collections]
    colours = {tuple(colour[:3]) for notes in drawn for colour in notes.get_facecolor().tolist()}
    assert (to_rgb(piano_roll._PROMPT) in colours) == is_given
    assert (to_rgb(piano_roll._NEW) in colours) == is_new
    assert len(figure.axes) == 2  # twelve bars


def test_the_picture(jig: GridNotes, tmp_path: Path) -> None:
    path = tmp_path / "roll.png"
    surprise = surprise_of(jig, 72)
    draw_piano_roll(jig, path, title="Jig", prompt_end_step=72, surprise=surprise)
    first = path.read_bytes()
    assert first.startswith(b"\x89PNG")
    assert b"matplotlib" not in first.lower()
    for colour in (piano_roll._PROMPT, piano_roll._NEW, piano_roll._SURPRISE, piano_roll._ENTROPY):
        assert has_colour(path, colour)
    draw_piano_roll(jig, path, title="Jig", prompt_end_step=72, surprise=surprise)
    assert path.read_bytes() == first


def test_strips_stand_under_their_rolls_on_the_same_time(jig: GridNotes) -> None:
    _, rows = piano_roll._panels(jig, with_strips=True)
    bars = [row.bars for row in rows]
    assert bars == [range(8), range(8, 12)]
    for row in rows:
        assert row.strip is not None
        piano_roll._mark_bars(row.roll, jig, row.bars, with_numbers=True)
        piano_roll._mark_bars(row.strip, jig, row.bars, with_numbers=False)
        assert row.roll.get_xlim() == row.strip.get_xlim() == (row.bars[0] * 72, row.bars.stop * 72)
        above, below = row.roll.get_position(), row.strip.get_position()
        assert (above.x0, above.x1) == (below.x0, below.x1)
        assert above.y0 > below.y1


def test_a_note_over_the_end_of_a_row_goes_on_in_the_next(make_melody: MakeMelody) -> None:
    notes = make_melody([(60, 96 * 7), (62, 96 * 2), (64, 96)])
    drawn = []
    for bars, roll, _ in piano_roll._panels(notes, with_strips=False)[1]:
        piano_roll._draw_notes(roll, notes, 0, bars.start * 96, bars.stop * 96)
        (rectangles,) = roll.collections
        drawn.append([round(path.vertices[:, 1].mean()) for path in rectangles.get_paths()])
    assert drawn == [[60, 62], [62, 64]]


def test_long_pieces_take_more_rows(make_melody: MakeMelody, tmp_path: Path) -> None:
    heights = []
    for n_bars in (8, 9, 40):
        path = tmp_path / f"{n_bars}.png"
        draw_piano_roll(make_melody([(60, 96)] * n_bars), path, title="Long")
        heights.append(height(path))
    row = heights[1] - heights[0]
    assert row > 0
    assert heights[2] - heights[0] == pytest.approx(4 * row, abs=4)


@pytest.mark.parametrize("line", [[], [(60, 1)], [((0, 127), 96)]], ids=["silence", "one", "all"])
def test_any_range_can_be_drawn(make_melody: MakeMelody, tmp_path: Path, line: list) -> None:
    notes = make_melody(line)
    path = tmp_path / "roll.png"
    draw_piano_roll(notes, path, title="", surprise=surprise_of(notes, 0))
    assert 100 < height(path) < 600


def test_pitches_are_named_by_octave(make_melody: MakeMelody) -> None:
    notes = make_melody([(59, 24), (73, 24)])
    ((_, roll, _),) = piano_roll._panels(notes, with_strips=False)[1]
    piano_roll._mark_pitches(roll, notes)
    names = {
        round(y): label.get_text()
        for y, label in zip(roll.get_yticks(), roll.get_yticklabels(), strict=True)
    }
    assert names == {60: "C4", 67: "G4", 72: "C5"}
