"""Scores: notes on the grid -> MusicXML (through music21).

What a score can and cannot show:

- It is one line of notes and chords, as the tokens are: a note that sounds into the next onset is written
  up to that onset. A wide range is written on two staves, divided at middle C.
- Each quarter note is divided into thirty-seconds or into triplet sixteenths, whichever fits its onsets
  better, and times in between are rounded. So a score of unquantised notes is close, not exact; MIDI and
  audio are exact.
- Notes are spelled to the key, stated or estimated: see `spelling`.
- No dates, no software versions: the same notes give the same bytes.

music21 takes seconds to import and is imported when the first score is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.scores.beams import beams
from pipeline_lib.scores.metre import TICKS_PER_QUARTER, Event, Metre, Value
from pipeline_lib.scores.rounding import notated_events
from pipeline_lib.scores.spelling import (
    Accidentals,
    PitchName,
    key_of,
    n_sharps,
    one_octave,
    spelled,
)

_GRAND_STAFF_BELOW, _GRAND_STAFF_ABOVE = 52, 64
"""Pitches E3 and E4: music that reaches below the one and above the other is written on two staves."""
_MIDDLE_C = 60


def write_musicxml(notes: GridNotes, path: Path, *, title: str) -> None:
    """Write the score of a piece as MusicXML; equal notes give equal bytes.

    Parameters
    ----------
    notes : GridNotes
        Barred by its time signature; spelled by its key, or by an estimate where it has none.
    path : Path
        The ``.musicxml`` file to write.
    title : str
        The title in the file.

    Examples
    --------
    A quarter note, two eighths and a half note:

    >>> import tempfile
    >>> import numpy as np
    >>> notes = GridNotes(
    ...     onset_step=np.array([0, 4, 6, 8]),
    ...     duration_step=np.array([4, 2, 2, 8]),
    ...     pitch=np.array([67, 69, 71, 66]),
    ...     steps_per_quarter=4,
    ...     key_signature="G major",
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "bar.musicxml"
    ...     write_musicxml(notes, path, title="One bar")
    ...     text = path.read_text()
    >>> re.findall("<type>(.*)</type>", text), re.findall("<fifths>(.*)</fifths>", text)
    (['quarter', 'eighth', 'eighth', 'half'], ['1'])
    """
    path.write_bytes(to_musicxml(notes, title=title).encode())


def to_musicxml(notes: GridNotes, *, title: str) -> str:
    """The score of a piece as MusicXML; the parameters are those of `write_musicxml`."""
    from music21 import metadata, stream
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    metre = Metre.of(notes.time_signature)
    score = stream.Score(id="score")
    score.metadata = metadata.Metadata(title=title)
    for part in _parts(notes, metre):
        score.append(part)
    for group in _brace(list(score.parts)):
        score.insert(0, group)
    exporter = GeneralObjectExporter(score)
    exporter.makeNotation = False  # all of it is made here
    xml: bytes = _without_provenance(exporter.parse())
    return xml.decode()


def _parts(notes: GridNotes, metre: Metre) -> Iterator[Any]:
    """Staves of a piece: one, or two for a wide range."""
    from music21 import clef

    events = notated_events(notes, metre)
    piece_key = key_of(notes)
    pitches = sorted(pitch for event in events for pitch in event.pitches)
    if pitches and pitches[0] < _GRAND_STAFF_BELOW and pitches[-1] > _GRAND_STAFF_ABOVE:
        upper = [event.within(_MIDDLE_C, 127) for event in events]
        lower = [event.within(0, _MIDDLE_C - 1) for event in events]
        yield _part("P1", upper, clef.TrebleClef(), piece_key, notes, metre)
        yield _part("P2", lower, clef.BassClef(), piece_key, notes, metre)
    else:
        is_low = bool(pitches) and pitches[len(pitches) // 2] < _MIDDLE_C - 3
        sign = clef.BassClef() if is_low else clef.TrebleClef()
        yield _part("P1", events, sign, piece_key, notes, metre)


def _part(
    name: str, events: list[Event], sign: Any, piece_key: str, notes: GridNotes, metre: Metre
) -> Any:
    from music21 import bar, key, meter, stream

    part = stream.PartStaff(id=name)
    part.insert(0, _instrument(name))
    for number, values in enumerate(metre.bars(events), start=1):
        measure = stream.Measure(number=number)
        if number == 1:
            measure.append(
                [
                    sign,
                    key.KeySignature(n_sharps(piece_key)),
                    meter.TimeSignature(notes.time_signature),
                ]
            )
            if name == "P1":
                measure.insert(0, _tempo(notes.tempo_qpm, metre))
        measure.append(_elements(values, piece_key, metre))
        part.append(measure)
    part.getElementsByClass(stream.Measure).last().rightBarline = bar.Barline("final")
    return part


def _elements(values: list[Value], piece_key: str, metre: Metre) -> list[Any]:
    """Notes, chords and rests of a bar as music21 has them, with beams and accidentals."""
    accidentals = Accidentals(piece_key, one_octave)
    elements = [_element(value, piece_key, accidentals) for value in values]
    n_flags = [value.n_flags for value in values]
    for element, kinds in zip(elements, beams(values, n_flags, metre), strict=True):
        for kind in kinds:
            element.beams.append(*kind.split())
    return elements


def _instrument(part_name: str) -> Any:
    """Instrument that carries the ids of a part, which music21 would draw at random."""
    from music21 import instrument

    sound = instrument.Instrument()
    sound.partId = part_name
    sound.instrumentId = f"I-{part_name}"
    return sound


def _tempo(tempo_qpm: float, metre: Metre) -> Any:
    """Metronome mark in beats, such as dotted quarter = 120."""
    from music21 import duration, tempo

    beat = duration.Duration(Fraction(metre.beat, TICKS_PER_QUARTER))
    return tempo.MetronomeMark(referent=beat, number=metre.beats_per_minute(tempo_qpm))


def _element(value: Value, piece_key: str, accidentals: Accidentals) -> Any:
    from music21 import chord, duration, note, tie

    pitches = [
        _pitch(spelled(pitch, piece_key), accidentals, is_tied=value.tied_from)
        for pitch in value.pitches
    ]
    element: Any
    if not pitches:
        element = note.Rest()
    elif len(pitches) == 1:
        element = note.Note(pitches[0])
    else:
        element = chord.Chord(pitches)
    element.duration = duration.Duration(Fraction(value.length, TICKS_PER_QUARTER))
    if value.tied_from or value.tied_to:
        kinds = {(False, True): "start", (True, True): "continue", (True, False): "stop"}
        element.tie = tie.Tie(kinds[value.tied_from, value.tied_to])
    if element.duration.tuplets:
        edges = {(True, False): "start", (False, True): "stop"}
        element.duration.tuplets[0].type = edges.get((value.opens_tuplet, value.closes_tuplet))
    return element


def _pitch(name: PitchName, accidentals: Accidentals, *, is_tied: bool) -> Any:
    """Pitch that prints its accidental where it needs one; a note that is tied to prints none."""
    from music21 import pitch

    is_shown = not is_tied and accidentals.needs(name)
    accidental = pitch.Accidental(name.alter) if name.alter or is_shown else None
    if accidental is not None:
        accidental.displayStatus = is_shown
    return pitch.Pitch(step=name.letter, accidental=accidental, octave=name.octave)


def _brace(parts: list[Any]) -> list[Any]:
    from music21 import layout

    return [layout.StaffGroup(parts, symbol="brace")] if len(parts) > 1 else []


def _without_provenance(xml: bytes) -> bytes:
    """Drop who wrote the file, when and with what: it would change from day to day."""
    return re.sub(rb"\s*<identification>.*?</identification>", b"", xml, flags=re.DOTALL)
