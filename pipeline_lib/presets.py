"""Named experiments: complete settings for a purpose and a time budget."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, get_args

from pydantic import ValidationError

from pipeline_lib.config import (
    GenerateConfig,
    LstmConfig,
    PipelineConfig,
    PromptConfig,
    TrainConfig,
    WindowConfig,
    token_config,
)
from pipeline_lib.config.refusals import refused_settings, unknown_setting
from pipeline_lib.errors import ConfigError
from pipeline_lib.studies.lab_report.settings import Scale, lab_report

PresetName = Literal["quick", "full", "tiny", "lab-report"]

DEFAULT_CORPUS = "ryans-mammoth"
_TOKENISER = "tokens.kind"


def _quick() -> PipelineConfig:
    """Settings for ten minutes at most on two cores: small networks, but every stage and a fair comparison."""
    return PipelineConfig()


def _full() -> PipelineConfig:
    """Settings for an evening on two cores, or minutes on a GPU: wider networks, two learning rates, three seeds."""
    return PipelineConfig(
        models=(LstmConfig(units=512, embedding_size=256, dropout=0.5),),
        train=TrainConfig(learning_rates=(1e-3, 1e-4), seeds=(0, 1, 2), max_epochs=60, patience=6),
        generate=GenerateConfig(n_samples=200, n_rendered=3),
    )


def _tiny() -> PipelineConfig:
    """Settings for a few seconds, to see that everything runs. The music is noise."""
    return PipelineConfig(
        windows=WindowConfig(seq_lengths=(4, 8)),
        models=(LstmConfig(layers=1, units=16, embedding_size=8),),
        train=TrainConfig(batch_tokens=64, max_epochs=1),
        generate=GenerateConfig(n_samples=4, n_rendered=1, length=24),
        prompts=PromptConfig(length=4),
    )


_PRESETS: dict[str, Callable[[], PipelineConfig]] = {
    "quick": _quick,
    "full": _full,
    "tiny": _tiny,
    **{f"lab-report {scale}": partial(lab_report, scale) for scale in get_args(Scale)},
}
"""Functions that make presets, by what follows ``--preset`` and, where there are several, by scale."""


def build_config(
    preset: PresetName = "quick",
    settings: Mapping[str, Any] | None = None,
    scale: Scale | None = None,
) -> PipelineConfig:
    """Build the settings of an experiment: a preset with some settings replaced.

    Parameters
    ----------
    preset : {"quick", "full", "tiny", "lab-report"}
        The preset to start from.
    settings : mapping, optional
        Dotted names to values, such as ``{"generate.length": 80, "windows.seq_lengths": [25, 50]}``.
    scale : {"small", "original", "full"}, optional
        Scale of the preset lab-report; "small" if not given.

    Raises
    ------
    ConfigError
        The preset, the scale or a setting is unknown, or a value is out of its bounds.

    Examples
    --------
    >>> config = build_config("tiny", {"generate.top_p": 0.9, "windows.seq_lengths": [8]})
    >>> config.generate.top_p, config.windows.seq_lengths
    (0.9, (8,))
    >>> [run.name for run in config.runs]
    ['lstm1x16-embedding8-L8-lr0.004-s0']

    What is refused is named, with what is allowed:

    >>> build_config("tiny", {"generate.top_p": 1.5})
    Traceback (most recent call last):
    pipeline_lib.errors.ConfigError: generate.top_p = 1.5: it must be a number above 0 and at most 1
      to fix it: generate.top_p (default: 1.0): Draw only from the fewest likeliest tokens that together reach this probability
    """
    values = _preset(preset, scale).model_dump()
    if _TOKENISER in (settings or {}):
        values["tokens"] = _of_kind((settings or {})[_TOKENISER], values["tokens"])
    for name, value in (settings or {}).items():
        _put(values, name, value)
    try:
        # Through JSON, so that a list given for a tuple counts as the same setting.
        return PipelineConfig.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise refused_settings(error) from None


def _preset(name: str, scale: str | None) -> PipelineConfig:
    if name not in get_args(PresetName):
        raise ConfigError(
            f"unknown preset {name!r}", remedy=f"choose one of: {', '.join(get_args(PresetName))}"
        )
    if name != "lab-report":
        if scale is not None:
            raise ConfigError(
                f"preset {name} has no scale, but {scale!r} is given",
                remedy="leave the scale out, or choose the preset lab-report",
            )
        return _PRESETS[name]()
    scale = scale or "small"
    if scale not in get_args(Scale):
        raise ConfigError(
            f"unknown scale {scale!r}", remedy=f"choose one of: {', '.join(get_args(Scale))}"
        )
    return _PRESETS[f"lab-report {scale}"]()


def _of_kind(kind: Any, tokens: dict[str, Any]) -> dict[str, Any]:
    """The settings of another tokeniser: those that it shares stay, its own are at their defaults."""
    try:
        other = token_config({"kind": kind}).model_dump()
    except ValidationError:
        return tokens  # what is wrong with it is said where all settings are checked
    return {name: tokens.get(name, default) for name, default in other.items()} | {"kind": kind}


def _put(values: dict[str, Any], dotted_name: str, value: Any) -> None:
    *sections, last = dotted_name.split(".")
    target: Any = values
    for section in sections:
        target = target.get(section) if isinstance(target, dict) else None
    if not isinstance(target, dict) or last not in target:
        raise unknown_setting(dotted_name)
    target[last] = value


def as_command(corpus: str, config: PipelineConfig) -> str:
    """Write the command that runs an experiment: the preset that it is closest to, and what differs.

    Parameters
    ----------
    corpus : str
        Name or path of the corpus, as for ``--corpus``.
    config : PipelineConfig
        Settings of the experiment.

    Examples
    --------
    >>> as_command("data/raw/mine", build_config("tiny", {"train.seeds": [0, 1]}))
    "music-pipeline run --corpus data/raw/mine --preset tiny --set 'train.seeds=[0,1]'"
    """
    wanted = _flatten(config.model_dump(mode="json"))
    differing = {
        name: {
            k: v for k, v in wanted.items() if _flatten(make().model_dump(mode="json")).get(k) != v
        }
        for name, make in _PRESETS.items()
    }
    preset = min(differing, key=lambda name: len(differing[name]))
    name, *scale = preset.split()
    words = ["music-pipeline", "run", "--corpus", corpus, "--preset", name]
    words += [word for s in scale for word in ("--scale", s)]
    for name, value in differing[preset].items():
        words += ["--set", f"{name}={json.dumps(value, separators=(',', ':'))}"]
    return shlex.join(words)


def _flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted name, as in `build_config`."""
    return {
        f"{section}.{name}" if isinstance(value, dict) else section: inner
        for section, value in values.items()
        for name, inner in (value.items() if isinstance(value, dict) else [("", value)])
    }
