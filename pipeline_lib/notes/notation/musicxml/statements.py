"""What a MusicXML score states about transposition, key, metre and tempo, element by element.

Source: the MusicXML 4.0 standard, elements ``transpose``, ``key``, ``time`` and ``metronome``. Where it leaves a choice:

- Keys are those that sound. Modes that MIDI does not know get the major key of their signature; signatures of single
  accidentals (``key-step``) have no name.
- A metre of several numbers is their sum in the smallest of their units: 2/4 + 3/8 is 7/8.
- Where a tempo is written in words, the first number among them counts: "c. 80" is 80.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from pipeline_lib.notes.notation.musicxml.document import Element, decimal, integer
from pipeline_lib.notes.piece import key_name, time_signature_name

QUARTERS_OF_TYPE = {
    "maxima": Fraction(32),
    "long": Fraction(16),
    "breve": Fraction(8),
    "whole": Fraction(4),
    "half": Fraction(2),
    "quarter": Fraction(1),
    "eighth": Fraction(1, 2),
    "16th": Fraction(1, 4),
    "32nd": Fraction(1, 8),
    "64th": Fraction(1, 16),
    "128th": Fraction(1, 32),
    "256th": Fraction(1, 64),
    "512th": Fraction(1, 128),
    "1024th": Fraction(1, 256),
}
_MAX_DOTS = 8
_NUMBER = re.compile(r"\d{1,4}(?:[.,]\d{1,6})?")
_MAX_BEATS = 9999
_MAX_SHARPS = 7


class Transposition(NamedTuple):
    """From written to sounding pitch.

    Parameters
    ----------
    semitones : int
        How much higher it sounds.
    fifths : int
        How many more sharps the sounding key has.
    doubled : int
        Distance of a second note that sounds with each, in semitones; 0: none.
    """

    semitones: int = 0
    fifths: int = 0
    doubled: int = 0


CONCERT_PITCH = Transposition()


def transposition(element: Element) -> tuple[Transposition, bool]:
    """Read a ``transpose``, and whether it is exact (in whole semitones).

    Examples
    --------
    A clarinet in B flat:

    >>> from xml.etree.ElementTree import fromstring
    >>> transposition(fromstring("<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"))
    (Transposition(semitones=-2, fifths=-2, doubled=0), True)
    """
    chromatic = decimal(element.findtext("chromatic") or "0")
    octaves = integer(element.findtext("octave-change") or "0")
    diatonic = integer(element.findtext("diatonic"))
    is_exact = chromatic is not None and octaves is not None and chromatic.denominator == 1
    semitones = nearest_semitone(chromatic or Fraction(0))
    fifths = 7 * semitones - 12 * diatonic if diatonic is not None else 7 * semitones
    if abs(fifths) > _MAX_SHARPS:  # of no instrument: the number of steps is missing or wrong
        fifths = _few(fifths)
    double = element.find("double")
    doubled = 0 if double is None else 12 if double.get("above") == "yes" else -12
    return Transposition(semitones + 12 * (octaves or 0), fifths, doubled), is_exact


def nearest_semitone(alter: Fraction) -> int:
    """The whole semitone nearest to an alteration; of two that are as near the smaller one.

    Examples
    --------
    >>> [nearest_semitone(Fraction(n, 4)) for n in (-3, -2, 0, 1, 2, 3, 4)]
    [-1, 0, 0, 0, 0, 1, 1]
    """
    sign = -1 if alter < 0 else 1
    return sign * math.ceil(abs(alter) - Fraction(1, 2))


def _few(fifths: int) -> int:
    """The enharmonically equal number of fifths with the fewest accidentals."""
    return (fifths + 6) % 12 - 6


def sounding_key(element: Element, transposed: Transposition) -> str | None:
    """Name the sounding key of a ``key``; None where it has no name.

    Examples
    --------
    >>> from xml.etree.ElementTree import fromstring
    >>> sounding_key(fromstring("<key><fifths>2</fifths></key>"), Transposition(-2, -2))
    'C major'
    """
    fifths = integer(element.findtext("fifths"))
    if fifths is None:
        return None
    mode = (element.findtext("mode") or "").strip().lower()
    sounding = fifths + transposed.fifths
    if abs(sounding) > _MAX_SHARPS and transposed.fifths:
        sounding = _few(sounding)
    return key_name(sounding, minor=mode in ("minor", "aeolian"))


class Metre(NamedTuple):
    """A metre's name, where it has one, and the length of a bar, where it has one."""

    name: str | None = None
    bar_quarter: Fraction | None = None


def metre(element: Element) -> Metre:
    """Read a ``time``.

    Examples
    --------
    >>> from xml.etree.ElementTree import fromstring
    >>> metre(fromstring("<time><beats>3+2</beats><beat-type>8</beat-type></time>"))
    Metre(name='5/8', bar_quarter=Fraction(5, 2))
    """
    counts = [_sum(beats.text) for beats in element.iterfind("beats")]
    units = [integer(unit.text) for unit in element.iterfind("beat-type")]
    if not counts or len(counts) != len(units) or not all(counts) or not all(units):
        return Metre()
    smallest = max(unit for unit in units if unit is not None)
    wholes = sum(Fraction(n or 0, unit or 1) for n, unit in zip(counts, units, strict=True))
    beats = Fraction(wholes) * smallest
    if smallest < 1 or not 0 < beats <= _MAX_BEATS:
        return Metre()
    name = time_signature_name(int(beats), smallest) if beats.denominator == 1 else None
    return Metre(name, 4 * Fraction(wholes))


def _sum(text: str | None) -> int | None:
    """The sum of numbers with plus signs between them."""
    terms = [integer(term) for term in (text or "").split("+")]
    return None if None in terms else sum(term or 0 for term in terms)


def dotted(type_name: str | None, n_dots: int) -> Fraction | None:
    """Length in quarter notes of a type of note with dots; None for an unknown type.

    Examples
    --------
    >>> dotted("quarter", 2)
    Fraction(7, 4)
    """
    plain = QUARTERS_OF_TYPE.get((type_name or "").strip())
    if plain is None or n_dots > _MAX_DOTS:
        return None
    return plain * (2 - Fraction(1, 2**n_dots))


def metronome_qpm(element: Element) -> float | None:
    """Tempo of a ``metronome`` in quarter notes per minute; None where it gives no number.

    Examples
    --------
    >>> from xml.etree.ElementTree import fromstring
    >>> mark = "<beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>c. 80</per-minute>"
    >>> metronome_qpm(fromstring(f"<metronome>{mark}</metronome>"))
    120.0
    """
    number = _NUMBER.search(element.findtext("per-minute") or "")
    unit = _beat(list(element))
    if number is None or unit is None:
        return None
    return float(unit) * float(number.group().replace(",", "."))


def _beat(elements: Sequence[Element]) -> Fraction | None:
    """The sum of the notes, tied to each other, that make a beat."""
    total = Fraction(0)
    types: list[tuple[str | None, int]] = []
    for element in elements:
        if element.tag == "beat-unit":
            types.append((element.text, 0))
        elif element.tag == "beat-unit-dot" and types:
            types[-1] = (types[-1][0], types[-1][1] + 1)
        elif element.tag == "beat-unit-tied":
            tied = _beat(list(element))
            if tied is None:
                return None
            total += tied
    lengths = [dotted(*kind) for kind in types]
    if len(lengths) != 1 or lengths[0] is None:
        return None
    return total + lengths[0]
