"""Copies are found with their source, and real music is as new as it was measured to be."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.evaluation.novelty import (
    NGRAM_LENGTHS,
    NOVELTY_SCHEMA,
    CopyBaseline,
    copy_baseline,
    copy_rates_by_set,
    measure_novelty,
    novelty_table,
)
from pipeline_lib.evaluation.top_lines import join_lines, lines_of_corpus
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import build_corpus
from pipeline_lib.tokens.sequences import TokenSequences
from pipeline_lib.tokens.vocabulary import build_vocabulary
from tests.evaluation.test_nottingham import _DATA, _MELODIES, load_melody
from tests.tokenisers import note_events

NO_BASELINE = CopyBaseline(float("nan"), float("nan"))


@pytest.fixture
def random_melodies():
    """Melodies of 100 notes over 12 pitches and 4 durations; two of them share 5 notes at most by chance."""
    draw = np.random.default_rng(0)

    def make(n: int):
        return {
            f"random {number}": list(
                zip(
                    draw.integers(60, 72, 100).tolist(),
                    draw.choice([6, 12, 18, 24], 100).tolist(),
                    strict=True,
                )
            )
            for number in range(n)
        }

    return make


def rows_of(pieces, train):
    novelty = measure_novelty(join_lines(pieces), join_lines(train))
    labels = pd.DataFrame({"set": "generated", "temperature": 1.0, "name": list(pieces)})
    return novelty_table(novelty, labels, NO_BASELINE).to_pylist()


def test_a_planted_transposed_copy_of_twelve_notes_is_found_with_its_source(
    random_melodies, make_melody
):
    train, (sample, *_) = random_melodies(20), random_melodies(1).values()
    # Notes 30 to 41 of a training piece, a fourth up, as notes 50 to 61 of the sample.
    sample[50:62] = [(pitch + 5, duration) for pitch, duration in train["random 7"][30:42]]
    (row,) = rows_of(
        {"sample": make_melody(sample)},
        {name: make_melody(notes) for name, notes in train.items()},
    )
    assert row["transposed_notes"] == 12
    assert row["transposed_start"] == 50
    assert row["transposed_source"] == "random 7"
    assert row["transposed_source_start"] == 30
    assert row["transposed_semitones"] == 5
    assert row["exact_notes"] < 6
    # Twelve notes are eleven pairs, in which four 8-grams are; the sample has 100 − 8.
    assert row["copy_rate"] == row["nearest_share"] == 4 / 92
    assert row["nearest_source"] == "random 7"


def test_a_planted_exact_copy_is_found_with_its_source(random_melodies, make_melody):
    train, (sample, *_) = random_melodies(20), random_melodies(1).values()
    sample[:20] = train["random 3"][80:]
    (row,) = rows_of(
        {"sample": make_melody(sample)},
        {name: make_melody(notes) for name, notes in train.items()},
    )
    for likeness in ("exact", "transposed"):
        assert row[f"{likeness}_notes"] == 20
        assert row[f"{likeness}_start"] == 0
        assert row[f"{likeness}_source"] == "random 3"
        assert row[f"{likeness}_source_start"] == 80
    assert row["transposed_semitones"] == 0


def test_random_music_copies_nothing(random_melodies, make_melody):
    pieces = {name: make_melody(notes) for name, notes in random_melodies(5).items()}
    train = {name: make_melody(notes) for name, notes in random_melodies(20).items()}
    for row in rows_of(pieces, train):
        assert 0 < row["transposed_notes"] < 8
        assert row["copy_rate"] == row["nearest_share"] == 0
        # No 8-gram decides, so the longest match does.
        assert row["nearest_source"] == row["transposed_source"]


def test_the_nearest_piece_has_most_ngrams_not_the_longest_match(make_melody):
    draw = np.random.default_rng(1)
    a, b, c, d = np.stack([draw.integers(60, 72, (4, 12)), draw.integers(1, 9, (4, 12))], -1)
    # One training piece has two passages of 12 notes, the other has one of 14.
    sample = make_melody(
        [*map(tuple, a), (80, 3), *map(tuple, b), (81, 3), *map(tuple, c), (40, 3)]
    )
    train = {
        "one": make_melody([*map(tuple, c), (40, 3)]),
        "two": make_melody([*map(tuple, b), *map(tuple, d), *map(tuple, a)]),
    }
    (row,) = rows_of({"sample": sample}, train)
    assert (row["transposed_source"], row["transposed_notes"]) == ("one", 13)
    # 4 of each passage of 11 pairs; the sample has 12 + 1 + 12 + 1 + 12 + 1 − 8 = 31.
    assert (row["nearest_source"], row["nearest_share"]) == ("two", 8 / 31)
    # And of 12 pairs, 5.
    assert row["copy_rate"] == 13 / 31


def test_copy_rates_of_a_scale(c_major_scale, make_melody):
    # The scale has the pairs 2 2 1 2 2 2 1, the train piece 2 2 1 2 | -1: of the five 3-grams 221, 212 and
    # the other 221 are copied, of the four 4-grams 2212.
    train = make_melody([(p, 24) for p in (62, 64, 66, 67, 69, 68)])
    novelty = measure_novelty(join_lines({"scale": c_major_scale}), join_lines({"train": train}))
    (rates,) = novelty.copy_rates
    assert rates[:2].tolist() == [3 / 5, 1 / 4]
    assert rates[2:5].tolist() == [0, 0, 0]
    assert np.isnan(rates[5:]).all()  # seven pairs have no 8-gram
    assert novelty.transposed.n_notes.tolist() == [5]


def test_too_short_to_tell(silence, one_note, one_chord, c_major_scale):
    pieces = {"silence": silence, "note": one_note, "chord": one_chord}
    silent, note, chord = rows_of(pieces, {"scale": c_major_scale})
    assert silent["n_notes"] == silent["transposed_notes"] == 0
    assert silent["transposed_source"] is silent["nearest_source"] is silent["exact_start"] is None
    for row in (note, chord):
        assert row["n_notes"] == row["transposed_notes"] == 1
        assert row["nearest_source"] == "scale"
    for row in (silent, note, chord):
        assert row["copy_rate"] is row["nearest_share"] is None
        assert not row["is_flagged"]


def test_no_training_pieces(c_major_scale):
    (row,) = rows_of({"scale": c_major_scale}, {})
    assert row["transposed_notes"] == row["exact_notes"] == 0
    assert row["nearest_source"] is None


def test_what_exceeds_nineteen_in_twenty_held_out_pieces_is_flagged(random_melodies, make_melody):
    train = random_melodies(3)
    tune = train["random 0"]

    def with_copy(notes, n):
        return make_melody([*tune[:n], *notes[n:]])

    # 21 held-out pieces that copy 10, 11, …, 30 notes: 19 in 20 do not exceed 29, and one does.
    held_out = {
        f"held out {n}": with_copy(notes, n)
        for n, notes in zip(range(10, 31), random_melodies(21).values(), strict=True)
    }
    samples = {
        f"sample {n}": with_copy(notes, n)
        for n, notes in zip((27, 28, 40), random_melodies(3).values(), strict=True)
    }
    novelty = measure_novelty(
        join_lines(samples | held_out), join_lines({n: make_melody(t) for n, t in train.items()})
    )
    labels = pd.DataFrame({"set": ["generated"] * 3 + ["held_out"] * 21, "temperature": np.nan})
    baseline = copy_baseline(novelty, labels["set"].to_numpy() == "held_out")
    assert baseline.match_notes == pytest.approx(29)
    assert baseline.copy_rate == pytest.approx((29 - 8) / 92)
    table = novelty_table(novelty, labels, baseline)
    assert table.schema.equals(NOVELTY_SCHEMA)
    copied = table.filter(table["is_flagged"])["piece"].to_pylist()
    assert copied == ["sample 40", "held out 30"]


def test_rates_of_sets_are_means_over_their_pieces(c_major_scale, one_note):
    pieces = {"scale": c_major_scale, "note": one_note, "held out": one_note}
    novelty = measure_novelty(join_lines(pieces), join_lines({"scale": c_major_scale}))
    labels = pd.DataFrame(
        {"set": ["generated", "generated", "held_out"], "temperature": [1.0, 1.0, np.nan]}
    )
    rates = copy_rates_by_set(novelty, labels)
    assert rates["n"].tolist() == 2 * list(NGRAM_LENGTHS)
    generated, held_out = (rates[rates["set"] == name] for name in ("generated", "held_out"))
    assert generated["share"].head(5).tolist() == [1] * 5  # of the scale; the note has none
    assert generated["n_pieces"].tolist() == [1] * 5 + [0] * 9
    assert held_out["share"].isna().all()
    assert held_out["temperature"].isna().all()


def test_lines_from_tokens_are_those_of_the_notes():
    tokens = {
        "tune": ["Pitch_60:1", "Rest:1/2", "Chord_60.64.67:3/2", "Pitch_62:1"],
        "rests": ["Rest:1"],
        "other": ["Pitch_67:1/2"],
    }
    columns = {"time_signature": "4/4", "tempo_qpm": 120.0, "key_signature": None}
    pieces = [
        {"piece_id": name, "line": name, "split": "train", "augmented_semitones": 0, **columns}
        for name in tokens
    ]
    lines = TokenSequences()
    for name, line in tokens.items():
        lines.add(name, line)
    vocabulary, _ = build_vocabulary(lines.count(["tune"]), 1, 1, note_events(4))
    corpus = build_corpus(pieces, lines, vocabulary)
    rows = corpus.rows(Split.TRAIN)
    found = lines_of_corpus(corpus, rows, note_events(4))
    expected = join_lines(
        {row["piece_id"]: corpus.excerpt(row, 0, 10, note_events(4)) for row in rows}
    )
    assert found.names == expected.names
    for name in ("starts", "pitch", "duration_step"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()
    assert found.pitch.tolist() == [60, 67, 62, 67]
    assert found.duration_step.tolist() == [4, 6, 4, 2]


@pytest.mark.slow
@pytest.mark.skipif(not _MELODIES.is_dir(), reason="no nottingham-melody")
def test_copy_rates_of_held_out_nottingham_melodies():
    """Computed once with sets of tuples: METRICS.md states them to two or three decimals."""
    split = json.loads((_DATA / "benchmarks" / "nott_split.json").read_text())
    train, test = (
        join_lines({name: load_melody(name) for name in split[part]}) for part in ("train", "test")
    )
    novelty = measure_novelty(test, train)
    assert len(test.names) == 119
    assert np.mean(novelty.copy_rate) == pytest.approx(0.090, abs=5e-4)
    assert np.median(novelty.copy_rate) == pytest.approx(0.024, abs=5e-4)
    assert np.quantile(novelty.copy_rate, 0.95) == pytest.approx(0.57, abs=5e-3)
    of_16 = novelty.copy_rates[:, NGRAM_LENGTHS.index(16)]
    assert np.mean(of_16) == pytest.approx(0.031, abs=5e-4)
    # 5 % of the test tunes share a run of at least 32 notes with train.
    assert np.mean(novelty.transposed.n_notes >= 32) == pytest.approx(0.05, abs=0.005)
