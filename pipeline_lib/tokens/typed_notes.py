"""Notes as people type them: ``C4:1 F#4:0.5 R:1/2 C4+E4+G4:3/2``.

- Items stand apart by blanks and sound one after another.
- A note is a letter, an accidental (``#``, ``b``, ``##``, ``bb``) and an octave. C4 is middle C, pitch 60, as in
  scientific pitch notation (Young, "Terminology for logarithmic frequency units", 1939); so the octave of Cb4 is
  that of C4, a semitone above Cb4 itself.
- Notes that begin together are joined by ``+``; ``R`` is a rest.
- Behind a colon comes the duration in quarter notes, as a decimal number or a fraction.
"""

from __future__ import annotations

import re
from fractions import Fraction

from pipeline_lib.errors import ConfigError
from pipeline_lib.tokens.tokenisers.base import MAX_PITCH, Tokeniser

_TYPED = re.compile(r"(?:^|\s)[^\s:/\\]*:[-+]?\.?\d")
"""Pattern of a name and the beginning of a duration: no path has both, but for rare ones such as ``a:1``."""

_NOTE = re.compile(r"([A-G])(##?|bb?)?(-?\d)")
_DURATION = re.compile(r"[-+]?(\d+/\d+|\d+\.?\d*|\.\d+)", re.ASCII)
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_OCTAVE = 12
_REST = "R"


def looks_typed(text: str) -> bool:
    """Whether a text is meant as typed notes, with or without mistakes.

    Examples
    --------
    >>> looks_typed("C4:1 H4:1"), looks_typed("tunes/reel.mid")
    (True, False)
    """
    return _TYPED.search(text) is not None


def parse_typed_notes(text: str, tokeniser: Tokeniser) -> list[str]:
    """Read typed notes as tokens.

    Parameters
    ----------
    text : str
        Items as they were typed, such as "C4:1 R:1/2".
    tokeniser : Tokeniser
        What writes the tokens. Durations have to be on its grid, and no longer than its longest.

    Raises
    ------
    ConfigError
        An item is wrong; says which, where and how.

    Examples
    --------
    >>> from pipeline_lib.config import NoteEventConfig
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> parse_typed_notes("C4:1 R:0.5 C4+E4:3/2", make_tokeniser(NoteEventConfig()))
    ['Pitch_60:1', 'Rest:1/2', 'Chord_60.64:3/2']
    """
    items = text.split()
    longest_quarter = tokeniser.config.max_duration_quarter
    tokens: list[str] = []
    for position, item in enumerate(items, start=1):
        try:
            name, colon, duration_text = item.partition(":")
            if not colon:
                raise ValueError("it has no colon and duration")
            pitches = () if name == _REST else tuple(map(parse_pitch, name.split("+")))
            duration_step = _duration_step(
                duration_text, tokeniser.steps_per_quarter, longest_quarter
            )
        except ValueError as error:
            raise ConfigError(
                f"item {position} of {len(items)} of the typed prompt, {item!r}: {error}",
                remedy="type notes as C4:1, F#5:0.5 or Bb3:1/3, chords as C4+E4+G4:1, rests as R:1/2; "
                "durations are in quarter notes",
            ) from None
        tokens += tokeniser.event(pitches, duration_step)
    return tokens


def typed_note(token: str, tokeniser: Tokeniser) -> str:
    """Write a token as it would be typed, with sharps; one that is no whole event is returned as it is.

    Examples
    --------
    >>> from pipeline_lib.config import NoteEventConfig
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> typed_note("Chord_60.64.67:1/2", make_tokeniser(NoteEventConfig()))
    'C4+E4+G4:1/2'
    """
    described = tokeniser.describe(token)
    if not described.is_event:
        return token
    name = "+".join(map(_name, described.pitches)) or _REST
    return f"{name}:{Fraction(described.advance_step, tokeniser.steps_per_quarter)}"


def parse_pitch(name: str) -> int:
    """Read a name and octave as a MIDI pitch.

    Raises
    ------
    ValueError
        The name is no note, or out of range; says why.

    Examples
    --------
    >>> parse_pitch("C4"), parse_pitch("F#4"), parse_pitch("Cb4")
    (60, 66, 59)
    """
    found = _NOTE.fullmatch(name)
    if not found:
        raise ValueError(f"{name!r} is no note: A to G, then #, b, ## or bb if any, then an octave")
    letter, accidental, octave = found.groups(default="")
    alteration = accidental.count("#") - accidental.count("b")
    pitch = (int(octave) + 1) * _OCTAVE + _SEMITONES[letter] + alteration
    if not 0 <= pitch <= MAX_PITCH:
        raise ValueError(f"{name} is pitch {pitch}; pitches are 0 (C-1) to {MAX_PITCH} (G9)")
    return pitch


def _name(pitch: int) -> str:
    octave, semitones = divmod(pitch, _OCTAVE)
    return f"{_NAMES[semitones]}{octave - 1}"


def _duration_step(text: str, steps_per_quarter: int, max_duration_quarter: int) -> int:
    # Not whatever `Fraction` reads: 1e999999999 would fill the memory.
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration, such as 1, 0.5 or 1/3")
    try:
        duration_quarter = Fraction(text)
    except ZeroDivisionError:
        raise ValueError(f"{text!r} divides by zero") from None
    if duration_quarter <= 0:
        raise ValueError(f"a duration of {text} is not above zero")
    if duration_quarter > max_duration_quarter:
        raise ValueError(f"a duration of {text} is above {max_duration_quarter} quarter notes")
    duration = duration_quarter * steps_per_quarter
    if duration.denominator != 1:
        on_grid = Fraction(max(round(duration), 1), steps_per_quarter)
        raise ValueError(
            f"a duration of {text} is not on the grid of {steps_per_quarter} steps per quarter note; "
            f"the nearest that is: {on_grid}"
        )
    return int(duration)
