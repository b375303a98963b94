"""The ways of writing notes as tokens, by the ``kind`` of their settings."""

from __future__ import annotations

from pipeline_lib.config import TokenConfig
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.tokens.tokenisers.note_event import NoteEventTokeniser
from pipeline_lib.tokens.tokenisers.pitch_duration import PitchDurationTokeniser

TOKENISERS: dict[str, type[Tokeniser]] = {
    "note_event": NoteEventTokeniser,
    "pitch_duration": PitchDurationTokeniser,
}


def make_tokeniser(config: TokenConfig) -> Tokeniser:
    """The tokeniser that settings describe."""
    return TOKENISERS[config.kind](config)
