"""Which code a stage runs: the definitions, files and packages that it can reach.

Starting from the stage's function, names are followed through functions, classes and constants of the
project's own packages, by syntax tree and without importing anything. Comments, docstrings and layout do
not count. So an edit re-runs the stages that reach the edited definition, and no others.

A string that names a file or folder beside its module (a template, a font) counts with that file's bytes. A
name that leads out of the project counts as its package, so that a new version of a package re-runs the
stages that use it.

The analysis is conservative: where a name cannot be followed to one definition (a module passed around as
a value, ``from x import *``), all of its module counts; module-level statements that are neither
definitions nor imports always do. What it cannot see are names built at run time (``getattr`` with a
computed string, entry points): the project does without these.

Code is what it was when the process started (`read_all`): editing a file while a run is under way must not
give one code's results the other's key. `edited_since_read` tells where that may have happened.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PROJECT_PACKAGES = ("pipeline_lib", "tasks")
_PROJECT_ROOT = Path(__file__).parents[1]

Reference = tuple[str, str]
"""A module and the name of a definition in it."""

_STATEMENTS = "<statements>"
_EVERYTHING = "*"
_OUTSIDE = "<package>"
_FILE = "<file>"
_FILE_NAME = re.compile(r"\w[\w.-]*")


@dataclass
class _Module:
    name: str
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Reference | str] = field(default_factory=dict)
    """Local name to a definition elsewhere, to a module, or to a package outside the project."""


@dataclass(frozen=True)
class Fingerprint:
    """What a function can reach.

    Parameters
    ----------
    code : mapping of str to str
        ``module.definition``, or the path of a file, to the first 12 hex digits of its SHA-256.
    packages : tuple of str
        Top-level names imported from outside the project and the standard library, sorted.
    """

    code: Mapping[str, str]
    packages: tuple[str, ...]


@cache
def fingerprint(module: str, function: str) -> Fingerprint:
    """Everything that a function can reach.

    Parameters
    ----------
    module, function : str
        Where the function is defined. Its decorators do not count, nor does anything only they reach.
    """
    code: dict[str, str] = {}
    packages: set[str] = set()
    seen: set[Reference] = set()
    waiting: list[Reference] = [(module, function)]
    while waiting:
        reference = waiting.pop()
        if reference in seen:
            continue
        seen.add(reference)
        kind, name = reference
        if kind == _OUTSIDE:
            packages.add(name)
        elif kind == _FILE:
            code[name] = _hash_file(name)
        else:
            nodes = _load(kind).definitions.get(name, [])
            if reference == (module, function):
                nodes = [_without_decorators(node) for node in nodes]
            if nodes:
                code[f"{kind}.{name}"] = _hash(nodes)
            waiting.append((kind, _STATEMENTS))
            waiting += [r for node in nodes for r in _references(node, _load(kind))]
    return Fingerprint(dict(sorted(code.items())), tuple(sorted(packages)))


@cache
def read_all() -> None:
    """Read the project's code now, so that later edits do not count in this process."""
    _when_read()
    for package in PROJECT_PACKAGES:
        for path in sorted((_PROJECT_ROOT / package).rglob("*.py")):
            _load(_module_name(path))


def edited_since_read(code: Mapping[str, str], *, even_loaded: bool = False) -> list[str]:
    """What of a fingerprint's `code` may have run as something else than was hashed.

    A module that Python had loaded when the code was read runs as it was; one that is loaded later, or a
    file, is what it is then.

    Parameters
    ----------
    code : mapping
        As in `Fingerprint`.
    even_loaded : bool
        Whether other processes may have loaded the modules anew.
    """
    at_start = _when_read()
    modules = {name.rpartition(".")[0] for name in code if "/" not in name}
    if not even_loaded:
        modules -= at_start.loaded
    edited = {module for module in modules if not _is_as_read(module, at_start)}
    return [
        name
        for name, digest in code.items()
        if (name.rpartition(".")[0] in edited if "/" not in name else _is_changed(name, digest))
    ]


def _is_as_read(module: str, at_start: _Moment) -> bool:
    source = _source(module)
    return source is not None and _modified(source) == at_start.modified.get(module)


def _is_changed(relative_path: str, digest: str) -> bool:
    path = _PROJECT_ROOT / relative_path
    return not path.is_file() or _digest(path.read_bytes()) != digest


@dataclass(frozen=True)
class _Moment:
    """The project's modules at one time: when each was last modified, and which Python had loaded."""

    modified: Mapping[str, int]
    loaded: frozenset[str]


@cache
def _when_read() -> _Moment:
    paths = [p for package in PROJECT_PACKAGES for p in (_PROJECT_ROOT / package).rglob("*.py")]
    return _Moment({_module_name(p): _modified(p) for p in paths}, frozenset(sys.modules))


def _module_name(path: Path) -> str:
    parts = path.relative_to(_PROJECT_ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


@cache
def _hash_file(relative_path: str) -> str:
    return _digest((_PROJECT_ROOT / relative_path).read_bytes())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _hash(nodes: list[ast.stmt]) -> str:
    text = "\n".join(ast.dump(node) for node in nodes)
    return _digest(text.encode())


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
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for inner in ast.walk(node):  # an import may stand in a try or an if
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    module.imports.update(_imported(inner))
        if not isinstance(node, ast.Import | ast.ImportFrom) and not _is_for_type_checkers(node):
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


def _is_for_type_checkers(node: ast.stmt) -> bool:
    """Whether it never runs: ``if TYPE_CHECKING``."""
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
            return True
        case _:
            return False


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
    """What an import statement binds; the standard library is left out."""
    bound: dict[str, Reference | str] = {}
    if isinstance(node, ast.Import):
        for alias in node.names:
            local = alias.asname or (
                alias.name if _source(alias.name) else alias.name.split(".")[0]
            )
            bound[local] = alias.name if _source(alias.name) else _outside(alias.name)
    elif node.module:
        for alias in node.names:
            submodule = f"{node.module}.{alias.name}"
            inside: Reference | str = submodule if _source(submodule) else (node.module, alias.name)
            bound[alias.asname or alias.name] = (
                inside if _source(node.module) else _outside(node.module)
            )
    return {
        name: target for name, target in bound.items() if target[1] not in sys.stdlib_module_names
    }


def _outside(module: str) -> Reference:
    return (_OUTSIDE, module.split(".")[0])


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
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield from _files_beside(child.value, module)


def _files_beside(name: str, module: _Module) -> Iterator[Reference]:
    """The files that a string names, if it names a file or folder beside its module."""
    source = _source(module.name)
    if source is None or not _FILE_NAME.fullmatch(name):
        return
    target = source.parent / name
    found = target.rglob("*") if target.is_dir() else (target,)
    for path in found:
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            yield (_FILE, path.relative_to(_PROJECT_ROOT).as_posix())


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
    elif target and target[0] == _OUTSIDE:
        yield target
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
        yield from _resolve(name, module.imports, module)
    else:
        yield from ((module_name, defined) for defined in module.definitions)
