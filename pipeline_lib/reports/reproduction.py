"""The settings of an experiment, as the report lists them: those that decided something."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline_lib.config import PointConfig

Settings = list[tuple[str, list[tuple[str, str]]]]


@dataclass(frozen=True)
class PointRow:
    """A network of an experiment that is no full grid; `batch_size` is None where `train.batch_tokens` decides."""

    model: str
    seq_length: int
    learning_rate: float
    batch_size: int | None
    seeds: tuple[int, ...]


def point_rows(parameters: Mapping[str, Any]) -> list[PointRow]:
    """The networks that were listed one by one; none where every combination of the lists was trained.

    Parameters
    ----------
    parameters : mapping
        All settings, nested by stage.
    """
    train = parameters.get("train", {})
    points = [PointConfig.model_validate(point) for point in parameters.get("points", ())]
    return [
        PointRow(
            point.model.name,
            point.seq_length,
            point.learning_rate,
            point.batch_size or train["batch_size"],
            point.seeds or tuple(train["seeds"]),
        )
        for point in points
    ]


def settings(parameters: Mapping[str, Any]) -> Settings:
    """Stages, each with its settings as (dotted name, JSON value).

    Where points are listed, they stand in place of the lists that would otherwise be combined: their networks, each
    once, are the models, and ``train`` has no learning rates.
    """
    shown = dict(parameters)
    points = shown.pop("points", ())
    if points:
        models = [point["model"] for point in points]
        shown["models"] = [m for number, m in enumerate(models) if m not in models[:number]]
        train = parameters["train"].items()
        shown["train"] = {name: value for name, value in train if name != "learning_rates"}
    return [(stage, list(_leaves(values))) for stage, values in shown.items()]


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        yield from _leaves(dict(enumerate(value, start=1)), name)
    else:
        yield name, json.dumps(value, ensure_ascii=False)
