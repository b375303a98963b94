"""Which code a stage runs, as hashes of the definitions that it can reach.

Starting from the stage's function, names are followed through functions, classes and constants of the
project's own packages, by syntax tree and without importing anything. Comments, docstrings and layout do
not count. So an edit re-runs the stages that reach the edited definition, and no others.

The analysis is conservative: where a name cannot be followed to one definition (a module passed around as
a value, ``from x import *``), all of its module counts; module-level statements that are neither
definitions nor imports always do. What it cannot see are names built at run time (``getattr`` with a
computed string, entry points): the project does without these.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PROJECT_PACKAGES = ("pipeline_lib", "tasks")
_PROJECT_ROOT = Path(__file__).parents[1]

Reference = tuple[str, str]
"""A module and the name of a definition in it."""

_STATEMENTS = "<statements>"
_EVERYTHING = "*"


@dataclass
class _Module:
    name: str
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Reference | str] = field(default_factory=dict)
    """Local name to a definition elsewhere, or to a module."""


@cache
def fingerprint(module: str, function: str) -> dict[str, str]:
    """Hashes of everything in the project that a function can reach.

    Parameters
    ----------
    module, function : str
        Where the function is defined. Its decorators do not count, nor does anything only they reach.

    Returns
    -------
    dict of str to str
        ``module.definition`` to the first 12 hex digits of its SHA-256, sorted by name.
    """
    found: dict[Reference, str] = {}
    waiting: list[Reference] = [(module, function)]
    while waiting:
        reference = waiting.pop()
        if reference in found:
            continue
        nodes = _load(reference[0]).definitions.get(reference[1], [])
        if reference == (module, function):
            nodes = [_without_decorators(node) for node in nodes]
        found[reference] = _hash(nodes)
        waiting += [(reference[0], _STATEMENTS)]
        waiting += [r for node in nodes for r in _references(node, _load(reference[0]))]
    empty = _hash([])
    return {f"{m}.{name}": h for (m, name), h in sorted(found.items()) if h != empty}


def _hash(nodes: list[ast.stmt]) -> str:
    text = "\n".join(ast.dump(node) for node in nodes)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _without_decorators(node: ast.stmt) -> ast.stmt:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return ast.FunctionDef(node.name, node.args, node.body, [], node.returns)
    return node


@cache
def _load(name: str) -> _Module:
    path = _source(name)
    tree = ast.parse(path.read_text(encoding="utf-8")) if path else ast.Module([], [])
    _strip_docstrings(tree)
    module = _Module(name)
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module.imports.update(_imported(node))
        else:
            for defined in _defined_names(node):
                module.definitions.setdefault(defined, []).append(node)
    return module


@cache
def _source(module: str) -> Path | None:
    """The file of a project module; None for anything else. Nothing is imported to find it."""
    package, *rest = module.split(".")
    if package not in PROJECT_PACKAGES:
        return None
    stem = _PROJECT_ROOT.joinpath(package, *rest)
    candidates = (stem.with_name(f"{stem.name}.py"), stem / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _strip_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # Strings on their own do nothing, wherever they stand.
            body[:] = [s for s in body if not _is_bare_string(s)] or [ast.Pass()]


def _is_bare_string(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _defined_names(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Assign():
            names = [n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            return names or [_STATEMENTS]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Pass():
            return []
        case _:
            return [_STATEMENTS]


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, Reference | str]:
    """What an import statement binds; modules outside the project are left out."""
    if isinstance(node, ast.Import):
        return {
            (a.asname or a.name): a.name
            for a in node.names
            if _source(a.name) and (a.asname or a.name)
        }
    if node.level or not node.module or not _source(node.module):
        return {}
    bound: dict[str, Reference | str] = {}
    for alias in node.names:
        submodule = f"{node.module}.{alias.name}"
        target: Reference | str = submodule if _source(submodule) else (node.module, alias.name)
        bound[alias.asname or alias.name] = target
    return bound


def _references(node: ast.AST, module: _Module) -> Iterator[Reference]:
    imports = dict(module.imports)
    for child in ast.walk(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            imports.update(_imported(child))
    via_attribute: set[int] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Attribute):
            target = imports.get(ast.unparse(child.value)) if _is_dotted(child.value) else None
            if isinstance(target, str):
                via_attribute.update(id(n) for n in ast.walk(child.value))
                yield from _definition(target, child.attr)
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and id(child) not in via_attribute:
            yield from _resolve(child.id, imports, module)


def _is_dotted(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (
        isinstance(node, ast.Attribute) and _is_dotted(node.value)
    )


def _resolve(
    name: str, imports: dict[str, Reference | str], module: _Module
) -> Iterator[Reference]:
    target = imports.get(name)
    if isinstance(target, str):
        yield from _definition(target, _EVERYTHING)
    elif target:
        yield from _definition(*target)
    elif name in module.definitions:
        yield (module.name, name)


def _definition(module_name: str, name: str) -> Iterator[Reference]:
    """Where a name of a module is defined, through re-exports; all of the module where it is not found."""
    module = _load(module_name)
    if name in module.definitions:
        yield (module_name, name)
    elif name in module.imports:
        target = module.imports[name]
        yield from (
            _definition(target, _EVERYTHING) if isinstance(target, str) else _definition(*target)
        )
    else:
        yield from ((module_name, defined) for defined in module.definitions)
