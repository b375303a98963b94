"""Trained networks on disk: weights as plain arrays, beside a description that can rebuild the network.

The description holds settings and vocabulary, so that a run's folder is all that is needed to write music
with it. Arrays are named by their paths in the network, which are the same on every backend: what was trained
on one goes on with another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib.config import RunConfig
from pipeline_lib.errors import ArtifactError
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.training.checkpoints import to_numpy
from pipeline_lib.tokens.vocabulary import Vocabulary, vocabulary_from_rows, vocabulary_rows


def describe_network(network: Network, config: RunConfig, vocabulary: Vocabulary) -> dict[str, Any]:
    """Describe a network as JSON values: all that `rebuild_network` needs beside the weights."""
    return {
        "name": config.name,
        "config": config.model_dump(mode="json"),
        "vocabulary": vocabulary_rows(vocabulary),
        "n_parameters": network.count_params(),
    }


def rebuild_network(described: Mapping[str, Any], weights: Path) -> tuple[Network, RunConfig]:
    """Rebuild a trained network from what was saved of it.

    Parameters
    ----------
    described : mapping
        From `describe_network`.
    weights : Path
        The file of `save_weights`.

    Returns
    -------
    network : Network
        With its trained weights, in float32 and on one device.
    config : RunConfig
        The settings that it was trained with.
    """
    config = RunConfig.model_validate_json(json.dumps(described["config"]))
    # Reading needs neither several devices nor half precision.
    config = config.model_copy(update={"n_devices": 1, "precision": "float32"})
    network = Network(config, vocabulary_from_rows(described["vocabulary"]))
    load_weights(network, weights)
    return network, config


def save_weights(network: Network, path: Path) -> None:
    """Write all weights to an ``.npz`` file, one array per variable: the same bytes for the same weights."""
    arrays: dict[str, Any] = {v.path: to_numpy(v.value) for v in network.weights}
    np.savez(path, **arrays)


def load_weights(network: Network, path: Path) -> None:
    """Set all weights from a file that `save_weights` wrote.

    Raises
    ------
    ArtifactError
        The file's arrays are not those of this network.
    """
    with np.load(path) as saved:
        expected = {v.path: tuple(v.shape) for v in network.weights}
        found = {name: saved[name].shape for name in saved.files}
        if expected != found:
            raise ArtifactError(
                f"weights of another network: expected {expected}, found {found}",
                path=path,
                remedy="delete the artifact's folder and run again",
            )
        for variable in network.weights:
            variable.assign(saved[variable.path])
