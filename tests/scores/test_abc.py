"""Tunes are compared with text written by hand, and read back by two readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.notation.files import read_scores
from pipeline_lib.notes.piece import ParsedPiece
from pipeline_lib.scores.abc import write_abc
from pipeline_lib.scores.metre import Metre
from pipeline_lib.scores.notation import write_musicxml
from pipeline_lib.scores.rounding import notated_events
from tests.conftest import MakeMelody

METRES = ("4/4", "3/4", "6/8", "2/2", "5/4", "7/8", "12/8", "3/8")
KEYS = ("C major", "G major", "A major", "C# major", "F major", "Eb major", "Gb major", "D minor")
QUARTERS = (
    (24,),
    (12, 12),
    (18, 6),
    (6, 18),
    (6, 6, 12),
    (3, 3, 18),
    (8, 8, 8),
    (16, 8),
    (8, 4, 4, 8),
)
"""Ways to divide a quarter that a score shows exactly."""


def tune(notes: GridNotes, folder: Path, title: str = "Test") -> str:
    path = folder / "tune.abc"
    write_abc(notes, path, title=title)
    return path.read_bytes().decode("utf-8")


def body(notes: GridNotes, folder: Path) -> str:
    return tune(notes, folder).split("\nK:")[1].split("\n", maxsplit=1)[1].rstrip("\n")


def read_by_us(text: str) -> list[tuple[int, int, int]]:
    """(onset, duration in 24ths of a quarter, pitch)."""
    (piece,) = read_scores(text.encode(), ".abc")
    assert isinstance(piece, ParsedPiece)
    scale = piece.ticks_per_quarter // 24
    columns = (piece.onset_tick // scale, piece.duration_tick // scale, piece.pitch)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def read_by_music21(text: str, kind: str) -> list[tuple[int, int, int]]:
    from music21 import converter

    score = converter.parseData(text, format=kind).stripTies().flatten()
    return sorted(
        (round(element.offset * 24), round(element.quarterLength * 24), pitch.midi)
        for element in score.notes
        for pitch in element.pitches
    )


def notated(notes: GridNotes) -> list[tuple[int, int, int]]:
    return [
        (event.start, event.end - event.start, pitch)
        for event in notated_events(notes, Metre.of(notes.time_signature))
        for pitch in event.pitches
    ]


def rows(notes: GridNotes) -> list[tuple[int, int, int]]:
    columns = (notes.onset_step, notes.duration_step, notes.pitch)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_a_whole_tune(make_melody: MakeMelody, tmp_path: Path) -> None:
    line = [(67, 24), (69, 12), (71, 12), (72, 12), (74, 12), (66, 36), (67, 36)]
    notes = make_melody(line, time_signature="6/8", tempo_qpm=150.0, key_signature="G major")
    assert tune(notes, tmp_path) == (
        "%abc-2.1\nX:1\nT:Test\nM:6/8\nL:1/8\nQ:3/8=100\nK:G\nG2 A Bcd | F3 G3 |]\n"
    )


@pytest.mark.parametrize(
    ("line", "settings", "expected"),
    [
        ([], {}, "z8 |]"),
        ([(60, 24)] * 20, {}, "C2 C2 C2 C2 | " * 3 + "C2 C2 C2 C2 |\nC2 C2 C2 C2 |]"),
        ([(60, 84), (62, 12)], {}, "C4- C3 D |]"),
        ([(60, 72), (62, 48), (64, 72)], {}, "C6 D2- | D2 E6 |]"),
        ([(66, 72), (66, 48), (66, 72)], {}, "^F6 F2- | ^F2 F6 |]"),  # the tie does not carry it
        ([(None, 48), ((60, 64, 67), 96)], {}, "z4 [CEG]4- | [CEG]4 z4 |]"),
        ([(60, 18), (62, 6), (64, 6), (65, 6), (67, 12)], {}, "C3/2D/2 E/2F/2G z4 |]"),
        ([(60, 3), (62, 3), (64, 18)], {}, "C/4D/4E3/2 z2 z4 |]"),
        ([(60, 8), (62, 8), (64, 8), (65, 16), (67, 8)], {}, "(3CDE (3:2:2F2 G z4 |]"),
        ([(60, 4)] * 6 + [(60, 24)], {}, "(3:2:6C/2C/2C/2C/2C/2C/2 C2 z4 |]"),
        ([(60, 16), (62, 16), (64, 16)], {}, "(3:2:2C2 D- (3:2:2D E2 z4 |]"),
        ([(48, 24), (36, 24), (83, 24), (84, 24)], {}, "C,2 C,,2 b2 c'2 |]"),
        ([(60, 12)] * 4, {"time_signature": "2/2"}, "CCCC z4 |]"),
        ([(60, 12)] * 3, {"time_signature": "3/4"}, "CC C z z2 |]"),
        # An accidental holds to the end of the bar, and is cancelled.
        ([(66, 24)] * 2 + [(65, 24), (66, 24), (65, 96)], {}, "^F2 F2 =F2 ^F2 | F8 |]"),
        ([(66, 24), (65, 72)], {"key_signature": "G major"}, "F2 =F6 |]"),
        ([(70, 24), (71, 72)], {"key_signature": "F major"}, "B2 =B6 |]"),
        ([(74, 24), (69, 72)], {"key_signature": "Ab minor"}, "__e2 __B6 |]"),
        # In the other octave and beside chords readers differ: it is written again.
        ([(66, 24), (78, 24), (77, 48)], {}, "^F2 ^f2 =f4 |]"),
        ([((60, 66), 24), (66, 24), ((60, 66), 48)], {}, "[C^F]2 ^F2 [C^F]4 |]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bars(
    make_melody: MakeMelody, tmp_path: Path, line: Any, settings: dict[str, str], expected: str
) -> None:
    notes = make_melody(line, **{"key_signature": "C major", **settings})
    assert body(notes, tmp_path) == expected


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"key_signature": "F# minor"}, "K:F#m"),
        ({"key_signature": "Bb major"}, "K:Bb"),
        ({"key_signature": None}, "K:D"),
        ({"time_signature": "2/2", "tempo_qpm": 120.0}, "Q:1/2=60"),
        ({"time_signature": "12/8", "tempo_qpm": 90.0}, "Q:3/8=60"),
        ({"time_signature": "5/4"}, "M:5/4"),
    ],
)
def test_headers(
    make_melody: MakeMelody, tmp_path: Path, settings: dict[str, Any], field: str
) -> None:
    scale = [(pitch, 24) for pitch in (62, 64, 66, 67, 69, 71, 73, 74, 69, 66, 62)]
    text = tune(make_melody(scale, **settings), tmp_path)
    assert field in text.splitlines()
    (piece,) = read_scores(text.encode(), ".abc")
    assert isinstance(piece, ParsedPiece)
    assert piece.key_signature == settings.get("key_signature", piece.key_signature) or "D major"
    assert piece.time_signature == settings.get("time_signature", "4/4")
    assert piece.tempo_qpm == settings.get("tempo_qpm", 120.0)


def test_a_title_stays_one_line_and_no_comment(make_melody: MakeMelody, tmp_path: Path) -> None:
    text = tune(make_melody([(60, 96)]), tmp_path, title="100 %\nK:F & \\ C")
    assert text.splitlines()[2] == r"T:100 \% K:F \& \\ C"
    assert read_by_us(text) == [(0, 96, 60)]


def test_same_notes_same_bytes(jig: GridNotes, tmp_path: Path) -> None:
    assert tune(jig, tmp_path) == tune(jig, tmp_path)


def test_a_wide_range_is_one_voice(make_melody: MakeMelody, tmp_path: Path) -> None:
    notes = make_melody([((40, 52, 64, 76), 48), (36, 48)])
    text = tune(notes, tmp_path)
    assert "V:" not in text
    assert read_by_us(text) == rows(notes)


@st.composite
def melodies(draw: st.DrawFn) -> GridNotes:
    """One line on a grid where notation is exact; some neighbours are joined, over bar lines too."""
    quarters = draw(st.lists(st.sampled_from(QUARTERS), min_size=1, max_size=16))
    parts = [part for quarter in quarters for part in quarter]
    # None goes on with the note before it, a rest is 0.
    pitch = st.one_of(st.integers(55, 80), st.integers(64, 68), st.none(), st.just(0))
    found: list[list[int]] = []
    now = 0
    for part in parts:
        choice = draw(pitch)
        if choice is None and found and sum(found[-1][:2]) == now:
            found[-1][1] += part
        elif choice:
            found.append([now, part, choice])
        now += part
    columns = np.array(found, np.int64).reshape(-1, 3).T
    return GridNotes(
        *columns,
        steps_per_quarter=24,
        time_signature=draw(st.sampled_from(METRES)),
        key_signature=draw(st.sampled_from(KEYS)),
    )


@pytest.mark.slow
@settings(max_examples=50)
@given(notes=melodies())
def test_melodies_are_read_back(tmp_path_factory: pytest.TempPathFactory, notes: GridNotes) -> None:
    text = tune(notes, tmp_path_factory.mktemp("tune"))
    # In other metres a bar line cuts through the quarters that the melody is made of.
    assert notated(notes) == rows(notes) or Metre.of(notes.time_signature).bar % 24
    assert read_by_us(text) == notated(notes)
    assert read_by_music21(text, "abc") == notated(notes)


@pytest.mark.slow
@settings(max_examples=60)
@given(notes=melodies(), above=st.lists(st.sampled_from((0, 1, 4, 12)), min_size=3, max_size=3))
def test_chords_are_read_back_and_are_those_of_the_score(
    tmp_path_factory: pytest.TempPathFactory, notes: GridNotes, above: list[int]
) -> None:
    pitches = [{p, p + above[number % 3]} for number, p in enumerate(notes.pitch.tolist())]
    found = [
        (onset, duration, pitch)
        for (onset, duration, _), chord in zip(rows(notes), pitches, strict=True)
        for pitch in sorted(chord)
    ]
    columns = np.array(found, np.int64).reshape(-1, 3).T
    chords = GridNotes(*columns, 24, notes.time_signature, 120.0, notes.key_signature)
    folder = tmp_path_factory.mktemp("chords")
    write_musicxml(chords, folder / "score.musicxml", title="Test")
    score = (folder / "score.musicxml").read_text(encoding="utf-8")
    assert read_by_us(tune(chords, folder)) == notated(chords)
    assert read_by_music21(score, "musicxml") == notated(chords)
