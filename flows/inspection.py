"""Looking into an artifact: what it holds and what it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_lib.artifacts import MANIFEST_NAME, read_manifest
from pipeline_lib.errors import ArtifactError
from pipeline_lib.stores import file_names

_NAME_ANOTHER = "name a folder that `music-pipeline status --json` lists, or a file in one"


@dataclass(frozen=True)
class ParquetFile:
    """One Parquet file of an artifact, with a few of its rows."""

    name: str
    n_rows: int
    n_bytes: int
    schema: dict[str, str]
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class LineageStep:
    """An ancestor; `depth` 0 is the artifact itself."""

    depth: int
    artifact: str
    stage: str


@dataclass(frozen=True)
class Inspection:
    """All that `music-pipeline inspect` shows.

    Parameters
    ----------
    artifact, stage : str
        Where it lies, relative to the artifacts folder, and what wrote it.
    files : list of ParquetFile
    parameters : dict
        What the stage was given besides artifacts: settings and seeds.
    lineage : list of LineageStep
        Depth first, each ancestor once.
    sources : list of str
        Paths of the music files that it came from, relative to the corpus folder.
    """

    artifact: str
    stage: str
    files: list[ParquetFile]
    parameters: dict[str, Any]
    lineage: list[LineageStep]
    sources: list[str]


def inspect_artifact(path: Path, artifacts: Path, n_rows: int) -> Inspection:
    """Open an artifact's folder, or one Parquet file in it.

    Parameters
    ----------
    path : Path
        Of the folder or the file; relative to the working directory, or else to `artifacts`.
    artifacts : Path
        Where a path may be relative to. Ancestors are looked for where the artifact itself lies.
    n_rows : int
        Rows to show of each file.

    Raises
    ------
    ArtifactError
        There is no artifact at this path.
    """
    target = path if path.exists() else artifacts / path
    if not target.exists():
        raise ArtifactError(
            f"{path} does not exist; looked here and under {artifacts}/", remedy=_NAME_ANOTHER
        )
    folder = next((p for p in (target, *target.parents) if (p / MANIFEST_NAME).is_file()), None)
    if folder is None:
        raise ArtifactError(
            "this is no artifact, nor a file of one", path=target, remedy=_NAME_ANOTHER
        )
    manifest = read_manifest(folder)
    files = sorted(folder.rglob("*.parquet")) if target.is_dir() else [target]
    root = _root_of(folder, manifest, artifacts)
    lineage = list(_lineage(root, manifest))
    return Inspection(
        artifact=manifest["artifact"]["relpath"],
        stage=manifest["provenance"]["stage"],
        files=[_describe(file, folder, n_rows) for file in files],
        parameters=manifest["provenance"]["parameters"],
        lineage=[step for step, _ in lineage],
        sources=_sources(root, [found for _, found in lineage]),
    )


def _root_of(folder: Path, manifest: dict[str, Any], otherwise: Path) -> Path:
    """The artifacts folder that an artifact lies in; `otherwise` where it was moved out of one."""
    place = folder.resolve()
    is_in_place = place.parts[-2:] == Path(manifest["artifact"]["relpath"]).parts
    return place.parents[1] if is_in_place else otherwise


def _describe(path: Path, folder: Path, n_rows: int) -> ParquetFile:
    try:
        with pq.ParquetFile(path) as file:
            batch = next(file.iter_batches(batch_size=max(1, n_rows)), None)
            return ParquetFile(
                name=path.relative_to(folder).as_posix(),
                n_rows=file.metadata.num_rows,
                n_bytes=path.stat().st_size,
                schema={field.name: str(field.type) for field in file.schema_arrow},
                rows=batch.slice(0, n_rows).to_pylist() if batch is not None else [],
            )
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"not a readable Parquet file ({error})",
            path=path,
            remedy="name a .parquet file, or run `music-pipeline run` to have a damaged one recomputed",
        ) from None


def _lineage(root: Path, manifest: dict[str, Any]) -> Iterator[tuple[LineageStep, dict[str, Any]]]:
    """The artifact and its ancestors with their manifests; those since deleted are named without one."""
    seen: set[str] = set()
    waiting = [(0, manifest["artifact"]["relpath"], manifest)]
    while waiting:
        depth, relpath, found = waiting.pop()
        if relpath in seen:
            continue
        seen.add(relpath)
        stage = found["provenance"]["stage"] if found else "deleted since"
        yield LineageStep(depth, relpath, stage), found
        for parent in reversed(found.get("parent_artifacts", [])):
            parent_folder = root / parent["relpath"]
            is_there = (parent_folder / MANIFEST_NAME).is_file()
            waiting.append(
                (depth + 1, parent["relpath"], read_manifest(parent_folder) if is_there else {})
            )


def _sources(root: Path, manifests: list[dict[str, Any]]) -> list[str]:
    """Paths of the files behind all ingested buckets and scanned folders in a lineage.

    Buckets know contents only, so that renaming costs nothing; scans know the paths. A content that no
    scan knows any more is named by its checksum.
    """
    contents: set[str] = set()
    scanned: list[tuple[str, str]] = []
    for manifest in manifests:
        inputs = manifest.get("facts", {}).get("inputs", {})
        contents.update(sha256 for sha256, _ in inputs.get("bucket", {}).get("contents", []))
        scanned.extend((path, sha256) for path, sha256 in inputs.get("snapshot", []))
    paths = {**_all_scanned_paths(root), **_by_content(scanned)}
    contents.update(sha256 for _, sha256 in scanned)
    return sorted(path for c in contents for path in paths.get(c, [f"sha256:{c}"]))


def _all_scanned_paths(root: Path) -> dict[str, list[str]]:
    """Paths by content, as the latest scan that met the content knew them."""
    paths: dict[str, list[str]] = {}
    for folder in sorted(root.glob("corpus/*/"), key=_written_at):
        # A damaged scan is the next run's concern; here it knows nothing.
        with suppress(OSError, ValueError, pa.ArrowException):
            table = pq.read_table(folder / file_names.FILES, columns=["path", "sha256"])
            paths.update(_by_content((row["path"], row["sha256"]) for row in table.to_pylist()))
    return paths


def _written_at(folder: Path) -> str:
    """When an artifact was written; first of all where that is unknown."""
    try:
        return str(read_manifest(folder)["written_at"])
    except (ArtifactError, KeyError):
        return ""


def _by_content(files: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Paths by checksum, from pairs of the two."""
    paths: dict[str, list[str]] = {}
    for path, sha256 in files:
        paths.setdefault(sha256, []).append(path)
    return paths
