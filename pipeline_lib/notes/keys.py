"""Keys: which one a piece is in, estimated from its notes.

The algorithm of Krumhansl and Schmuckler: how long each pitch class sounds is correlated with how well
listeners found each pitch class to fit a key. Source of algorithm and profiles: Krumhansl, "Cognitive
Foundations of Musical Pitch" (1990), chapters 2 and 4; the profiles are those of Krumhansl and Kessler (1982),
"Tracing the dynamic changes in perceived tonal organization in a spatial representation of musical keys".

It knows one key for a whole piece, and two modes: what is Dorian or Mixolydian, modulates or has no key gets
the nearest of 24. Where it errs, it mostly takes the dominant, the subdominant or the relative key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.notes.piece import key_name

_MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_EQUAL_WITHIN = 1e-9
"""Difference below which fits count as equal, as a share of a piece's length: no sum's rounding decides."""

_PITCH_CLASSES = 12
_FIFTH = 7
_MINOR_THIRD = 3
_MOST_FLATS = 5


def _standard_profiles() -> NDArray[np.float64]:
    """All 24 profiles with mean 0 and variance 1, shape (24, 12): C major to B major, C minor to B minor."""
    profiles = np.array(
        [
            np.roll(profile, tonic)
            for profile in (_MAJOR_PROFILE, _MINOR_PROFILE)
            for tonic in range(_PITCH_CLASSES)
        ]
    )
    centred = profiles - profiles.mean(axis=1, keepdims=True)
    return centred / centred.std(axis=1, keepdims=True)


_PROFILES = _standard_profiles()


@dataclass(frozen=True)
class Key:
    """A major or minor key.

    Parameters
    ----------
    tonic : int
        Pitch class, 0–11 (0 = C).
    minor : bool
        Whether the mode is minor.

    Examples
    --------
    >>> key = Key(tonic=10, minor=False)
    >>> key.name, key.semitones_to_c
    ('Bb major', 2)
    """

    tonic: int
    minor: bool

    @property
    def name(self) -> str:
        """Name as `pipeline_lib.notes.piece.key_name` writes it, with five flats or six sharps at most."""
        relative_major = self.tonic + _MINOR_THIRD if self.minor else self.tonic
        # A fifth up is a sharp more.
        sharps = (relative_major * _FIFTH + _MOST_FLATS) % _PITCH_CLASSES - _MOST_FLATS
        name = key_name(sharps, self.minor)
        assert name is not None
        return name

    @property
    def semitones_to_c(self) -> int:
        """Smallest transposition to C major or A minor, -6 to 5; of two equal ones the one down."""
        target = _PITCH_CLASSES - _MINOR_THIRD if self.minor else 0
        half = _PITCH_CLASSES // 2
        return (target - self.tonic + half) % _PITCH_CLASSES - half


def estimate_key(pitch: NDArray[np.integer], duration_tick: NDArray[np.integer]) -> Key:
    """Estimate the key that fits notes best.

    Parameters
    ----------
    pitch, duration_tick : integer arrays, shape (n_notes,)
        Pitch and duration of each note, at least one; durations, in any unit, are the weights.

    Returns
    -------
    Key
        Of equally good ones the first, major before minor and C before B: C major for twelve equal tones.

    Examples
    --------
    The scale of G major with a long tonic:

    >>> import numpy as np
    >>> pitch = np.array([67, 69, 71, 72, 74, 76, 78, 79])
    >>> duration_tick = np.array([2, 1, 1, 1, 1, 1, 1, 2])
    >>> estimate_key(pitch, duration_tick).name
    'G major'
    """
    sounding = np.bincount(pitch % _PITCH_CLASSES, duration_tick, _PITCH_CLASSES)
    # The deviation of `sounding`, by which a correlation is divided, is the same for every key.
    fits = _PROFILES @ (sounding / sounding.sum())
    best = int(np.argmax(fits > fits.max() - _EQUAL_WITHIN))
    return Key(best % _PITCH_CLASSES, minor=best >= _PITCH_CLASSES)
