"""Settings in words: what a message says of a refused value, and what the list of all settings holds."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from pipeline_lib.config import NetworkConfig, PipelineConfig, TokenConfig
from pipeline_lib.config.described import all_settings
from pipeline_lib.errors import ConfigError, listed
from pipeline_lib.presets import build_config


def kinds_of(union: Any) -> str:
    """The kinds of a union of settings, in words."""
    return listed(
        get_args(tagged)[0].model_fields["kind"].default for tagged in get_args(get_args(union)[0])
    )


def refusal(settings: dict[str, Any]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        build_config("quick", settings)
    return caught.value


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"generate.key": "D mayor"},
            "generate.key = 'D mayor': it must be a key such as 'D major' or 'Bb minor', or 'prompt'",
        ),
        ({"train.regime": "stream"}, "train.regime = 'stream': it must be windows or streams"),
        ({"train.max_epochs": 0}, "train.max_epochs = 0: it must be a whole number of at least 1"),
        ({"train.max_epochs": 2.5}, "train.max_epochs = 2.5: it must be a whole number"),
        ({"generate.top_p": 0}, "generate.top_p = 0: it must be a number above 0 and at most 1"),
        ({"generate.top_k": 0}, "it must be a whole number of at least 1, or null"),
        ({"parse.repair": "maybe"}, "parse.repair = 'maybe': it must be true or false"),
        ({"prompts.source": ""}, "prompts.source = '': it must be text that is not empty"),
        ({"train.seeds": 3}, "train.seeds = 3: it must be a list of at least 1, each item a whole"),
        ({"select.tracks": "named"}, 'select: tracks="named" and track_name need each other'),
        ({"train": 5}, "train = 5: it must be an object of settings"),
    ],
)
def test_a_refused_value_is_named_with_what_is_allowed(
    settings: dict[str, Any], problem: str
) -> None:
    assert problem in refusal(settings).problem


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"models": [{"kind": "unheard_of"}]},
            f"models.0.kind = 'unheard_of': it must be {kinds_of(NetworkConfig)}",
        ),
        ({"models": [{"layers": 0}]}, "models.0.layers = 0: it must be a whole number from 1 to 4"),
        (
            {"models": [{"kind": "transformer", "layers": 0}]},
            "models.0.layers = 0: it must be a whole number from 1 to 24",
        ),
        (
            {"tokens.kind": "words"},
            f"tokens.kind = 'words': it must be {kinds_of(TokenConfig)}",
        ),
        (
            {"tokens.kind": "pitch_duration", "tokens.min_count": 0},
            "tokens.min_count = 0: it must be a whole number of at least 1",
        ),
        ({"models": [{"layer": 2}]}, "unknown setting 'models.0.layer'"),
        ({"models": [3]}, "models.0 = 3: it must be an object of settings"),
        (
            {"points": [{"seq_length": 25}]},
            "points.0.learning_rate is missing: it must be a number above 0 and at most 1",
        ),
        (
            {"points": [{"seq_length": 25, "learning_rate": 1, "model": {"units": 1}}]},
            "points.0.model.units = 1: it must be a whole number from 8 to 2048",
        ),
        (
            {"points": [{"seq_length": 25, "learning_rate": 1, "seeds": [-1]}]},
            "points.0.seeds.0 = -1: it must be a whole number of at least 0 and below 4294967296",
        ),
    ],
)
def test_a_wrong_setting_of_one_kind_is_one_complaint_with_a_dotted_name(
    settings: dict[str, Any], problem: str
) -> None:
    assert refusal(settings).problem == problem


def test_every_wrong_setting_is_named() -> None:
    error = refusal({"generate.top_k": 0, "train.patience": 0})
    assert "generate.top_k = 0" in error.problem
    assert "train.patience = 0" in error.problem
    assert "generate.top_k (default: null): Draw from this many" in error.remedy
    assert "train.patience (default: 3): Stop after" in error.remedy


def test_the_remedy_says_what_the_setting_means_and_its_default() -> None:
    remedy = refusal({"train.max_epochs": 0}).remedy
    assert remedy.startswith("train.max_epochs (default: 6): Stop after this many epochs")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("train.max_epoch", "did you mean train.max_epochs? `music-pipeline settings` lists"),
        ("nothing.like.it", "`music-pipeline settings` lists"),
        ("models.0.layers", "models is set as a whole, as a list in JSON"),
    ],
)
def test_an_unknown_name_brings_its_neighbours_and_not_all_names(name: str, remedy: str) -> None:
    error = refusal({name: 3})
    assert error.problem == f"unknown setting '{name}'"
    assert error.remedy.startswith(remedy)


def test_an_unknown_name_in_a_network_brings_those_that_it_has() -> None:
    remedy = refusal({"models": [{"layer": 2}]}).remedy
    assert remedy.startswith("did you mean layers? it may be token_input,")


def test_every_setting_is_listed_with_what_it_allows() -> None:
    names = [setting.name for setting in all_settings()]
    wanted = {
        f"{section}.{name}" if isinstance(value, dict) else section
        for section, value in PipelineConfig().model_dump().items()
        for name in (value if isinstance(value, dict) else [""])
    }
    assert len(names) == len(wanted)
    assert set(names) == wanted
    by_name = {setting.name: setting for setting in all_settings()}
    assert by_name["split.test_fraction"].default == "0.1"
    assert by_name["split.test_fraction"].allowed == "a number above 0 and below 0.5"
    assert by_name["train.regime"].default == "windows"
    assert by_name["windows.seq_lengths"].default == "[25, 50, 100]"
    assert all(setting.allowed for setting in by_name.values())


def test_a_default_is_what_the_settings_have() -> None:
    values = PipelineConfig().model_dump()
    for setting in all_settings():
        section, _, name = setting.name.partition(".")
        if name and isinstance(values[section][name], bool | int):
            assert setting.default == str(values[section][name]).lower()
