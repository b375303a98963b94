"""Names of runs, cut to what tells them apart.

A name is made of parts, such as ``lstm3x128-L50-b8-lr0.002-s0``: the network, then the sequence length (L), the batch
size (b, where it was set), the learning rate (lr) and the seed (s); see `pipeline_lib.config.RunConfig.name`. Where many
names share parts, what is left without them fits a legend or the head of a column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline_lib.reports.content import ReportContent

# A hyphen before a digit is the minus of an exponent: lr4e-05.
_HYPHEN = re.compile(r"-(?!\d)")


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Each name without the parts that all have in common; all names whole where one would have nothing left."""
    parts = {name: _HYPHEN.split(name) for name in names}
    common = set.intersection(*map(set, parts.values())) if parts else set()
    short = {
        name: "-".join(part for part in of_name if part not in common)
        for name, of_name in parts.items()
    }
    is_clear = all(short.values()) and len(set(short.values())) == len(short)
    return short if is_clear else {name: name for name in short}


def shared_parts(names: Sequence[str]) -> str:
    """What `short_names` leaves out, in the order of the names; empty where it leaves them whole."""
    short = short_names(names)
    if not short or short[names[0]] == names[0]:
        return ""
    kept = set(_HYPHEN.split(short[names[0]]))
    return "-".join(part for part in _HYPHEN.split(names[0]) if part not in kept)


def with_short_names(content: ReportContent) -> ReportContent:
    """The runs that are shown in detail, called by their short names wherever they are drawn or stand in a table."""
    short = short_names(content.detailed)
    copying = content.copying
    return replace(
        content,
        runs=tuple(replace(run, name=short[run.name]) for run in content.detailed_runs),
        detailed=tuple(short.values()),
        metrics=content.metrics.replace({"run": short}),
        leaps=content.leaps.replace({"set": short}),
        distances=content.distances.replace({"set": short}),
        discrepancies=content.discrepancies.replace({"set": short}),
        copying=replace(
            copying,
            novelty=copying.novelty.replace({"run": short}),
            copied=copying.copied.replace({"run": short}),
        ),
    )


def without_seed(name: str) -> str:
    """The setting that runs of several seeds have in common."""
    return _without(name, r"s\d+")


def without_length(name: str) -> str:
    """What runs of several seeds and sequence lengths have in common."""
    return _without(name, r"s\d+|L\d+")


def _without(name: str, pattern: str) -> str:
    return "-".join(part for part in _HYPHEN.split(name) if not re.fullmatch(pattern, part))
