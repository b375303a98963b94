"""When pieces count as the same music."""

from __future__ import annotations

import random
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from symusic import Score

from pipeline_lib.notes.corpus.duplicates import (
    SKETCH_SIZE,
    find_near_duplicates,
    group_duplicates,
    minhash,
    notes_digest,
    similarity,
)
from pipeline_lib.notes.selection import PieceNotes
from pipeline_lib.notes.table import DuplicateKind
from tests.notes.tiny_notes import Rows, make_notes

TUNE: Rows = [(0, 480, 60), (480, 240, 64), (720, 240, 67)]

rows_strategy = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(1, 960), st.integers(20, 100), st.integers(0, 2)),
    min_size=1,
    max_size=25,
    unique=True,
)


def digests(rows: Rows, ticks_per_quarter: int = 480) -> tuple[str, str]:
    notes = make_notes(rows, ticks_per_quarter=ticks_per_quarter)
    return notes_digest(notes, transposable=False), notes_digest(notes, transposable=True)


def sketch(rows: Rows, ticks_per_quarter: int = 480) -> bytes:
    return minhash(make_notes(rows, ticks_per_quarter=ticks_per_quarter))


def random_tune(rng: random.Random, n_notes: int = 100) -> Rows:
    """Steps and small leaps in eighths and quarters."""
    rows: Rows = []
    onset, pitch = 0, 60
    for _ in range(n_notes):
        duration = rng.choice([240, 480])
        rows.append((onset, duration, pitch))
        onset += duration
        pitch = min(max(pitch + rng.choice([-5, -3, -2, -1, 1, 2, 3, 5]), 30), 100)
    return rows


def with_other_pitches(rows: Rows, first: int, last: int) -> Rows:
    """A variant: the notes from `first` up to `last` are a semitone or two off."""
    return [
        (onset, duration, pitch + 1 + i % 2 if first <= i < last else pitch)
        for i, (onset, duration, pitch) in enumerate(rows)
    ]


# Digests


@given(rows=rows_strategy, semitones=st.integers(-20, 27))
def test_transposing_changes_one_digest_and_no_sketch(rows: Rows, semitones: int) -> None:
    moved = [(o, d, p + semitones, t) for o, d, p, t in rows]
    assert digests(moved)[1] == digests(rows)[1]
    assert (digests(moved)[0] == digests(rows)[0]) == (semitones == 0)
    assert sketch(moved) == sketch(rows)


@given(rows=rows_strategy, factor=st.integers(1, 20))
def test_another_resolution_changes_nothing(rows: Rows, factor: int) -> None:
    finer = [(o * factor, d * factor, p, t) for o, d, p, t in rows]
    assert digests(finer, 480 * factor) == digests(rows)
    assert sketch(finer, 480 * factor) == sketch(rows)


@given(rows=rows_strategy, silence_tick=st.integers(0, 5000))
def test_silence_before_changes_nothing(rows: Rows, silence_tick: int) -> None:
    later = [(o + silence_tick, d, p, t) for o, d, p, t in rows]
    assert digests(later) == digests(rows)
    assert sketch(later) == sketch(rows)


@given(rows=rows_strategy, seed=st.integers(0, 100))
def test_the_order_of_notes_does_not_count(rows: Rows, seed: int) -> None:
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert digests(shuffled) == digests(rows)
    assert sketch(shuffled) == sketch(rows)


def test_digests_do_not_count_tracks() -> None:
    assert digests([(*row, track) for track, row in enumerate(TUNE)]) == digests(TUNE)


def test_one_other_pitch_onset_duration_or_note_makes_another_piece() -> None:
    others: list[Rows] = [
        [*TUNE[:2], (720, 240, 68)],
        [*TUNE[:2], (721, 240, 67)],
        [*TUNE[:2], (720, 241, 67)],
        TUNE[:2],
        [*TUNE, (960, 240, 67)],
    ]
    for column in (0, 1):
        assert len({digests(rows)[column] for rows in [TUNE, *others]}) == 6


def test_twice_as_slow_in_note_values_has_another_digest_but_the_same_phrases() -> None:
    tune = random_tune(random.Random(0))
    slower = [(2 * o, 2 * d, p) for o, d, p in tune]
    assert digests(slower)[1] != digests(tune)[1]
    assert sketch(slower) == sketch(tune)


# Sketches


@given(rows=rows_strategy)
def test_a_piece_is_entirely_similar_to_itself(rows: Rows) -> None:
    assert len(sketch(rows)) == 4 * SKETCH_SIZE
    assert similarity(sketch(rows), sketch(rows)) == 1


def test_a_sketch_is_the_same_on_every_machine() -> None:
    """From the first run: sketches on disk must stay comparable with new ones."""
    first = np.frombuffer(sketch([(240 * i, 240, 60 + i * i % 7) for i in range(12)]), "<u4")[:3]
    assert first.tolist() == [1524856412, 183049500, 91318155]


def test_a_passage_written_out_again_adds_only_the_phrases_of_the_seam() -> None:
    tune = random_tune(random.Random(1), 64)
    length = tune[-1][0] + tune[-1][1]
    twice = tune + [(o + length, d, p) for o, d, p in tune]
    # 58 phrases, and 6 more that begin before the seam and end after it.
    assert similarity(sketch(tune), sketch(twice)) == pytest.approx(58 / 64, abs=0.08)


def test_similarity_is_the_share_of_phrases_in_common() -> None:
    """Twenty notes of a hundred are others: 26 of 94 phrases contain one of them; 68 / 120 are shared."""
    rng = random.Random(2)
    similarities = []
    for _ in range(40):
        tune = random_tune(rng)
        similarities.append(similarity(sketch(tune), sketch(with_other_pitches(tune, 40, 60))))
    assert np.mean(similarities) == pytest.approx(68 / 120, abs=0.02)
    # One sketch has a standard error of sqrt(0.57 * 0.43 / 128) = 0.044.
    assert np.std(similarities) < 0.06


def test_unrelated_tunes_share_next_to_nothing() -> None:
    rng = random.Random(3)
    sketches = [sketch(random_tune(rng)) for _ in range(40)]
    assert max(similarity(a, b) for a in sketches[:20] for b in sketches[20:]) < 0.1


def test_each_track_has_its_own_phrases() -> None:
    rng = random.Random(4)
    tune = [(*row, 0) for row in random_tune(rng)]
    other_voice = [(o, d, p + 24, 1) for o, d, p in random_tune(rng)]
    assert similarity(sketch(tune), sketch(tune + other_voice)) > 0.4


def test_of_a_chord_the_highest_note_counts() -> None:
    tune = random_tune(random.Random(5))
    rolled = [(o + 20, d - 20, p - 4) for o, d, p in tune]
    assert sketch(tune + rolled) == sketch(tune)


def test_unsteady_playing_leaves_most_phrases() -> None:
    rng = random.Random(6)
    tune = random_tune(rng)
    played = [(max(0, o + rng.randint(-15, 15)), d, p) for o, d, p in tune]
    assert similarity(sketch(played), sketch(tune)) > 0.9


def test_music_shorter_than_a_phrase_is_one_phrase() -> None:
    assert similarity(sketch(TUNE), sketch([(o, d, p + 5) for o, d, p in TUNE])) == 1
    assert similarity(sketch(TUNE), sketch([*TUNE[:2], (720, 240, 68)])) < 0.1
    assert similarity(sketch([(0, 240, 60)]), sketch([(0, 480, 62)])) == 1


def test_long_pieces_are_sketched_in_parts_that_make_no_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tune = random_tune(random.Random(7), 500)
    at_once = sketch(tune)
    monkeypatch.setattr("pipeline_lib.notes.corpus.duplicates._PHRASES_AT_ONCE", 64)
    assert sketch(tune) == at_once


# Searching


def random_sketches(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**32, (n, SKETCH_SIZE)).astype("<u4")


def as_bytes(values: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in values]


@pytest.mark.parametrize("min_similarity", [0.2, 0.3, 0.5, 0.8, 1.0])
def test_nearly_all_pairs_at_the_limit_are_found_and_no_others(min_similarity: float) -> None:
    rng = np.random.default_rng(0)
    originals = random_sketches(1000, seed=1)
    copies = random_sketches(1000, seed=2)
    n_equal = int(np.ceil(min_similarity * SKETCH_SIZE))
    for original, copy in zip(originals, copies, strict=True):
        places = rng.choice(SKETCH_SIZE, n_equal, replace=False)
        copy[places] = original[places]
    links = find_near_duplicates(as_bytes(np.concatenate([originals, copies])), min_similarity)
    found = {tuple(sorted(link)) for link in links.tolist()}
    planted = {(i, i + 1000) for i in range(1000)}
    assert found <= planted
    assert len(found) >= 940


def test_pairs_just_below_the_limit_are_not_linked() -> None:
    a, b = random_sketches(2, seed=3)
    b[:63] = a[:63]
    assert len(find_near_duplicates(as_bytes(np.stack([a, b])), 0.5)) == 0
    b[63] = a[63]
    assert find_near_duplicates(as_bytes(np.stack([a, b])), 0.5).tolist() == [[0, 1]]


def test_every_planted_variant_is_found_among_unrelated_tunes() -> None:
    rng = random.Random(8)
    tunes = [random_tune(rng) for _ in range(300)]
    variants = [with_other_pitches(tune, 50, 70) for tune in tunes[:50]]
    links = find_near_duplicates([sketch(rows) for rows in tunes + variants], 0.3)
    assert {tuple(sorted(link)) for link in links.tolist()} == {(i, 300 + i) for i in range(50)}


def test_ten_thousand_equal_sketches_are_linked_in_no_time() -> None:
    start = process_time()
    links = find_near_duplicates(as_bytes(random_sketches(1, seed=4)) * 10_000, 0.5)
    assert len(links) == 9_999
    assert process_time() - start < 2


def test_ten_thousand_variants_of_one_piece_take_no_quadratic_time() -> None:
    values = np.repeat(random_sketches(1, seed=5), 10_000, axis=0)
    values[:, 48:] = random_sketches(10_000, seed=6)[:, 48:]
    start = process_time()
    links = find_near_duplicates(as_bytes(values), 0.3)
    groups, _ = group_duplicates(*ids(10_000), as_bytes(values), 0.3)
    assert len(links) < 30_000
    assert set(groups.tolist()) == {0}
    assert process_time() - start < 10


def test_no_sketches_no_links() -> None:
    assert find_near_duplicates([], 0.5).shape == (0, 2)
    assert find_near_duplicates(as_bytes(random_sketches(1, seed=7)), 0.5).shape == (0, 2)


# Groups


def ids(n: int) -> tuple[list[str], list[str], list[str]]:
    """Columns of pieces that have nothing in common."""
    return [f"p{i}" for i in range(n)], [f"n{i}" for i in range(n)], [f"m{i}" for i in range(n)]


def test_the_strictest_relation_to_an_earlier_piece_counts() -> None:
    a, b = as_bytes(random_sketches(2, seed=8))
    near_a = as_bytes(np.frombuffer(a, "<u4") * (np.arange(SKETCH_SIZE)[np.newaxis] > 20))[0]
    rows = [
        ("p1", "n1", "m1", a),
        ("p2", "n2", "m2", b),
        ("p3", "n3", "m3", near_a),
        ("p4", "n4", "m1", a),  # transposed from p1
        ("p5", "n4", "m1", a),  # the notes of p4
        ("p1", "n1", "m1", a),  # p1 again
    ]
    groups, kinds = group_duplicates(*map(list, zip(*rows, strict=True)), 0.5)
    assert groups.tolist() == [0, 1, 0, 0, 0, 0]
    assert kinds == [
        None,
        None,
        DuplicateKind.NEAR,
        DuplicateKind.TRANSPOSED,
        DuplicateKind.SAME_NOTES,
        DuplicateKind.EXACT,
    ]


def test_links_make_chains_whatever_comes_first() -> None:
    """The first and the second piece have nothing in common but the third."""
    first, second = random_sketches(2, seed=9)
    bridge = np.concatenate([first[:64], second[64:]])
    groups, kinds = group_duplicates(*ids(3), as_bytes(np.stack([first, second, bridge])), 0.4)
    assert groups.tolist() == [0, 0, 0]
    assert kinds == [None, DuplicateKind.NEAR, DuplicateKind.NEAR]


def test_a_limit_of_one_switches_near_duplicates_off() -> None:
    same = as_bytes(random_sketches(1, seed=10)) * 2
    groups, kinds = group_duplicates(*ids(2), same, 1.0)
    assert groups.tolist() == [0, 1]
    assert kinds == [None, None]


def test_groups_are_numbered_by_their_smallest_digest() -> None:
    sketches = as_bytes(random_sketches(4, seed=11))
    groups, _ = group_duplicates(["p", "q", "r", "p"], list("abca"), list("zyxa"), sketches, 0.5)
    assert groups.tolist() == [0, 2, 1, 0]
    assert groups.dtype == np.int32


def test_no_pieces_no_groups() -> None:
    groups, kinds = group_duplicates([], [], [], [], 0.5)
    assert (groups.tolist(), kinds) == ([], [])


@given(seed=st.integers(0, 1000))
def test_the_order_of_pieces_changes_no_group(seed: int) -> None:
    rng = random.Random(seed)
    tunes = [random_tune(rng, 30) for _ in range(4)]
    tunes += [with_other_pitches(rng.choice(tunes), 10, 16) for _ in range(4)]
    tunes += [[(o, d, p + 3) for o, d, p in rng.choice(tunes)] for _ in range(2)]
    columns = [(f"p{i}", *digests(tune), sketch(tune)) for i, tune in enumerate(tunes)]
    groups, kinds = group_duplicates(*map(list, zip(*columns, strict=True)), 0.3)
    order = rng.sample(range(len(tunes)), len(tunes))
    reordered = [columns[i] for i in order]
    other_groups, other_kinds = group_duplicates(*map(list, zip(*reordered, strict=True)), 0.3)
    assert other_groups.tolist() == [groups[i] for i in order]
    assert sum(k is None for k in kinds) == sum(k is None for k in other_kinds) == max(groups) + 1


# Real tunes


@pytest.fixture(scope="module")
def nottingham(test_data: Path) -> dict[str, PieceNotes]:
    pieces = {}
    for path in sorted((test_data / "midi" / "nottingham-melody").glob("*.mid")):
        score = Score(str(path))
        notes = score.tracks[0].notes.numpy()
        rows = np.stack([notes["time"], notes["duration"], notes["pitch"]], axis=1).tolist()
        pieces[path.stem] = make_notes(rows, ticks_per_quarter=score.ticks_per_quarter)
    return pieces


def test_a_folk_collection_holds_variants_but_no_chain_of_them(
    nottingham: dict[str, PieceNotes],
) -> None:
    columns = (
        [notes_digest(notes, transposable=transposable) for notes in nottingham.values()]
        for transposable in (False, True)
    )
    sketches = [minhash(notes) for notes in nottingham.values()]
    groups, kinds = group_duplicates(list(nottingham), *columns, sketches, 0.25)
    assert kinds.count(DuplicateKind.SAME_NOTES) == 5
    assert kinds.count(DuplicateKind.TRANSPOSED) == 0
    assert kinds.count(DuplicateKind.NEAR) == 38
    assert np.bincount(groups).max() == 3


def test_a_tune_is_found_inside_a_medley_of_three(nottingham: dict[str, PieceNotes]) -> None:
    """If `reelsr-t70` is trained on, 125 notes in a row of `reelsr-t71` are no test of anything."""
    tune, medley, unrelated = (nottingham[f"reelsr-t{n}"] for n in (70, 71, 73))
    assert similarity(minhash(tune), minhash(medley)) > 0.3
    assert similarity(minhash(tune), minhash(unrelated)) < 0.1
