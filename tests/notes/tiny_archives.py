"""Archives made in memory, of members that are given as (name, content)."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Literal

Members = list[tuple[str, bytes]]
TarMode = Literal["w", "w:gz", "w:bz2", "w:xz"]

TAR_MODES: dict[str, TarMode] = {
    ".tar": "w",
    ".tar.gz": "w:gz",
    ".tgz": "w:gz",
    ".tar.bz2": "w:bz2",
    ".tbz2": "w:bz2",
    ".tar.xz": "w:xz",
    ".txz": "w:xz",
}
ARCHIVE_SUFFIXES = (".zip", *TAR_MODES)


def zip_of(members: Members, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return stream.getvalue()


def tar_of(members: Members, mode: TarMode = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def archive_of(suffix: str, members: Members) -> bytes:
    """An archive of the kind that a suffix stands for."""
    return zip_of(members) if suffix == ".zip" else tar_of(members, TAR_MODES[suffix])
