"""What holds for every tokeniser; each one's own tokens are in the examples of its module."""

from __future__ import annotations

import itertools
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.config import TokenConfig, token_config
from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.tokens.features import TokenFeatures, describe_tokens
from pipeline_lib.tokens.tokenisers import TOKENISERS, make_tokeniser
from pipeline_lib.tokens.tokenisers.base import Tokeniser

STEPS = 24
SPECIAL = ("<start>", "<end>", "<unknown>")


def tokeniser_of(kind: str, longest_quarter: int = 8) -> Tokeniser:
    values = {"kind": kind, "steps_per_quarter": STEPS, "max_duration_quarter": longest_quarter}
    return make_tokeniser(token_config(values))


each = pytest.mark.parametrize("kind", sorted(TOKENISERS))


def grid(*notes: tuple[int, int, int]) -> GridNotes:
    """Notes as (onset, duration, pitch) in steps of 1/24 quarter."""
    return GridNotes(*np.array(notes, dtype=np.int64).reshape(-1, 3).T, STEPS)


def rows(notes: GridNotes) -> list[tuple[int, ...]]:
    columns = (notes.onset_step, notes.duration_step, notes.pitch)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_every_kind_of_settings_has_its_tokeniser() -> None:
    kinds = {
        get_args(kind)[0].model_fields["kind"].default
        for kind in get_args(get_args(TokenConfig)[0])
    }
    assert kinds == set(TOKENISERS)


lines = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.integers(1, 300),
        st.sets(st.integers(0, 127), min_size=1, max_size=4),
    ),
    max_size=20,
)


@each
@given(lines)
def test_a_line_of_notes_and_chords_comes_back(
    kind: str, drawn: list[tuple[int, int, set[int]]]
) -> None:
    written: list[tuple[int, int, int]] = []
    now = 0
    for gap, duration, pitches in drawn:
        now += gap
        written += [(now, duration, pitch) for pitch in sorted(pitches)]
        now += duration
    tokeniser = tokeniser_of(kind, longest_quarter=64)
    assert rows(tokeniser.decode(tokeniser.encode(grid(*written)))) == written


@each
@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 200), st.integers(0, 127)), max_size=20)
)
def test_what_tokens_cannot_say_is_lost_once(kind: str, drawn: list[tuple[int, int, int]]) -> None:
    tokeniser = tokeniser_of(kind, longest_quarter=2)
    once = tokeniser.encode(grid(*sorted(set(drawn), key=lambda note: (note[0], note[2]))))
    assert tokeniser.encode(tokeniser.decode(once)) == once


@each
def test_no_notes_are_no_tokens(kind: str) -> None:
    tokeniser = tokeniser_of(kind)
    assert tokeniser.encode(grid()) == []
    assert rows(tokeniser.decode([])) == []


@each
def test_signatures_come_with_the_notes(kind: str) -> None:
    notes = tokeniser_of(kind).decode(
        [], time_signature="6/8", tempo_qpm=90.0, key_signature="G major"
    )
    assert (notes.time_signature, notes.tempo_qpm, notes.key_signature) == ("6/8", 90.0, "G major")


@each
def test_special_tokens_take_no_time(kind: str) -> None:
    tokeniser = tokeniser_of(kind)
    tokens = ["<start>", *tokeniser.event((), 24), "<unknown>", *tokeniser.event((60,), 8), "<end>"]
    assert rows(tokeniser.decode(tokens)) == [(24, 8, 60)]


@each
def test_an_event_lasts_as_long_as_its_tokens_say(kind: str) -> None:
    tokeniser = tokeniser_of(kind)
    for pitches in ((), (60,), (60, 64, 67)):
        described = [tokeniser.describe(token) for token in tokeniser.event(pitches, 36)]
        assert tuple(itertools.chain.from_iterable(d.pitches for d in described)) == pitches
        assert sum(d.advance_step for d in described) == 36
        assert tokeniser.span_step(tokeniser.event(pitches, 36)) == 36


@each
def test_another_key_moves_pitches_and_nothing_else(kind: str) -> None:
    tokeniser = tokeniser_of(kind)
    tokens = tokeniser.encode(grid((0, 12, 60), (12, 12, 62), (12, 12, 65), (48, 24, 64)))
    moved = [str(tokeniser.transpose(token, -5)) for token in tokens]
    assert rows(tokeniser.decode(moved)) == [(0, 12, 55), (12, 12, 57), (12, 12, 60), (48, 24, 59)]
    (high,) = [token for token in tokeniser.event((127,), 24) if tokeniser.describe(token).pitches]
    assert tokeniser.transpose(high, 1) is None
    assert tokeniser.transpose(high, 0) == high


@each
@pytest.mark.parametrize(
    "text",
    [
        "",
        "Pitch_60:0",
        "Pitch_60:1/7",
        "Pitch_:1",
        "Rest_60:1x",
        "Note_60:1",
        "C4:1",
        "Pitch_x",
        "Rest",
    ],
)
def test_text_that_is_no_token_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ConfigError, match="not a note token") as caught:
        tokeniser_of(kind).describe(text)
    assert "tokens look like" in caught.value.remedy


@each
def test_features_have_a_row_for_each_token(kind: str) -> None:
    tokeniser = tokeniser_of(kind)
    music = [*tokeniser.event((), 12), *tokeniser.event((60,), 12), *tokeniser.event((60,), 24)]
    tokens = [*SPECIAL, *dict.fromkeys(music)]
    features = TokenFeatures(describe_tokens(tokens, tokeniser))
    assert features.is_special.tolist() == [True] * 3 + [False] * (len(tokens) - 3)
    assert not features.n_notes[:3].any()
    assert not features.moves_position[:3].any()
    assert len(set(features.pitch_group[:3].tolist())) == 3
    assert (features.n_notes > 0).tolist() == (features.lowest_pitch == 60).tolist()
    assert features.lowest_pitch.tolist() == features.highest_pitch.tolist()
    assert np.flatnonzero(features.has_pitch_class.any(axis=0)).tolist() == [0]
    # Two tokens that are alike in both parts would be one token.
    parts = zip(features.pitch_group.tolist(), features.duration_group.tolist(), strict=True)
    assert len(set(parts)) == len(tokens)
