"""Nearest tokens in vocabularies whose distances can be counted by hand."""

from __future__ import annotations

from pipeline_lib.tokens.nearest import nearest_tokens
from pipeline_lib.tokens.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.tokenisers import NOTES


def nearest(token: str, *known: str, n_tokens: int = 1) -> list[str]:
    return nearest_tokens(token, Vocabulary.of((*SPECIAL_TOKENS, *known), NOTES), NOTES, n_tokens)


def test_notes_are_as_far_apart_as_their_interval() -> None:
    known = ("Pitch_55:1", "Pitch_72:1", "Pitch_62:1")
    assert nearest("Pitch_60:1", *known, n_tokens=3) == ["Pitch_62:1", "Pitch_55:1", "Pitch_72:1"]


def test_no_more_are_found_than_there_are() -> None:
    assert nearest("Pitch_60:1", "Pitch_61:1", n_tokens=3) == ["Pitch_61:1"]
    assert nearest("Pitch_60:1") == []


def test_a_factor_of_two_in_duration_is_half_a_semitone() -> None:
    # 0.5 for half as long, 1 for a semitone, 1.5 for an eighth as long.
    known = ("Pitch_60:1/8", "Pitch_61:1", "Pitch_60:1/2")
    assert nearest("Pitch_60:1", *known, n_tokens=3) == [
        "Pitch_60:1/2",
        "Pitch_61:1",
        "Pitch_60:1/8",
    ]


def test_durations_are_compared_by_their_ratio() -> None:
    assert nearest("Pitch_60:1", "Pitch_60:1/2", "Pitch_60:3/2") == ["Pitch_60:3/2"]


def test_of_equally_near_ones_the_first_is_taken() -> None:
    assert nearest("Pitch_60:1", "Pitch_61:1", "Pitch_59:1") == ["Pitch_61:1"]
    assert nearest("Pitch_60:1", "Pitch_60:4", "Pitch_59:1") == ["Pitch_60:4"]
    # Logarithms of 2/3 and 3/2 are rounded differently.
    assert nearest("Pitch_60:1", "Pitch_60:3/2", "Pitch_60:2/3") == ["Pitch_60:3/2"]
    assert nearest("Pitch_60:1", "Pitch_60:2/3", "Pitch_60:3/2") == ["Pitch_60:2/3"]


def test_rests_are_near_to_rests_only() -> None:
    assert nearest("Rest:1", "Pitch_60:1", "Rest:4", "Rest:1/8", n_tokens=3) == [
        "Rest:4",
        "Rest:1/8",
    ]
    assert nearest("Rest:1", "Pitch_60:1") == []
    assert nearest("Pitch_60:1", "Rest:1") == []


def test_chords_are_compared_voice_by_voice_from_the_top() -> None:
    # 64-60 to 65-60: 1 + 0; to 64-57: 0 + 3; to 66-62: 2 + 2.
    known = ("Chord_62.66:1", "Chord_57.64:1", "Chord_60.65:1")
    assert nearest("Chord_60.64:1", *known, n_tokens=3) == [*reversed(known)]


def test_voices_left_over_are_compared_with_the_lowest_of_the_other() -> None:
    # 67-64-60 to 67-64: 0 + 0 + 4; to 67-64-55: 0 + 0 + 5.
    assert nearest("Chord_60.64.67:1", "Chord_55.64.67:1", "Chord_64.67:1") == ["Chord_64.67:1"]
    # The other way round, 67-64 to 67-64-60: 0 + 0 + 4; to 70-62: 3 + 2.
    known = ("Chord_62.70:1", "Chord_60.64.67:1")
    assert nearest("Chord_64.67:1", *known) == ["Chord_60.64.67:1"]


def test_notes_are_nearer_to_notes_and_chords_to_chords() -> None:
    assert nearest("Pitch_60:1", "Chord_59.60:1", "Pitch_90:1") == ["Pitch_90:1"]
    assert nearest("Chord_60.64:1", "Pitch_64:1", "Chord_80.90:1", n_tokens=2) == [
        "Chord_80.90:1",
        "Pitch_64:1",
    ]


def test_note_and_chord_are_compared_by_the_highest_note() -> None:
    assert nearest("Chord_60.64.67:1", "Pitch_60:1", "Pitch_66:1") == ["Pitch_66:1"]
    assert nearest("Pitch_60:1", "Chord_60.72:1", "Chord_40.61:1") == ["Chord_40.61:1"]
