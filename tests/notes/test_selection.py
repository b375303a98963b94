"""Which notes are learnt from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.config import SelectConfig
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.selection import Selected, rounding_errors, select_notes, skyline
from pipeline_lib.notes.table import RejectReason
from tests.notes.tiny_notes import Rows, make_notes, rows_of

# A tune over two bass notes, and two strokes of a drum (onset, duration, pitch, track).
TUNE: Rows = [(0, 480, 72, 1), (480, 240, 74, 1), (720, 240, 76, 1)]
BASS: Rows = [(0, 960, 48, 0), (960, 480, 43, 0)]
DRUMS: Rows = [(0, 120, 36, 2), (480, 120, 38, 2)]
NAMES = ["Bass", " Melody ", "Drums"]

rows_strategy = st.lists(
    st.tuples(st.integers(0, 2000), st.integers(1, 960), st.integers(0, 127), st.integers(0, 2)),
    min_size=1,
    max_size=20,
)


def select(rows: Rows = TUNE + BASS + DRUMS, **settings: object) -> Selected:
    config = SelectConfig.model_validate({"min_notes": 1, **settings})
    return select_notes(make_notes(sorted(rows), drum_tracks=(2,)), NAMES, config)


def selected_rows(rows: Rows = TUNE + BASS + DRUMS, **settings: object) -> list[tuple[int, ...]]:
    return rows_of(select(rows, **settings).notes)


def without_track(rows: Rows) -> list[tuple[int, ...]]:
    return [row[:3] for row in rows]


def test_drums_are_never_learnt_from() -> None:
    selected = select()
    assert sorted(rows_of(selected.notes)) == sorted(without_track(TUNE + BASS))
    assert selected.tracks == (0, 1)
    assert (selected.estimated_key, selected.transposed_semitones) == (None, 0)


def test_the_track_with_the_highest_mean_pitch() -> None:
    selected = select(tracks="highest_mean_pitch")
    assert rows_of(selected.notes) == without_track(TUNE)
    assert selected.tracks == (1,)


def test_the_track_with_the_most_notes() -> None:
    assert select(tracks="most_notes").tracks == (1,)
    longer_bass = [*BASS, (1440, 480, 36, 0), (1920, 480, 36, 0)]
    assert select(TUNE + longer_bass, tracks="most_notes").tracks == (0,)


@pytest.mark.parametrize("tracks", ["highest_mean_pitch", "most_notes"])
def test_of_equal_tracks_the_first_is_chosen(tracks: str) -> None:
    rows: Rows = [(0, 9, 60, 1), (9, 9, 62, 1), (0, 9, 61, 0), (9, 9, 61, 0)]
    assert select(rows, tracks=tracks).tracks == (0,)


def test_drums_are_no_track_to_choose() -> None:
    drums = [(tick, 10, 100, 2) for tick in range(20)]
    assert select(TUNE + drums, tracks="most_notes").tracks == (1,)
    assert select(TUNE + drums, tracks="highest_mean_pitch").tracks == (1,)


def test_a_named_track_is_found_whatever_its_case_and_outer_blanks() -> None:
    selected = select(tracks="named", track_name="melody  ")
    assert rows_of(selected.notes) == without_track(TUNE)


def test_all_tracks_of_a_name_are_kept() -> None:
    config = SelectConfig(tracks="named", track_name="Piano", min_notes=1)
    selected = select_notes(make_notes(sorted(TUNE + BASS)), ["PIANO", "piano", None], config)
    assert selected.tracks == (0, 1)


def test_a_missing_name_is_a_reason_that_lists_the_names() -> None:
    with pytest.raises(RejectedFile, match=r"'Violin'.*'Bass', ' Melody ', 'Drums'") as caught:
        select(tracks="named", track_name="Violin")
    assert caught.value.reason == RejectReason.NO_SUCH_TRACK
    config = SelectConfig(tracks="named", track_name="Violin")
    with pytest.raises(RejectedFile, match="none has a name"):
        select_notes(make_notes(TUNE), [None, ""], config)


def test_a_named_track_without_pitched_notes_has_too_few() -> None:
    with pytest.raises(RejectedFile, match="0 notes are left") as caught:
        select(tracks="named", track_name="drums")
    assert caught.value.reason == RejectReason.TOO_FEW_NOTES


def test_the_range_of_pitches_includes_its_ends() -> None:
    pitches = [pitch for _, _, pitch in selected_rows(min_pitch=48, max_pitch=74)]
    assert sorted(pitches) == [48, 72, 74]


def test_short_notes_are_left_out() -> None:
    durations = [duration for _, duration, _ in selected_rows(min_duration_quarter=1)]
    assert sorted(durations) == [480, 480, 960]


def test_a_note_just_as_long_as_the_shortest_is_kept() -> None:
    for tenths in range(1, 40):
        rows: Rows = [(0, tenths, 60)]
        notes = make_notes(rows, ticks_per_quarter=10)
        config = SelectConfig(min_notes=1, min_duration_quarter=float(f"{tenths / 10:.1f}"))
        assert rows_of(select_notes(notes, [None], config).notes) == rows


def test_the_skyline_is_the_highest_note_of_each_onset_until_the_next() -> None:
    assert rows_of(skyline(make_notes(sorted(TUNE + BASS)))) == [
        (0, 480, 72),
        (480, 240, 74),
        (720, 240, 76),
        (960, 480, 43),
    ]


def test_the_skyline_cuts_a_long_high_note_at_the_next_lower_one() -> None:
    assert selected_rows([(0, 960, 84), (480, 240, 48)], skyline=True) == [
        (0, 480, 84),
        (480, 240, 48),
    ]


def test_the_skyline_keeps_the_longest_of_equal_pitches() -> None:
    assert selected_rows([(0, 100, 60, 0), (0, 300, 60, 1), (0, 200, 60, 0)], skyline=True) == [
        (0, 300, 60)
    ]


@given(rows=rows_strategy)
def test_a_skyline_is_one_voice_of_the_notes_it_is_made_from(rows: Rows) -> None:
    melody = skyline(make_notes(sorted(rows)))
    ends = melody.onset_tick + melody.duration_tick
    assert (ends[:-1] <= melody.onset_tick[1:]).all()
    assert (melody.duration_tick > 0).all()
    assert melody.onset_tick.tolist() == sorted({onset for onset, *_ in rows})
    for onset, duration, pitch in rows_of(melody):
        together = [(p, d) for o, d, p, _ in rows if o == onset]
        assert pitch == max(together)[0]
        assert duration <= max(together)[1]


@given(rows=rows_strategy)
def test_a_skyline_of_a_skyline_is_itself(rows: Rows) -> None:
    melody = skyline(make_notes(sorted(rows)))
    assert rows_of(skyline(melody)) == rows_of(melody)


def test_limits_of_length_say_how_many_notes_are_left() -> None:
    with pytest.raises(RejectedFile, match="5 notes are left; min_notes is 6") as caught:
        select(min_notes=6)
    assert caught.value.reason == RejectReason.TOO_FEW_NOTES
    with pytest.raises(RejectedFile, match="5 notes are left; max_notes is 4") as caught:
        select(max_notes=4)
    assert caught.value.reason == RejectReason.TOO_MANY_NOTES
    assert len(select(min_notes=5, max_notes=5).notes) == 5


def test_limits_count_what_the_other_settings_leave() -> None:
    assert len(select(tracks="most_notes", skyline=True, max_notes=3).notes) == 3


def test_a_piece_of_drums_has_no_notes() -> None:
    for settings in ({}, {"skyline": True}, {"tracks": "most_notes"}):
        with pytest.raises(RejectedFile, match="0 notes are left"):
            select(DRUMS, **settings)


def test_transposition_moves_to_c_major_and_keeps_the_original() -> None:
    d_major: Rows = [(0, 960, 62), (960, 480, 66), (1440, 480, 69)]
    selected = select(d_major, transpose="c_major_a_minor")
    assert selected.notes.pitch.tolist() == [60, 64, 67]
    assert selected.before_transposition.pitch.tolist() == [62, 66, 69]
    assert (selected.estimated_key, selected.transposed_semitones) == ("D major", -2)


def test_transposition_moves_minor_to_a_minor() -> None:
    g_minor: Rows = [(0, 960, 67), (960, 480, 70), (1440, 480, 74)]
    selected = select(g_minor, transpose="c_major_a_minor")
    assert selected.notes.pitch.tolist() == [69, 72, 76]
    assert (selected.estimated_key, selected.transposed_semitones) == ("G minor", 2)


@pytest.mark.parametrize(
    ("pitches", "semitones"),
    [
        pytest.param([62, 66, 69], -2, id="the smaller way"),
        pytest.param([2, 6, 9], -2, id="it just fits"),
        pytest.param([1, 62, 66, 69], 10, id="too low for it"),
        pytest.param([127, 67, 71, 74], -7, id="too high for it"),
        pytest.param([1, 127, 62, 66, 69], 0, id="neither way fits"),
    ],
)
def test_a_piece_at_the_edge_goes_the_other_way_round(pitches: list[int], semitones: int) -> None:
    rows: Rows = [(480 * i, 48 if p in (1, 127) else 960, p) for i, p in enumerate(pitches)]
    selected = select(rows, transpose="c_major_a_minor")
    assert selected.transposed_semitones == semitones
    assert selected.notes.pitch.tolist() == [p + semitones for p in pitches]


@given(rows=rows_strategy)
def test_what_was_transposed_is_the_original_moved(rows: Rows) -> None:
    if all(track == 2 for *_, track in rows):
        return
    selected = select(rows, transpose="c_major_a_minor")
    original = selected.before_transposition.pitch.astype(int)
    assert (selected.notes.pitch == original + selected.transposed_semitones).all()
    assert selected.notes.pitch.dtype == np.uint8


def test_rounding_errors_are_distances_to_the_nearest_step() -> None:
    # On a grid of 240 ticks these are 0, 60, 120 and 40 ticks off: 1/8, 1/4 and 1/12 of a quarter.
    mean, largest = rounding_errors(np.array([0, 60, 120, 200], np.int32), 480, 2)
    assert mean == pytest.approx(220 / 4 / 480)
    assert largest == 0.25


def test_rounding_errors_are_exact_where_steps_are_no_whole_ticks() -> None:
    # A grid of 24 steps on 100 ticks: step 1 is at 4 1/6 ticks, step 2 at 8 1/3.
    mean, largest = rounding_errors(np.array([4, 8]), 100, 24)
    assert mean == pytest.approx((1 / 6 + 1 / 3) / 2 / 100)
    assert largest == pytest.approx(1 / 3 / 100)


def test_late_onsets_do_not_overflow() -> None:
    assert rounding_errors(np.array([2**31 - 1], np.int32), 2**15, 960)[1] <= 1 / 1920
