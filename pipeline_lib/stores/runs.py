"""Trained networks: the kind ``runs``.

Only `write_run` and `read_network` import TensorFlow, when they are called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import RunConfig
from pipeline_lib.stores import file_names
from pipeline_lib.stores.frames import read_frame
from pipeline_lib.tokens.vocabulary import Vocabulary

if TYPE_CHECKING:
    from pipeline_lib.models.networks.architectures import Network
    from pipeline_lib.models.training.loop import TrainedNetwork


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """What is known of a run without its network.

    Parameters
    ----------
    name : str
    config : RunConfig
    n_parameters : int
    n_train_pieces : int
        Train pieces that it could learn from.
    kept_epoch : int
        The epoch, counted from 1, whose weights were kept.
    history : DataFrame
        One row per epoch, with `models.training.history.HISTORY_SCHEMA`.
    """

    name: str
    config: RunConfig
    n_parameters: int
    n_train_pieces: int
    kept_epoch: int
    history: pd.DataFrame


def write_run(
    draft: Draft,
    trained: TrainedNetwork,
    config: RunConfig,
    vocabulary: Vocabulary,
    n_train_pieces: int,
) -> None:
    """Write a trained network, how it was trained, and all that rebuilds it.

    Parameters
    ----------
    draft : Draft
    trained : TrainedNetwork
    config : RunConfig
    vocabulary : Vocabulary
    n_train_pieces : int
    """
    from pipeline_lib.models.networks.saved import describe_network, save_weights

    save_weights(trained.network, draft.path(file_names.WEIGHTS))
    draft.write_table(file_names.HISTORY, trained.history)
    draft.write_table(file_names.STEPS, trained.steps)
    description = {
        **describe_network(trained.network, config, vocabulary),
        "n_train_pieces": n_train_pieces,
        "kept_epoch": trained.kept_epoch,
    }
    draft.write_json(file_names.RUN, description)


def read_network(store: ArtifactStore, run: Artifact) -> tuple[Network, RunConfig]:
    """A trained network with the weights that were kept, and the settings of its run."""
    from pipeline_lib.models.networks.saved import rebuild_network

    described = store.read_json(run, file_names.RUN)
    return rebuild_network(described, store.path(run, file_names.WEIGHTS))


def read_run(store: ArtifactStore, run: Artifact) -> TrainedRun:
    """All but the network."""
    described = store.read_json(run, file_names.RUN)
    return TrainedRun(
        name=described["name"],
        config=RunConfig.model_validate(described["config"]),
        n_parameters=described["n_parameters"],
        n_train_pieces=described["n_train_pieces"],
        kept_epoch=described["kept_epoch"],
        history=read_frame(store, run, file_names.HISTORY),
    )


def read_update_losses(store: ArtifactStore, run: Artifact) -> NDArray[np.float64]:
    """The training loss of every update in nats per token, shape (n_updates,)."""
    losses: NDArray[np.float64] = store.read_table(run, file_names.STEPS)["loss"].to_numpy()
    return losses
