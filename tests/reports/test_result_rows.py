"""Rows of the table of results."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pipeline_lib.reports.content import ReportContent, RunResult
from pipeline_lib.reports.language import texts_in
from pipeline_lib.reports.page import render_page
from pipeline_lib.reports.plots import perplexity_by_length
from pipeline_lib.reports.result_rows import has_batch_sizes, result_groups, run_rows
from tests.reports.made_up import made_up_run


def run_of(seq_length: int, seed: int, perplexity: float) -> RunResult:
    run = made_up_run(seq_length, 1.3)
    name = run.name.replace("-s0", f"-s{seed}")
    return replace(run, name=name, seed=seed, test_perplexity=perplexity)


@pytest.fixture
def seeded(content: ReportContent) -> ReportContent:
    """Two settings with two seeds each."""
    runs = tuple(run_of(n, seed, n / 10 + seed) for n in (25, 50) for seed in (0, 1))
    return replace(content, runs=runs, detailed=(runs[0].name, runs[2].name), samples=())


def test_seeds_of_a_setting_are_one_row(seeded: ReportContent) -> None:
    settings, ngrams, with_memory = result_groups(seeded)
    # Perplexities of 2.5 and 3.5, of 5 and 6.
    figures = [
        (len(row.results), row.mean(figure), row.lowest(figure), row.highest(figure))
        for figure in ["test_perplexity"]
        for row in settings
    ]
    assert figures == [(2, 3.0, 2.5, 3.5), (2, 5.5, 5.0, 6.0)]
    assert [len(row.results) for row in run_rows(seeded)] == [1] * 4
    assert all(row.run is None for row in ngrams)
    assert [row.run is None for row in with_memory] == [False, True]


@pytest.mark.usefixtures("no_plots")
def test_single_seeds_are_folded_below_their_settings(seeded: ReportContent) -> None:
    section = render_page(seeded).partition('<section id="results"')[2].partition("</section>")[0]
    table, _, folded = section.partition("<details>")
    assert "3.00<small>2.50–3.50</small>" in table
    assert "Each of the 4 runs by itself" in folded
    assert folded.count("<tr>") == 1 + 4


@pytest.mark.usefixtures("no_plots")
def test_nothing_is_folded_where_each_setting_has_one_seed(content: ReportContent) -> None:
    section = render_page(replace(content, samples=())).partition('<section id="results"')[2]
    assert "<details>" not in section.partition("</section>")[0]


def test_batch_sizes_are_shown_where_lengths_do_not_decide_them(content: ReportContent) -> None:
    assert not has_batch_sizes(content.runs)
    assert has_batch_sizes([*content.runs, replace(content.runs[0], batch_size=3)])


@pytest.mark.parametrize(("highest", "is_log"), [(5.0, False), (500.0, True)])
def test_perplexities_wide_apart_are_drawn_on_a_log_scale(highest: float, is_log: bool) -> None:
    runs = [run_of(25, 0, 3.0), run_of(50, 0, highest)]
    labels = re.findall(r">([\d.]+)</text>", perplexity_by_length(runs, None, texts_in("en")))
    assert ({"5", "10", "20", "50", "100", "200"} <= set(labels)) == is_log
