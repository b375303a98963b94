"""Notes as tokens: one token for each note, chord or rest, with its duration.

========================  =============================================================
``Pitch_60:1/2``          middle C, an eighth note
``Chord_60.64.67:1``      C major triad, a quarter note
``Rest:3/2``              silence for a dotted quarter
========================  =============================================================

Durations are reduced fractions of a quarter note. A piece is one line of such events (`tokenisers.line`); drums are
left out. Decoding the tokens of a piece gives that line back exactly: ``encode(decode(tokens)) == tokens``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache

from pipeline_lib.errors import ConfigError
from pipeline_lib.tokens.tokenisers.base import (
    MAX_PITCH,
    TokenDescription,
    foreign_token,
    is_special,
)
from pipeline_lib.tokens.tokenisers.line import Event, LineTokeniser

_PITCH, _CHORD, _REST = "Pitch", "Chord", "Rest"


class NoteEventTokeniser(LineTokeniser):
    """One token for each note, chord or rest.

    Examples
    --------
    >>> from pipeline_lib.config import token_config
    >>> tokeniser = NoteEventTokeniser(token_config({"kind": "note_event"}))
    >>> notes = tokeniser.decode(["Pitch_60:1/2", "Rest:1/2", "Chord_60.64.67:1"])
    >>> notes.onset_step.tolist()
    [0, 24, 24, 24]
    >>> tokeniser.encode(notes)
    ['Pitch_60:1/2', 'Rest:1/2', 'Chord_60.64.67:1']
    >>> tokeniser.describe("Pitch_60:1/2").advance_step
    12
    """

    def event(self, pitches: tuple[int, ...], duration_step: int) -> list[str]:
        """The one token of an event."""
        return [_text(pitches, duration_step, self.steps_per_quarter)]

    def events(self, tokens: Iterable[str]) -> Iterator[Event]:
        """The event of each token."""
        for token in tokens:
            if not is_special(token):
                described = self.describe(token)
                yield described.pitches, described.advance_step

    def transpose(self, token: str, semitones: int) -> str | None:
        """The token in another key; rests stay as they are."""
        name, _, duration = token.partition(":")
        kind, _, pitch_text = name.partition("_")
        if not pitch_text:
            return token
        pitches = [int(p) + semitones for p in pitch_text.split(".")]
        if min(pitches) < 0 or max(pitches) > MAX_PITCH:
            return None
        return f"{kind}_{'.'.join(map(str, pitches))}:{duration}"

    def describe(self, token: str) -> TokenDescription:
        """What a token stands for; its parts are the texts before and after the colon."""
        return _described(token, self.steps_per_quarter)


@lru_cache(maxsize=1 << 16)  # music repeats itself, and fractions are slow
def _text(pitches: tuple[int, ...], duration_step: int, steps_per_quarter: int) -> str:
    different = sorted(set(pitches))
    kind = (_REST, _PITCH, _CHORD)[min(len(different), 2)]
    name = f"{kind}_{'.'.join(map(str, different))}" if different else kind
    return f"{name}:{Fraction(duration_step, steps_per_quarter)}"


@lru_cache(maxsize=1 << 16)
def _described(token: str, steps_per_quarter: int) -> TokenDescription:
    try:
        name, duration_text = token.split(":")
        kind, _, pitch_text = name.partition("_")
        pitches = [int(p) for p in pitch_text.split(".")] if kind in (_PITCH, _CHORD) else []
        if not pitches and name != _REST:
            raise ValueError
        duration = Fraction(duration_text) * steps_per_quarter
    except ValueError:
        raise _foreign(repr(token)) from None
    if duration.denominator != 1 or duration < 1:
        raise _foreign(f"{token!r} on a grid of {steps_per_quarter} steps per quarter")
    return TokenDescription(tuple(pitches), int(duration), name, duration_text, is_event=True)


def _foreign(received: str) -> ConfigError:
    return foreign_token(received, "Pitch_60:1/2, Chord_60.64.67:1 or Rest:3/2")
