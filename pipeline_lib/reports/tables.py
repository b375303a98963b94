"""Tables that come with the page: the results of every model, and what the figures are drawn from."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline_lib.reports.content import BaselineResult, MeasuredOnTest, ReportContent, RunResult

RESULT_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("seq_length", pa.int32()),
        pa.field("order", pa.int32()),
        pa.field("learning_rate", pa.float64()),
        pa.field("seed", pa.int64()),
        pa.field("n_parameters", pa.int64()),
        pa.field("n_train_pieces", pa.int64()),
        pa.field("kept_epoch", pa.int32()),
        pa.field("test_loss", pa.float64(), nullable=False),
        pa.field("test_pitch_loss", pa.float64(), nullable=False),
        pa.field("test_duration_loss", pa.float64(), nullable=False),
        pa.field("test_perplexity", pa.float64(), nullable=False),
        pa.field("test_accuracy", pa.float64(), nullable=False),
        pa.field("test_top5_accuracy", pa.float64(), nullable=False),
        pa.field("test_bits_per_note", pa.float64(), nullable=False),
        pa.field("test_ece", pa.float64(), nullable=False),
        pa.field("n_targets", pa.int64(), nullable=False),
        pa.field("unknown_share", pa.float64(), nullable=False),
    ],
    metadata={"schema": "results/3"},
)
"""One row per network (with ``seq_length``) and per n-gram model (with ``order``); then the same with a memory of
the piece, their names and models ending in ``+memory``. Losses are in nats per token, that of pitch and that of duration
sum to the whole; ``test_ece`` is the expected calibration error. Every row is over the same targets, of which
``unknown_share`` (0 to 1) were left out beforehand because the vocabulary does not know them."""

_FIGURES = tuple(field.name for field in fields(MeasuredOnTest))
_FIGURE_TABLES = ("reliability", "loss_by_place", "metrics", "leaps", "distances", "discrepancies")
"""Fields of `ReportContent`."""


def result_table(content: ReportContent) -> pa.Table:
    """All results of a report, with `RESULT_SCHEMA`."""
    alone: list[RunResult | BaselineResult] = [*content.runs, *content.baselines]
    rows = [_result_row(result) for result in alone]
    for result in content.with_memory:
        row = _result_row(result.base)
        of_memory = {name: getattr(result, name) for name in ("name", *_FIGURES)}
        rows.append(row | of_memory | {"model": f"{row['model']}+memory"})
    for row in rows:
        row["unknown_share"] = content.corpus.unknown_share
    return pa.Table.from_pylist(rows, schema=RESULT_SCHEMA)


def _result_row(result: RunResult | BaselineResult) -> dict[str, Any]:
    return {name: getattr(result, name, None) for name in RESULT_SCHEMA.names}


def figure_tables(content: ReportContent) -> dict[str, pd.DataFrame]:
    """What the figures of a report are drawn from, by name."""
    tables = {name: getattr(content, name) for name in _FIGURE_TABLES}
    return {**tables, "novelty": content.copying.novelty, "copied": content.copying.copied}
