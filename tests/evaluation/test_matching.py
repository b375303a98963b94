"""Passages that pieces share, beside a search that tries every pair of places."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.evaluation.matching import longest_matches, shared_passages
from pipeline_lib.evaluation.top_lines import Likeness, Lines, join_lines

# (pitch, duration) of the notes of a piece; few of either, so that much is shared.
melodies = st.lists(st.tuples(st.integers(60, 62), st.integers(1, 2)), max_size=12)
unhurried = settings(deadline=None)


def as_lines(pieces) -> Lines:
    notes = np.array([note for piece in pieces for note in piece], np.int64).reshape(-1, 2)
    names = [f"piece {number}" for number in range(len(pieces))]
    return Lines(names, np.cumsum([0, *map(len, pieces)]), *notes.T)


def spelled(passage, likeness: Likeness):
    """What has to be equal; None for what is no passage of this kind."""
    durations = [duration for _, duration in passage]
    intervals = [b - a for (a, _), (b, _) in pairwise(passage)]
    match likeness:
        case Likeness.EXACT:
            return passage
        case Likeness.TRANSPOSED:
            return durations, intervals
        case Likeness.PAIRS:
            return durations[1:], intervals


def passages(piece, n: int):
    return [(start, piece[start : start + n]) for start in range(len(piece) - n + 1)]


def brute_force(piece, corpus, likeness: Likeness):
    """The longest shared passage: its notes, its place, its source and its place there; of a whole copy the original."""
    for source, other in enumerate(corpus if piece else []):
        if len(other) == len(piece) and spelled(other, likeness) == spelled(piece, likeness):
            return len(piece), 0, source, 0, piece[0][0] - other[0][0]
    for n in range(len(piece), 0, -1):
        for start, passage in passages(piece, n):
            for source, other in enumerate(corpus):
                for source_start, found in passages(other, n):
                    if spelled(passage, likeness) == spelled(found, likeness):
                        semitones = passage[0][0] - found[0][0]
                        return n, start, source, source_start, semitones
    return None


@unhurried
@given(
    st.lists(melodies, max_size=3),
    st.lists(melodies, max_size=3),
    st.sampled_from([Likeness.EXACT, Likeness.TRANSPOSED]),
)
def test_the_longest_match_is_that_of_a_search_everywhere(pieces, corpus, likeness):
    matches = longest_matches(as_lines(pieces), as_lines(corpus), likeness)
    for number, piece in enumerate(pieces):
        expected = brute_force(piece, corpus, likeness)
        fields = ("n_notes", "start", "source", "source_start", "semitones")
        found = tuple(getattr(matches, name)[number] for name in fields)
        assert found == (expected or (0, 0, 0, 0, 0))


@unhurried
@given(st.lists(melodies, max_size=3), st.lists(melodies, max_size=3), st.sampled_from(Likeness))
def test_shared_passages_are_all_there_are(pieces, corpus, likeness):
    lines = as_lines(pieces)
    # A pair of an interval and a duration takes a second note.
    further = likeness is Likeness.PAIRS
    levels = {s.n_notes: s for s in shared_passages(lines, as_lines(corpus), likeness)}
    for n in range(1, 13):
        known = [spelled(p, likeness) for piece in corpus for _, p in passages(piece, n + further)]
        expected = [
            lines.starts[number] + start + further
            for number, piece in enumerate(pieces)
            for start, passage in passages(piece, n + further)
            if spelled(passage, likeness) in known
        ]
        assert (levels[n].at.tolist() if n in levels else []) == expected


def test_every_note_of_a_transposed_match_counts_and_so_do_all_durations(make_melody):
    # C quarter, D quarter, E half against the same a fourth up with a first note that is twice as long.
    tune = make_melody([(60, 24), (62, 24), (64, 48)])
    moved = make_melody([(65, 24), (67, 24), (69, 48)])
    longer = make_melody([(65, 48), (67, 24), (69, 48)])
    matches = longest_matches(
        join_lines({"moved": moved, "longer": longer}),
        join_lines({"tune": tune}),
        Likeness.TRANSPOSED,
    )
    assert matches.n_notes.tolist() == [3, 2]
    assert matches.start.tolist() == [0, 1]
    assert matches.semitones.tolist() == [5, 5]


def test_no_passage_reaches_into_the_next_piece(make_melody):
    halves = {"a": make_melody([(60, 24), (62, 24)]), "b": make_melody([(64, 24), (65, 24)])}
    whole = {"whole": make_melody([(60, 24), (62, 24), (64, 24), (65, 24)])}
    for likeness in (Likeness.EXACT, Likeness.TRANSPOSED):
        there = longest_matches(join_lines(whole), join_lines(halves), likeness)
        back = longest_matches(join_lines(halves), join_lines(whole), likeness)
        assert there.n_notes.tolist() == [2]
        assert back.n_notes.tolist() == [2, 2]


@pytest.mark.parametrize("likeness", Likeness)
def test_silence_matches_nothing(silence, c_major_scale, likeness):
    nothing, scale = join_lines({"silence": silence}), join_lines({"scale": c_major_scale})
    none, one_silent = join_lines({}), longest_matches(nothing, scale, likeness)
    assert one_silent.n_notes.tolist() == [0]
    assert longest_matches(scale, nothing, likeness).n_notes.tolist() == [0]
    assert longest_matches(scale, none, likeness).n_notes.tolist() == [0]
    assert longest_matches(none, scale, likeness).n_notes.tolist() == []


def test_of_a_chord_the_highest_note_counts(one_chord, one_note):
    chord, note = join_lines({"chord": one_chord}), join_lines({"note": one_note})
    assert chord.pitch.tolist() == [67]
    assert longest_matches(chord, note, Likeness.EXACT).n_notes.tolist() == [0]
    assert longest_matches(chord, note, Likeness.TRANSPOSED).n_notes.tolist() == [1]
    assert list(shared_passages(chord, note, Likeness.PAIRS)) == []
