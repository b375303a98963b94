"""Settings of the lab report's experiment, from which this project grew.

A lab report trained an LSTM on folk tunes three times and drew conclusions from the loss curves and from
listening:

======  ============  ==========  ==========  =============
run     iterations    batch size  seq_length  learning rate
======  ============  ==========  ==========  =============
v1      3,000         8           100         5e-3
v2      3,000         16          100         4e-5
v3      3,000         16          50          4e-5
======  ============  ==========  ==========  =============

each with one layer of 1,024 units over an embedding of 256, and kept the weights of the last iteration. v1 differs
from v2 in two settings at once; so the report's comparisons are made here one setting at a time as well.

All music is written by the networks alone, without n-grams or a memory of the piece: the claims are about what
an LSTM writes.
"""

from __future__ import annotations

from typing import Literal

from pipeline_lib.config import (
    GenerateConfig,
    LstmConfig,
    PipelineConfig,
    PointConfig,
    ReportConfig,
    TrainConfig,
    WindowConfig,
)

Scale = Literal["small", "original", "full"]

TEMPERATURES = (0.5, 1.0, 1.2)
SEQ_LENGTHS = (25, 50, 100)
HIGH_RATE, LOW_RATE = 5e-3, 4e-5
"""The learning rates of v1 and of v2 and v3."""
LEARNING_RATES = (5e-1, HIGH_RATE, 1e-3, 5e-4, 1e-4, LOW_RATE)
"""All learning rates that are compared. The lab report says 5e-1 once where it means v1's; both are tried."""
CONVERGED_RATE = 1e-3
"""Learning rate at which sequence lengths are compared besides `LOW_RATE`, which leaves all far from convergence."""
_V1_BATCH_SIZE, _BATCH_SIZE = 8, 16


def lab_report(scale: Scale) -> PipelineConfig:
    """Make all settings of the experiment.

    Parameters
    ----------
    scale : {"small", "original", "full"}
        small: the whole grid with narrow networks and fewer iterations, five seeds each; half an hour on two
        cores. original: the three runs v1 to v3. full: the whole grid, with networks as wide and runs as long as v1 to
        v3.
    """
    network = LstmConfig(
        layers=1,
        units=64 if scale == "small" else 1024,
        embedding_size=64 if scale == "small" else 256,
        dropout=0.0,
    )
    return PipelineConfig(
        windows=WindowConfig(seq_lengths=SEQ_LENGTHS if scale != "original" else (50, 100)),
        points=_original(network) if scale == "original" else _grid(network, scale),
        train=TrainConfig(
            seeds=(0,) if scale == "original" else (0, 1, 2, 3, 4),
            schedule="constant",
            num_training_iterations=400 if scale == "small" else 3000,
            patience=None,
            kept_weights="last",
        ),
        generate=GenerateConfig(
            composer="network",
            temperatures=TEMPERATURES,
            n_samples=48 if scale == "small" else 200,
            n_rendered=1,
        ),
        report=ReportConfig(claims=True, n_detailed=3),
    )


def _original(network: LstmConfig) -> tuple[PointConfig, ...]:
    """The points v1, v2 and v3 of the experiment's grid."""
    return (
        _point(network, 100, HIGH_RATE, _V1_BATCH_SIZE),
        _point(network, 100, LOW_RATE),
        _point(network, 50, LOW_RATE),
    )


def _grid(network: LstmConfig, scale: Scale) -> tuple[PointConfig, ...]:
    """The points of the whole grid, each once: v1 to v3; every rate; every length at two rates; two deeper networks.

    No claim is about the deeper networks, so each has one seed.
    """
    deep = network.model_copy(update={"layers": 3, "residual": False})
    deeper = [deep, deep.model_copy(update={"units": 2 * deep.units})]
    points = [
        *_original(network),
        *(_point(network, 100, rate) for rate in LEARNING_RATES),
        *(_point(network, n, rate) for rate in (CONVERGED_RATE, LOW_RATE) for n in SEQ_LENGTHS),
        *(
            _point(model, 100, CONVERGED_RATE).model_copy(update={"seeds": (0,)})
            for model in deeper
        ),
    ]
    return tuple(dict.fromkeys(points))


def _point(
    network: LstmConfig, seq_length: int, learning_rate: float, batch_size: int = _BATCH_SIZE
) -> PointConfig:
    return PointConfig(
        model=network, seq_length=seq_length, learning_rate=learning_rate, batch_size=batch_size
    )
