"""Evaluation of claims, by comparisons that can go against them.

Conventions
-----------
- A comparison puts the side that should be higher first (``a``); it holds where ``a − b`` is above 0.
- It is *as claimed*, or the *opposite*, if its p-value after Holm's correction for all comparisons is below 0.05, its
  95 % interval leaves out 0, and at least 80 % of the trainings point that way; if fewer do, it is *mixed*. It is
  *negligible* if its interval lies within a fifth of a standard deviation of 0 (Cohen 1988: less than a small
  effect). Otherwise it is *unclear*.
- With one training a side a comparison is *single*: it is about these two networks, and says nothing about what the
  same settings would have given with another seed. No verdict rests on it.
- Where the trainings ended before the claimed effect could be seen, it is *unfinished*.
- A claim is *supported* if all comparisons that decide it are as claimed, *not supported* if one is the opposite or
  negligible, and otherwise *cannot be told*; so too where nothing was compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import pyarrow as pa

from pipeline_lib.evaluation.comparison import Comparison, holm

Outcome = Literal[
    "as_claimed", "opposite", "negligible", "mixed", "unclear", "single", "unfinished"
]
Verdict = Literal["supported", "not_supported", "cannot_tell"]

_SIGNIFICANT_P = 0.05
_MIN_AGREEING = 0.8
_NEGLIGIBLE_SD = 0.2


@dataclass(frozen=True)
class Finding:
    """One comparison that bears on a claim.

    Parameters
    ----------
    claim : int
        Number of the claim.
    measure : str
        The figure that is compared, such as the name of a metric.
    side_a, side_b : str
        Names of the two sides; `side_b` is empty where one figure is compared with a range.
    decides : bool
        Whether the verdict depends on this finding; otherwise it is shown for information.
    comparison : Comparison
    spread : float
        Standard deviation of the values within the sides, or of the differences of pairs, by which a difference is
        negligible or not; NaN where it is no measure of that.
    p_holm : float
        p-value after Holm's correction for all comparisons; NaN where there is none.
    outcome : Outcome
        Outcome that `judge` gives; a finding without a p-value has it from the beginning.
    """

    claim: int
    measure: str
    side_a: str
    side_b: str
    decides: bool
    comparison: Comparison
    spread: float = float("nan")
    p_holm: float = float("nan")
    outcome: Outcome = "unclear"


@dataclass(frozen=True)
class Judgement:
    """Verdict on one claim, with the findings that it rests on; `findings` is empty where nothing was compared."""

    claim: int
    verdict: Verdict
    findings: tuple[Finding, ...]


FINDING_SCHEMA = pa.schema(
    [
        pa.field("claim", pa.int32(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("measure", pa.string(), nullable=False),
        pa.field("side_a", pa.string(), nullable=False),
        pa.field("side_b", pa.string(), nullable=False),
        pa.field("decides", pa.bool_(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        *(pa.field(n, pa.float64()) for n in ("mean_a", "mean_b", "difference", "low", "high")),
        *(pa.field(n, pa.float64()) for n in ("spread", "delta", "p", "p_holm")),
        *(pa.field(n, pa.int64()) for n in ("n_a", "n_b", "n_groups", "agreeing_groups")),
    ],
    metadata={"schema": "findings/2"},
)
"""Columns of findings: one row per `Finding`, with the verdict on its claim and the fields of its `Comparison`."""


def judge(claims: Iterable[int], findings: Sequence[Finding]) -> list[Judgement]:
    """Evaluate each claim by the findings that bear on it.

    Parameters
    ----------
    claims : iterable of int
        Numbers of the claims.
    findings : sequence of Finding
        Findings on all claims; Holm's correction is for all of them together.
    """
    p_holm = holm(
        [
            float("nan") if finding.comparison.n_groups == 1 else finding.comparison.p
            for finding in findings
        ]
    )
    judged = [_judged(finding, float(p)) for finding, p in zip(findings, p_holm, strict=True)]
    return [
        Judgement(claim, _verdict(of_claim), of_claim)
        for claim in claims
        for of_claim in [tuple(finding for finding in judged if finding.claim == claim)]
    ]


def finding_table(judgements: Iterable[Judgement]) -> pa.Table:
    """Tabulate all findings, with `FINDING_SCHEMA`."""
    rows = [
        {"verdict": judgement.verdict, **vars(finding), **asdict(finding.comparison)}
        for judgement in judgements
        for finding in judgement.findings
    ]
    known = [{name: row[name] for name in FINDING_SCHEMA.names} for row in rows]
    return pa.Table.from_pylist(known, schema=FINDING_SCHEMA)


def judgements_from_table(claims: Iterable[int], table: pa.Table) -> list[Judgement]:
    """Read judgements back from a table of findings; the verdict on a claim without a row is ``cannot_tell``."""
    judged: dict[int, list[Finding]] = {claim: [] for claim in claims}
    verdicts: dict[int, Verdict] = {}
    of_comparison, own = Comparison.__dataclass_fields__, Finding.__dataclass_fields__
    for row in table.to_pylist():
        comparison = Comparison(**{name: row[name] for name in of_comparison})
        values = {name: row[name] for name in own if name != "comparison"}
        judged[row["claim"]].append(Finding(comparison=comparison, **values))
        verdicts[row["claim"]] = row["verdict"]
    return [Judgement(n, verdicts.get(n, "cannot_tell"), tuple(f)) for n, f in judged.items()]


def _judged(finding: Finding, p_holm: float) -> Finding:
    c = finding.comparison
    if c.n_groups == 1:
        return replace(finding, outcome="single")
    if math.isnan(p_holm):  # no test was made
        return finding
    outcome: Outcome = "unclear"
    differs = p_holm < _SIGNIFICANT_P and (c.low > 0 or c.high < 0)
    if differs and c.agreeing_groups >= _MIN_AGREEING * c.n_groups:
        outcome = "as_claimed" if c.difference > 0 else "opposite"
    elif max(abs(c.low), abs(c.high)) < _NEGLIGIBLE_SD * finding.spread:
        outcome = "negligible"
    elif differs:
        outcome = "mixed"
    return replace(finding, p_holm=p_holm, outcome=outcome)


def _verdict(findings: Sequence[Finding]) -> Verdict:
    outcomes = {finding.outcome for finding in findings if finding.decides}
    if outcomes == {"as_claimed"}:
        return "supported"
    return "not_supported" if outcomes & {"opposite", "negligible"} else "cannot_tell"
