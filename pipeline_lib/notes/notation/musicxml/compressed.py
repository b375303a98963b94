"""Compressed MusicXML (.mxl): a zip archive with a score in it.

Source: the MusicXML 4.0 standard, "Compressed .mxl files" (https://www.w3.org/2021/06/musicxml40/tutorial/compressed-mxl-files/).
``META-INF/container.xml`` names the root file; where it is missing, the score is the first XML file that lies
outside ``META-INF``. Nothing but these two is unpacked, and of neither more than `MAX_FILE_BYTES`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import PurePosixPath
from urllib.parse import unquote
from xml.etree import ElementTree

from pipeline_lib.notes.corpus.archives import MAX_FILE_BYTES, too_large
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.table import RejectReason

_CONTAINER = "META-INF/container.xml"
_MAX_CONTAINER_BYTES = 1 << 20
_OTHER_FOLDERS = ("META-INF", "__MACOSX")
"""Folders in which there is no score; the second is what Macs add to archives."""
_SCORE_SUFFIXES = (".musicxml", ".xml")
_SCORE_TYPES = ("", "application/vnd.recordare.musicxml+xml", "application/vnd.recordare.musicxml")

_ENTRY_START = b"PK\x01\x02"
"""What an archive's list has before each member."""
_MAX_MEMBERS = 10_000
_LOCAL_HEADER_BYTES = 30
"""Bytes before a member's content, its name and what comes after it not counted."""
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_STEP_BYTES = 1 << 16


def unpacked(data: bytes) -> bytes:
    """Unpack the score of a compressed file; what is not compressed is handed back as it is.

    Parameters
    ----------
    data : bytes
        The whole file, whatever its name says.

    Returns
    -------
    bytes
        An XML document, as long as the archive keeps its word.

    Raises
    ------
    RejectedFile
        The archive is broken or hostile, or has no score in it.

    Examples
    --------
    >>> buffer = io.BytesIO()
    >>> with zipfile.ZipFile(buffer, "w") as archive:
    ...     archive.writestr("tune.xml", "<score-partwise/>")
    >>> unpacked(buffer.getvalue())
    b'<score-partwise/>'
    >>> unpacked(b"<score-partwise/>")
    b'<score-partwise/>'
    """
    if not data.startswith(b"PK"):
        return data
    n_members = data.count(_ENTRY_START)
    if n_members > _MAX_MEMBERS:
        raise RejectedFile(RejectReason.TOO_LARGE, f"compressed score of {n_members} members")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
            _check_overlaps(archive)
            return _content(archive, _root_file(archive, members), MAX_FILE_BYTES)
    except (RejectedFile, MemoryError):
        raise
    except Exception as error:  # on broken archives `zipfile` raises nearly everything
        detail = f"compressed score: {error or type(error).__name__}"
        raise RejectedFile(RejectReason.MALFORMED, detail) from None


def _check_overlaps(archive: zipfile.ZipFile) -> None:
    """Refuse archives in which several members share bytes, of which none but bombs are made."""
    in_order = sorted(archive.infolist(), key=lambda info: info.header_offset)
    for member, following in pairwise(in_order):
        end = member.header_offset + _LOCAL_HEADER_BYTES + member.compress_size
        if end > following.header_offset:
            names = f"{member.filename!r} and {following.filename!r}"
            raise RejectedFile(RejectReason.MALFORMED, f"compressed score: {names} overlap")


def _root_file(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> zipfile.ZipInfo:
    scores = [info for name, info in members.items() if _may_be_score(name)]
    container = next((members[n] for n in members if n.lower() == _CONTAINER.lower()), None)
    if container is None:
        if not scores:
            raise RejectedFile(RejectReason.NOT_MUSIC, "no XML file in the archive")
        return scores[0]
    named = _named_root(_content(archive, container, _MAX_CONTAINER_BYTES))
    for name in dict.fromkeys((named, _plain(named), _plain(unquote(named)))):
        if name in members:
            return members[name]
    if len(scores) == 1:
        return scores[0]
    raise RejectedFile(
        RejectReason.MALFORMED, f"compressed score: {named!r}, which {_CONTAINER} names, is missing"
    )


def _plain(name: str) -> str:
    """A name as archives have it: relative, with slashes."""
    return str(PurePosixPath(name.replace("\\", "/").lstrip("/")))


def _may_be_score(name: str) -> bool:
    *folders, last = PurePosixPath(name).parts or ("",)
    is_hidden = any(p.startswith(".") or p in _OTHER_FOLDERS for p in (*folders, last))
    return last.lower().endswith(_SCORE_SUFFIXES) and not is_hidden


def _named_root(container: bytes) -> str:
    """The path of the score in ``container.xml``: of its first root file that is MusicXML."""
    try:
        root = ElementTree.fromstring(container)
    except ElementTree.ParseError as error:
        raise RejectedFile(RejectReason.MALFORMED, f"{_CONTAINER}: {error}") from None
    files = [e for e in root.iter() if e.tag.rpartition("}")[2] == "rootfile"]
    scores = [e for e in files if e.get("media-type", "").strip() in _SCORE_TYPES]
    return next((e.get("full-path", "") for e in (*scores, *files)), "")


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int) -> bytes:
    if info.flag_bits & _ENCRYPTED:
        raise RejectedFile(
            RejectReason.UNSUPPORTED, f"compressed score: {info.filename!r} encrypted"
        )
    if info.compress_type not in _METHODS:
        detail = f"compressed score: zip compression {info.compress_type}"
        raise RejectedFile(RejectReason.UNSUPPORTED, detail)
    if info.file_size > max_bytes:
        raise too_large(info.file_size)
    # `zipfile` stops at the size that the archive states, and finds a false one by the checksum.
    with archive.open(info) as stream:
        return b"".join(iter(partial(stream.read, _STEP_BYTES), b""))
