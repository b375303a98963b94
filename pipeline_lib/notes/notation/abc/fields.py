"""The information fields of ABC that change what sounds: key, metre, unit length, tempo, order of parts, voice.

Source: the ABC standard 2.1 (https://abcnotation.com/wiki/abc:standard:v2.1), sections 3.1, 4.6 and 10.
A field that makes no sense raises ValueError, which says what was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from pipeline_lib.notes.notation.letters import MINOR_MODES, key_signature_sharps
from pipeline_lib.notes.piece import key_name, key_sharps, time_signature_name

_SHARP_ORDER = "FCGDAEB"
_MAX_SHARPS = 7
_PIPES = {"F": 1, "C": 1}
"""Accidentals of the Highland bagpipe (``K:HP`` and ``K:Hp``), whether or not the signature is shown."""

_TONIC = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)")
_ACCIDENTAL = re.compile(r"(\^\^|__|\^|_|=)([A-Ga-g])$")
ALTERATIONS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}

_CLEFS = ("treble", "bass", "alto", "tenor", "soprano", "mezzo", "baritone", "perc", "clef")
_PROPERTY = re.compile(
    r"""\b(clef|octave|transpose|t|middle|m|name|nm|sname|subname|snm|stems?|stafflines|staffscale|style|gstem"""
    r"""|dyn|lyrics|cue|instrument|scale|space|score|sound|shift)\s*=\s*("[^"]*"|\S+)""",
    re.IGNORECASE,
)
"""A property of a key or voice. Names of others may be keys: in ``Dmix=c`` the sign belongs to the note."""
_OCTAVE_CLEF = re.compile(
    r"(?:treble|alto|tenor|bass|soprano|mezzosoprano|baritone|[GCFgcf])\d?([+-])8\b"
)
_MAX_OCTAVES = 5
_MAX_SEMITONES = 60

_FRACTION = re.compile(r"(\d{1,6})\s*/\s*(\d{1,6})")
_COMMON_TIME = {"C": (4, 4), "C|": (2, 2), "c": (4, 4), "c|": (2, 2)}
_MAX_ORDER = 1_000
"""The most sections that an order of parts may name, repeats counted."""
_MAX_GROUPS = 20
"""The most groups within groups of such an order."""

_SHORT_METRE = Fraction(3, 4)
"""Metres below it have sixteenths as their unit, unless the tune says otherwise; all others eighths."""


@dataclass(frozen=True)
class Key:
    """What a ``K:`` field says.

    Parameters
    ----------
    alterations : dict
        Semitones by which each letter (``"A"`` to ``"G"``) is raised; those at 0 may be left out.
    name : str or None
        Such as "G major": modes that MIDI lacks have the major key with their signature.
    """

    alterations: dict[str, int] = field(default_factory=dict)
    name: str | None = None


class Shift(NamedTuple):
    """Semitones that a voice sounds above what is written; None where a field does not say."""

    octaves: int | None = None
    transpose: int | None = None


def read_key(text: str) -> Key | None:
    """Read the key of a ``K:`` field; None where it states none, such as a clef alone.

    Examples
    --------
    >>> read_key("D phr ^f").alterations == {"B": -1, "E": -1, "F": 1}
    True
    >>> read_key("Amix clef=treble").name
    'D major'
    >>> read_key("clef=bass") is None
    True
    """
    said, text = text.strip(), _PROPERTY.sub(" ", text).strip()
    words = text.split()
    if said and not words:
        return None
    if not words or words[0].lower() == "none":
        return Key(_explicit(words[1:]), None)
    if words[0] in ("HP", "Hp"):
        return Key(dict(_PIPES), key_name(2, minor=False))
    tonic = _TONIC.match(text)
    if tonic is None or _is_clef(words[0]):
        explicit = _explicit(words)
        if not explicit and not _is_clef(words[0]):
            raise ValueError(f"key {said!r} is not known")
        return Key(explicit, _name_of(explicit)) if explicit else None
    mode = tonic[3].lower()
    if mode == "exp" or mode.startswith("exp"):
        explicit = _explicit(words)
        return Key(explicit, _name_of(explicit))
    known = "min" if mode == "m" else mode[:3] or "maj"
    alteration = {"": 0, "#": 1, "b": -1}[tonic[2]]
    sharps = None if _is_clef(tonic[3]) else key_signature_sharps(tonic[1], alteration, known)
    if sharps is None:  # what follows the tonic is a clef or another word
        known = "maj"
        sharps = key_signature_sharps(tonic[1], alteration, known) or 0
    if abs(sharps) > _MAX_SHARPS:
        raise ValueError(f"key {text!r} has more than {_MAX_SHARPS} sharps or flats")
    signature = signature_of(sharps)
    explicit = _explicit(text[tonic.end() :].split())
    alterations = {**signature, **explicit}
    name = key_name(sharps, minor=known in MINOR_MODES)
    is_changed = _sounding(alterations) != signature
    return Key(alterations, (_name_of(alterations) or name) if is_changed else name)


def sounding_key(name: str | None, transpose: int) -> str | None:
    """Name of a key that sounds some semitones higher, with as few sharps or flats as it can have.

    Examples
    --------
    >>> sounding_key("D major", -2), sounding_key("A minor", 3)
    ('C major', 'C minor')
    """
    if name is None or not transpose:
        return name
    sharps, minor = key_sharps(name)
    return key_name((sharps + 7 * transpose + 5) % 12 - 5, minor)


def signature_of(sharps: int) -> dict[str, int]:
    """Alterations of a signature with so many sharps (flats negative).

    Examples
    --------
    >>> signature_of(-2) == {"B": -1, "E": -1}
    True
    """
    if sharps >= 0:
        return dict.fromkeys(_SHARP_ORDER[:sharps], 1)
    return dict.fromkeys(_SHARP_ORDER[::-1][:-sharps], -1)


def _explicit(words: list[str]) -> dict[str, int]:
    """Accidentals that a key states one by one, such as ``^f _b``; also written without blanks."""
    found: dict[str, int] = {}
    for word in words:
        for part in re.findall(r"[\^_=]+[A-Ga-g]|[^\^_=]+", word):
            accidental = _ACCIDENTAL.match(part)
            if accidental:
                found[accidental[2].upper()] = ALTERATIONS[accidental[1]]
    return found


def _sounding(alterations: dict[str, int]) -> dict[str, int]:
    return {letter: by for letter, by in alterations.items() if by}


def _name_of(alterations: dict[str, int]) -> str | None:
    """Name of the major key with exactly these alterations; None if there is none."""
    sounding = _sounding(alterations)
    for sharps in range(-_MAX_SHARPS, _MAX_SHARPS + 1):
        if signature_of(sharps) == sounding:
            return key_name(sharps, minor=False)
    return None


def _is_clef(word: str) -> bool:
    return word.lower().startswith(_CLEFS)


def read_shift(text: str) -> Shift:
    """Read how a ``K:`` or ``V:`` field shifts pitches: ``octave=``, ``transpose=``, a clef with ``-8``.

    Examples
    --------
    >>> read_shift("C octave=-1 transpose=2")
    Shift(octaves=-1, transpose=2)
    >>> read_shift("G clef=treble-8")
    Shift(octaves=-1, transpose=None)
    """
    said = {name.lower(): value.strip('"') for name, value in _PROPERTY.findall(text)}
    octaves, clef = said.get("octave"), _OCTAVE_CLEF.search(text)
    by_clef = None if clef is None else int(clef[1] + "1")
    semitones = said.get("transpose", said.get("t"))
    return Shift(
        by_clef if octaves is None else _bounded(octaves, _MAX_OCTAVES) + (by_clef or 0),
        None if semitones is None else _bounded(semitones, _MAX_SEMITONES),
    )


def _bounded(text: str, limit: int) -> int:
    if not re.fullmatch(r"[+-]?\d{1,4}", text) or abs(int(text)) > limit:
        raise ValueError(f"{text!r} is no whole number from -{limit} to {limit}")
    return int(text)


def read_voice(text: str) -> tuple[str, str | None]:
    """Read the identifier of a voice, and its name if the field gives one.

    Examples
    --------
    >>> read_voice('T1 clef=treble name="Tenor I"')
    ('T1', 'Tenor I')
    """
    identifier = (text.split() or [""])[0]
    said = {name.lower(): value.strip('"') for name, value in _PROPERTY.findall(text)}
    name = said.get("name") or said.get("nm")
    return identifier, name.strip() or None if name else None


class Metre(NamedTuple):
    """A metre: its name (None without bars) and the length of its bar in quarter notes."""

    name: str | None
    bar_quarter: Fraction | None


def read_metre(text: str) -> Metre:
    """Read an ``M:`` field.

    Examples
    --------
    >>> read_metre("2+3/8")
    Metre(name='5/8', bar_quarter=Fraction(5, 2))
    >>> read_metre("C|").name
    '2/2'
    """
    text = text.strip()
    if text in _COMMON_TIME:
        beats, unit = _COMMON_TIME[text]
    elif text.lower() in ("", "none"):
        return Metre(None, None)
    else:
        beats, unit = _fraction_of_sums(text)
    name = time_signature_name(beats, unit)
    if name is None:
        raise ValueError(f"metre {text!r} is none that music is barred by")
    return Metre(name, Fraction(4 * beats, unit))


def _fraction_of_sums(text: str) -> tuple[int, int]:
    """Beats and unit of such as ``6/8``, ``(2+3)/8`` and ``3/4+2/8``."""
    total, unit = Fraction(0), 1
    pairs = re.findall(r"\(?\s*(\d{1,4}(?:\s*[+ ]\s*\d{1,4})*)\s*\)?\s*/\s*(\d{1,6})", text)
    for beats, below in pairs:
        if not int(below):
            raise ValueError(f"metre {text!r} divides by zero")
        total += Fraction(sum(map(int, re.findall(r"\d+", beats))), int(below))
        unit = max(unit, int(below))
    if not pairs or (total * unit).denominator != 1:
        raise ValueError(f"metre {text!r} is no fraction")
    return int(total * unit), unit


def read_unit(text: str) -> Fraction:
    """Read an ``L:`` field: the unit length in quarter notes.

    Examples
    --------
    >>> read_unit("1/8")
    Fraction(1, 2)
    """
    match = re.match(r"\s*(\d{1,4})(?:\s*/\s*(\d{1,4}))?", text)
    if not match or not int(match[1]) or (match[2] and not int(match[2])):
        raise ValueError(f"unit length {text!r} is no fraction such as 1/8")
    return Fraction(4 * int(match[1]), int(match[2] or 1))


def default_unit(metre: Metre) -> Fraction:
    """The unit length of a tune that states none, in quarter notes."""
    is_short = metre.bar_quarter is not None and metre.bar_quarter / 4 < _SHORT_METRE
    return Fraction(1, 4) if is_short else Fraction(1, 2)


def read_tempo(text: str, unit_quarter: Fraction) -> float | None:
    """Read a ``Q:`` field in quarter notes per minute; None where it has words only.

    A number alone counts unit lengths (standard 2.1, section 10.1), and so does ``C=`` (``C3=``: three of them).

    Examples
    --------
    >>> read_tempo('"Lively" 3/8=80', Fraction(1, 2))
    120.0
    >>> read_tempo("240", Fraction(1, 2))
    120.0
    """
    text = re.sub(r'"[^"]*("|$)', " ", text)
    beat_text, _, number_text = text.rpartition("=")
    number = re.search(r"\d{1,6}(?:\.\d{1,6})?", number_text)
    if number is None:
        if text.strip():
            raise ValueError(f"tempo {text.strip()!r} has no number")
        return None
    beats = [(int(n), int(d)) for n, d in _FRACTION.findall(beat_text)]
    if any(not d for _, d in beats):
        raise ValueError(f"tempo {text.strip()!r} divides by zero")
    beat = sum((Fraction(4 * n, d) for n, d in beats), Fraction(0))
    if not beats:
        units = re.search(r"C\s*(\d{0,3})", beat_text)
        beat = unit_quarter * int((units and units[1]) or 1)
    return float(beat * Fraction(number[0]))


def read_order(text: str) -> tuple[str, ...]:
    """Read the order of parts in the ``P:`` field of a header.

    Examples
    --------
    >>> "".join(read_order("A(BC)2.A2"))
    'ABCBCAA'
    """
    return tuple(_order_until(iter(re.findall(r"[A-Za-z]|\d+|[()]", text)), depth=0))


def _order_until(tokens: Iterator[str], depth: int) -> list[str]:
    """Sections up to the bracket that closes a group, or to the end."""
    found: list[str] = []
    latest: list[str] = []
    if depth > _MAX_GROUPS:
        raise ValueError(f"order of parts has more than {_MAX_GROUPS} groups within groups")
    for token in tokens:
        if token == ")":
            return found
        if token == "(":
            latest = _order_until(tokens, depth + 1)
            found += latest
        elif token.isdigit():
            found += latest * (min(int(token[:9]), _MAX_ORDER) - 1)
        else:
            latest = [token]
            found += latest
        if len(found) > _MAX_ORDER:
            raise ValueError(f"order of parts has more than {_MAX_ORDER} sections")
    return found
