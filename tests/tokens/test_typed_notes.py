"""Typed notes, token by token, and every mistake that can be made in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.errors import ConfigError
from pipeline_lib.tokens.typed_notes import looks_typed, parse_typed_notes, typed_note
from tests.tokenisers import NOTES

STEPS, LONGEST = 24, 8


def parsed(text: str) -> list[str]:
    return parse_typed_notes(text, NOTES)


def test_a_melody_with_a_rest_and_a_chord() -> None:
    assert parsed("C4:1 E4:0.5 R:1/2\n C4+E4+G4:3/2") == [
        "Pitch_60:1",
        "Pitch_64:1/2",
        "Rest:1/2",
        "Chord_60.64.67:3/2",
    ]


@pytest.mark.parametrize(
    ("name", "pitch"),
    [
        ("C4", 60),
        ("A4", 69),
        ("C#4", 61),
        ("Db4", 61),
        ("F##4", 67),
        ("Bbb4", 69),
        ("Cb4", 59),
        ("B#3", 60),
        ("C-1", 0),
        ("G9", 127),
    ],
)
def test_names_are_pitches(name: str, pitch: int) -> None:
    assert parsed(f"{name}:1") == [f"Pitch_{pitch}:1"]


@pytest.mark.parametrize("text", ["0.5", ".5", "1/2", "2/4", "+0.50"])
def test_durations_are_decimals_or_fractions(text: str) -> None:
    assert parsed(f"C4:{text}") == ["Pitch_60:1/2"]


def test_the_order_of_a_chord_does_not_matter() -> None:
    assert parsed("G4+C4+G4:1") == ["Chord_60.67:1"]
    assert parsed("C4+C4:1") == ["Pitch_60:1"]


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("H4:1", "'H4' is no note"),
        ("c4:1", "'c4' is no note"),
        ("C#b4:1", "'C#b4' is no note"),
        ("C:1", "'C' is no note"),
        ("C4+:1", "'' is no note"),
        ("C4+R:1", "'R' is no note"),
        ("C4", "it has no colon and duration"),
        ("C-2:1", "C-2 is pitch -12; pitches are 0 .* to 127"),
        ("G#9:1", "G#9 is pitch 128"),
        ("C4:", "'' is no duration"),
        ("C4:1,", "'1,' is no duration"),
        ("C4:1:2", "'1:2' is no duration"),
        ("C4:1e999999999", "'1e999999999' is no duration"),
        ("C4:1/0", "divides by zero"),
        ("C4:0", "0 is not above zero"),
        ("R:-1/2", "-1/2 is not above zero"),
        ("C4:8.5", "8.5 is above 8 quarter notes"),
        ("C4:0.333", "0.333 is not on the grid of 24 steps per quarter note.*nearest that is: 1/3"),
        ("C4:0.001", "nearest that is: 1/24"),
    ],
)
def test_a_mistake_is_named_with_its_place(item: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        parsed(f"C4:1 {item} E4:1")
    assert f"item 2 of 3 of the typed prompt, {item!r}" in caught.value.problem
    assert "C4+E4+G4:1" in caught.value.remedy


@pytest.mark.parametrize("text", ["C4:1", "C4 E4:1/2", "H4:.5", "R:-1"])
def test_texts_that_are_meant_as_notes(text: str) -> None:
    assert looks_typed(text)


@pytest.mark.parametrize("text", ["tune.mid", "C:\\music\\a.mid", "C4 E4", "http://host:80/a.mid"])
def test_texts_that_are_not(text: str) -> None:
    assert not looks_typed(text)


@given(
    st.lists(st.integers(0, 127), max_size=4),
    st.integers(1, STEPS * LONGEST),
)
def test_a_token_can_be_typed_again(pitches: list[int], duration_step: int) -> None:
    (token,) = NOTES.event(tuple(pitches), duration_step)
    assert parsed(typed_note(token, NOTES)) == [token]
