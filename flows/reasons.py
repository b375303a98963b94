"""Why a stage would run, in words: the difference between its last key and its new one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline_lib.artifacts import ArtifactStore, read_manifest
from pipeline_lib.errors import ArtifactError
from tasks.staleness import StageKey

_MOST_NAMED = 3


def explain(
    key: StageKey,
    last_artifact: Path | None,
    store: ArtifactStore,
    inputs: Collection[str] | None = None,
) -> str:
    """What is different from the last time; empty where nothing is.

    Parameters
    ----------
    key : StageKey
        Of the call at hand.
    last_artifact : Path or None
        The call's artifact in the last experiment, relative to the store's root.
    store : ArtifactStore
    inputs : collection of str, optional
        Compare only these inputs; all when left out.
    """
    if last_artifact is None:
        return "first time"
    try:
        manifest = read_manifest(store.root / last_artifact)
    except ArtifactError:
        return f"artifact {last_artifact} is missing"
    compared = key.inputs if inputs is None else inputs
    return "; ".join(_differences(manifest, key, compared))


def _differences(
    manifest: Mapping[str, Any], key: StageKey, inputs: Collection[str]
) -> Iterator[str]:
    facts = manifest["facts"]
    for name in sorted(inputs):
        yield from _compare(name, facts["inputs"].get(name), key.inputs.get(name))
    names = sorted({*facts["code"], *key.code})
    changed = [name for name in names if facts["code"].get(name) != key.code.get(name)]
    if changed:
        yield f"code changed: {_list(changed)}"
    for name, version in key.packages.items():
        if facts["packages"].get(name) != version:
            yield f"{name} {facts['packages'].get(name)} -> {version}"


def _compare(name: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for part in sorted({*before, *after}):
            yield from _compare(f"{name}.{part}", before.get(part), after.get(part))
    elif isinstance(before, list) and isinstance(after, list):
        yield _compare_lists(name, before, after)
    elif _is_artifact(before) and _is_artifact(after):
        yield f"{name} changed"
    else:
        yield f"{name} {before} -> {after}"


def _compare_lists(name: str, before: list[Any], after: list[Any]) -> str:
    """Lists of files are the ones that change: name what came and what went by its first part."""
    added = [_head(item) for item in after if item not in before]
    gone = [_head(item) for item in before if item not in after]
    changed = [item for item in added if item in gone]
    parts = {
        "changed": changed,
        "new": [item for item in added if item not in changed],
        "gone": [item for item in gone if item not in changed],
    }
    words = [f"{word}: {_list(items)}" for word, items in parts.items() if items]
    return f"{name} {', '.join(words) or 'in another order'}"


def _head(item: Any) -> str:
    text = str(item[0] if isinstance(item, list) and item else item)
    return text if not _is_artifact(text) else text[:22]


def _is_artifact(value: Any) -> bool:
    kind, _, digest = str(value).partition(":")
    return kind.isidentifier() and len(digest) == 64


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
