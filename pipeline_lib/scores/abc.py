"""Tunes in ABC: notes on the grid -> text.

Source: the ABC music standard 2.1 (December 2011), abcnotation.com/wiki/abc:standard:v2.1.

- It shows what the score shows, from the same bars (see `notation`), always in one voice.
- An accidental is written wherever some reader would miss it. By the standard it holds to the end of the bar in all
  octaves, in print in one; music21 carries none into chords or out of them, and of two sharps only one. Nor do all
  readers carry it over a bar line by a tie.
- music21 reads the ties of single notes and drops those of chords; our own reader joins both.
- Notes under one beam are written without spaces between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.scores.beams import beams
from pipeline_lib.scores.metre import TICKS_PER_QUARTER, Metre, Value
from pipeline_lib.scores.rounding import notated_events
from pipeline_lib.scores.spelling import (
    Accidentals,
    PitchName,
    all_octaves,
    key_of,
    one_octave,
    spelled,
)

_BARS_PER_LINE = 4
_UNIT = TICKS_PER_QUARTER // 2
"""Length of a note that is written without a number, in ticks: an eighth."""
_SIGNS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_OCTAVE_OF_CAPITALS = 4


def write_abc(notes: GridNotes, path: Path, *, title: str) -> None:
    """Write a piece as a tune in ABC; equal notes give equal bytes.

    Parameters
    ----------
    notes : GridNotes
        Barred by its time signature; spelled by its key, or by an estimate where it has none.
    path : Path
        The ``.abc`` file to write.
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
    ...     path = Path(folder) / "bar.abc"
    ...     write_abc(notes, path, title="One bar")
    ...     print(path.read_text())
    %abc-2.1
    X:1
    T:One bar
    M:4/4
    L:1/8
    Q:1/4=120
    K:G
    G2 AB F4 |]
    <BLANKLINE>
    """
    metre = Metre.of(notes.time_signature)
    key = key_of(notes)
    bars = [_bar(values, key, metre) for values in metre.bars(notated_events(notes, metre))]
    lines = [
        " | ".join(bars[first : first + _BARS_PER_LINE])
        for first in range(0, len(bars), _BARS_PER_LINE)
    ]
    text = "\n".join([*_header(notes, key, metre, title), " |\n".join(lines)])
    path.write_text(f"{text} |]\n", encoding="utf-8", newline="\n")


def _header(notes: GridNotes, key: str, metre: Metre, title: str) -> Iterator[str]:
    tonic, mode = key.split()
    beat = Fraction(metre.beat, 4 * TICKS_PER_QUARTER)
    yield "%abc-2.1"
    yield "X:1"
    yield f"T:{_escaped(title)}"
    yield f"M:{notes.time_signature}"
    yield "L:1/8"
    yield f"Q:{beat}={metre.beats_per_minute(notes.tempo_qpm)}"
    yield f"K:{tonic}{'m' if mode == 'minor' else ''}"


def _escaped(title: str) -> str:
    """Title on one line, escaped so that nothing in it begins a comment or a special character."""
    return re.sub(r"([\\%&])", r"\\\1", " ".join(title.split()))


def _bar(values: Sequence[Value], key: str, metre: Metre) -> str:
    """Text of a bar: its notes, chords and rests."""
    words = zip(_tuplets(values), _sounds(values, key), values, strict=True)
    texts = [
        f"{tuplet}{sound}{_length(value)}{'-' if value.tied_to else ''}"
        for tuplet, sound, value in words
    ]
    drawn = beams(values, [value.n_flags for value in values], metre)
    goes_on = [bool(kinds) and kinds[0] in ("start", "continue") for kinds in drawn]
    return "".join(
        text if joined else f"{text} " for text, joined in zip(texts, goes_on, strict=True)
    ).rstrip()


def _tuplets(values: Sequence[Value]) -> Iterator[str]:
    """Mark before each value, empty or such as "(3": so many values from here on take two thirds of their length."""
    closings = [position for position, value in enumerate(values) if value.closes_tuplet]
    for position, value in enumerate(values):
        if not value.opens_tuplet:
            yield ""
            continue
        n_values = next(closing for closing in closings if closing >= position) + 1 - position
        yield "(3" if n_values == 3 else f"(3:2:{n_values}"


def _sounds(values: Sequence[Value], key: str) -> Iterator[str]:
    """Text of each note, chord and rest of a bar, without its length."""
    in_print, by_standard = Accidentals(key, one_octave), Accidentals(key, all_octaves)
    without_chords = Accidentals(key, all_octaves)
    for value in values:
        is_chord = len(value.pitches) > 1
        notes = ""
        for pitch in value.pitches:
            of_music21 = Accidentals(key, all_octaves) if is_chord else without_chords
            notes += _note(spelled(pitch, key), (in_print, by_standard, of_music21))
        yield f"[{notes}]" if is_chord else notes or "z"


def _note(name: PitchName, readings: Sequence[Accidentals]) -> str:
    """Text of a note, with its accidental where any reading needs it or where it is a double one."""
    needed = [reading.needs(name) for reading in readings]  # each has to hear of every note
    sign = _SIGNS[name.alter] if any(needed) or abs(name.alter) == 2 else ""
    above = name.octave - _OCTAVE_OF_CAPITALS
    if above > 0:
        return sign + name.letter.lower() + "'" * (above - 1)
    return sign + name.letter + "," * -above


def _length(value: Value) -> str:
    """Text of a value's length in multiples of the unit, such as "", "3", "/2" or "3/2"."""
    units = Fraction(value.written_length, _UNIT)
    above = "" if units.numerator == 1 else str(units.numerator)
    return above if units.denominator == 1 else f"{above}/{units.denominator}"
