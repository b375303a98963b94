"""Notes as tokens: pitches, durations and rests as tokens of their own.

========================  =============================================================
``Pitch_60``              middle C begins
``Duration_1/2``          the pitches before it last an eighth note, and so does the time until what follows
``Rest_3/2``              silence for a dotted quarter
========================  =============================================================

A chord is several pitches before one duration. Durations are reduced fractions of a quarter note. A piece is one line
of such events (`tokenisers.line`); drums are left out. Vocabularies are small, and sequences about twice as long as
those of `tokenisers.note_event`.

A model may write what no piece has. A duration without a pitch before it is a rest; pitches before a rest, or at the
end, have no duration and are dropped.
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

_PITCH, _DURATION, _REST = "Pitch", "Duration", "Rest"


class PitchDurationTokeniser(LineTokeniser):
    """Pitches, durations and rests as tokens of their own.

    Examples
    --------
    >>> from pipeline_lib.config import token_config
    >>> tokeniser = PitchDurationTokeniser(token_config({"kind": "pitch_duration"}))
    >>> notes = tokeniser.decode(["Rest_1", "Pitch_60", "Pitch_64", "Duration_1/2"])
    >>> notes.onset_step.tolist(), notes.duration_step.tolist()
    ([24, 24], [12, 12])
    >>> tokeniser.encode(notes)
    ['Rest_1', 'Pitch_60', 'Pitch_64', 'Duration_1/2']
    """

    def event(self, pitches: tuple[int, ...], duration_step: int) -> list[str]:
        """The tokens of an event: its pitches, rising, then its duration; of a rest one."""
        duration = Fraction(duration_step, self.steps_per_quarter)
        if not pitches:
            return [f"{_REST}_{duration}"]
        return [*(f"{_PITCH}_{pitch}" for pitch in sorted(set(pitches))), f"{_DURATION}_{duration}"]

    def events(self, tokens: Iterable[str]) -> Iterator[Event]:
        """The events that pitches, durations and rests add up to."""
        pitches: set[int] = set()
        for token in tokens:
            if is_special(token):
                continue
            described = self.describe(token)
            if described.pitches:
                pitches.update(described.pitches)
                continue
            is_rest = described.is_event
            yield () if is_rest else tuple(sorted(pitches)), described.advance_step
            pitches.clear()

    def transpose(self, token: str, semitones: int) -> str | None:
        """The token in another key; durations and rests stay as they are."""
        described = self.describe(token)
        if not described.pitches:
            return token
        pitch = described.pitches[0] + semitones
        return f"{_PITCH}_{pitch}" if 0 <= pitch <= MAX_PITCH else None

    def describe(self, token: str) -> TokenDescription:
        """What a token stands for; of a duration or a rest, how long it is counts as its second part."""
        return _described(token, self.steps_per_quarter)


@lru_cache(maxsize=1 << 16)
def _described(token: str, steps_per_quarter: int) -> TokenDescription:
    kind, _, text = token.partition("_")
    try:
        if kind == _PITCH:
            return TokenDescription((int(text),), 0, token, "", is_event=False)
        if kind not in (_DURATION, _REST):
            raise ValueError
        duration = Fraction(text) * steps_per_quarter
    except ValueError:
        raise _foreign(repr(token)) from None
    if duration.denominator != 1 or duration < 1:
        raise _foreign(f"{token!r} on a grid of {steps_per_quarter} steps per quarter")
    return TokenDescription((), int(duration), kind, text, is_event=kind == _REST)


def _foreign(received: str) -> ConfigError:
    return foreign_token(received, "Pitch_60, Duration_1/2 or Rest_3/2")
