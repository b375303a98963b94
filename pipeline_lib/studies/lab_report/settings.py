"""The experiment that this project grew out of, as settings.

A lab report trained an LSTM on folk tunes three times and drew conclusions from the loss curves and from
listening:

======  ============  ==========  ==========  =============
run     iterations    batch size  seq_length  learning rate
======  ============  ==========  ==========  =============
v1      3,000         8           100         5e-3
v2      3,000         16          100         4e-5
v3      3,000         16          50          4e-5
======  ============  ==========  ==========  =============

each with one layer of 1,024 units over an embedding of 256, and kept what the last iteration left. v1 differs
from v2 in two settings at once; so the comparisons that it drew are made here one setting at a time as well.
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
"""All that are compared. The lab report says 5e-1 once where it means v1's; both are tried."""
CONVERGED_RATE = 1e-3
"""At which lengths are compared besides `LOW_RATE`: 4e-5 leaves every length far from its end."""
_V1_BATCH_SIZE, _BATCH_SIZE = 8, 16


def lab_report(scale: Scale) -> PipelineConfig:
    """All settings of the experiment.

    Parameters
    ----------
    scale : {"small", "original", "full"}
        small: the whole grid with narrow networks and fewer iterations, five seeds each; half an hour on two
        cores. original: the three runs as they were. full: the whole grid as wide and long as they were.
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
            temperatures=TEMPERATURES, n_samples=48 if scale == "small" else 200, n_rendered=1
        ),
        report=ReportConfig(claims=True, n_detailed=3),
    )


def _original(network: LstmConfig) -> tuple[PointConfig, ...]:
    """v1, v2 and v3."""
    return (
        _point(network, 100, HIGH_RATE, _V1_BATCH_SIZE),
        _point(network, 100, LOW_RATE),
        _point(network, 50, LOW_RATE),
    )


def _grid(network: LstmConfig, scale: Scale) -> tuple[PointConfig, ...]:
    """v1 to v3; every rate; every length at two rates; and two deeper networks, which no claim is about, once each."""
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
