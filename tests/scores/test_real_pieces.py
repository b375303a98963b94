"""What is written of real pieces, read back by other people's readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mido
import pretty_midi
import pytest
import verovio

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.midi.files import read_midi, write_midi
from pipeline_lib.notes.notation.files import read_scores
from pipeline_lib.notes.piece import key_sharps
from pipeline_lib.notes.quantising import quantise_ticks
from pipeline_lib.scores.abc import write_abc
from pipeline_lib.scores.metre import Metre
from pipeline_lib.scores.notation import write_musicxml
from pipeline_lib.scores.rounding import notated_events
from pipeline_lib.scores.spelling import key_of
from tests.tokenisers import NOTES

N_TOKENS = 250
FILES = (
    "js-fakes/0.mid",
    "nottingham-melody/ashover1.mid",
    "nottingham-melody/jigs231.mid",
    "nottingham-melody/reelsm-q3.mid",
    "piano-midi-de/alb_esp6.mid",
    "piano-midi-de/chpn-p6.mid",
    "pop909/016.mid",
    "pop909/046.mid",
)
"""Chorales, tunes, piano music as it is played and pop songs: metres 4/4, 3/4, 6/8, 5/8 and 1/4."""

Rows = list[tuple[int, int, int]]
"""(onset, duration, pitch) of each note, in 24ths of a quarter."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(f, marks=() if n < 2 else pytest.mark.slow) for n, f in enumerate(FILES)],
)
def piece(request: pytest.FixtureRequest, test_data: Path) -> GridNotes:
    """A piece as a model would write it: one line of notes and chords."""
    (parsed,) = read_midi((test_data / "midi" / request.param).read_bytes(), ParseConfig())
    onset, end = (
        quantise_ticks(ticks, parsed.ticks_per_quarter, 24)
        for ticks in (parsed.onset_tick, parsed.onset_tick + parsed.duration_tick)
    )
    order = sorted(range(len(parsed)), key=lambda n: (onset[n], parsed.pitch[n]))
    sounding = [n for n in order if end[n] > onset[n]]
    notes = GridNotes(
        onset[sounding], (end - onset)[sounding], parsed.pitch[sounding].astype(int), 24
    )
    return NOTES.decode(
        NOTES.encode(notes)[:N_TOKENS],
        time_signature=parsed.time_signature,
        tempo_qpm=parsed.tempo_qpm,
        key_signature=parsed.key_signature,
    )


@pytest.fixture(scope="module")
def midi_path(piece: GridNotes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("midi") / "piece.mid"
    write_midi(piece, path, track_name="lstm, sample 1", program=24)
    return path


@pytest.fixture(scope="module")
def score_path(piece: GridNotes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("score") / "piece.musicxml"
    write_musicxml(piece, path, title="Test")
    return path


def written(notes: GridNotes) -> Rows:
    columns = (notes.onset_step, notes.duration_step, notes.pitch)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def notated(notes: GridNotes) -> Rows:
    return [
        (event.start, event.end - event.start, pitch)
        for event in notated_events(notes, Metre.of(notes.time_signature))
        for pitch in event.pitches
    ]


def test_midi_is_read_back_by_pretty_midi(piece: GridNotes, midi_path: Path) -> None:
    theirs = pretty_midi.PrettyMIDI(str(midi_path))
    (instrument,) = theirs.instruments
    ticks_per_step = theirs.resolution // 24
    found = [
        (theirs.time_to_tick(note.start), theirs.time_to_tick(note.end), note.pitch)
        for note in instrument.notes
    ]
    assert sorted(found) == [
        (onset * ticks_per_step, (onset + duration) * ticks_per_step, pitch)
        for onset, duration, pitch in written(piece)
    ]
    assert (instrument.name, instrument.program) == ("lstm, sample 1", 24)
    assert theirs.get_tempo_changes()[1].tolist() == pytest.approx([piece.tempo_qpm], abs=1e-3)
    (metre,) = theirs.time_signature_changes
    assert f"{metre.numerator}/{metre.denominator}" == piece.time_signature
    keys = [pretty_midi.key_number_to_key_name(k.key_number) for k in theirs.key_signature_changes]
    assert keys == ([] if piece.key_signature is None else [piece.key_signature.title()])


def test_midi_is_read_back_by_mido(piece: GridNotes, midi_path: Path) -> None:
    file = mido.MidiFile(midi_path)
    sounding: dict[int, int] = {}
    found: Rows = []
    said: dict[str, Any] = {}
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                assert message.note not in sounding
                sounding[message.note] = tick
            elif message.type in ("note_on", "note_off"):
                onset = sounding.pop(message.note)
                found.append((onset, tick - onset, message.note))
            else:
                assert message.time == 0 or message.type == "end_of_track"
                said[message.type] = message
    step = file.ticks_per_beat // 24
    assert sorted(found) == [(o * step, d * step, pitch) for o, d, pitch in written(piece)]
    assert mido.tempo2bpm(said["set_tempo"].tempo) == pytest.approx(piece.tempo_qpm, abs=1e-3)
    metre = said["time_signature"]
    assert f"{metre.numerator}/{metre.denominator}" == piece.time_signature
    assert said["track_name"].name == "lstm, sample 1"
    assert said["program_change"].program == 24
    if piece.key_signature is not None:
        tonic, mode = piece.key_signature.split()
        assert said["key_signature"].key == tonic + ("m" if mode == "minor" else "")


def test_scores_and_tunes_are_read_back(piece: GridNotes, score_path: Path) -> None:
    write_abc(piece, score_path.with_suffix(".abc"), title="Test")
    for path in (score_path, score_path.with_suffix(".abc")):
        (parsed,) = read_scores(path.read_bytes(), path.suffix)
        scale = parsed.ticks_per_quarter // 24
        columns = (parsed.onset_tick // scale, parsed.duration_tick // scale, parsed.pitch)
        assert sorted(zip(*(c.tolist() for c in columns), strict=True)) == notated(piece)
        assert parsed.time_signature == piece.time_signature
        assert key_sharps(parsed.key_signature)[0] == key_sharps(key_of(piece))[0]


def test_scores_have_full_bars_and_no_tuplets_but_triplets(score_path: Path) -> None:
    from music21 import converter

    score = converter.parse(score_path)
    (bar_quarter,) = {
        m.barDuration.quarterLength for m in score.recurse().getElementsByClass("TimeSignature")
    }
    lengths = {m.highestTime for m in score.recurse().getElementsByClass("Measure")}
    assert lengths == {bar_quarter}
    # A rest of a whole bar has no note value, whatever the metre.
    durations = [
        element.duration
        for element in score.recurse().notesAndRests
        if not (element.isRest and element.quarterLength == bar_quarter)
    ]
    tuplets = [tuplet for duration in durations for tuplet in duration.tuplets]
    assert {(t.numberNotesActual, t.numberNotesNormal) for t in tuplets} <= {(3, 2)}
    assert all(d.type not in ("complex", "inexpressible") for d in durations)
    assert max(d.dots for d in durations) <= 1


def test_scores_are_engraved_without_a_warning(
    score_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = score_path.read_text(encoding="utf-8")
    toolkit = verovio.toolkit(False)
    toolkit.setResourcePath(str(Path(verovio.__file__).parent / "data"))
    verovio.enableLog(verovio.LOG_WARNING)
    try:
        assert toolkit.loadData(text)
        assert toolkit.getPageCount() > 0
        assert capfd.readouterr().err == ""
        # This is where Verovio would have complained.
        toolkit.loadData(text.replace("<type>16th</type>", "<type>17th</type>"))
        assert ("17th" in capfd.readouterr().err) == ("<type>16th</type>" in text)
    finally:
        verovio.enableLog(verovio.LOG_OFF)
