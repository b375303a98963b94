"""Content-addressed artifacts: what stages leave on disk and pass to each other.

An artifact is a folder ``artifacts/<kind>/<first 16 hex digits of its sha256>/`` that holds the stage's
files and a ``manifest.json``. It is written under a temporary name and moved into place, so that a reader
sees all of it or nothing. It is never changed afterwards.

Two digests, because two questions are asked:

- ``sha256``, over every byte of the files (not the manifest): *is this file still what was written?* It
  is the address, and what a cache hit verifies.
- ``content_sha256``, the same without the provenance in Parquet footers: *do stages downstream have
  anything new to read?* Only this one enters their cache keys, so that a rewritten function that produces
  the same notes recomputes nothing after it.

Parquet files carry their provenance in the footer under the key `PROVENANCE_KEY`: stage, code
fingerprint, parents, parameters, seed. Wall-clock times are in the manifest only, or no two runs would
ever write the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_lib.errors import ArtifactError
from pipeline_lib.packages import package_versions

PROVENANCE_KEY = b"music_pipeline"
MANIFEST_NAME = "manifest.json"
ADDRESS_LENGTH = 16
"""Number of hex digits of the sha256 in a folder's name."""

_LONG_PARAMETER = 1000
"""Number of characters of JSON above which a parameter stands in the manifest alone."""
_JSON_OPTIONS: dict[str, Any] = {"sort_keys": True, "ensure_ascii": False, "allow_nan": False}
_CHUNK_BYTES = 1 << 20
_MOST_ATTEMPTS = 5
_PARQUET_TAIL_BYTES = 8
"""Number of bytes after a Parquet footer: the footer's length (4 bytes) and the magic number (4 bytes)."""


@dataclass(frozen=True, order=True)
class Artifact:
    """A reference to one artifact: all that stages pass to each other.

    Parameters
    ----------
    kind : str
        Kind of artifact, such as "notes".
    relpath : str
        Its folder, relative to the root of the store.
    sha256, content_sha256 : str
        Its digests, in hexadecimal: over all bytes, and over all but the provenance in Parquet footers.
    schema_version : int
        Version of the files' layout.
    """

    kind: str
    relpath: str
    sha256: str
    content_sha256: str
    schema_version: int


@dataclass(frozen=True)
class Provenance:
    """Origin of an artifact: all that decided its content.

    Parameters
    ----------
    stage : str
        Name of the stage.
    key : str
        Digest of all the rest; the cache key.
    code : str
        Fingerprint of the code that ran.
    parents : tuple of Artifact
        The artifacts that it read.
    parameters : mapping
        Its other inputs, settings and seeds included, as JSON values.
    """

    stage: str
    key: str
    code: str
    parents: tuple[Artifact, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """Provenance as the manifest records it."""
        return {
            "stage": self.stage,
            "code": self.code,
            "parents": [{"kind": p.kind, "sha256": p.sha256} for p in self.parents],
            "parameters": dict(self.parameters),
        }

    def footer(self) -> dict[str, Any]:
        """Provenance as Parquet footers record it: with the checksums of long parameters in their place.

        A bucket names all its files, which in each table of a shard would outweigh the music.
        """
        parameters = {name: _in_short(value) for name, value in self.parameters.items()}
        return {**self.described(), "parameters": parameters}


@dataclass(frozen=True)
class TableWriter:
    """An open Parquet file; see `Draft.open_table`."""

    _writer: pq.ParquetWriter
    _schema: pa.Schema
    _row_group_size: int | None

    def write_table(self, table: pa.Table) -> None:
        """Append rows to the file."""
        rows = table.replace_schema_metadata(self._schema.metadata)
        self._writer.write_table(rows, row_group_size=self._row_group_size)


class Draft:
    """An artifact while it is being written; see `ArtifactStore.draft`."""

    def __init__(self, store: ArtifactStore, folder: Path, provenance: Provenance) -> None:
        self.store = store
        self.folder = folder
        self.provenance = provenance
        self.facts: dict[str, Any] = {}
        """Facts for the manifest that must not decide the address, such as timings."""

    @cached_property
    def _footer(self) -> bytes:
        """Provenance as JSON, the same in all Parquet files of the artifact."""
        footer = self.provenance.footer()
        return json.dumps(footer, sort_keys=True, separators=(",", ":")).encode()

    def path(self, name: str) -> Path:
        """Path to write a file of the artifact to; folders on the way to it are made."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def write_table(self, name: str, table: pa.Table, **options: Any) -> None:
        """Write a Parquet file with this artifact's provenance in its footer.

        Parameters
        ----------
        name : str
            File name, ending in ``.parquet``.
        table : pyarrow.Table
            All rows of the file.
        **options
            As for `open_table`.
        """
        with self.open_table(name, table.schema, **options) as writer:
            writer.write_table(table)

    @contextmanager
    def open_table(self, name: str, schema: pa.Schema, **options: Any) -> Iterator[TableWriter]:
        """Write a Parquet file as `write_table` does, but table by table, so that not all is in memory.

        Parameters
        ----------
        name : str
            File name, ending in ``.parquet``.
        schema : pyarrow.Schema
            Schema of every table that is written.
        **options
            ``row_group_size``, the most rows in a row group; all others are passed to
            `pyarrow.parquet.ParquetWriter`, which compresses with zstd at level 1 if not told otherwise.

        Yields
        ------
        TableWriter
            The open file.
        """
        row_group_size = options.pop("row_group_size", None)
        stamped = schema.with_metadata({**(schema.metadata or {}), PROVENANCE_KEY: self._footer})
        settings: dict[str, Any] = {"compression": "zstd", "compression_level": 1, **options}
        with pq.ParquetWriter(self.path(name), stamped, **settings) as writer:
            yield TableWriter(writer, stamped, row_group_size)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file; keys sorted, so that equal values give equal bytes."""
        text = json.dumps(value, indent=2, **_JSON_OPTIONS)
        self.path(name).write_text(text + "\n", encoding="utf-8")


class ArtifactStore:
    """All artifacts under one root folder.

    Parameters
    ----------
    root : Path
        The root folder, usually ``artifacts/``; made when it is first written to.

    Examples
    --------
    Write an artifact of one file, and read it again:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = ArtifactStore(Path(folder))
    ...     provenance = Provenance(stage="count", key="k", code="c", parameters={"seed": 0})
    ...     with store.draft("counts", provenance) as (draft, finished):
    ...         draft.write_json("counts.json", {"notes": 3})
    ...     (artifact,) = finished
    ...     store.verify(artifact)
    ...     counts = store.read_json(artifact, "counts.json")
    ...     parameters = store.manifest(artifact)["provenance"]["parameters"]
    >>> counts, parameters
    ({'notes': 3}, {'seed': 0})
    >>> artifact.relpath == f"counts/{artifact.sha256[:16]}"
    True
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def path(self, artifact: Artifact, name: str = "") -> Path:
        """Path of an artifact's folder, or of a file in it."""
        return self.root / artifact.relpath / name

    def read_table(
        self, artifact: Artifact, name: str, columns: list[str] | None = None
    ) -> pa.Table:
        """Read a Parquet file of an artifact, all columns or those named."""
        return pq.read_table(self.path(artifact, name), columns=columns)

    def read_json(self, artifact: Artifact, name: str) -> Any:
        """Read a JSON file of an artifact."""
        return json.loads(self.path(artifact, name).read_text(encoding="utf-8"))

    def manifest(self, artifact: Artifact) -> dict[str, Any]:
        """Read the manifest of an artifact."""
        return read_manifest(self.path(artifact))

    @contextmanager
    def draft(
        self, kind: str, provenance: Provenance, *, schema_version: int = 1
    ) -> Iterator[tuple[Draft, list[Artifact]]]:
        """Context to write an artifact in: all of it is kept, or nothing where an error ends the block.

        Parameters
        ----------
        kind : str
            Kind of artifact, such as "notes"; the folder that it is put in.
        provenance : Provenance
            Where the artifact comes from.
        schema_version : int
            Version of the files' layout.

        Yields
        ------
        draft : Draft
            Where to write.
        finished : list of Artifact
            Holds the one finished artifact after the block has ended without an error.
        """
        scratch = self.root / ".writing"
        scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=scratch))
        started = time.perf_counter()
        finished: list[Artifact] = []
        try:
            draft = Draft(self, folder, provenance)
            yield draft, finished
            seconds = time.perf_counter() - started
            finished.append(self._publish(kind, draft, schema_version, seconds))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def verify(self, artifact: Artifact) -> None:
        """Check that an artifact is on disk, whole and unchanged.

        Raises
        ------
        ArtifactError
            The artifact is missing, or its bytes have changed; names the folder.
        """
        folder = self.path(artifact)
        if not (folder / MANIFEST_NAME).is_file():
            raise ArtifactError(
                f"artifact {artifact.relpath} is missing",
                path=folder,
                remedy="run `music-pipeline run` again: it is recomputed",
            )
        if file_digests(folder)[0] != artifact.sha256:
            raise ArtifactError(
                f"artifact {artifact.relpath} has changed since it was written",
                path=folder,
                remedy="run `music-pipeline run` again: it is recomputed",
            )

    def _publish(self, kind: str, draft: Draft, schema_version: int, seconds: float) -> Artifact:
        sha256, content_sha256 = file_digests(draft.folder)
        artifact = Artifact(
            kind, f"{kind}/{sha256[:ADDRESS_LENGTH]}", sha256, content_sha256, schema_version
        )
        manifest = {
            "artifact": asdict(artifact),
            "provenance": {**draft.provenance.described(), "key": draft.provenance.key},
            "parent_artifacts": [asdict(p) for p in draft.provenance.parents],
            "packages": package_versions(),
            "seconds": round(seconds, 3),
            "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "facts": draft.facts,
        }
        draft.path(MANIFEST_NAME).write_text(_manifest_text(manifest), encoding="utf-8")
        self._move_into_place(draft.folder, artifact)
        return artifact

    def _move_into_place(self, source: Path, artifact: Artifact) -> None:
        """Rename a finished folder to its address; a damaged artifact that stands there is removed.

        Another run may have written the same address. What is whole stays, since others may be reading it.
        """
        target = self.path(artifact)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.chmod(0o755)
        for _ in range(_MOST_ATTEMPTS):
            with suppress(OSError):
                os.rename(source, target)
                return
            with suppress(ArtifactError):
                self.verify(artifact)
                return
            with suppress(OSError):
                discarded = Path(tempfile.mkdtemp(dir=source.parent))
                os.rename(target, discarded / "replaced")
                shutil.rmtree(discarded, ignore_errors=True)
        raise ArtifactError(
            "an artifact cannot be moved to its place",
            path=target,
            remedy="see that the folder can be written to, and that no other program holds it",
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest in an artifact's folder.

    Raises
    ------
    ArtifactError
        There is no manifest, or it cannot be read.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"no readable {MANIFEST_NAME} ({error})",
            path=folder,
            remedy="name a folder of an artifact, or a file in one; `music-pipeline status` lists them",
        ) from None
    return manifest


def _manifest_text(manifest: Mapping[str, Any]) -> str:
    """Manifest as JSON, one line for each entry: to indent a thousand checksums takes Python ten times as long."""
    entries = [f"  {json.dumps(n)}: {json.dumps(manifest[n], **_JSON_OPTIONS)}" for n in manifest]
    return "{\n" + ",\n".join(sorted(entries)) + "\n}\n"


def _in_short(value: Any) -> Any:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    if len(text) <= _LONG_PARAMETER:
        return value
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "see": MANIFEST_NAME}


def file_digests(folder: Path) -> tuple[str, str]:
    """Compute the digests over all files of an artifact's folder.

    Returns
    -------
    sha256, content_sha256 : str
        Over all bytes, and over all but the provenance in Parquet footers. The manifest never counts.
    """
    names = sorted(
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and p.name != MANIFEST_NAME
    )
    whole, content = hashlib.sha256(), hashlib.sha256()
    for name in names:
        file_whole, file_content = _digest_file(folder / name)
        whole.update(f"{name}\0{file_whole}\n".encode())
        content.update(f"{name}\0{file_content}\n".encode())
    return whole.hexdigest(), content.hexdigest()


def _digest_file(path: Path) -> tuple[str, str]:
    parquet = _parquet_file(path) if path.suffix == ".parquet" else None
    content = hashlib.sha256()
    with path.open("rb") as stream:
        remaining = path.stat().st_size
        if parquet is not None:
            remaining -= parquet.metadata.serialized_size + _PARQUET_TAIL_BYTES
        while remaining:
            chunk = stream.read(min(_CHUNK_BYTES, remaining))
            if not chunk:
                break
            content.update(chunk)
            remaining -= len(chunk)
        whole = content.copy()
        while chunk := stream.read(_CHUNK_BYTES):
            whole.update(chunk)
    if parquet is not None:
        schema = parquet.schema.to_arrow_schema()
        shared = {k: v for k, v in (schema.metadata or {}).items() if k != PROVENANCE_KEY}
        content.update(repr((schema.remove_metadata(), sorted(shared.items()))).encode())
    return whole.hexdigest(), content.hexdigest()


def _parquet_file(path: Path) -> pq.ParquetFile | None:
    """Read the footer of a Parquet file; None where the file is no readable Parquet."""
    try:
        with pq.ParquetFile(path) as file:
            return file
    except (OSError, pa.ArrowException):
        return None
