"""Errors for settings that are unknown or refused: their name, the value received, and what is allowed."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from pipeline_lib.config.described import (
    all_settings,
    allowed_by,
    describe,
    kinds_in,
    look_up,
    resolved,
)
from pipeline_lib.errors import ConfigError, did_you_mean, listed

_SEE_ALL = "`music-pipeline settings` lists them all"


def unknown_setting(name: str) -> ConfigError:
    """Make the error for a dotted name that no setting has."""
    section = name.partition(".")[0]
    if section in ("models", "points") and section != name:
        remedy = f"{section} is set as a whole, as a list in JSON: --set {section}='[...]'"
    else:
        known = [setting.name for setting in all_settings()]
        remedy = f"{did_you_mean(name, known)}{_SEE_ALL}"
    return ConfigError(f"unknown setting {name!r}", remedy=remedy)


def refused_settings(error: ValidationError) -> ConfigError:
    """Make the error for settings that pydantic refused, with their names, values and bounds."""
    details = error.errors()
    found = [d for d in details if not (d["type"] == "too_short" and _has_wrong_item(d, details))]
    remedies = dict.fromkeys(_remedy(detail) for detail in found)
    return ConfigError("; ".join(map(_problem, found)), remedy="; ".join(remedies))


def _has_wrong_item(detail: Any, details: list[Any]) -> bool:
    """Whether a list that is too short has a wrong item, without which pydantic counts it."""
    loc = detail["loc"]
    return any(d["loc"][: len(loc)] == loc and len(d["loc"]) > len(loc) for d in details)


def _problem(detail: Any) -> str:
    name, schema = look_up(detail["loc"])[-1]
    match detail["type"]:
        case "value_error":
            message = str(detail["msg"]).removeprefix("Value error, ")
            return f"{name}: {message}" if name else message
        case "extra_forbidden":
            return f"unknown setting {name!r}"
        case "missing":
            return f"{name} is missing: it must be {allowed_by(schema)}"
        case "union_tag_invalid":
            return f"{name}.kind = {detail['ctx']['tag']!r}: it must be {listed(kinds_in(schema))}"
    return f"{name} = {_received(detail['input'])}: it must be {allowed_by(schema)}"


def _received(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return repr(value) if isinstance(value, str) else json.dumps(value)


def _remedy(detail: Any) -> str:
    *_, (_, parent), (name, _) = steps = [("", {}), *look_up(detail["loc"])]
    if detail["type"] == "value_error":
        return "change one of the settings that this names"
    if detail["type"] == "extra_forbidden":
        siblings = resolved(parent)["properties"]
        return f"{did_you_mean(name.rpartition('.')[2], siblings)}it may be {listed(siblings)}"
    about = [describe(at, schema) for at, schema in steps if at and "description" in schema]
    return str(about[-1]) if about else _SEE_ALL
