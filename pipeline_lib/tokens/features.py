"""What each token of a vocabulary stands for, as arrays with a row for each token id.

Whatever needs to know a token's pitches or duration (constraints, factored layers, losses by pitch and duration, top
lines) reads these arrays, never a token's text. Special tokens have no pitch and take no time; each is a pitch group of
its own, and all have the duration group of tokens without a duration.

A tokeniser describes a vocabulary once, when it is built; the descriptions are saved with it, so that training and
scoring need no tokeniser.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.tokens.tokenisers.base import TokenDescription, Tokeniser, is_special

PITCH_CLASSES = 12
_NO_PITCH = -1


@dataclass(frozen=True, eq=False)
class TokenFeatures:
    """The features of all tokens.

    Parameters
    ----------
    described : sequence of TokenDescription
        One for each token id, as `describe_tokens` gives them.
    """

    described: Sequence[TokenDescription]

    @cached_property
    def is_special(self) -> NDArray[np.bool_]:
        """Whether each token is none of music, such as the end, shape (vocab_size,)."""
        return np.array([is_special(token.pitch_part) for token in self.described], dtype=bool)

    @cached_property
    def n_notes(self) -> NDArray[np.int16]:
        """Notes that begin with each token, shape (vocab_size,)."""
        return np.array([len(token.pitches) for token in self.described], np.int16)

    @cached_property
    def lowest_pitch(self) -> NDArray[np.int32]:
        """MIDI pitch, -1 for tokens without, shape (vocab_size,)."""
        return np.array([min(t.pitches, default=_NO_PITCH) for t in self.described], np.int32)

    @cached_property
    def highest_pitch(self) -> NDArray[np.int32]:
        """MIDI pitch, -1 for tokens without, shape (vocab_size,)."""
        return np.array([max(t.pitches, default=_NO_PITCH) for t in self.described], np.int32)

    @cached_property
    def has_pitch_class(self) -> NDArray[np.bool_]:
        """Which of the twelve pitch classes sound in each token, shape (vocab_size, 12)."""
        has_class = np.zeros((len(self.described), PITCH_CLASSES), dtype=bool)
        for row, token in zip(has_class, self.described, strict=True):
            row[[pitch % PITCH_CLASSES for pitch in token.pitches]] = True
        return has_class

    @cached_property
    def advance_step(self) -> NDArray[np.int32]:
        """Grid steps from each token's beginning to the next one's, shape (vocab_size,)."""
        return np.array([token.advance_step for token in self.described], np.int32)

    @cached_property
    def moves_position(self) -> NDArray[np.bool_]:
        """Whether time passes with each token, shape (vocab_size,)."""
        return self.advance_step > 0

    @cached_property
    def pitch_group(self) -> NDArray[np.int64]:
        """A number for what each token sounds like, whatever its duration, shape (vocab_size,)."""
        return _numbered([token.pitch_part for token in self.described])

    @cached_property
    def duration_group(self) -> NDArray[np.int64]:
        """A number for how long each token lasts, whatever it sounds like, shape (vocab_size,)."""
        return _numbered([token.duration_part for token in self.described])


def describe_tokens(tokens: Iterable[str], tokeniser: Tokeniser) -> list[TokenDescription]:
    """What tokens stand for, special ones among them, in their order."""
    return [
        TokenDescription((), 0, token, "", is_event=False)
        if is_special(token)
        else tokeniser.describe(token)
        for token in tokens
    ]


def _numbered(parts: Sequence[str]) -> NDArray[np.int64]:
    """Numbers from 0, in the alphabetical order of the texts: the same text, the same number."""
    _, number = np.unique(parts, return_inverse=True)
    return number.astype(np.int64)
