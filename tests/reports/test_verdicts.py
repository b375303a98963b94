"""The lab report's claims on the page, from judgements that are made up."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from pipeline_lib.evaluation.claims import Finding, Judgement
from pipeline_lib.evaluation.comparison import Comparison
from pipeline_lib.reports.content import ReportContent
from pipeline_lib.reports.language import texts_in
from pipeline_lib.reports.page import render_page
from pipeline_lib.reports.plots import update_losses
from pipeline_lib.reports.verdicts import finding_rows, verdict_counts

COMPARED = Comparison(
    mean_a=2.71828,
    mean_b=1.0,
    difference=1.71828,
    low=-0.5,
    high=3.25,
    delta=0.4,
    p=0.0002,
    n_a=240,
    n_b=238,
    n_groups=5,
    agreeing_groups=4,
)
FINDING = Finding(
    4, "ioi_entropy", "v3", "v2", True, COMPARED, spread=1.0, p_holm=0.0004, outcome="as_claimed"
)
PLATEAU = Finding(
    1,
    "plateau",
    "v1",
    "",
    True,
    replace(
        COMPARED,
        mean_a=1_250.0,
        mean_b=1_000,
        difference=250.0,
        low=150,
        high=400,
        n_a=5,
        agreeing_groups=0,
    ),
    outcome="as_claimed",
)
CURVES = pd.DataFrame(
    {
        "side": ["v1"] * 4 + ["v2"] * 2,
        "seed": [0, 0, 1, 1, 0, 0],
        "update": [50, 100] * 3,
        "loss": [3.0, 2.0, 3.2, 2.2, 4.0, 3.9],
    }
)


def judgements() -> tuple[Judgement, ...]:
    found = {1: (PLATEAU,), 4: (FINDING, replace(FINDING, decides=False))}
    verdicts = {1: "supported", 4: "not_supported"}
    return tuple(
        Judgement(claim, verdicts.get(claim, "cannot_tell"), found.get(claim, ()))  # type: ignore[arg-type]
        for claim in range(1, 8)
    )


def test_a_row_has_both_sides_the_interval_and_the_sample_size() -> None:
    (row,) = finding_rows(Judgement(4, "supported", (FINDING,)))
    # The interval is 3.75 wide: two digits of that are one decimal.
    assert '<span lang="en">v3: 2.7</span>' in row.a
    assert '<span lang="zh-CN">v2：1.0</span>' in row.b
    assert row.difference == "1.7"
    assert row.interval == "−0.5 … 3.2"
    assert '<span lang="en">bits</span>' in row.unit
    assert row.p == "< 0.001"
    assert "240 and 238" in row.sample_size
    assert "4 of 5 agree" in row.agreement
    assert "Inter-onset entropy" in row.measure
    assert "与论断一致" in row.outcome


def test_a_plateau_has_the_interval_of_the_update_and_no_p() -> None:
    (row,) = finding_rows(Judgement(1, "supported", (PLATEAU,)))
    assert ">v1: 1,250<" in row.a
    assert (row.b, row.unit, row.difference, row.p) == ("", "", "", "")
    assert row.interval == "1,150 … 1,400"
    assert "trainings: 5" in row.sample_size
    assert row.agreement == ""


def test_one_training_has_no_interval_of_updates() -> None:
    once = replace(COMPARED, mean_a=1_450.0, mean_b=1_550.0, difference=-100.0)
    unknown = replace(once, low=float("nan"), high=float("nan"), n_groups=1)
    (row,) = finding_rows(
        Judgement(2, "cannot_tell", (replace(FINDING, measure="level_update", comparison=unknown),))
    )
    assert (row.difference, row.interval, row.agreement) == ("−100", "—", "")
    assert ">v3: 1,450<" in row.a


def test_claims_are_counted_by_verdict() -> None:
    assert verdict_counts(judgements(), texts_in("en")) == (
        "The lab report's seven claims, tested by these runs. Supported: claim 1. Not supported: claim 4. "
        "Cannot tell: claims 2, 3, 5, 6 and 7."
    )
    assert verdict_counts(judgements()[1:], texts_in("zh")) == (
        "实验报告七条论断的检验结果：成立，无；不成立，第 4 条；无法判断，第 2、3、5、6、7 条。"
    )


def test_a_small_interval_is_not_written_as_nothing() -> None:
    tiny = replace(COMPARED, mean_a=0.0008, mean_b=0.0, difference=0.0008, low=0.0003, high=0.0013)
    (row,) = finding_rows(
        Judgement(5, "cannot_tell", (replace(FINDING, measure="roughness", comparison=tiny),))
    )
    assert row.interval == "0.0003 … 0.0013"
    assert ">v2: 0<" in row.b
    assert "nats per token" in row.unit


def test_curves_have_a_line_for_each_side() -> None:
    svg = update_losses(CURVES, texts_in("en"))
    assert ">v1<" in svg
    assert ">v2<" in svg


@pytest.mark.slow
def test_every_claim_has_its_verdict_on_the_page(content: ReportContent) -> None:
    html = render_page(replace(content, claims=judgements(), curves=CURVES, samples=()))
    section = html.partition('<section id="claims"')[2].partition("</section>")[0]
    verdicts = re.findall(r'<b class="verdict"><span lang="en">([^<]+)<', section)
    assert verdicts == ["Supported", *["Cannot tell"] * 2, "Not supported", *["Cannot tell"] * 3]
    assert section.count("This experiment has no runs that could test the claim.") == 5
    assert section.count("does not decide") == 1
    assert "Every setting was trained once." in section


@pytest.mark.slow
def test_without_claims_there_is_no_such_section(content: ReportContent) -> None:
    html = render_page(replace(content, samples=()))
    assert 'id="claims"' not in html
    assert "#claims" not in html
