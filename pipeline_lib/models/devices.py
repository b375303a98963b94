"""Devices that networks are trained on: one, or several among which each batch is divided."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from pipeline_lib.config import RunConfig
from pipeline_lib.errors import ConfigError


def device_scope(config: RunConfig) -> AbstractContextManager[Any]:
    """Context within which a run's network and optimiser are to be made, so that they lie on its devices.

    Parameters
    ----------
    config : RunConfig
        Read are its ``n_devices`` and ``precision``.

    Raises
    ------
    ConfigError
        This machine or backend does not have what the settings ask for.
    """
    if config.precision != "float32" and not _gpus():
        raise ConfigError(
            f'train.precision = "{config.precision}", but no GPU was found: half precision is only '
            "faster on one",
            remedy='set train.precision to "float32"',
        )
    if config.n_devices == 1:
        return nullcontext()
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"train.n_devices = {config.n_devices}, which Keras on {keras.backend.backend()} does not do here",
            remedy="set KERAS_BACKEND=tensorflow, or train.n_devices to 1",
        )
    import tensorflow as tf

    devices = _gpus() or [device.name for device in tf.config.list_logical_devices("CPU")]
    if len(devices) < config.n_devices:
        raise ConfigError(
            f"train.n_devices = {config.n_devices}, but there are {len(devices)}: {', '.join(devices)}",
            remedy=f"set train.n_devices to {len(devices)} at most",
        )
    strategy: AbstractContextManager[Any] = tf.distribute.MirroredStrategy(
        devices[: config.n_devices]
    ).scope()
    return strategy


def use_deterministic_operations() -> None:
    """Switch the backend to deterministic operations, where it has such a switch: equal runs give equal weights."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def has_gpu() -> bool:
    """Whether the backend computes on a GPU."""
    return bool(_gpus())


def _gpus() -> list[str]:
    """Names of the GPUs that the backend uses."""
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            return [device.name for device in tf.config.list_logical_devices("GPU")]
        case "jax":
            import jax

            return [str(device) for device in jax.devices() if device.platform == "gpu"]
        case _:
            import torch

            return [f"cuda:{n}" for n in range(torch.cuda.device_count())]
