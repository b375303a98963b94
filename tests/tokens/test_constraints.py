"""What may come next: by key and range, and so that the piece ends where it was asked to."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.config import ConstraintConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.tokens.constraints import Constraints, constrain
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.vocabulary import END, SPECIAL_TOKENS, Vocabulary
from tests.tokenisers import note_events

STEPS = 4
CHROMATIC = tuple(f"Pitch_{pitch}:1" for pitch in range(60, 72))


def prompt(*tokens: str, **changes: Any) -> Prompt:
    values: dict[str, Any] = {"time_signature": "4/4", "tempo_qpm": 120.0, "key_signature": None}
    return Prompt("tune.mid", tokens, **{**values, **changes})


def constraints(
    tokens: tuple[str, ...], *prompts: Prompt, steps_per_quarter: int = STEPS, **settings: Any
) -> Constraints:
    vocabulary = Vocabulary.of((*SPECIAL_TOKENS, *tokens), note_events(steps_per_quarter))
    return constrain(
        ConstraintConfig(**settings),
        prompts or (prompt(),),
        vocabulary,
        note_events(steps_per_quarter),
    )


def named(tokens: tuple[str, ...], row: Any) -> list[str]:
    return [t for t, is_set in zip((*SPECIAL_TOKENS, *tokens), row, strict=True) if is_set]


def allowed(tokens: tuple[str, ...], *prompts: Prompt, **settings: Any) -> list[str]:
    """The notes that may come; without those, special tokens are left out."""
    of_first = named(tokens, constraints(tokens, *prompts, **settings).is_allowed[0])
    return [token for token in of_first if not token.startswith("<")]


def pitch_classes(*prompts: Prompt, **settings: Any) -> list[int]:
    return [int(t[6:8]) - 60 for t in allowed(CHROMATIC, *prompts, **settings)]


def test_without_constraints_all_notes_and_rests_and_the_end_may_come() -> None:
    tokens = ("Pitch_60:1", "Chord_60.61:1/2", "Rest:3")
    assert named(tokens, constraints(tokens).is_allowed[0]) == [END, *tokens]


def test_of_a_major_key_its_scale_may_come() -> None:
    assert pitch_classes(key="C major") == [0, 2, 4, 5, 7, 9, 11]
    assert pitch_classes(key="D major") == [1, 2, 4, 6, 7, 9, 11]
    assert pitch_classes(key="Eb major") == [0, 2, 3, 5, 7, 8, 10]


def test_of_a_minor_key_the_natural_scale_and_the_raised_seventh_may_come() -> None:
    assert pitch_classes(key="A minor") == [0, 2, 4, 5, 7, 8, 9, 11]
    assert pitch_classes(key="F# minor") == [1, 2, 4, 5, 6, 8, 9, 11]
    assert pitch_classes(key="Bb minor") == [0, 1, 3, 5, 6, 8, 9, 10]


def test_keys_of_the_same_notes_are_the_same() -> None:
    assert pitch_classes(key="F# major") == pitch_classes(key="Gb major")
    assert pitch_classes(key="D# minor") == pitch_classes(key="Eb minor")


def test_the_key_may_be_that_of_each_prompt() -> None:
    prompts = prompt(key_signature="D major"), prompt(key_signature="Eb major")
    rows = constraints(CHROMATIC, *prompts, key="prompt").is_allowed[:, len(SPECIAL_TOKENS) :]
    assert np.flatnonzero(rows[0]).tolist() == pitch_classes(key="D major")
    assert np.flatnonzero(rows[1]).tolist() == pitch_classes(key="Eb major")


def test_a_named_key_counts_whatever_the_prompt_states() -> None:
    stated = prompt(key_signature="D major")
    assert pitch_classes(stated, key="Eb major") == pitch_classes(key="Eb major")


@pytest.mark.parametrize("settings", [{"key": "prompt"}, {"bars": 2, "end_on_tonic": True}])
def test_a_prompt_that_states_no_key_is_refused_where_one_is_needed(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(ConfigError, match=r"the prompt tune\.mid states no key") as caught:
        constraints(CHROMATIC, **settings)
    assert "G major" in caught.value.remedy


@pytest.mark.parametrize("key", ["G# major", "Fb minor", "E# major"])
def test_a_key_that_is_never_written_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"no such key: {key}"):
        constraints(CHROMATIC, key=key)


def test_a_chord_may_come_where_all_its_notes_may() -> None:
    tokens = ("Chord_60.64.67:1", "Chord_60.63.67:1", "Chord_64.79:1")
    assert allowed(tokens, key="C major") == ["Chord_60.64.67:1", "Chord_64.79:1"]
    assert allowed(tokens, min_pitch=60, max_pitch=67) == ["Chord_60.64.67:1", "Chord_60.63.67:1"]
    assert allowed(tokens, min_pitch=64) == ["Chord_64.79:1"]


def test_the_ends_of_a_range_are_in_it_and_rests_in_every_one() -> None:
    tokens = (*CHROMATIC, "Rest:1")
    expected = ["Pitch_62:1", "Pitch_63:1", "Rest:1"]
    assert allowed(tokens, min_pitch=62, max_pitch=63) == expected


def test_special_tokens_never_come_but_for_the_end_where_no_length_is_asked_for() -> None:
    special = constraints(CHROMATIC).is_allowed[0, : len(SPECIAL_TOKENS)]
    assert named((), special) == [END]
    for length in ({"bars": 1}, {"seconds": 2.0}):
        assert not constraints(CHROMATIC, **length).is_allowed[0, : len(SPECIAL_TOKENS)].any()


@pytest.mark.parametrize(
    ("tokens", "settings", "problem"),
    [
        (CHROMATIC, {"max_pitch": 59}, "any key and between the pitches 0 and 59"),
        (("Pitch_61:1",), {"key": "C major"}, "in C major and between the pitches 0 and 127"),
        (("Rest:1",), {}, "no token of the vocabulary"),
        ((), {"bars": 1}, "no token of the vocabulary"),
    ],
)
def test_where_no_note_may_come_the_settings_are_refused(
    tokens: tuple[str, ...], settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        constraints(tokens, **settings)


def test_on_the_tonic_a_piece_ends_with_a_quarter_or_longer_and_the_tonic_lowest() -> None:
    closing = ("Pitch_67:1", "Pitch_55:3/2", "Chord_67.71.74:2", "Chord_55.79:1")
    others = ("Pitch_67:1/2", "Pitch_71:2", "Chord_71.74.79:2", "Chord_62.67:1", "Rest:1")
    tokens = closing + others
    found = constraints(tokens, key="G major", bars=2, end_on_tonic=True)
    assert named(tokens, found.closes[0]) == list(closing)
    assert named(tokens, found.is_allowed[0]) == list(tokens)


def test_the_tonic_of_minor_is_its_own_and_not_that_of_the_relative_major() -> None:
    tokens = ("Pitch_60:1", "Pitch_69:1")
    found = constraints(tokens, key="A minor", bars=2, end_on_tonic=True)
    assert named(tokens, found.closes[0]) == ["Pitch_69:1"]


def test_the_tonic_may_be_the_prompts_while_any_note_may_come() -> None:
    found = constraints(CHROMATIC, prompt(key_signature="D major"), bars=2, end_on_tonic=True)
    assert named(CHROMATIC, found.closes[0]) == ["Pitch_62:1"]
    assert named(CHROMATIC, found.is_allowed[0]) == list(CHROMATIC)


def test_a_closing_note_has_to_be_allowed() -> None:
    tokens = (*CHROMATIC, "Pitch_48:1")
    found = constraints(tokens, key="C major", bars=2, end_on_tonic=True, min_pitch=60)
    assert named(tokens, found.closes[0]) == ["Pitch_60:1"]


@pytest.mark.parametrize(
    ("time_signature", "bars", "steps"), [("4/4", 2, 32), ("6/8", 2, 24), ("3/4", 3, 36)]
)
def test_bars_are_those_of_the_prompts_metre(time_signature: str, bars: int, steps: int) -> None:
    found = constraints(CHROMATIC, prompt(time_signature=time_signature), bars=bars)
    assert found.has_length
    assert found.steps_left.tolist() == [steps]


def test_the_prompt_counts_with_its_chords_and_rests() -> None:
    opening = prompt("Pitch_60:1", "Chord_60.64:1/2", "Rest:3/4", time_signature="3/4")
    assert constraints(("Pitch_60:1/4",), opening, bars=1).steps_left.tolist() == [12 - 4 - 2 - 3]


def test_seconds_are_counted_at_the_prompts_tempo_to_the_nearest_step() -> None:
    slow, fast = prompt(tempo_qpm=60.0), prompt("Pitch_60:1", tempo_qpm=180.0)
    # 2.1 s: 2.1 and 6.3 quarters, or 8.4 and 25.2 steps, of which the second prompt has used 4.
    short = ("Pitch_60:1", "Pitch_60:1/4")
    assert constraints(short, slow, fast, seconds=2.1).steps_left.tolist() == [8, 21]


def test_without_a_length_there_is_nothing_to_fill() -> None:
    found = constraints(CHROMATIC, prompt("Pitch_60:1"))
    assert not found.has_length
    assert found.steps_left.tolist() == [0]


@pytest.mark.parametrize(
    ("n_quarters", "settings"), [(4, {"bars": 1}), (5, {"bars": 1}), (4, {"seconds": 2.0})]
)
def test_a_prompt_as_long_as_the_piece_or_longer_is_refused(
    n_quarters: int, settings: dict[str, Any]
) -> None:
    opening = prompt(*["Pitch_60:1"] * n_quarters)
    with pytest.raises(
        ConfigError, match=f"lasts {n_quarters} quarter notes; .* (is|are) 4"
    ) as caught:
        constraints(CHROMATIC, opening, **settings)
    assert "longer piece" in caught.value.remedy


def test_a_length_that_no_tokens_fill_is_refused() -> None:
    with pytest.raises(ConfigError, match="fill the 4 quarter notes that are left"):
        constraints(("Pitch_60:3/2",), bars=1)
    # 2 + 2 are 4, but behind the tonic's 3 a single quarter would be left.
    tokens = ("Pitch_62:3", "Pitch_64:2")
    assert constraints(tokens, bars=1, key="D major").has_length
    with pytest.raises(ConfigError, match="notes that are left and end on the tonic"):
        constraints(tokens, bars=1, key="D major", end_on_tonic=True)


def test_a_piece_of_a_given_length_ends_with_a_note() -> None:
    found = constraints((*CHROMATIC, "Rest:1"), bars=1)
    assert named((*CHROMATIC, "Rest:1"), found.closes[0]) == list(CHROMATIC)
    with pytest.raises(ConfigError, match="fill the 4 quarter notes that are left"):
        constraints(("Pitch_60:3", "Rest:2"), bars=1)


DURATIONS = st.sets(st.integers(1, 6), max_size=3)


@given(tonic=DURATIONS, other=DURATIONS, rest=DURATIONS, n_steps=st.integers(1, 8))
@pytest.mark.parametrize("end_on_tonic", [False, True])
def test_a_length_can_be_filled_where_some_sequence_of_tokens_has_it(
    end_on_tonic: bool, tonic: set[int], other: set[int], rest: set[int], n_steps: int
) -> None:
    kinds = {"Pitch_60": tonic | {5}, "Pitch_62": other, "Rest": rest}
    tokens = tuple(f"{kind}:{n}/{STEPS}" for kind, steps in kinds.items() for n in sorted(steps))
    every_step = tonic | {5} | other | rest
    last = (
        {n for n in kinds["Pitch_60"] if n >= STEPS} if end_on_tonic else kinds["Pitch_60"] | other
    )
    totals = {
        sum(before) + n
        for n_before in range(n_steps)
        for before in product(every_step, repeat=n_before)
        for n in last
    }
    one_bar = prompt(time_signature=f"{n_steps}/{4 * STEPS}")
    settings = {"key": "C major", "bars": 1, "end_on_tonic": end_on_tonic}
    if n_steps not in totals:
        with pytest.raises(ConfigError, match="no tokens of the vocabulary fill"):
            constraints(tokens, one_bar, **settings)
    else:
        found = constraints(tokens, one_bar, **settings)
        expected = [n in totals for n in range(n_steps + 1)]
        assert found.is_fillable.tolist() == [expected]


def test_what_can_be_filled_is_padded_to_the_longest_piece() -> None:
    found = constraints(("Pitch_60:1",), prompt("Pitch_60:1"), prompt(), bars=1)
    assert found.steps_left.tolist() == [12, 16]
    quarters = [n > 0 and n % STEPS == 0 for n in range(17)]
    assert found.is_fillable.tolist() == [[*quarters[:13], *[False] * 4], quarters]


def test_the_longest_piece_is_all_shortest_notes_and_an_end() -> None:
    tokens = ("Pitch_60:1", "Pitch_60:1/2")
    assert constraints(tokens, prompt("Pitch_60:1"), prompt(), bars=2).most_tokens == 16 + 1


def test_the_limits_of_some_sequences_are_their_rows() -> None:
    prompts = prompt(key_signature="D major"), prompt("Pitch_62:1", key_signature="Eb major")
    found = constraints(CHROMATIC, *prompts, bars=1, key="prompt", end_on_tonic=True)
    second = found.of(slice(1, 2))
    assert np.array_equal(second.is_allowed, found.is_allowed[1:])
    assert named(CHROMATIC, second.closes[0]) == ["Pitch_63:1"]
    assert second.steps_left.tolist() == [12]
    assert np.array_equal(second.is_fillable, found.is_fillable[1:])
    assert second.has_length
