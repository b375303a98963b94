"""What Prefect is told of the flow: names, parameters, schedules, and the bare deployment name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def deployments() -> dict[str, Any]:
    text = (REPOSITORY / "prefect.yaml").read_text(encoding="utf-8")
    return {d["name"]: d for d in yaml.safe_load(text)["deployments"]}


def test_the_default_deployment_bears_the_flows_name(deployments: dict[str, Any]) -> None:
    from flows.music_pipeline import music_pipeline

    assert music_pipeline.name == "music-pipeline"
    assert set(deployments) == {"music-pipeline", "nightly"}
    assert "schedules" not in deployments["music-pipeline"]


def test_the_nightly_schedule_is_paused_until_enabled(deployments: dict[str, Any]) -> None:
    (schedule,) = deployments["nightly"]["schedules"]
    assert schedule["active"] is False
    assert schedule["cron"] == "0 3 * * *"


def test_deployed_parameters_are_the_flows(deployments: dict[str, Any]) -> None:
    from flows.music_pipeline import music_pipeline

    properties = music_pipeline.parameters.properties
    for deployment in deployments.values():
        path, function = deployment["entrypoint"].split(":")
        assert (REPOSITORY / path).is_file()
        assert function == "music_pipeline"
        assert set(deployment["parameters"]) <= set(properties)
        assert deployment["work_pool"]["name"] == "music-pipeline"


def test_every_parameter_has_a_description_for_prefects_page() -> None:
    from flows.music_pipeline import music_pipeline

    for name, schema in music_pipeline.parameters.properties.items():
        assert schema.get("description"), f"{name} has no description"


def test_a_bare_deployment_name_is_read_as_flow_and_deployment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect.client.orchestration import PrefectClient

    from flows.prefect_plugin import accept_bare_names

    asked: list[str] = []

    async def read(self: PrefectClient, name: str) -> None:
        asked.append(name)

    monkeypatch.setattr(PrefectClient, "read_deployment_by_name", read)
    accept_bare_names()
    accept_bare_names()  # twice does no harm
    client = object.__new__(PrefectClient)
    asyncio.run(client.read_deployment_by_name("music-pipeline"))
    asyncio.run(client.read_deployment_by_name("music-pipeline/nightly"))
    assert asked == ["music-pipeline/music-pipeline", "music-pipeline/nightly"]


def test_prefect_loads_the_plugin_in_this_project() -> None:
    import tomllib
    from importlib.metadata import entry_points

    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["prefect"]["plugins"]["enabled"] is True
    (entry,) = entry_points(group="prefect.plugins", name="music_pipeline")
    assert hasattr(entry.load(), "setup_environment")


def test_an_unknown_setting_fails_before_anything_runs(tmp_path: Path) -> None:
    from flows.running import run_flow
    from pipeline_lib.errors import ConfigError

    with pytest.raises(ConfigError, match="unknown setting"):
        run_flow("ryans-mammoth", "tiny", None, {"train.epochs": 3}, tmp_path / "artifacts")
    assert not (tmp_path / "artifacts").exists()
