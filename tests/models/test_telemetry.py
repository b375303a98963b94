"""What is shown while a training runs is what the tables say afterwards."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline_lib.config import CheckpointConfig, TelemetryConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.models.training.loop import TrainedNetwork, train_network
from pipeline_lib.models.training.telemetry import open_observers
from tests.models.tiny_corpus import run_config, training_data

pytestmark = [
    pytest.mark.slow,
    # MLflow and TensorBoard warn about themselves.
    pytest.mark.filterwarnings("ignore"),
]


def train(folder: Path, telemetry: TelemetryConfig) -> TrainedNetwork:
    config = run_config(max_epochs=2)
    with ExitStack() as stack:
        observers = open_observers(telemetry, config, folder, stack)
        return train_network(
            config,
            training_data(),
            folder / "checkpoints",
            CheckpointConfig(every_n_steps=1),  # so that each update is told by itself
            observers=observers,
        )


def test_tensorboard_shows_every_update(tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="an optional extra"
    )
    trained = train(tmp_path, TelemetryConfig(tensorboard=True))
    events = event_accumulator.EventAccumulator(
        str(tmp_path / "tensorboard" / run_config().name), size_guidance={"tensors": 0}
    )
    events.Reload()
    shown = [float(e.tensor_proto.float_val[0]) for e in events.Tensors("loss")]
    assert shown == pytest.approx(trained.steps["loss"].to_pylist())
    assert [e.step for e in events.Tensors("valid_loss")] == [10, 20]


def test_mlflow_records_settings_and_losses(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="an optional extra")
    trained = train(tmp_path, TelemetryConfig(mlflow=True))
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("music-pipeline")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["learning_rate"] == "0.02"
    shown = [m.value for m in client.get_metric_history(run.info.run_id, "loss")]
    assert sorted(shown) == pytest.approx(sorted(trained.steps["loss"].to_pylist()))


@pytest.mark.parametrize("package", ["tensorboard", "mlflow"])
def test_what_is_not_installed_is_named(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.summary", None)
    with pytest.raises(ConfigError, match=f"telemetry.{package} = true, but {package} is not"):
        train(tmp_path, TelemetryConfig(**{package: True}))
