"""Saved networks: weights as plain arrays, beside a description that can rebuild the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline_lib.config import RunConfig
from pipeline_lib.errors import ArtifactError
from pipeline_lib.models.lstm import build_lstm

WEIGHTS_NAME = "weights.npz"
DESCRIPTION_NAME = "run.json"


def load_network(folder: Path) -> tuple[keras.Model, RunConfig]:
    """Rebuild a trained network from its run's folder.

    Parameters
    ----------
    folder : Path
        Holds `DESCRIPTION_NAME` and `WEIGHTS_NAME`.
    """
    described = json.loads((folder / DESCRIPTION_NAME).read_text(encoding="utf-8"))
    config = RunConfig.model_validate_json(json.dumps(described["config"]))
    model = build_lstm(config.model, described["vocab_size"], config.seed)
    load_weights(model, folder / WEIGHTS_NAME)
    return model, config


def save_weights(model: keras.Model, path: Path) -> None:
    """Write all weights as ``.npz``, one array per variable, named by its path in the model.

    Plain arrays: readable without Keras, the same bytes for the same weights, and the same names on
    every backend.
    """
    arrays: dict[str, Any] = {v.path: np.asarray(v) for v in model.weights}
    np.savez(path, **arrays)


def load_weights(model: keras.Model, path: Path) -> None:
    """Set all weights from `save_weights`.

    Raises
    ------
    ArtifactError
        The file's arrays are not those of this model.
    """
    with np.load(path) as saved:
        expected = {v.path: tuple(v.shape) for v in model.weights}
        found = {name: saved[name].shape for name in saved.files}
        if expected != found:
            raise ArtifactError(
                f"weights of another model: expected {expected}, found {found}",
                path=path,
                remedy="delete the artifact's folder and run again",
            )
        for variable in model.weights:
            variable.assign(saved[variable.path])
