from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.evaluation.metrics import METRICS
from pipeline_lib.reports.content import ReportContent, RunResult
from pipeline_lib.reports.findings import (
    detailed_note,
    findings,
    is_apart,
    results_cautions,
    results_note,
)
from pipeline_lib.reports.language import Texts
from tests.reports.made_up import made_up_figures, made_up_metrics, made_up_run


def summary(content: ReportContent, language: str = "en") -> str:
    return " ".join(findings(content, Texts(language)))


def run_with(seq_length: int, loss: float, seed: int = 0) -> RunResult:
    return replace(made_up_run(seq_length, loss), seed=seed)


def test_a_better_network_is_said_to_be_better(content: ReportContent) -> None:
    # exp(1.301) = 3.673 and exp(1.402) = 4.063: 9.6 % lower.
    assert "test perplexity 3.67 against 4.06, 9.6\u00a0% lower" in summary(content)
    assert "困惑度为 3.67，后者为 4.06，降低了 9.6%" in summary(content, "zh")


def test_a_worse_network_is_said_to_be_worse(content: ReportContent) -> None:
    worse = replace(content, runs=(made_up_run(25, 1.5),))
    text = summary(worse)
    assert text.startswith("No network predicts the test pieces better")
    assert "10.3\u00a0% higher" in text  # exp(1.5 - 1.402) = 1.103


def test_without_a_baseline_nothing_is_compared(content: ReportContent) -> None:
    assert "no n-gram model" in summary(replace(content, baselines=()))


def test_what_the_memory_adds_is_said_of_the_best_network(content: ReportContent) -> None:
    # exp(1.1) = 3.00 with memory; the same network alone has exp(1.301) = 3.67.
    text = summary(content)
    assert f"perplexity of {content.runs[1].name} falls from 3.67 to 3.00" in text
    assert "right in 71.0\u00a0% of cases instead of 61.0\u00a0%" in text
    of_ngram = summary(replace(content, with_memory=content.with_memory[1:]), "zh")
    assert "n 元模型，6 阶，Kneser-Ney 的测试困惑度由 4.06 降至 3.32" in of_ngram


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (
            1.2,
            "the same memory predicts less well: perplexity 3.32, 10.5\u00a0% higher.",
        ),  # exp(0.1) = 1.105
        (1.11, "needs no network and is as good: perplexity 3.03."),  # exp(0.01) = 1.010
        (
            1.0,
            "needs no network and is better: perplexity 2.72, 9.5\u00a0% lower.",
        ),  # exp(-0.1) = 0.905
    ],
)
def test_a_network_with_memory_is_compared_with_the_ngram_model_with_memory(
    content: ReportContent, loss: float, expected: str
) -> None:
    network, ngram = content.with_memory
    ngram = replace(ngram, **made_up_figures(loss, 0.6))
    assert expected in summary(replace(content, with_memory=(network, ngram)))
    assert "same memory" not in summary(replace(content, with_memory=(network,)))


def test_the_best_network_in_detail_is_not_called_the_best_of_all(content: ReportContent) -> None:
    # The second run is the best; the third, with a perplexity of exp(1.306) = 3.69, is the better of the others.
    assert "shown in detail" not in summary(content)
    others = tuple(content.runs[i].name for i in (0, 2))
    text = summary(replace(content, detailed=others))
    assert f"The best network, {content.runs[1].name}, predicts" in text
    assert f"shown in detail, {others[1]} predicts best (test perplexity 3.69)" in text
    assert f"the best of all is {content.runs[1].name}." in text
    assert f"samples of {others[1]} copy more" in text


def test_it_is_said_once_which_runs_are_shown_in_detail(content: ReportContent) -> None:
    assert list(detailed_note(content, Texts("en"))) == []
    (note,) = detailed_note(replace(content, detailed=content.detailed[:2]), Texts("en"))
    assert "for 2 of 3 runs: the first seed of each of the first 2 settings" in note


def test_without_a_memory_nothing_is_said_of_it(content: ReportContent) -> None:
    assert "memory" not in summary(replace(content, with_memory=()))


@pytest.mark.parametrize(
    ("other_loss", "expected"),
    [
        (1.31, "a difference as small as this may well be chance"),
        (1.5, "only trainings with more seeds can tell"),
    ],
)
def test_one_seed_is_never_trusted(
    content: ReportContent, other_loss: float, expected: str
) -> None:
    runs = (made_up_run(25, 1.3), made_up_run(50, other_loss))
    assert expected in summary(replace(content, runs=runs))


@pytest.mark.parametrize(
    ("spread", "verdict"), [(0.01, "is larger than what chance does"), (0.3, "may be chance")]
)
def test_several_seeds_are_compared_with_their_spread(
    content: ReportContent, spread: float, verdict: str
) -> None:
    runs = tuple(
        run_with(length, loss + seed * spread, seed)
        for length, loss in ((25, 1.3), (50, 1.4))
        for seed in (0, 1)
    )
    text = summary(replace(content, runs=runs))
    assert "sequence length of 25 gives the best" in text
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
        ("en", f"{percent}\u00a0% of the test tokens occur too rarely"),
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
    assert (f"最短者 1,000 首，最长者 {fewest} 首" in chinese) == is_stated


def test_one_length_shows_no_effect(content: ReportContent) -> None:
    assert "Nothing can be said about the effect of sequence length" in summary(
        replace(content, runs=content.runs[:1])
    )


def test_metrics_that_lie_apart_are_named(content: ReportContent) -> None:
    metrics = content.metrics.copy()
    metrics[["generated_low", "generated_high"]] = metrics[["corpus_low", "corpus_high"]]
    assert f"In none of {len(METRICS)}" in summary(replace(content, metrics=metrics))
    of_best = (metrics["run"] == content.runs[1].name) & (metrics["metric"] == "polyphony")
    metrics.loc[of_best, ["generated_low", "generated_high"]] = (8.0, 9.0)
    assert f"differ from the corpus in 1 of {len(METRICS)}" in summary(
        replace(content, metrics=metrics)
    )
    assert "musical metrics: polyphony." in summary(replace(content, metrics=metrics))


def test_it_is_said_whether_samples_are_nearer_than_the_n_gram_models(
    content: ReportContent,
) -> None:
    best, far = content.runs[1].name, content.discrepancies.copy()
    text = summary(content)
    assert f"the samples of {best} lie nearer to real tunes than those of the n-gram model" in text
    assert "(MMD²) of 0.084, beside 0.312. Other real tunes lie at > −0.001." in text
    far.loc[far["set"] == best, "mmd_squared"] = 0.4
    far.loc[far["set"] != best, "mmd_squared"] = 0.4
    text = summary(replace(content, discrepancies=far))
    assert f"the samples of {best} lie no nearer to real tunes" in text
    without_control = far[far["set"] != "control"]
    assert "nearer to real tunes" not in summary(replace(content, discrepancies=without_control))


def test_temperatures_are_counted_and_the_closest_is_told(content: ReportContent) -> None:
    metrics = made_up_metrics([run.name for run in content.runs], (0.5, 1.2))
    metrics[["generated_low", "generated_high"]] = metrics[["corpus_low", "corpus_high"]]
    of_best = metrics["run"] == content.runs[1].name
    polyphony, is_cool = metrics["metric"] == "polyphony", metrics["temperature"] == 0.5
    metrics.loc[of_best & is_cool, ["generated_low", "generated_high"]] = (98.0, 99.0)
    text = summary(replace(content, metrics=metrics))
    assert (
        f"differ from the corpus in {len(METRICS)} at temperature 0.5 and 0 at temperature 1.2."
        in text
    )
    assert "fewest" not in text
    metrics.loc[of_best & polyphony, ["generated_low", "generated_high"]] = (98.0, 99.0)
    text = summary(replace(content, metrics=metrics))
    assert "The fewest, at temperature 1.2, are: polyphony." in text
    text = summary(replace(content, metrics=metrics), "zh")
    assert (
        f"与语料库不同者：温度 0.5 时 {len(METRICS)} 项、温度 1.2 时 1 项。温度 1.2 时最少，为：平均同时发声数。"
        in text
    )


def test_unknown_intervals_are_not_apart() -> None:
    assert is_apart(1, 2, 3, 4)
    assert not is_apart(1, 3, 3, 4)
    assert not is_apart(np.nan, np.nan, 3, 4)
