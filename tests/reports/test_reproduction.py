"""Which settings the report lists."""

from __future__ import annotations

from pipeline_lib.config import LstmConfig, PipelineConfig, PointConfig, TrainConfig
from pipeline_lib.reports.reproduction import point_rows, settings

DEEP = LstmConfig(layers=2)
POINTS = (
    PointConfig(seq_length=50, learning_rate=1e-3),
    PointConfig(model=DEEP, seq_length=25, learning_rate=1e-3, batch_size=8, seeds=(7,)),
    PointConfig(model=DEEP, seq_length=50, learning_rate=1e-3),
)


def listed(config: PipelineConfig) -> dict[str, dict[str, str]]:
    return {stage: dict(values) for stage, values in settings(config.model_dump(mode="json"))}


def test_a_full_grid_lists_what_it_combines() -> None:
    config = PipelineConfig()
    shown = listed(config)
    assert shown["train"]["learning_rates"] == "[0.004]"
    assert shown["models"]["1.layers"] == "3"
    assert "points" not in shown
    assert point_rows(config.model_dump(mode="json")) == []


def test_points_take_the_place_of_the_lists_that_they_override() -> None:
    shown = listed(PipelineConfig(points=POINTS, train=TrainConfig(seeds=(0, 1))))
    assert "learning_rates" not in shown["train"]
    assert "points" not in shown
    layers = {name: value for name, value in shown["models"].items() if name.endswith(".layers")}
    assert layers == {"1.layers": "3", "2.layers": "2"}


def test_points_are_rows_with_what_they_take_over_from_train() -> None:
    config = PipelineConfig(points=POINTS, train=TrainConfig(seeds=(0, 1)))
    rows = point_rows(config.model_dump(mode="json"))
    assert [(row.model, row.seq_length, row.batch_size, row.seeds) for row in rows] == [
        ("lstm3x128", 50, None, (0, 1)),
        ("lstm2x128", 25, 8, (7,)),
        ("lstm2x128", 50, None, (0, 1)),
    ]
