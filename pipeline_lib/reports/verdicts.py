"""The lab report's claims on the page: what was claimed, the verdict, and every comparison behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from markupsafe import Markup

from pipeline_lib.evaluation.claims import Finding, Judgement, Verdict
from pipeline_lib.evaluation.metrics import METRICS
from pipeline_lib.reports.digits import decimals_for, probability, written
from pipeline_lib.reports.language import Texts, in_all_languages, translated

_WIDTH_INCH, _HEIGHT_INCH = 7.2, 3.4
_LOSSES = {"loss_by_update", "loss_by_notes", "roughness"}
"""Measures in nats per token."""


@dataclass(frozen=True)
class FindingRow:
    """One comparison, as cells.

    Parameters
    ----------
    measure, unit, a, b, sample_size, agreement, outcome : Markup
        In all languages; the unit is empty where there is none, `b` where one figure is held against a range, and how
        many trainings agree where that cannot be asked.
    difference, interval, p : str
        Numbers; the first and the last may be empty.
    finding : Finding
    """

    measure: Markup
    unit: Markup
    a: Markup
    b: Markup
    difference: str
    interval: str
    p: str
    sample_size: Markup
    agreement: Markup
    outcome: Markup
    finding: Finding


def finding_rows(judgement: Judgement) -> list[FindingRow]:
    """The comparisons of one claim."""
    return [_row(finding) for finding in judgement.findings]


def verdict_counts(judgements: Sequence[Judgement], texts: Texts) -> str:
    """Which claims have which verdict, in one language."""
    return texts(
        "claims.counts",
        **{
            verdict: _claims_listed(
                [str(judged.claim) for judged in judgements if judged.verdict == verdict], texts
            )
            for verdict in get_args(Verdict)
        },
    )


def _claims_listed(numbers: Sequence[str], texts: Texts) -> str:
    if not numbers:
        return texts("claims.no_claim")
    key = "claims.one_claim" if len(numbers) == 1 else "claims.several_claims"
    return texts(key, numbers=texts.listed(numbers))


def _row(finding: Finding) -> FindingRow:
    c = finding.comparison
    is_small = max(abs(c.mean_a), abs(c.mean_b)) < 10
    decimals = decimals_for(c.low, c.high, usual=3 if is_small else 0)
    is_plateau = not finding.side_b
    is_compared_by_training = c.n_groups > 1 and not is_plateau

    def measure(texts: Texts) -> str:
        if finding.measure in texts.sections["metric"]:
            return texts(f"metric.{finding.measure}")
        return texts(f"claims.{finding.measure}")

    def side(name: str, mean: float) -> Markup:
        value = written(mean, decimals)
        return in_all_languages(lambda texts: texts("claims.side", name=name, value=value))

    def sample_size(texts: Texts) -> str:
        if is_plateau:
            return texts("claims.n_curves", n=c.n_a)
        return texts("claims.n", a=c.n_a, b=c.n_b)

    def agreement(texts: Texts) -> str:
        return texts("claims.agreement", agreeing=c.agreeing_groups, shared=c.n_groups)

    shift = c.mean_b if is_plateau else 0.0
    return FindingRow(
        measure=in_all_languages(measure),
        unit=_unit(finding.measure),
        a=side(finding.side_a, c.mean_a),
        b=Markup("") if is_plateau else side(finding.side_b, c.mean_b),
        difference="" if is_plateau else written(c.difference, decimals),
        interval=_interval(c.low + shift, c.high + shift, decimals),
        p="" if math.isnan(finding.p_holm) else probability(finding.p_holm),
        sample_size=in_all_languages(sample_size),
        agreement=in_all_languages(agreement) if is_compared_by_training else Markup(""),
        outcome=in_all_languages(lambda texts: texts(f"claims.{finding.outcome}")),
        finding=finding,
    )


def _interval(low: float, high: float, decimals: int) -> str:
    return "—" if math.isnan(low) else f"{written(low, decimals)} … {written(high, decimals)}"


def _unit(measure: str) -> Markup:
    """What a measure is in; nothing for one that has no unit or names it itself."""
    if measure in METRICS:
        return translated(f"unit.{METRICS[measure].unit}")
    return translated("results.loss_unit") if measure in _LOSSES else Markup("")
