"""Scores are read back by another program's reader, so that nobody marks their own work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.scores.beams import beams
from pipeline_lib.scores.engraving import engrave
from pipeline_lib.scores.metre import Event, Metre, Value
from pipeline_lib.scores.notation import write_musicxml
from pipeline_lib.scores.rounding import notated_events
from tests.conftest import MakeMelody


def score_of(notes: GridNotes, folder: Path) -> Any:
    from music21 import converter

    path = folder / "score.musicxml"
    write_musicxml(notes, path, title="Test")
    return converter.parse(path)


def names_of(notes: GridNotes, folder: Path) -> list[str]:
    return [pitch.nameWithOctave for pitch in score_of(notes, folder).pitches]


def sounding(notes: GridNotes, folder: Path) -> list[tuple[int, int, list[int]]]:
    """(onset, duration in 24ths of a quarter, pitches) after ties are joined."""
    score = score_of(notes, folder).stripTies().flatten()
    return [
        (
            round(element.offset * 24),
            round(element.quarterLength * 24),
            sorted(pitch.midi for pitch in element.pitches),
        )
        for element in score.notes
    ]


def test_a_jig_survives_the_round_trip(jig: GridNotes, tmp_path: Path) -> None:
    expected = list(
        zip(jig.onset_step, jig.duration_step, ([pitch] for pitch in jig.pitch), strict=True)
    )
    assert sounding(jig, tmp_path) == expected


@pytest.mark.parametrize(
    "line",
    [
        [(60, 84), (62, 108)],  # ties over the bar line, values without a note of their own
        [(60, 30), (62, 66)],
        [(60, 8), (62, 8), (64, 8), (65, 16), (67, 8), (69, 48)],  # triplets
        [(60, 16), (62, 16), (64, 16), (65, 48)],  # triplets across beats
        [(60, 4), (62, 20), (64, 72)],
        [(None, 12), ((60, 64, 67), 36), (None, 48), (72, 96)],
        [(60, 492)],
    ],
    ids=str,
)
@pytest.mark.parametrize("time_signature", ["4/4", "3/4", "6/8", "7/8", "2/2", "12/8"])
def test_values_on_the_printable_grid_are_exact(
    make_melody: MakeMelody, tmp_path: Path, line: Any, time_signature: str
) -> None:
    notes = make_melody(line, time_signature=time_signature, key_signature="C major")
    expected = [
        (
            int(onset),
            int(notes.duration_step[notes.onset_step == onset][0]),
            notes.pitch[notes.onset_step == onset].tolist(),
        )
        for onset in np.unique(notes.onset_step)
    ]
    assert sounding(notes, tmp_path) == expected


def test_every_bar_is_full(make_melody: MakeMelody, tmp_path: Path) -> None:
    notes = make_melody(
        [(60, 5), (62, 7), (64, 8), (None, 11), (65, 70), (67, 1)], time_signature="3/4"
    )
    for measure in score_of(notes, tmp_path).recurse().getElementsByClass("Measure"):
        assert measure.highestTime == 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("time_signature", ["4/4", "6/8", "5/8", "3/16", "1/4"])
def test_any_durations_can_be_written(
    make_melody: MakeMelody, tmp_path: Path, seed: int, time_signature: str
) -> None:
    rng = np.random.default_rng(seed)
    line = [
        (int(p), int(d))
        for p, d in zip(rng.integers(0, 128, 40), rng.integers(1, 60, 40), strict=True)
    ]
    notes = make_melody(line, time_signature=time_signature)
    path = tmp_path / "score.musicxml"
    write_musicxml(notes, path, title="Test")
    assert "<svg" in engrave(path.read_text(encoding="utf-8"), seed=1).svg


@pytest.mark.parametrize("line", [[], [(60, 1)]], ids=["silence", "one note"])
def test_short_pieces_have_one_bar(make_melody: MakeMelody, tmp_path: Path, line: Any) -> None:
    score = score_of(make_melody(line), tmp_path)
    assert len(list(score.recurse().getElementsByClass("Measure"))) == 1


def test_odd_durations_are_rounded_to_what_can_be_printed(make_melody: MakeMelody) -> None:
    # 5 and 7 ticks fit thirty-seconds (6 + 6) better than triplet sixteenths (4 + 8).
    notes = make_melody([(60, 5), (62, 7), (64, 12)])
    events = notated_events(notes, Metre.of("4/4"))
    assert events == [Event(0, 6, (60,)), Event(6, 12, (62,)), Event(12, 24, (64,))]


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("G major", ["F#4", "C#4", "B-4"]),
        ("Bb major", ["F#4", "D-4", "B-4"]),
        ("Ab major", ["G-4", "D-4", "B-4"]),
        ("E minor", ["F#4", "C#4", "B-4"]),
        ("E major", ["F#4", "C#4", "A#4"]),
    ],
)
def test_notes_are_spelled_to_the_key(
    make_melody: MakeMelody, tmp_path: Path, key: str, names: list[str]
) -> None:
    notes = make_melody([(66, 24), (61, 24), (70, 24)], key_signature=key)
    assert names_of(notes, tmp_path) == names


def test_enharmonic_octaves(make_melody: MakeMelody, tmp_path: Path) -> None:
    flats = make_melody([(71, 24)], key_signature="Gb major")
    sharps = make_melody([(72, 24)], key_signature="C# major")
    assert names_of(flats, tmp_path) == ["C-5"]
    assert names_of(sharps, tmp_path) == ["B#4"]


def test_accidentals_are_printed_once_and_cancelled(
    make_melody: MakeMelody, tmp_path: Path
) -> None:
    # F natural in G major, again, F sharp again; next bar F sharp needs nothing.
    notes = make_melody([(65, 24), (65, 24), (66, 48), (66, 96)], key_signature="G major")
    path = tmp_path / "score.musicxml"
    write_musicxml(notes, path, title="Test")
    text = path.read_text(encoding="utf-8")
    assert text.count("<accidental>") == 2
    assert text.index("<accidental>natural") < text.index("<accidental>sharp")


def test_key_is_estimated_where_unknown(make_melody: MakeMelody, tmp_path: Path) -> None:
    scale = [(pitch, 24) for pitch in (62, 64, 66, 67, 69, 71, 73, 74, 69, 66, 62)]
    score = score_of(make_melody(scale, key_signature=None), tmp_path)
    assert score.recurse().getElementsByClass("KeySignature").first().sharps == 2


def test_wide_ranges_take_two_staves(make_melody: MakeMelody, tmp_path: Path) -> None:
    score = score_of(make_melody([((40, 52, 64, 76), 96)]), tmp_path)
    assert [sorted(p.midi for p in part.pitches) for part in score.parts] == [[64, 76], [40, 52]]


@pytest.mark.parametrize(
    ("time_signature", "start", "length", "pieces"),
    [
        ("4/4", 12, 24, [24]),  # a syncopation within half a bar
        ("4/4", 36, 24, [12, 12]),  # hides the middle of the bar
        ("4/4", 24, 48, [48]),  # hides it, but from beat to beat
        ("6/8", 24, 24, [12, 12]),  # hides the second beat
        ("6/8", 0, 72, [72]),
        ("3/4", 0, 72, [72]),
    ],
)
def test_metre_stays_readable(
    time_signature: str, start: int, length: int, pieces: list[int]
) -> None:
    bars = Metre.of(time_signature).bars([Event(start, start + length, (60,))])
    assert [value.length for bar in bars for value in bar if value.pitches] == pieces


def test_same_notes_same_bytes(jig: GridNotes, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.musicxml", "b.musicxml")]
    for path in paths:
        write_musicxml(jig, path, title="Test")
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert b"encoding-date" not in first
    assert b"music21" not in first


def test_engraving_is_reproducible_and_timed(jig: GridNotes, tmp_path: Path) -> None:
    path = tmp_path / "score.musicxml"
    write_musicxml(jig, path, title="Test")
    text = path.read_text(encoding="utf-8")
    engraving = engrave(text, seed=1)
    assert engraving == engrave(text, seed=1)
    lit = [element for *_, elements in engraving.highlights for element in elements]
    assert len(lit) == len(jig)
    assert all(f'id="{element}"' in engraving.svg for element in lit)
    assert not {f'id="{element}"' in engrave(text, seed=2).svg for element in lit} - {False}
    assert engraving.highlights[-1][1] == pytest.approx(jig.duration_sec, abs=0.01)


@pytest.mark.parametrize(
    ("time_signature", "lengths", "expected"),
    [
        ("4/4", [12] * 4, [["start"], ["stop"]] * 2),
        ("6/8", [12] * 6, [["start"], ["continue"], ["stop"]] * 2),
        ("3/8", [12] * 3, [["start"], ["continue"], ["stop"]]),
        ("4/4", [18, 6], [["start"], ["stop", "partial left"]]),
        ("4/4", [6, 12, 6], [["start", "partial right"], ["continue"], ["stop", "partial left"]]),
        ("4/4", [24, 12], [[], []]),  # a lone eighth keeps its flag
    ],
)
def test_beams(time_signature: str, lengths: list[int], expected: list[list[str]]) -> None:
    starts = np.cumsum([0, *lengths])[:-1].tolist()
    values = [Value(start, length, (60,)) for start, length in zip(starts, lengths, strict=True)]
    n_flags = [{6: 2, 12: 1, 18: 1, 24: 0}[length] for length in lengths]
    assert beams(values, n_flags, Metre.of(time_signature)) == expected


def test_a_score_is_the_same_in_a_thread_as_in_the_main_one(jig: GridNotes, tmp_path: Path) -> None:
    # Stages run in threads; Verovio finds its fonts in the main thread only unless it is told.
    path = tmp_path / "score.musicxml"
    write_musicxml(jig, path, title="In a thread")
    text = path.read_text(encoding="utf-8")
    with ThreadPoolExecutor(1) as pool:
        in_thread = pool.submit(engrave, text, seed=1).result()
    assert in_thread == engrave(text, seed=1)
    assert in_thread.svg.count("<use") > 4
