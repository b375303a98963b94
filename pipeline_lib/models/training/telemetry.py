"""Telemetry: a training that TensorBoard or MLflow shows while it runs.

Both are optional (extras ``tensorboard`` and ``mlflow``). What they show is in the run's Parquet tables as well.
Losses are in nats per token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipeline_lib.config import RunConfig, TelemetryConfig
from pipeline_lib.errors import ConfigError

Observer = Callable[[int, dict[str, float]], None]
"""A function that is told the number of updates done, and values by name, such as ``loss``."""


def open_observers(
    telemetry: TelemetryConfig, config: RunConfig, folder: Path, stack: ExitStack
) -> Sequence[Observer]:
    """Open the observers that the settings ask for.

    Parameters
    ----------
    telemetry : TelemetryConfig
        Which observers to open.
    config : RunConfig
        Settings of the training that is observed.
    folder : Path
        Folder under which they write, in ``tensorboard/`` and ``mlflow/``.
    stack : ExitStack
        Stack that closes the observers when it is closed.

    Raises
    ------
    ConfigError
        An observer that was asked for is not installed.
    """
    observers: list[Observer] = []
    if telemetry.tensorboard:
        observers.append(_tensorboard(config, folder / "tensorboard", stack))
    if telemetry.mlflow:
        observers.append(_mlflow(config, folder / "mlflow", stack))
    return observers


def _tensorboard(config: RunConfig, folder: Path, stack: ExitStack) -> Observer:
    try:
        from tensorboard.summary import Writer
    except ImportError:
        raise _not_installed("tensorboard") from None
    writer = Writer(str(folder / config.name))
    stack.callback(writer.close)

    def observe(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step=step)

    return observe


def _mlflow(config: RunConfig, folder: Path, stack: ExitStack) -> Observer:
    try:
        from mlflow import MlflowClient
    except ImportError:
        raise _not_installed("mlflow") from None
    folder.mkdir(parents=True, exist_ok=True)
    # A client, not mlflow's global state: several trainings share this process.
    client: Any = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    name = "music-pipeline"
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name, str(folder))
    run_id = client.create_run(experiment, run_name=config.name).info.run_id
    for setting, value in config.model_dump(mode="json").items():
        client.log_param(run_id, setting, value)
    stack.push(lambda kind, *_: client.set_terminated(run_id, "FAILED" if kind else "FINISHED"))

    def observe(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            client.log_metric(run_id, name, value, step=step)

    return observe


def _not_installed(package: str) -> ConfigError:
    return ConfigError(
        f"telemetry.{package} = true, but {package} is not installed",
        remedy=f"pip install -e '.[{package}]'",
    )
