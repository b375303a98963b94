"""What decides the samples of a run: the models that compose them, and no others."""

from __future__ import annotations

from typing import get_args

import pytest

from pipeline_lib.artifacts import Artifact
from pipeline_lib.config import ComposerKind, GenerateConfig
from pipeline_lib.stores.composers import RunModels
from tasks.generate import generate


def artifact(kind: str, content: str) -> Artifact:
    return Artifact(kind, f"{kind}/{content}", content, content, 1)


def key(composer: ComposerKind, baselines: str = "b", memory: str = "m") -> str:
    """Of the stage that composes with the models of one run."""
    models = RunModels(
        artifact("runs", "r"), artifact("baselines", baselines), artifact("memories", memory)
    )
    inputs = generate.bind(
        artifact("tokens", "t"),
        models.needed_by(composer),
        artifact("prompts", "p"),
        GenerateConfig(composer=composer),
        "sine",
    )
    return generate.key(inputs).digest


@pytest.mark.parametrize("composer", get_args(ComposerKind))
def test_only_models_that_compose_decide_the_samples(composer: ComposerKind) -> None:
    same = key(composer)
    assert (key(composer, baselines="other") != same) == (composer != "network")
    assert (key(composer, memory="other") != same) == (composer == "mixture")


def test_every_composer_has_samples_of_its_own() -> None:
    assert len({key(composer) for composer in get_args(ComposerKind)}) == 3
