"""Base of all settings: they are frozen, refuse unknown names, and have the same bounds everywhere."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**32)]
SeqLength = Annotated[int, Field(ge=2, le=4096)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
Temperature = Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)]


class StageConfig(BaseModel):
    """Base of all settings: immutable, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")
