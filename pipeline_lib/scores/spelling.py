"""Spelling of pitches: their names in a key, and the accidentals that these need.

Notes are spelled on the line of fifths (F C G D A E B, each with sharps to its right and flats to its left),
within the twelve names nearest to the key. A piece that states no key gets the one that fits its notes best,
see `pipeline_lib.notes.keys`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.keys import estimate_key
from pipeline_lib.notes.piece import key_sharps

_FIFTHS = "FCGDAEB"
_WITHOUT_NOTES = "C major"


class PitchName(NamedTuple):
    """A pitch as it is written.

    Parameters
    ----------
    letter : str
        Name without accidental, "A" to "G".
    alter : int
        Number of sharps; flats are negative.
    octave : int
        Octave of the letter: B sharp 3 sounds as C 4, which is middle C.
    """

    letter: str
    alter: int
    octave: int


def key_of(notes: GridNotes) -> str:
    """Key that a piece states, or else the estimate from its notes; C major without notes."""
    if notes.key_signature is not None:
        return notes.key_signature
    return estimate_key(notes.pitch, notes.duration_step).name if len(notes) else _WITHOUT_NOTES


def n_sharps(key: str) -> int:
    """Number of sharps of a key's signature, flats negative."""
    return key_sharps(key)[0]


def spelled(pitch: int, key: str) -> PitchName:
    """Name of a pitch: the one of the twelve names around the key.

    In C these run from E flat to G sharp; each sharp moves them by a fifth.

    Examples
    --------
    Pitch 61 in a key with sharps and in one with flats:

    >>> spelled(61, "D major")
    PitchName(letter='C', alter=1, octave=4)
    >>> spelled(61, "Ab major")
    PitchName(letter='D', alter=-1, octave=4)
    """
    # F C G D A E B are -1 .. 5; pitch class p is at 7 p, modulo 12.
    lowest = n_sharps(key) - 3
    fifths = lowest + (7 * pitch - lowest) % 12
    alter, letter = divmod(fifths + 1, 7)
    return PitchName(_FIFTHS[letter], alter, (pitch - alter) // 12 - 1)


class Accidentals:
    """The accidentals of one bar: what neither the key nor the bar so far implies.

    Parameters
    ----------
    key : str
        Key of the piece, such as "G major".
    reach : callable
        Gives of a name the part that its accidental holds for: `one_octave` or `all_octaves`.

    Examples
    --------
    >>> bar = Accidentals("G major", one_octave)
    >>> c_sharp = spelled(73, "G major")
    >>> bar.needs(c_sharp), bar.needs(c_sharp), bar.needs(spelled(66, "G major"))
    (True, False, False)
    """

    def __init__(self, key: str, reach: Callable[[PitchName], object]) -> None:
        self._n_sharps = n_sharps(key)
        self._reach = reach
        self._in_force: dict[object, int] = {}

    def needs(self, name: PitchName) -> bool:
        """Whether the next note of the bar needs an accidental, which then holds to the end of the bar."""
        of_key = (self._n_sharps + 6 - _FIFTHS.index(name.letter)) // 7
        is_new = name.alter != self._in_force.get(self._reach(name), of_key)
        self._in_force[self._reach(name)] = name.alter
        return is_new


def one_octave(name: PitchName) -> object:
    """Reach of an accidental in print: its letter in one octave."""
    return name.letter, name.octave


def all_octaves(name: PitchName) -> object:
    """Reach of an accidental in ABC 2.1: its letter in all octaves."""
    return name.letter
