"""Metrics of a single piece, as the numbers that one works out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline_lib.evaluation.pieces import Pieces
from pipeline_lib.evaluation.statistics import FloatArray
from pipeline_lib.notes.grid import GridNotes


def alone(notes: GridNotes) -> Pieces:
    return Pieces.of([notes])


def of(metric: Callable[..., FloatArray], notes: GridNotes, *settings: Any) -> float:
    (value,) = metric(alone(notes), *settings).tolist()
    return value
