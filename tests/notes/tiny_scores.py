"""Notes of scores as text, in the form of `tests/notes/cases/expected.json`."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from pipeline_lib.notes.piece import ParsedPiece

MUSICXML = b"""<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="3.1">
  <part-list>
    <score-part id="P1"><part-name>Flute</part-name>
      <score-instrument id="I1"><instrument-name>Flute</instrument-name></score-instrument>
      <midi-instrument id="I1"><midi-channel>1</midi-channel><midi-program>74</midi-program></midi-instrument>
    </score-part>
    <score-part id="P2"><part-name>Bass</part-name></score-part>
  </part-list>
  <part id="P1"><measure number="1">
    <attributes><divisions>3</divisions><time><beats>2</beats><beat-type>4</beat-type></time></attributes>
    <note><pitch><step>C</step><octave>5</octave></pitch><duration>2</duration><type>quarter</type>
      <time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification></note>
    <note><pitch><step>D</step><octave>5</octave></pitch><duration>1</duration><type>eighth</type>
      <time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification></note>
    <note><pitch><step>E</step><octave>5</octave></pitch><duration>3</duration><type>quarter</type></note>
  </measure></part>
  <part id="P2"><measure number="1">
    <attributes><divisions>3</divisions></attributes>
    <note><pitch><step>C</step><octave>3</octave></pitch><duration>6</duration><type>half</type></note>
  </measure></part>
</score-partwise>
"""
"""Two parts: a triplet above a half note."""


def as_text(piece: ParsedPiece) -> str:
    """Each note as pitch:onset+duration, in quarter notes, sorted by onset, then pitch."""
    return _joined(
        (
            Fraction(int(onset), piece.ticks_per_quarter),
            int(pitch),
            Fraction(int(n), piece.ticks_per_quarter),
        )
        for onset, pitch, n in zip(piece.onset_tick, piece.pitch, piece.duration_tick, strict=True)
    )


def in_order(notes: str) -> str:
    """Notes of that form, sorted."""
    found = []
    for note in notes.split():
        pitch, times = note.split(":")
        onset, duration = times.split("+")
        found.append((Fraction(onset), int(pitch), Fraction(duration)))
    return _joined(found)


def line(pitches: str) -> str:
    """A line of quarter notes, one after another, given by their pitches; a dot is a rest."""
    notes = enumerate(pitches.split())
    return " ".join(f"{pitch}:{onset}+1" for onset, pitch in notes if pitch != ".")


def _joined(notes: Iterable[tuple[Fraction, int, Fraction]]) -> str:
    return " ".join(f"{pitch}:{onset}+{duration}" for onset, pitch, duration in sorted(notes))
