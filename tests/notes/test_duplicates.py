"""When two pieces count as the same music."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tiny_files import make_piece

from pipeline_lib.notes.duplicates import duplicate_groups, notes_digest

TUNE = [(0, 480, 60), (480, 240, 64), (720, 240, 67)]

notes = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(1, 960), st.integers(20, 100)),
    min_size=1,
    max_size=20,
    unique=True,
)


def digest(tune: list[tuple[int, int, int]], **settings: int) -> str:
    return notes_digest(make_piece(sorted(tune), **settings))


@given(tune=notes, semitones=st.integers(-20, 27))
def test_transposing_changes_nothing(tune: list[tuple[int, int, int]], semitones: int) -> None:
    assert digest([(o, d, p + semitones) for o, d, p in tune]) == digest(tune)


@given(tune=notes, factor=st.integers(1, 20))
def test_another_resolution_changes_nothing(tune: list[tuple[int, int, int]], factor: int) -> None:
    finer = [(o * factor, d * factor, p) for o, d, p in tune]
    assert digest(finer, ticks_per_quarter=480 * factor) == digest(tune)


@given(tune=notes, silence_tick=st.integers(0, 5000))
def test_silence_before_changes_nothing(
    tune: list[tuple[int, int, int]], silence_tick: int
) -> None:
    assert digest([(o + silence_tick, d, p) for o, d, p in tune]) == digest(tune)


def test_one_other_pitch_onset_duration_or_note_makes_another_piece() -> None:
    others = [
        [*TUNE[:2], (720, 240, 68)],
        [*TUNE[:2], (721, 240, 67)],
        [*TUNE[:2], (720, 241, 67)],
        TUNE[:2],
        [*TUNE, (960, 240, 67)],
    ]
    assert len({digest(tune) for tune in [TUNE, *others]}) == 6


def test_twice_as_slow_in_note_values_is_another_piece() -> None:
    assert digest([(2 * o, 2 * d, p) for o, d, p in TUNE]) != digest(TUNE)


def test_drums_do_not_transpose() -> None:
    drums = [notes_digest(make_piece([(0, 240, p)], is_drum=True)) for p in (36, 38)]
    assert drums[0] != drums[1]
    assert digest([(0, 240, 36)]) == digest([(0, 240, 38)])


def test_groups_are_numbered_by_digest_whatever_the_order() -> None:
    assert duplicate_groups(["b", "a", "c", "b"]).tolist() == [1, 0, 2, 1]
    assert duplicate_groups(["c", "b", "b", "a"]).tolist() == [2, 1, 1, 0]
    assert duplicate_groups([]).tolist() == []
