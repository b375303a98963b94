"""What a tokeniser is: one way of writing notes as tokens, and of reading them back.

Nobody else knows what a token's text looks like: the rest of the project takes tokens as opaque texts and asks
`Tokeniser.describe` what they stand for. Texts in angle brackets are special tokens (start, end, unknown): they
are of no tokeniser, and take no time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

from pipeline_lib.config import TokenConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.grid import GridNotes

MAX_PITCH = 127


class TokenDescription(NamedTuple):
    """What one token stands for.

    Parameters
    ----------
    pitches : tuple of int
        MIDI pitches of the notes that begin with the token, rising; none for a rest.
    advance_step : int
        Grid steps that pass before the next token begins; 0 for a token that leaves the position where it is.
    pitch_part, duration_part : str
        The token's two parts: tokens with the same first part sound the same, those with the same second part last
        equally long. A token that says nothing of one of them has an empty text there.
    is_event : bool
        Whether the token is a whole event: a rest, or notes together with their duration.
    """

    pitches: tuple[int, ...]
    advance_step: int
    pitch_part: str
    duration_part: str
    is_event: bool


class Tokeniser(ABC):
    """Writes notes as tokens, and reads them back.

    For every piece, ``encode(decode(encode(notes))) == encode(notes)``: what tokens cannot say is lost once.

    Parameters
    ----------
    config : TokenConfig
        Of the tokeniser's own kind.
    """

    def __init__(self, config: TokenConfig) -> None:
        self.config = config

    @property
    def steps_per_quarter(self) -> int:
        """Steps of the grid in a quarter note."""
        return self.config.steps_per_quarter

    @abstractmethod
    def encode(self, notes: GridNotes) -> list[str]:
        """The tokens of a piece, without start and end.

        Parameters
        ----------
        notes : GridNotes
            Sorted by onset, on the tokeniser's grid.
        """

    @abstractmethod
    def decode(
        self,
        tokens: Iterable[str],
        *,
        time_signature: str = "4/4",
        tempo_qpm: float = 120.0,
        key_signature: str | None = None,
    ) -> GridNotes:
        """The notes that tokens stand for, in any order that a model may write them. Special tokens are skipped."""

    @abstractmethod
    def event(self, pitches: tuple[int, ...], duration_step: int) -> list[str]:
        """The tokens of notes that begin and end together; of a rest where there are no pitches."""

    @abstractmethod
    def transpose(self, token: str, semitones: int) -> str | None:
        """The token in another key, `semitones` higher; None where a pitch would leave 0–127."""

    @abstractmethod
    def describe(self, token: str) -> TokenDescription:
        """What a token stands for.

        Raises
        ------
        ConfigError
            The token is not of this tokeniser, or does not fit on its grid.
        """

    @property
    def writes_events(self) -> bool:
        """Whether each of its tokens is a whole event, so that what follows can be counted in events."""
        return all(self.describe(t).is_event for t in self.event((60,), self.steps_per_quarter))

    def span_step(self, tokens: Iterable[str]) -> int:
        """Grid steps from the beginning of the first token to the end of the last."""
        return sum(self.describe(token).advance_step for token in tokens)


def is_special(token: str) -> bool:
    """Whether a token is no tokeniser's, such as ``<start>``."""
    return token.startswith("<")


def foreign_token(received: str, looks: str) -> ConfigError:
    """The error for a text that is none of a tokeniser's tokens.

    Parameters
    ----------
    received : str
        The text, quoted.
    looks : str
        What its tokens look like.
    """
    return ConfigError(f"not a note token: {received}", remedy=f"tokens look like {looks}")
