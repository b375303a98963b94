"""Settings in words: what each means and allows, read from their JSON schema, so that it is written down once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pipeline_lib.config.experiment import PipelineConfig
from pipeline_lib.errors import listed

Schema = Mapping[str, Any]

_TYPES = {
    "null": "null",
    "boolean": "true or false",
    "string": "text",
    "object": "an object of settings",
    "integer": "a whole number",
    "number": "a number",
}

_FORMS = {
    r"^(prompt|[A-G][#b]? (major|minor))$": "a key such as 'D major' or 'Bb minor', or 'prompt'",
}
"""Text that each pattern allows, in words."""


@dataclass(frozen=True)
class Setting:
    """One setting, in words.

    Parameters
    ----------
    name : str
        Dotted name, such as "train.max_epochs".
    default : str
        Default as it is typed on the command line; empty where there is none, or where it is an object of
        settings.
    allowed : str
        Values that are allowed, such as "a whole number of at least 1".
    meaning : str
        What the setting decides.
    """

    name: str
    default: str
    allowed: str
    meaning: str

    def __str__(self) -> str:
        default = f" (default: {self.default})" if self.default else ""
        return f"{self.name}{default}: {self.meaning.rstrip('.')}"


def all_settings() -> list[Setting]:
    """List every setting of an experiment, in the order of its stages.

    Examples
    --------
    >>> top_p = next(setting for setting in all_settings() if setting.name == "generate.top_p")
    >>> top_p.default, top_p.allowed
    ('1.0', 'a number above 0 and at most 1')
    """
    return [
        describe(name, inner)
        for section, schema in _schema()["properties"].items()
        for name, inner in _settings_in(section, schema)
    ]


@cache
def _schema() -> Schema:
    return PipelineConfig.model_json_schema()


def _settings_in(name: str, schema: Schema) -> list[tuple[str, Schema]]:
    """Settings of a section by dotted name; `models` and `points` are settings by themselves.

    A section of several kinds has those of every kind, each once.
    """
    inner = _properties(schema)
    return [(f"{name}.{n}", s) for n, s in inner.items()] if inner else [(name, schema)]


def _properties(schema: Schema) -> dict[str, Schema]:
    """Schemas of what may stand in an object of settings, by name; ``kind`` says which kinds there are."""
    if "oneOf" not in schema:
        return dict(resolved(schema).get("properties", {}))
    kinds = {name: resolved(s) for name, s in zip(kinds_in(schema), schema["oneOf"], strict=True)}
    kind = {
        "enum": list(kinds),
        "default": schema["default"]["kind"],
        "description": "; ".join(f"{n}: {s['description'].rstrip('.')}" for n, s in kinds.items()),
    }
    inner = {n: s for of_kind in kinds.values() for n, s in of_kind["properties"].items()}
    return {"kind": kind} | {**inner, "kind": kind}


def describe(name: str, schema: Schema) -> Setting:
    """Describe the setting of a dotted name, of which the schema is given."""
    default = _shown(schema["default"]) if "default" in schema else ""
    meaning = schema.get("description", "")
    return Setting(name, "" if "{" in default else default, allowed_by(schema), meaning)


def _shown(default: Any) -> str:
    return default if isinstance(default, str) and default else json.dumps(default)


def look_up(loc: tuple[int | str, ...]) -> list[tuple[str, Schema]]:
    """Dotted names and schemas along a location in an error of pydantic's, which includes kinds of networks."""
    name, schema = "", _schema()
    steps = [(name, schema)]
    for part in loc:
        schema = resolved(schema)
        if "oneOf" in schema and part in kinds_in(schema):
            schema = next(s for s in schema["oneOf"] if kinds_in(s) == [part])
        else:
            name = f"{name}.{part}" if name else str(part)
            inner = _properties(schema).get(str(part), {})
            schema = schema["items"] if isinstance(part, int) else inner
        steps.append((name, schema))
    return steps


def resolved(schema: Schema) -> Schema:
    """Schema that a reference refers to; of an optional value, the schema that holds when it is given."""
    if "$ref" in schema:
        model: Schema = _schema()["$defs"][schema["$ref"].rpartition("/")[2]]
        return model
    given = [s for s in schema.get("anyOf", ()) if s.get("type") != "null"]
    return resolved(given[0]) if given else schema


def kinds_in(schema: Schema) -> list[str]:
    """The kinds of network, or of tokeniser, that a schema allows."""
    networks = [resolved(s) for s in schema.get("oneOf", [schema])]
    return [network["properties"]["kind"]["const"] for network in networks]


def allowed_by(schema: Schema) -> str:
    """Values that a schema allows, in words such as "a number above 0 and at most 1, or null"."""
    if "anyOf" in schema:
        return ", or ".join(allowed_by(s) for s in schema["anyOf"])
    if "oneOf" in schema or "$ref" in schema:
        return _TYPES["object"]
    if "enum" in schema:
        return listed(schema["enum"])
    if schema["type"] == "array":
        at_least = f" of at least {schema['minItems']}" if "minItems" in schema else ""
        return f"a list{at_least}, each item {allowed_by(schema['items'])}"
    if "pattern" in schema:
        return _FORMS[schema["pattern"]]
    if schema.get("minLength"):
        return "text that is not empty"
    return _TYPES[schema["type"]] + _bounds(schema)


def _bounds(schema: Schema) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f" from {schema['minimum']} to {schema['maximum']}"
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    parts = [f"{word} {schema[bound]}" for bound, word in words.items() if bound in schema]
    text = " and ".join(parts)
    return f" of {text}" if text.startswith("at") else f" {text}" if text else ""
