"""Nearest tokens: which known ones are most like one that the vocabulary lacks.

Distances are in semitones:

- Between notes, the interval. Between chords, the sum of the intervals between their voices, from the highest
  down; where one has more voices, each that is left over is compared with the other's lowest.
- Half a semitone for each factor of two between the durations. A wrong pitch spoils a melody or a harmony, a note
  that is held longer does not; so another duration is taken before another pitch, up to a factor of four.

A rest is near to rests only, and a duration without notes to such durations only. A note is nearer to any note than
to a chord, a chord nearer to any chord than to a note; note and chord are compared by the chord's highest note, which
carries the melody. Of equally near tokens the one of the smaller id comes first: it is the more frequent one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.tokens.tokenisers.base import TokenDescription, Tokeniser
from pipeline_lib.tokens.vocabulary import SPECIAL_TOKENS, Vocabulary

_SEMITONES_PER_DOUBLING = 0.5
_DECIMALS = 9
"""Decimal places that distances are rounded to, so that the rounding of logarithms decides nothing."""

_CHORD_VOICES = 2
"""Number of voices from which on notes are a chord."""


@dataclass(frozen=True, eq=False)
class _Notes:
    """The known tokens as numbers, one row each.

    Parameters
    ----------
    voices : int64 array, shape (n_tokens, most_voices)
        Pitches from the highest down; the lowest fills the row. 0 for rests.
    n_voices : int64 array, shape (n_tokens,)
        Number of pitches; 0 for rests.
    log2_duration : float64 array, shape (n_tokens,)
        Logarithm of the duration in grid steps, to base 2; 0 for tokens that take no time.
    silence : str array, shape (n_tokens,)
        What each token without pitches is, such as a rest; empty for those with pitches.
    """

    voices: NDArray[np.int64]
    n_voices: NDArray[np.int64]
    log2_duration: NDArray[np.float64]
    silence: NDArray[np.str_]


def nearest_tokens(
    token: str, vocabulary: Vocabulary, tokeniser: Tokeniser, n_tokens: int
) -> list[str]:
    """Find the known tokens nearest to a token, the nearest first: rests to a rest, notes and chords to those.

    Parameters
    ----------
    token : str
        A token of notes or a rest, known or not.
    vocabulary : Vocabulary
        The known tokens.
    tokeniser : Tokeniser
        What writes the tokens of the vocabulary.
    n_tokens : int
        Number of tokens to find; fewer are returned where there are not as many.

    Examples
    --------
    Twice the duration is nearer than a semitone:

    >>> from pipeline_lib.config import NoteEventConfig
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> tokeniser = make_tokeniser(NoteEventConfig())
    >>> known = Vocabulary.of((*SPECIAL_TOKENS, "Pitch_61:1", "Pitch_60:2", "Rest:1"), tokeniser)
    >>> nearest_tokens("Pitch_60:1", known, tokeniser, n_tokens=3)
    ['Pitch_60:2', 'Pitch_61:1']
    """
    known = _known_notes(vocabulary)
    described = tokeniser.describe(token)
    n_voices = len(described.pitches)
    same_kind = _kind(known.n_voices) == _kind(n_voices)
    n_compared = np.where(same_kind, np.maximum(known.n_voices, n_voices), 1)
    intervals = _intervals(known, described.pitches, n_compared)
    doublings = np.abs(known.log2_duration - _log2_duration(described))
    distance = (intervals + _SEMITONES_PER_DOUBLING * doublings).round(_DECIMALS)
    order = np.lexsort((distance, ~same_kind))  # stable: ties stay in the order of ids
    alike = known.silence[order] == _silence(described)
    return vocabulary.decode((order[alike][:n_tokens] + len(SPECIAL_TOKENS)).tolist())


@lru_cache(maxsize=1)
def _known_notes(vocabulary: Vocabulary) -> _Notes:
    known = vocabulary.described[len(SPECIAL_TOKENS) :]
    n_voices = np.array([len(token.pitches) for token in known], np.int64)
    width = int(n_voices.max(initial=1))
    voices = np.array([_from_the_top(token.pitches, width) for token in known], np.int64)
    log2_duration = np.array([_log2_duration(token) for token in known])
    silence = np.array([_silence(token) for token in known], np.str_)
    return _Notes(voices.reshape(-1, width), n_voices, log2_duration, silence)


def _log2_duration(token: TokenDescription) -> float:
    return math.log2(token.advance_step or 1)


def _silence(token: TokenDescription) -> str:
    return "" if token.pitches else token.pitch_part


def _from_the_top(pitches: Sequence[int], width: int) -> list[int]:
    voices = sorted(pitches, reverse=True) or [0]
    return voices + voices[-1:] * (width - len(voices))


def _kind(n_voices: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Kind of a token by its number of voices: 0 for a rest, 1 for a note, 2 for a chord."""
    return np.minimum(n_voices, _CHORD_VOICES)


def _intervals(
    known: _Notes, pitches: Sequence[int], n_compared: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Semitones between each known token and some pitches, over its `n_compared` highest voices, shape (n_tokens,)."""
    known_width = known.voices.shape[1]
    width = max(known_width, len(pitches))
    column = np.arange(width)
    voices = known.voices[:, np.minimum(column, known_width - 1)]
    intervals = np.abs(voices - _from_the_top(pitches, width))
    total: NDArray[np.int64] = np.where(column < n_compared[:, None], intervals, 0).sum(axis=1)
    return total
