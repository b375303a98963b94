"""Experiments whose outcome is known, because the curves and the figures are made up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.config import LstmConfig, RunConfig
from pipeline_lib.evaluation.claims import Judgement
from pipeline_lib.evaluation.metrics import METRICS
from pipeline_lib.presets import build_config
from pipeline_lib.studies.lab_report.claims import CLAIMS, LabRun, judge_claims, lab_curves
from pipeline_lib.studies.lab_report.settings import lab_report

Curve = Callable[[RunConfig], np.ndarray]
N_UPDATES = 2_500


def exponential(config: RunConfig, n_updates: int = N_UPDATES) -> np.ndarray:
    """Falls from 5 to 1: faster with a higher rate and a longer window, and with noise that grows with the rate."""
    pace = 250 if config.learning_rate >= 5e-3 else min(0.5 / config.learning_rate, 600)
    pace *= 100 / config.seq_length
    noise = np.random.default_rng(config.seed).normal(0, 3 * config.learning_rate, n_updates)
    return 1 + 4 * np.exp(-np.arange(n_updates) / pace) + noise


def exponential_alike(config: RunConfig) -> np.ndarray:
    """Falls from 5 to 1 at the same pace, whatever the settings; noise and pace vary by training."""
    rng = np.random.default_rng([config.seed, config.seq_length])
    pace = 250 + rng.normal(0, 10)
    return 1 + 4 * np.exp(-np.arange(N_UPDATES) / pace) + rng.normal(0, 0.01, N_UPDATES)


def music(config: RunConfig, shift: Callable[[RunConfig, float, str], float]) -> pd.DataFrame:
    rng = np.random.default_rng([config.seed, config.seq_length, int(1e6 * config.learning_rate)])
    rows = [
        {
            "temperature": temperature,
            "sample": number,
            **{name: rng.normal() + shift(config, temperature, name) for name in METRICS},
        }
        for temperature in (0.5, 1.0, 1.2)
        for number in range(24)
    ]
    return pd.DataFrame(rows)


def as_claimed(config: RunConfig, temperature: float, metric: str) -> float:
    """Shifts of two standard deviations, in the directions that the lab report says."""
    by_length = {
        "ioi_entropy": -0.04,
        "note_density": -0.04,
        "pitch_entropy": -0.04,
        "bar_self_similarity": 0.04,
        "ngram_repetition_4": 0.04,
    }
    by_temperature = {"ngram_repetition_4": -3.0, "pitch_entropy": 3.0, "leap_rate": 3.0}
    off = 0.0 if config.learning_rate >= 1e-3 else 2.0
    of_length = by_length.get(metric, 0.0) * config.seq_length
    return off + of_length + by_temperature.get(metric, 0.0) * (temperature - 1)


def as_nothing(config: RunConfig, temperature: float, metric: str) -> float:
    return 0.0


def judged(
    shift: Callable[[RunConfig, float, str], float],
    curve: Curve = exponential,
    scale: str = "small",
) -> dict[int, Judgement]:
    runs = [
        LabRun(config, curve(config), music(config, shift))
        for config in build_config("lab-report", scale=scale).runs  # type: ignore[arg-type]
    ]
    corpus = pd.DataFrame(
        np.random.default_rng(0).normal(size=(60, len(METRICS))), columns=list(METRICS)
    )
    return {judgement.claim: judgement for judgement in judge_claims(runs, corpus, seed=0)}


@pytest.fixture(scope="module")
def claimed() -> dict[int, Judgement]:
    return judged(as_claimed)


@pytest.mark.slow
def test_what_is_as_claimed_is_supported(claimed: dict[int, Judgement]) -> None:
    assert {n: j.verdict for n, j in claimed.items()} == dict.fromkeys(CLAIMS, "supported")


@pytest.mark.slow
def test_every_finding_has_an_interval_and_a_sample_size(claimed: dict[int, Judgement]) -> None:
    for judgement in claimed.values():
        for finding in judgement.findings:
            c = finding.comparison
            assert c.low <= c.difference <= c.high
            assert c.n_a > 0
            assert c.n_groups >= 5


@pytest.mark.slow
def test_a_longer_window_reads_more_notes_and_that_is_told_apart(
    claimed: dict[int, Judgement],
) -> None:
    # By updates 100 is ahead of 50; per note read, these curves are the same but for the noise.
    by_notes = [f for f in claimed[2].findings if f.measure == "loss_by_notes"]
    assert by_notes
    assert all(not finding.decides for finding in by_notes)
    assert all(abs(finding.comparison.difference) < 0.05 for finding in by_notes)


@pytest.mark.slow
def test_the_opposite_is_not_supported() -> None:
    found = judged(lambda *setting: -as_claimed(*setting), lambda config: 6 - exponential(config))
    assert {n: found[n].verdict for n in (1, 2, 4, 5, 6)} == dict.fromkeys(
        (1, 2, 4, 5, 6), "not_supported"
    )


@pytest.mark.slow
def test_where_nothing_differs_no_claim_about_music_is_supported() -> None:
    found = judged(as_nothing)
    assert all(found[n].verdict != "supported" for n in (3, 4, 5, 6))


@pytest.mark.slow
def test_short_trainings_cannot_tell_where_the_loss_levels_off() -> None:
    found = judged(as_claimed, lambda config: exponential(config, n_updates=400))
    (plateau,) = (finding for finding in found[1].findings if finding.measure == "plateau")
    assert plateau.outcome == "unfinished"
    assert found[1].verdict == "cannot_tell"


@pytest.mark.slow
def test_the_three_runs_alone_say_nothing_about_the_rates_between() -> None:
    found = judged(as_claimed, scale="original")
    assert (found[7].verdict, found[7].findings) == ("cannot_tell", ())
    assert {f.side_a for f in found[4].findings} == {"v3"}


@pytest.mark.slow
def test_no_verdict_rests_on_settings_that_were_trained_once() -> None:
    found = judged(as_claimed, scale="original")
    assert {judgement.verdict for n, judgement in found.items() if n != 6} == {"cannot_tell"}
    assert {f.outcome for n in (1, 2, 3, 4, 5) for f in found[n].findings} == {"single"}


@pytest.mark.slow
def test_a_loss_that_is_lower_throughout_is_not_taken_for_a_faster_fall() -> None:
    # All curves fall alike; those of longer windows lie lower, for more of their targets have a long context.
    found = judged(as_claimed, lambda config: exponential_alike(config) + 5 / config.seq_length)
    outcomes = {f.measure: f.outcome for f in found[2].findings if f.decides}
    assert outcomes["loss_by_update"] == "as_claimed"
    assert found[2].verdict != "supported"


def test_the_three_runs_are_the_lab_reports() -> None:
    config = lab_report("original")
    assert [
        (run.seq_length, run.batch_size, run.learning_rate, run.num_training_iterations)
        for run in config.runs
    ] == [(100, 8, 5e-3, 3000), (100, 16, 4e-5, 3000), (50, 16, 4e-5, 3000)]
    assert {run.model for run in config.runs} == {
        LstmConfig(layers=1, units=1024, embedding_size=256, dropout=0.0)
    }


@pytest.mark.parametrize("scale", ["small", "full"])
def test_the_grid_holds_the_three_runs_with_every_seed(scale: str) -> None:
    grid = build_config("lab-report", scale=scale)  # type: ignore[arg-type]
    names = {(run.seq_length, run.batch_size, run.learning_rate, run.seed) for run in grid.runs}
    for seed in range(5):
        assert {(100, 8, 5e-3, seed), (100, 16, 4e-5, seed), (50, 16, 4e-5, seed)} <= names


def test_curves_are_named_by_what_they_are() -> None:
    configs = build_config("lab-report", scale="original").runs
    runs = [LabRun(config, exponential(config), pd.DataFrame()) for config in configs]
    curves = lab_curves(runs)
    assert list(curves["side"].unique()) == ["v1", "v2", "v3"]
    assert curves["update"].max() == N_UPDATES


def test_an_experiment_without_these_runs_cannot_tell() -> None:
    config = build_config("tiny").runs[0]
    runs = [LabRun(config, exponential(config), music(config, as_nothing))]
    corpus = music(config, as_nothing)
    assert {j.verdict for j in judge_claims(runs, corpus, seed=0)} == {"cannot_tell"}
    assert lab_curves(runs).empty
