"""Verdicts from comparisons that are given, not computed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline_lib.evaluation.claims import (
    Finding,
    Outcome,
    Verdict,
    finding_table,
    judge,
    judgements_from_table,
)
from pipeline_lib.evaluation.comparison import Comparison

CLEAR = Comparison(
    mean_a=2.0,
    mean_b=1.0,
    difference=1.0,
    low=0.5,
    high=1.5,
    delta=0.6,
    p=0.001,
    n_a=100,
    n_b=100,
    n_groups=5,
    agreeing_groups=5,
)


def finding(claim: int = 1, decides: bool = True, spread: float = 1.0, **changes: float) -> Finding:
    return Finding(claim, "pitch_entropy", "a", "b", decides, replace(CLEAR, **changes), spread)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "as_claimed"),
        ({"difference": -1.0, "low": -1.5, "high": -0.5}, "opposite"),
        ({"p": 0.06}, "unclear"),
        ({"low": -0.1}, "unclear"),
        ({"agreeing_groups": 4}, "as_claimed"),
        ({"agreeing_groups": 3}, "mixed"),
        ({"n_groups": 0, "agreeing_groups": 0}, "as_claimed"),
        ({"n_groups": 1, "agreeing_groups": 1}, "single"),
        ({"agreeing_groups": 3, "low": 0.01, "high": 0.19}, "negligible"),
        ({"p": 0.5, "difference": 0.0, "low": -0.15, "high": 0.19}, "negligible"),
        ({"p": 0.5, "difference": 0.0, "low": -0.15, "high": 0.21}, "unclear"),
        ({"low": float("nan"), "high": float("nan")}, "unclear"),
    ],
)
def test_outcomes(changes: dict[str, float], outcome: Outcome) -> None:
    (judgement,) = judge([1], [finding(**changes)])
    assert judgement.findings[0].outcome == outcome


OPPOSITE = {"difference": -1.0, "low": -1.5, "high": -0.5}
UNCLEAR = {"p": 0.9}


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([], "cannot_tell"),
        ([finding()], "supported"),
        ([finding(), finding()], "supported"),
        ([finding(), finding(**UNCLEAR)], "cannot_tell"),
        ([finding(), finding(**OPPOSITE)], "not_supported"),
        ([finding(**UNCLEAR), finding(**OPPOSITE)], "not_supported"),
        ([finding(), finding(decides=False, **OPPOSITE)], "supported"),
        ([finding(decides=False)], "cannot_tell"),
    ],
)
def test_verdicts(findings: list[Finding], verdict: Verdict) -> None:
    (judgement,) = judge([1], findings)
    assert judgement.verdict == verdict


def test_all_claims_share_one_correction() -> None:
    # Alone, p = 0.03 is significant; as one of two it is corrected to 0.06, and 0.001 to 0.002.
    (alone,) = judge([1], [finding(p=0.03)])
    first, second = judge([1, 2], [finding(p=0.03), finding(claim=2, p=0.04)])
    assert alone.verdict == "supported"
    assert (first.verdict, second.verdict) == ("cannot_tell", "cannot_tell")
    assert first.findings[0].p_holm == pytest.approx(0.06)


def test_what_single_trainings_differ_in_neither_decides_nor_costs_the_others() -> None:
    single = finding(p=0.001, n_groups=1)
    (judgement,) = judge([1], [finding(p=0.03), single])
    assert judgement.verdict == "cannot_tell"
    assert [f.outcome for f in judgement.findings] == ["as_claimed", "single"]
    assert judgement.findings[0].p_holm == pytest.approx(0.03)


def test_a_finding_without_a_test_keeps_its_outcome() -> None:
    given = replace(finding(p=float("nan")), outcome="opposite")
    (judgement,) = judge([1], [given])
    assert judgement.verdict == "not_supported"


def test_judgements_survive_a_table() -> None:
    judged = judge([1, 2, 3], [finding(), finding(claim=3, **OPPOSITE), finding(claim=3)])
    assert judgements_from_table([1, 2, 3], finding_table(judged)) == judged
