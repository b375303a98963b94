"""What was found of a folder of music, as text on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from flows.terminal import make_table
from pipeline_lib.reports.language import texts_in

if TYPE_CHECKING:
    from flows.evaluation import Evaluation, Folder

_SIGNIFICANT_P = 0.05
_FEW_PIECES = 10


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """The metrics of a folder and, where it is compared with another, how far apart they are."""
    for folder in (evaluation.folder, evaluation.against):
        if folder is not None:
            console.print(_folder_line(folder), soft_wrap=True)
    against = evaluation.against is not None
    more = ("against", "overlap", "delta", "p") if against else ()
    figures = ("mean", "95 % interval", "n", *more)
    table = make_table("metric", "unit", *figures, right=figures)
    texts = texts_in("en")
    for metric in evaluation.metrics:
        row = [texts(f"metric.{metric.metric}"), texts(f"unit.{metric.unit}")]
        row.append(_figure(metric.mean))
        row += [_range(metric.low, metric.high), str(metric.n)]
        if against:
            other = f"{_figure(metric.against_mean)} ({_range(metric.against_low, metric.against_high)})"
            row += [other, _figure(metric.overlapped_area, 2), _figure(metric.delta, 2)]
            row.append(_figure(metric.p_holm))
        table.add_row(*row)
    console.print()
    console.print(table)
    _print_notes(console, evaluation)
    if against:
        _print_distance(console, evaluation)


def _folder_line(folder: Folder) -> str:
    line = f"{escape(folder.path)}: {folder.n_pieces:,} pieces"
    if folder.n_rejected:
        line += f", {folder.n_rejected:,} rejected"
    if folder.n_other_formats:
        line += f", {folder.n_other_formats:,} files left out that hold the same piece in another format"
    return line


def _print_notes(console: Console, evaluation: Evaluation) -> None:
    """What the table does not say of itself."""
    other = evaluation.against
    likened_to = (
        "those of both folders together" if other else "their own, since there is no --against"
    )
    name = texts_in("en")("metric.rhythmic_consistency")
    console.print(
        f"\n{name}: likeness of the pieces' rhythms to {likened_to}.", soft_wrap=True, markup=False
    )
    if other:
        console.print(
            "overlap: 1 if the two sets are alike, 0 if they have nothing in common; delta (Cliff's): above 0 where "
            "this folder is mostly higher, 1 at most; p: small where chance hardly explains the difference.",
            soft_wrap=True,
        )
    n = min(folder.n_pieces for folder in (evaluation.folder, other) if folder is not None)
    if n < _FEW_PIECES:
        console.print(
            f"[yellow]Caution:[/] with fewer than {_FEW_PIECES} pieces, the 95 % intervals (how far chance may have "
            "moved a mean) say little.",
            soft_wrap=True,
        )


def _print_distance(console: Console, evaluation: Evaluation) -> None:
    n_apart = sum(m.p_holm is not None and m.p_holm < _SIGNIFICANT_P for m in evaluation.metrics)
    console.print(
        f"\n{n_apart} of {len(evaluation.metrics)} metrics differ by more than chance explains (p below 0.05, "
        f"corrected by Holm's method). All metrics together, the folders are {_figure(evaluation.mmd_squared)} "
        f"apart (MMD², around 0 if alike; p {_figure(evaluation.mmd_p)}).",
        soft_wrap=True,
    )
    console.print(
        f"On average, {_figure(evaluation.copy_rate, 2)} of a piece's 8-grams (8 melodic intervals in a row, with "
        "their durations; 1 would be all) are in the other folder, too.",
        soft_wrap=True,
    )
    for match in evaluation.matches:
        console.print(
            f"Shared passage: {match.n_notes} notes of {match.path} are in {match.source}, "
            f"{match.semitones:+d} semitones",
            soft_wrap=True,
            markup=False,
        )


def _figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _range(low: float | None, high: float | None) -> str:
    return "–" if low is None else f"{_figure(low)} … {_figure(high)}"
