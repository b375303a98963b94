"""The lab report's claims on the page: what was claimed, the verdict, and every comparison behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from pipeline_lib.evaluation.claims import Finding, Judgement, Verdict
from pipeline_lib.reports.drawing import SERIES, colour, page_style, to_svg
from pipeline_lib.reports.language import Texts, in_all_languages

_WIDTH_INCH, _HEIGHT_INCH = 7.2, 3.4


@dataclass(frozen=True)
class FindingRow:
    """One comparison, as cells.

    Parameters
    ----------
    measure, sample_size, agreement, outcome : Markup
        In all languages; how many trainings agree is empty where that cannot be asked.
    a, b, difference, interval, p : str
        Numbers with what they are of; `b` and `p` may be empty.
    finding : Finding
    """

    measure: Markup
    a: str
    b: str
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
    listed = {
        verdict: texts("finding.separator").join(
            str(judged.claim) for judged in judgements if judged.verdict == verdict
        )
        or texts("claims.no_claim")
        for verdict in get_args(Verdict)
    }
    return texts("claims.counts", **listed)


def update_losses(curves: pd.DataFrame, texts: Texts) -> str:
    """Training loss over updates: a line for the mean over seeds of each side, thin ones for each seed.

    Parameters
    ----------
    curves : DataFrame
        From `evaluation.lab_claims.lab_curves`.
    texts : Texts
    """
    with page_style():
        figure = Figure(figsize=(_WIDTH_INCH, _HEIGHT_INCH), layout="constrained")
        axes = figure.subplots()
        for number, (side, of_side) in enumerate(curves.groupby("side", sort=False)):
            drawn = {"color": colour(number), "linestyle": "-" if number < len(SERIES) else "--"}
            by_seed = of_side.groupby("seed")
            if len(by_seed) > 1:
                for _, one in by_seed:
                    axes.plot(one["update"], one["loss"], linewidth=0.5, alpha=0.35, **drawn)  # type: ignore[arg-type]
            mean = of_side.groupby("update")["loss"].mean()
            axes.plot(mean.index, mean, label=side, **drawn)  # type: ignore[arg-type]
        # A diverging run would flatten all others.
        axes.set_ylim(0, 1.15 * curves.groupby("side")["loss"].max().median())
        axes.set_xlabel(texts("plot.update"))
        axes.set_ylabel(texts("plot.loss"))
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", frameon=False)
        return to_svg(figure, f"updates-{texts.language}")


def _row(finding: Finding) -> FindingRow:
    c = finding.comparison
    sides = [f"{finding.side_a}: {_short(c.mean_a)}", f"{finding.side_b}: {_short(c.mean_b)}"]
    is_plateau = not finding.side_b
    is_compared_by_training = c.n_groups > 1 and not is_plateau

    def measure(texts: Texts) -> str:
        if finding.measure in texts.sections["metric"]:
            return texts(f"metric.{finding.measure}")
        return texts(f"claims.{finding.measure}")

    def sample_size(texts: Texts) -> str:
        if is_plateau:
            return texts("claims.n_curves", n=c.n_a)
        return texts("claims.n", a=c.n_a, b=c.n_b)

    def agreement(texts: Texts) -> str:
        return texts("claims.agreement", agreeing=c.agreeing_groups, shared=c.n_groups)

    shift = c.mean_b if is_plateau else 0.0
    return FindingRow(
        measure=in_all_languages(measure),
        a=sides[0],
        b="" if is_plateau else sides[1],
        difference="" if is_plateau else _short(c.difference),
        interval=f"{_short(c.low + shift)} … {_short(c.high + shift)}",
        p="" if finding.p_holm != finding.p_holm else _probability(finding.p_holm),
        sample_size=in_all_languages(sample_size),
        agreement=in_all_languages(agreement) if is_compared_by_training else Markup(""),
        outcome=in_all_languages(lambda texts: texts(f"claims.{finding.outcome}")),
        finding=finding,
    )


def _short(value: float) -> str:
    """Three digits that matter, with a true minus; a dash where it is not known."""
    if value != value:
        return "—"
    digits = 0 if abs(value) >= 100 else 2 if abs(value) >= 10 else 3
    return f"{value:,.{digits}f}".replace("-", "−")


def _probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
