"""Outcomes, plans, artifacts and checks as text on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.terminal import make_table
from pipeline_lib.notes.table import DuplicateKind

if TYPE_CHECKING:
    from flows.checks import Check
    from flows.execution import PlannedCall
    from flows.generation import NewMusic
    from flows.inspection import Inspection
    from flows.journal import Journal
    from flows.running import Ingestion
    from pipeline_lib.config.described import Setting

_MUCH_UNKNOWN = 0.05
"""Share of test targets left out above which a reader is warned; the report uses the same."""

_MOST_REJECTS = 20
_MOST_LETTERS = 32

_ENDINGS = {
    "model": "the model",
    "asked": "reached the length asked for",
    "limit": "reached --length",
}
"""What is shown for each `pipeline_lib.generation.samples.Ending`."""

_COLOURS = {
    "ran": "cyan",
    "run": "cyan",
    "run-if-changed": "yellow",
    "cached": "green",
    "ok": "green",
    "optional": "yellow",
    "missing": "red",
}


def print_outcome(console: Console, journal: Journal, seconds: float) -> None:
    """What a run did, its results, and where the report is."""
    ran = [entry for entry in journal.stages if entry.state == "ran"]
    if ran:
        console.print(
            f"\n{len(ran)} of {len(journal.stages)} stage calls ran, "
            f"{len(journal.stages) - len(ran)} cached, in {seconds:.0f} s.\n"
        )
    else:
        console.print(f"\nNothing to do: every stage is cached ({seconds:.0f} s).\n")
        _print_entries(console, journal)
        console.print()
    console.print(_results_table(journal.results))
    unknown_share = journal.results[0]["unknown_share"]
    if unknown_share > _MUCH_UNKNOWN:
        console.print(
            f"[yellow]Caution:[/] {unknown_share:.0%} of the test notes and chords are not in the "
            "vocabulary (too rare in the training pieces) and are left out: these figures say little about this corpus."
        )
    console.print(f"\nReport: {journal.report}", soft_wrap=True, markup=False)


def print_ingestion(console: Console, outcome: Ingestion) -> None:
    """What became of every file of a corpus."""
    console.print(f"\n[bold]{escape(outcome.corpus)}[/]")
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for number, what, detail in _ingestion_rows(outcome):
        table.add_row(number, f"{what}  [dim]{escape(detail)}[/]" if detail else what)
    console.print(table)
    for reject in outcome.rejected[:_MOST_REJECTS]:
        tune = f", tune {reject['tune']}" if reject["tune"] else ""
        console.print(
            f"  rejected: {reject['path']}{tune}: {reject['reason']}: {reject['detail']}",
            markup=False,
            soft_wrap=True,
        )
    if len(outcome.rejected) > _MOST_REJECTS:
        console.print(
            f"  … and {len(outcome.rejected) - _MOST_REJECTS} more in the table of pieces"
        )
    work = f"{outcome.n_ran} stage calls ran, {outcome.n_cached} cached"
    console.print(f"\n{work}, in {outcome.seconds:.1f} s.")
    console.print(f"Pieces: {outcome.pieces}", soft_wrap=True, markup=False)


def print_new_music(console: Console, music: NewMusic) -> None:
    """What was composed, and where it is."""
    table = Table(title=f"New music by {music.run}", title_justify="left")
    for name in ("sample", "continues", "notes", "bars", "seconds", "bits per token", "ended by"):
        is_number = name not in ("sample", "continues", "ended by")
        table.add_column(name, justify="right" if is_number else "left", no_wrap=name == "sample")
    for sample in music.samples:
        table.add_row(
            sample.name,
            _short(sample.prompt, _MOST_LETTERS),
            f"{sample.n_notes}",
            f"{sample.n_bars:.1f}",
            f"{sample.duration_sec:.1f}",
            f"{sample.mean_surprise_bit:.2f}",
            _ENDINGS[sample.ended_by],
        )
    console.print(table)
    if music.composer == "network" and not music.has_memory:
        console.print(
            "\nWritten by the network alone: the run has no memory of the piece that this version reads. "
            "The same run once more fits one.",
            soft_wrap=True,
        )
    console.print(f"\nWritten to {music.folder}", soft_wrap=True, markup=False)


def _ingestion_rows(outcome: Ingestion) -> Iterator[tuple[str, str, str]]:
    """Number, what it counts, and what it consists of."""
    counts = outcome.counts
    kinds = counts.duplicates_by_kind
    yield f"{counts.n_files:,}", "files", _listed(outcome.ignored, "ignored: ")
    if counts.n_pieces != counts.n_files:
        yield f"{counts.n_pieces:,}", "pieces in them", ""
    yield f"{counts.n_accepted:,}", "accepted", ""
    yield f"{counts.n_rejected:,}", "rejected", _listed(counts.rejected_by_reason)
    yield f"{counts.n_copies:,}", "copies, byte for byte", ""
    others = {kind: n for kind, n in kinds.items() if kind != DuplicateKind.EXACT}
    yield f"{sum(others.values()):,}", "accepted that repeat another piece", _listed(others)
    yield f"{counts.n_groups:,}", "different pieces of music", "never divided between splits"
    yield (
        f"{counts.n_notes:,}",
        "notes",
        _listed(
            {"that never end": counts.n_unended, "of no length": counts.n_zero_length}, "left out: "
        ),
    )
    yield f"{counts.hours:,.1f}", "hours of music", ""
    if counts.n_repaired:
        yield f"{counts.n_repaired:,}", "repaired", "the column `repair` says how"
    if counts.n_doubtful:
        yield f"{counts.n_doubtful:,}", "read with warnings", "the column `warning` has the first"


def _listed(counts: Mapping[str, int], before: str = "") -> str:
    """Such as "12 truncated, 3 no_notes"; empty where nothing is counted."""
    parts = [f"{n:,} {name}" for name, n in counts.items() if n]
    return before + ", ".join(parts) if parts else ""


def print_plan(console: Console, calls: Sequence[PlannedCall]) -> None:
    """Which stages would run, and why."""
    _print_calls(console, [(c.stage, c.state, c.reason) for c in calls])
    n_run = sum(c.state == "run" for c in calls)
    n_perhaps = sum(c.state == "run-if-changed" for c in calls)
    if n_run:
        after = f", and up to {n_perhaps} after them" if n_perhaps else ""
        console.print(f"\n{n_run} stage calls would run{after}.")
    else:
        console.print("\nNothing would run: every stage is cached.")


def print_status(console: Console, journal: Journal) -> None:
    """What the last run did."""
    console.print(
        f"{journal.corpus}: {journal.state}, started {journal.started_at}, took {journal.seconds:.1f} s. "
        "Worker seconds add up to more than that where stages ran side by side.\n"
    )
    _print_entries(console, journal)
    if journal.report:
        console.print(f"\nReport: {journal.report}", soft_wrap=True, markup=False)


def print_inspection(console: Console, inspection: Inspection) -> None:
    """Schema, rows, provenance and lineage of an artifact."""
    console.print(f"[bold]{escape(inspection.artifact)}[/], written by {inspection.stage}")
    for file in inspection.files:
        console.print(
            f"\n[bold]{escape(file.name)}[/]: {file.n_rows:,} rows, {file.n_bytes:,} bytes"
        )
        schema = make_table("column", "type")
        for name, kind in file.schema.items():
            schema.add_row(name, kind)
        console.print(schema)
        if file.rows:
            sample = make_table(*file.rows[0])
            for row in file.rows:
                sample.add_row(*(_short(value) for value in row.values()))
            console.print(sample)
    console.print("\n[bold]Lineage[/]")
    for (depth, stage), group in groupby(inspection.lineage, key=lambda s: (s.depth, s.stage)):
        steps = list(group)
        more = f" and {len(steps) - 1} more" if len(steps) > 1 else ""
        console.print(f"{'  ' * depth}{steps[0].artifact}{more}  ({stage})", markup=False)
    console.print(f"\n[bold]From {len(inspection.sources)} files[/]")
    for path in inspection.sources[:10]:
        console.print(f"  {path}", markup=False)
    if len(inspection.sources) > 10:
        console.print(f"  … and {len(inspection.sources) - 10} more (--json lists them all)")


def print_checks(console: Console, checks: Iterable[Check]) -> None:
    """What this machine has and lacks."""
    table = make_table("", "what", "found", "what to do")
    for check in checks:
        table.add_row(_coloured(check.state), check.name, escape(check.found), escape(check.remedy))
    console.print(table)


def print_settings(console: Console, settings: Iterable[Setting]) -> None:
    """What can be set, its default, what is allowed, and what it means."""
    table = make_table("setting", "default", "allowed", "meaning")
    for setting in settings:
        texts = (setting.name, setting.default, setting.allowed, setting.meaning)
        table.add_row(*map(escape, texts))
    console.print(table)


def _print_entries(console: Console, journal: Journal) -> None:
    """What each call did, and the seconds that it took or that the cache saved."""
    _print_calls(
        console,
        [(e.stage, e.state, e.reason) for e in journal.stages],
        {e.stage: e.seconds or -e.saved_seconds for e in journal.stages},
    )


def _print_calls(
    console: Console,
    calls: Sequence[tuple[str, str, str]],
    seconds: Mapping[str, float] | None = None,
) -> None:
    """One line per call; calls of one stage that share state and reason are one line together."""
    table = make_table("stage", "state", "why", *(["worker seconds"] if seconds else []))
    for (stage, state, reason), group in groupby(
        calls, key=lambda c: (c[0].partition("/")[0], c[1], c[2])
    ):
        labels = [label for label, _, _ in group]
        name = labels[0] if len(labels) == 1 else f"{stage} ({len(labels)} calls)"
        row = [escape(name), _coloured(state), escape(reason)]
        if seconds:
            spent = sum(seconds[label] for label in labels)
            row.append(f"{spent:.1f}" if spent > 0 else f"{-spent:.1f} saved")
        table.add_row(*row)
    console.print(table)


def _results_table(results: Sequence[dict[str, Any]]) -> Table:
    table = Table(
        title="Guessing the next token of the test pieces (perplexity: lower is better)",
        title_justify="left",
    )
    table.add_column("model")
    for name in ("seq_length", "test perplexity", "test accuracy"):
        table.add_column(name, justify="right")
    for row in results:
        length = str(row["seq_length"]) if row["seq_length"] else f"order {row['order']}"
        table.add_row(
            row["name"], length, f"{row['test_perplexity']:.2f}", f"{row['test_accuracy']:.1%}"
        )
    return table


def _coloured(state: str) -> str:
    return f"[{_COLOURS[state]}]{state}[/]"


def _short(value: Any, limit: int = 40) -> str:
    text = str(value)
    return escape(text if len(text) <= limit else text[: limit - 1] + "…")
