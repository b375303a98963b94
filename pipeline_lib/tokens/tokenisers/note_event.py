"""Notes as tokens: one token for each note, chord or rest, with its duration.

========================  =============================================================
``Pitch_60:1/2``          middle C, an eighth note
``Chord_60.64.67:1``      C major triad, a quarter note
``Rest:3/2``              silence for a dotted quarter
========================  =============================================================

Durations are reduced fractions of a quarter note. A piece is one line of such events: notes that begin
together form a chord; an event lasts as long as its longest note, but no longer than until the next event
begins or than ``max_duration_quarter``; gaps are rests. This is exact for melodies. In polyphony it keeps
every onset and pitch and shortens overlapping notes; drums are left out. Decoding the tokens of a piece
gives that line back exactly: ``encode(decode(tokens)) == tokens``.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

import numpy as np

from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.grid import GridNotes

PITCH, CHORD, REST = "Pitch", "Chord", "Rest"

MAX_PITCH = 127


def encode_notes(notes: GridNotes, max_duration_quarter: int) -> list[str]:
    """The tokens of a piece, without start and end.

    Parameters
    ----------
    notes : GridNotes
        Sorted by onset.
    max_duration_quarter : int
        Longest duration of one token; longer notes are followed by rests, longer rests are divided.
    """
    if not len(notes):
        return []
    steps_per_quarter = notes.steps_per_quarter
    longest = max_duration_quarter * steps_per_quarter
    onset, first = np.unique(notes.onset_step, return_index=True)
    until_next = np.diff(onset, append=notes.end_step)
    sounding = np.maximum.reduceat(notes.duration_step, first)
    duration = np.minimum(np.minimum(sounding, until_next), longest)
    rest_before = np.diff(onset, prepend=0)
    rest_before[1:] -= duration[:-1]
    pitches = notes.pitch.tolist()
    bounds = [*first.tolist(), len(pitches)]
    tokens: list[str] = []
    for n, (rest, steps) in enumerate(zip(rest_before.tolist(), duration.tolist(), strict=True)):
        if rest:
            tokens += _rests(rest, longest, steps_per_quarter)
        chord = tuple(pitches[bounds[n] : bounds[n + 1]])
        tokens.append(make_token(chord, steps, steps_per_quarter))
    return tokens


def decode_tokens(
    tokens: Iterable[str],
    steps_per_quarter: int,
    *,
    time_signature: str = "4/4",
    tempo_qpm: float = 120.0,
    key_signature: str | None = None,
) -> GridNotes:
    """The notes that tokens stand for. Special tokens take no time."""
    onsets: list[int] = []
    durations: list[int] = []
    pitches: list[int] = []
    now = 0
    for token in tokens:
        if token.startswith("<"):
            continue
        token_pitches, duration = parse_token(token, steps_per_quarter)
        onsets += [now] * len(token_pitches)
        durations += [duration] * len(token_pitches)
        pitches += token_pitches
        now += duration
    return GridNotes(
        np.array(onsets, dtype=np.int64),
        np.array(durations, dtype=np.int64),
        np.array(pitches, dtype=np.int64),
        steps_per_quarter,
        time_signature=time_signature,
        tempo_qpm=tempo_qpm,
        key_signature=key_signature,
    )


def parse_token(token: str, steps_per_quarter: int) -> tuple[list[int], int]:
    """Pitches (none for a rest) and duration in grid steps of a token.

    Raises
    ------
    ConfigError
        The token is not of this tokeniser, or does not fit on the grid.
    """
    pitches, duration_quarter = read_token(token)
    duration = duration_quarter * steps_per_quarter
    if duration.denominator != 1 or duration < 1:
        raise _not_a_token(f"{token!r} on a grid of {steps_per_quarter} steps per quarter")
    return pitches, int(duration)


def read_token(token: str) -> tuple[list[int], Fraction]:
    """Pitches (none for a rest) and duration in quarter notes of a token.

    Raises
    ------
    ConfigError
        The token is not of this tokeniser.
    """
    try:
        name, duration_text = token.split(":")
        duration_quarter = Fraction(duration_text)
        kind, _, pitch_text = name.partition("_")
        pitches = [int(p) for p in pitch_text.split(".")] if kind in (PITCH, CHORD) else []
        if not pitches and name != REST:
            raise ValueError
    except ValueError:
        raise _not_a_token(repr(token)) from None
    return pitches, duration_quarter


def _not_a_token(received: str) -> ConfigError:
    return ConfigError(
        f"not a note token: {received}",
        remedy="tokens look like Pitch_60:1/2, Chord_60.64.67:1 or Rest:3/2",
    )


def transpose_token(token: str, semitones: int) -> str | None:
    """A token in another key; None where a pitch would leave 0–127. Rests stay as they are."""
    name, _, duration = token.partition(":")
    kind, _, pitch_text = name.partition("_")
    if not pitch_text:
        return token
    pitches = [int(p) + semitones for p in pitch_text.split(".")]
    if min(pitches) < 0 or max(pitches) > MAX_PITCH:
        return None
    return f"{kind}_{'.'.join(map(str, pitches))}:{duration}"


@lru_cache(maxsize=1 << 16)  # music repeats itself, and fractions are slow
def make_token(pitches: tuple[int, ...], duration_step: int, steps_per_quarter: int) -> str:
    """The token of notes that begin together; of a rest where there are none."""
    different = sorted(set(pitches))
    kind = (REST, PITCH, CHORD)[min(len(different), 2)]
    name = f"{kind}_{'.'.join(map(str, different))}" if different else kind
    return f"{name}:{Fraction(duration_step, steps_per_quarter)}"


def _rests(n_steps: int, longest: int, steps_per_quarter: int) -> list[str]:
    whole, remainder = divmod(n_steps, longest)
    lengths = [longest] * whole + ([remainder] if remainder else [])
    return [make_token((), length, steps_per_quarter) for length in lengths]
