from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.evaluation.metrics import METRICS
from pipeline_lib.reports.content import ReportContent, RunResult
from pipeline_lib.reports.findings import findings, is_apart, results_cautions, results_note
from pipeline_lib.reports.language import Texts
from tests.reports.made_up import made_up_metrics, made_up_run


def summary(content: ReportContent, language: str = "en") -> str:
    return " ".join(findings(content, Texts(language)))


def run_with(seq_length: int, loss: float, seed: int = 0) -> RunResult:
    return replace(made_up_run(seq_length, loss), seed=seed)


def test_a_better_network_is_said_to_be_better(content: ReportContent) -> None:
    # exp(1.301) = 3.673 and exp(1.402) = 4.063: 9.6 % lower.
    assert "test perplexity 3.67 against 4.06, 9.6 % lower" in summary(content)
    assert "困惑度为 3.67，后者为 4.06，降低了 9.6%" in summary(content, "zh")


def test_a_worse_network_is_said_to_be_worse(content: ReportContent) -> None:
    worse = replace(content, runs=(made_up_run(25, 1.5),))
    text = summary(worse)
    assert text.startswith("No network predicts the test pieces better")
    assert "10.3 % higher" in text  # exp(1.5 - 1.402) = 1.103


def test_without_a_baseline_nothing_is_compared(content: ReportContent) -> None:
    assert "no n-gram model" in summary(replace(content, baselines=()))


def test_what_the_memory_adds_is_said_of_the_best_model(content: ReportContent) -> None:
    # exp(1.1) = 3.00 with memory; the same network alone has exp(1.301) = 3.67.
    text = summary(content)
    assert f"falls to 3.00 ({content.runs[1].name}; 3.67 without)" in text
    assert "right in 71.0 % of cases instead of" in text
    of_ngram = summary(replace(content, with_memory=content.with_memory[1:]), "zh")
    assert "降至 3.32（n 元模型，6 阶，Kneser-Ney，不带记忆时为 4.06）" in of_ngram


def test_without_a_memory_nothing_is_said_of_it(content: ReportContent) -> None:
    assert "memory" not in summary(replace(content, with_memory=()))


@pytest.mark.parametrize(
    ("other_loss", "expected"),
    [
        (1.31, "Differences this small on one seed say nothing"),
        (1.5, "it takes more seeds to tell"),
    ],
)
def test_one_seed_is_never_trusted(
    content: ReportContent, other_loss: float, expected: str
) -> None:
    runs = (made_up_run(25, 1.3), made_up_run(50, other_loss))
    assert expected in summary(replace(content, runs=runs))


@pytest.mark.parametrize(("spread", "verdict"), [(0.01, "is larger"), (0.3, "is no larger")])
def test_several_seeds_are_held_against_their_spread(
    content: ReportContent, spread: float, verdict: str
) -> None:
    runs = tuple(
        run_with(length, loss + seed * spread, seed)
        for length, loss in ((25, 1.3), (50, 1.4))
        for seed in (0, 1)
    )
    text = summary(replace(content, runs=runs))
    assert "sequence length 25 has the lowest" in text
    assert verdict in text


def with_unknown_share(content: ReportContent, share: float) -> ReportContent:
    return replace(content, corpus=replace(content.corpus, unknown_share=share))


@pytest.mark.parametrize(
    ("share", "percent", "n_cautions"),
    [(0.003, "0.3", 0), (0.0002, "< 0.1", 0), (0.05, "5.0", 0), (0.4, "40.0", 1)],
)
def test_tokens_left_out_of_the_scores_are_stated(
    content: ReportContent, share: float, percent: str, n_cautions: int
) -> None:
    content = with_unknown_share(content, share)
    for language, expected in (
        ("en", f"{percent} % of the test tokens occur too rarely"),
        ("zh", f"{percent}% 因在训练作品中过于罕见"),
    ):
        assert expected in results_note(content, Texts(language))
        assert len(list(results_cautions(content, Texts(language)))) == n_cautions


def test_nothing_is_said_where_no_token_is_left_out(content: ReportContent) -> None:
    assert "too rarely" not in results_note(with_unknown_share(content, 0.0), Texts("en"))


@pytest.mark.parametrize(("fewest", "is_stated"), [(949, True), (950, False), (1000, False)])
def test_fewer_training_pieces_for_longer_windows_are_stated(
    content: ReportContent, fewest: int, is_stated: bool
) -> None:
    runs = tuple(
        replace(made_up_run(seq_length, 1.3), n_train_pieces=n_pieces)
        for seq_length, n_pieces in ((25, 1000), (50, fewest))
    )
    content = replace(content, runs=runs)
    english, chinese = (results_note(content, Texts(language)) for language in ("en", "zh"))
    assert (f"fewer pieces ({fewest} at the longest, 1,000 at" in english) == is_stated
    assert (f"最短窗口 1,000 首，最长窗口 {fewest} 首" in chinese) == is_stated


def test_one_length_shows_no_effect(content: ReportContent) -> None:
    assert "only one sequence length" in summary(replace(content, runs=content.runs[:1]))


def test_metrics_that_lie_apart_are_named(content: ReportContent) -> None:
    metrics = content.metrics.copy()
    metrics[["generated_low", "generated_high"]] = metrics[["corpus_low", "corpus_high"]]
    assert f"In none of {len(METRICS)}" in summary(replace(content, metrics=metrics))
    of_best = (metrics["run"] == content.runs[1].name) & (metrics["metric"] == "polyphony")
    metrics.loc[of_best, ["generated_low", "generated_high"]] = (8.0, 9.0)
    assert f"In 1 of {len(METRICS)}" in summary(replace(content, metrics=metrics))
    assert "do not overlap: polyphony." in summary(replace(content, metrics=metrics))


def test_temperatures_are_counted_and_the_closest_is_told(content: ReportContent) -> None:
    metrics = made_up_metrics([run.name for run in content.runs], (0.5, 1.2))
    metrics[["generated_low", "generated_high"]] = metrics[["corpus_low", "corpus_high"]]
    of_best = metrics["run"] == content.runs[1].name
    polyphony, is_cool = metrics["metric"] == "polyphony", metrics["temperature"] == 0.5
    metrics.loc[of_best & is_cool, ["generated_low", "generated_high"]] = (98.0, 99.0)
    text = summary(replace(content, metrics=metrics))
    assert f"overlap in {len(METRICS)} at temperature 0.5, 0 at temperature 1.2." in text
    assert "fewest" not in text
    metrics.loc[of_best & polyphony, ["generated_low", "generated_high"]] = (98.0, 99.0)
    text = summary(replace(content, metrics=metrics))
    assert "The fewest, at temperature 1.2, are: polyphony." in text
    text = summary(replace(content, metrics=metrics), "zh")
    assert (
        f"互不重叠者：温度 0.5 时 {len(METRICS)} 项、温度 1.2 时 1 项。温度 1.2 时最少，为：复音数。"
        in text
    )


def test_unknown_intervals_are_not_apart() -> None:
    assert is_apart(1, 2, 3, 4)
    assert not is_apart(1, 3, 3, 4)
    assert not is_apart(np.nan, np.nan, 3, 4)
