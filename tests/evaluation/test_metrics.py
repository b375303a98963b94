from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.config import EvaluateConfig
from pipeline_lib.evaluation import pitch, repetition, rhythm
from pipeline_lib.evaluation.metrics import (
    METRICS,
    build_reference,
    leap_distribution,
    measure_piece,
    measure_set,
    summarise,
)

CONFIG = EvaluateConfig()


def test_every_metric_is_named_after_its_function():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert any(hasattr(module, name) for module in (pitch, rhythm, repetition))


def test_measure_piece_four_notes_by_hand(four_notes):
    measured = measure_piece(four_notes, CONFIG, build_reference([four_notes]))
    assert list(measured) == list(METRICS)
    known = {name: value for name, value in measured.items() if not math.isnan(value)}
    assert known == pytest.approx(
        {
            "pitch_entropy": 1.5,
            "pitch_class_entropy": 1.5,
            "scale_consistency": 1,
            "pitch_range": 7,
            "leap_rate": 2 / 3,
            "ioi_entropy": math.log2(3),
            "rhythmic_consistency": 1,
            "empty_beat_rate": 1 / 4,
            "polyphony": 1,
            "note_repetition_rate": 1 / 3,
            "compression_ratio": 11 / 3,
        }
    )


def test_settings_reach_their_metrics(four_notes):
    config = EvaluateConfig(leap_threshold_semitones=4, ngram_length=3)
    measured = measure_piece(four_notes, config, build_reference([]))
    assert measured["leap_rate"] == pytest.approx(1 / 3)
    assert measured["ngram_repetition"] == 0
    assert math.isnan(measured["rhythmic_consistency"])


def test_measure_set_has_a_row_per_piece(four_notes, silence, triads):
    reference = build_reference([four_notes])
    table = measure_set([four_notes, silence, triads], CONFIG, reference)
    assert list(table.columns) == list(METRICS)
    assert (table.dtypes == np.float64).all()
    assert table["polyphony"].tolist()[::2] == [1, 2.5]
    assert table.loc[1].isna().all()


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
