from __future__ import annotations

import math
import shlex
from typing import get_args

import pytest

from pipeline_lib.config import PipelineConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.presets import PresetName, as_command, build_config
from pipeline_lib.studies.lab_report.settings import Scale


@pytest.mark.parametrize("preset", get_args(PresetName))
def test_every_preset_is_valid(preset: PresetName) -> None:
    assert isinstance(build_config(preset), PipelineConfig)


def test_settings_replace_values_by_dotted_name() -> None:
    config = build_config("quick", {"generate.temperatures": [0.8, 1], "windows.seq_lengths": [25]})
    assert config.generate.temperatures == (0.8, 1.0)
    assert config.windows.seq_lengths == (25,)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"generate.temprature": 1}, "unknown setting 'generate.temprature'"),
        ({"nothing": 1}, "unknown setting 'nothing'"),
        (
            {"generate.temperatures": [1, -1]},
            "generate.temperatures.1 = -1: it must be a number from 0 to 5",
        ),
        ({"generate.temperatures": [math.nan]}, "generate.temperatures.0"),
        ({"generate.temperatures": []}, "generate.temperatures"),
        ({"train.max_epochs": "many"}, "train.max_epochs = 'many'"),
        ({"windows.seq_lengths": []}, "windows.seq_lengths"),
    ],
)
def test_wrong_settings_are_named_with_their_value(settings: dict, problem: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError, match=problem.replace(".", r"\.")):
        build_config("quick", settings)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown preset 'slow'"):
        build_config("slow")  # type: ignore[arg-type]


def test_the_grid_has_every_combination_once() -> None:
    config = build_config("quick", {"train.learning_rates": [0.01, 0.001], "train.seeds": [0, 1]})
    names = [run.name for run in config.runs]
    assert len(names) == len(set(names)) == 3 * 2 * 2
    assert "lstm3x128-L25-lr0.01-s1" in names


def test_points_take_the_place_of_the_grid() -> None:
    points = [
        {"seq_length": 25, "learning_rate": 0.1},
        {"seq_length": 50, "learning_rate": 0.2, "batch_size": 4, "seeds": [7]},
    ]
    config = build_config("quick", {"points": points, "train.seeds": [0, 1]})
    assert [run.name for run in config.runs] == [
        "lstm3x128-L25-lr0.1-s0",
        "lstm3x128-L25-lr0.1-s1",
        "lstm3x128-L50-b4-lr0.2-s7",
    ]
    assert [run.n_windows for run in config.runs] == [800 // 25, 800 // 25, 4]
    assert config.detailed_runs == ("lstm3x128-L25-lr0.1-s0", "lstm3x128-L50-b4-lr0.2-s7")


def test_a_point_needs_windows_of_its_length() -> None:
    points = [{"seq_length": 30, "learning_rate": 0.1}]
    with pytest.raises(ConfigError, match=r"seq_length of 30, which windows\.seq_lengths lacks"):
        build_config("quick", {"points": points})


def test_of_several_seeds_the_first_is_shown_and_only_so_many_networks() -> None:
    settings = {"train.seeds": [3, 4], "train.learning_rates": [0.1, 0.2], "report.n_detailed": 2}
    config = build_config("quick", settings)
    assert config.detailed_runs == ("lstm3x128-L25-lr0.1-s3", "lstm3x128-L50-lr0.1-s3")


@pytest.mark.parametrize(
    ("preset", "scale", "problem"),
    [
        ("quick", "small", "preset quick has no scale, but 'small' is given"),
        ("lab-report", "huge", "unknown scale 'huge'"),
    ],
)
def test_a_scale_belongs_to_the_lab_report(preset: PresetName, scale: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        build_config(preset, scale=scale)  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", ["small", "original", "full"])
def test_the_command_of_a_lab_report_names_its_scale(scale: str) -> None:
    config = build_config("lab-report", {"train.seeds": [1]}, scale)  # type: ignore[arg-type]
    words = shlex.split(as_command("mine", config))
    assert words[4:8] == ["--preset", "lab-report", "--scale", scale]
    assert words[8:] == ["--set", "train.seeds=[1]"]


def test_runs_that_differ_have_names_that_differ() -> None:
    models = [{}, {"dropout": 0.5}, {"embedding_size": 64}, {"token_input": "one_hot"}]
    names = {run.name for run in build_config("quick", {"models": models}).runs}
    assert len(names) == 4 * 3
    assert "lstm3x128-embedding64-L25-lr0.004-s0" in names


@pytest.mark.parametrize(
    "settings", [{"windows.seq_lengths": [25, 25]}, {"train.seeds": [0, 0]}, {"models": [{}, {}]}]
)
def test_a_run_that_is_listed_twice_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="listed more than once"):
        build_config("quick", settings)


def test_every_temperature_is_a_choice_of_settings_of_its_own() -> None:
    generate = build_config(
        "tiny", {"generate.temperatures": [0, 1.2], "generate.top_k": 5}
    ).generate
    assert [settings.temperature for settings in generate.grid] == [0, 1.2]
    assert {(settings.top_k, settings.length) for settings in generate.grid} == {(5, 24)}


@pytest.mark.parametrize("repeated", [[1, 0.5, 1.0], [1.0, 1.0000001]])
def test_temperatures_that_files_could_not_tell_apart_are_refused(repeated: list[float]) -> None:
    with pytest.raises(ConfigError, match="temperatures are listed more than once: 1"):
        build_config("quick", {"generate.temperatures": repeated})


def test_a_search_has_no_grid_of_temperatures() -> None:
    search = {"generate.composer": "network", "generate.beam_width": 4}
    build_config("quick", search)
    with pytest.raises(ConfigError, match="beam_width draws nothing"):
        build_config("quick", {**search, "generate.temperatures": [0.5, 1]})


@pytest.mark.parametrize("composer", [{}, {"generate.composer": "ngram"}])
def test_only_a_network_alone_can_search(composer: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"it needs generate\.composer=network"):
        build_config("quick", {"generate.beam_width": 4, **composer})


def test_the_lab_report_is_about_what_networks_write_alone() -> None:
    composers = {
        config.generate.composer
        for config in (build_config("lab-report", scale=scale) for scale in get_args(Scale))
    }
    assert composers == {"network"}
    assert build_config("quick").generate.composer == "mixture"


def test_the_command_in_the_report_gives_the_same_settings() -> None:
    config = build_config("full", {"generate.temperatures": [0.7, 1], "train.seeds": [3]})
    words = shlex.split(as_command("my tunes", config))
    assert words[:6] == ["music-pipeline", "run", "--corpus", "my tunes", "--preset", "full"]
    assert words[6:] == ["--set", "train.seeds=[3]", "--set", "generate.temperatures=[0.7,1.0]"]
