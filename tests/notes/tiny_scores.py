"""Notes of scores as text, in the form of `tests/notes/cases/expected.json`."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from pipeline_lib.notes.piece import ParsedPiece


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
