"""Letters of notes and names of keys, which all notations share."""

from __future__ import annotations

C4 = 60
"""MIDI number of the C that the octave of C4 begins with."""
SEMITONE_OF = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Semitones of each letter above C."""
MINOR_MODES = ("min", "aeo")

_SHARPS_OF_MAJOR = {"C": 0, "D": 2, "E": 4, "F": -1, "G": 1, "A": 3, "B": 5}
_SHARPS_OF_MODE = {
    "maj": 0,
    "ion": 0,
    "lyd": 1,
    "mix": -1,
    "dor": -2,
    "min": -3,
    "aeo": -3,
    "phr": -4,
    "loc": -5,
}
_SHARPS_OF_SIGN = 7
"""Sharps that a key has more if its tonic is raised by a semitone."""


def key_signature_sharps(tonic: str, alteration: int, mode: str) -> int | None:
    """Count the sharps (flats negative) in the signature of a key.

    Parameters
    ----------
    tonic : str
        Its letter, "A" to "G".
    alteration : int
        Semitones by which the letter is raised.
    mode : str
        First three letters of its mode, in lower case, such as "maj" or "dor".

    Returns
    -------
    int or None
        None for a mode that is not known.

    Examples
    --------
    >>> key_signature_sharps("B", -1, "maj"), key_signature_sharps("A", 0, "dor")
    (-2, 1)
    """
    if mode not in _SHARPS_OF_MODE:
        return None
    return _SHARPS_OF_MAJOR[tonic] + _SHARPS_OF_SIGN * alteration + _SHARPS_OF_MODE[mode]
