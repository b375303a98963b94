from __future__ import annotations

import math
import re
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.config import EvaluateConfig
from pipeline_lib.evaluation import metrics
from pipeline_lib.evaluation.metrics import (
    METRICS,
    PIECES_PER_BATCH,
    build_reference,
    leap_distribution,
    measure_set,
    summarise,
)

CONFIG = EvaluateConfig()
BY_HAND = {
    "pitch_entropy": 1.5,
    "pitch_class_entropy": 1.5,
    "window_pitch_class_entropy_1": 1.5,
    "scale_consistency": 1,
    "pitch_range": 7,
    "mean_absolute_interval": 10 / 3,
    "leap_rate": 2 / 3,
    "turn_rate": 1,
    "note_density": 1,
    "ioi_entropy": math.log2(3),
    "ioi_variability": 250 / 3,
    "rhythmic_consistency": 1,
    "empty_beat_rate": 1 / 4,
    "polyphony": 1,
    "note_repetition_rate": 1 / 3,
    "compression_ratio": 11 / 3,
}
"""Metrics of the fixture's four notes, worked out by hand; others are NaN for them, or have examples of their own."""


def function_of(name):
    """The function that defines a metric, which is named after it."""
    name = re.sub("_(1|4|8|short|mid|long)$", "", name)
    (found,) = [
        getattr(module, name)
        for module in vars(metrics).values()
        if isinstance(module, ModuleType) and hasattr(module, name)
    ]
    return found


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_named_after_its_function_and_has_an_example_that_is_run(name):
    assert METRICS[name].name == name
    assert ">>>" in function_of(name).__doc__


def test_four_notes_by_hand(four_notes):
    measured = measure_set([four_notes], CONFIG, build_reference([four_notes])).iloc[0].to_dict()
    assert list(measured) == list(METRICS)
    assert {name: measured[name] for name in BY_HAND} == pytest.approx(BY_HAND)


def test_settings_reach_their_metrics(four_notes):
    config = EvaluateConfig(leap_threshold_semitones=4)
    measured = measure_set([four_notes], config, build_reference([])).iloc[0]
    assert measured["leap_rate"] == pytest.approx(1 / 3)
    assert math.isnan(measured["rhythmic_consistency"])


def test_measure_set_has_a_row_per_piece(four_notes, silence, triads):
    reference = build_reference([four_notes])
    table = measure_set([four_notes, silence, triads], CONFIG, reference)
    assert list(table.columns) == list(METRICS)
    assert (table.dtypes == np.float64).all()
    assert table["polyphony"].tolist()[::2] == [1, 2.5]
    assert table.loc[1].isna().all()


def test_more_pieces_than_fit_a_batch_keep_their_order(make_melody):
    n_pieces = PIECES_PER_BATCH + 3
    pieces = [make_melody([(0, 24), (n % 100, 24)]) for n in range(n_pieces)]
    table = measure_set(pieces, CONFIG, build_reference(pieces))
    assert table["pitch_range"].tolist() == [n % 100 for n in range(n_pieces)]


def test_a_note_at_the_end_of_time_costs_no_more_than_any_other(make_notes):
    # A table with a row for each of its 22 million bars would take minutes, and gigabytes.
    distant = make_notes([(0, 60, 24), (96, 62, 24), (2**31, 60, 24)])
    measured = measure_set([distant], CONFIG, build_reference([distant])).iloc[0]
    assert measured["empty_beat_rate"] == pytest.approx(1, abs=1e-6)
    assert measured["groove_consistency"] == pytest.approx(1, abs=1e-6)


def test_summarise_gives_value_interval_count_and_reference_value(four_notes, silence, triads):
    reference = build_reference([four_notes])
    generated = measure_set([four_notes, silence, triads], CONFIG, reference)
    corpus = measure_set([triads], CONFIG, reference)
    summary = summarise(generated, corpus, seed=0)
    assert summary["metric"].tolist() == list(METRICS)
    assert list(summary.columns) == [
        "metric",
        "unit",
        "generated_mean",
        "generated_low",
        "generated_high",
        "corpus_mean",
        "corpus_low",
        "corpus_high",
        "n_generated",
        "n_corpus",
    ]
    polyphony = summary.set_index("metric").loc["polyphony"]
    assert polyphony["generated_mean"] == 1.75
    assert (polyphony["generated_low"], polyphony["generated_high"]) == (1, 2.5)
    assert polyphony["corpus_mean"] == 2.5
    assert math.isnan(polyphony["corpus_low"])
    assert (polyphony["n_generated"], polyphony["n_corpus"]) == (2, 1)
    pd.testing.assert_frame_equal(summary, summarise(generated, corpus, seed=0))


def test_summarise_nothing():
    nothing = measure_set([], CONFIG, build_reference([]))
    summary = summarise(nothing, nothing, seed=0)
    assert summary["generated_mean"].isna().all()
    assert (summary["n_corpus"] == 0).all()


def test_leap_distribution(four_notes, silence):
    table = leap_distribution([four_notes, silence])
    assert table["interval_semitones"].tolist() == list(range(-12, 13))
    shares = table.set_index("interval_semitones")["share"]
    assert shares[shares > 0].to_dict() == pytest.approx({-3: 1 / 3, 0: 1 / 3, 7: 1 / 3})
    assert leap_distribution([])["share"].isna().all()
