"""The tokeniser that most tests write their tokens with."""

from __future__ import annotations

from pipeline_lib.config import NoteEventConfig
from pipeline_lib.tokens.tokenisers import make_tokeniser
from pipeline_lib.tokens.tokenisers.base import Tokeniser


def note_events(steps_per_quarter: int = 24, longest_quarter: int = 8) -> Tokeniser:
    return make_tokeniser(
        NoteEventConfig(steps_per_quarter=steps_per_quarter, max_duration_quarter=longest_quarter)
    )


NOTES = note_events()
