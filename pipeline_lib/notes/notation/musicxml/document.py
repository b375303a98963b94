"""The document of a MusicXML score: its parts, each with its bars, however the file is arranged.

Source: the MusicXML 4.0 standard (https://www.w3.org/2021/06/musicxml40/).

- Files that arrange parts within measures (``score-timewise``) are turned into those that do it the other way round.
- A *bar* here is what begins and ends in all parts together: a measure, with those after it whose left bar line is
  their part's own (``non-controlling``). Bars are counted, not looked up by their numbers, which are for readers; but
  where a part has fewer than another, and its numbers are among the other's, they say which are missing.
- Names are taken without their namespaces. External entities are never loaded.
- What is declared as one encoding and is another one is read as what it is: UTF-8, or else Latin-1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from xml.etree import ElementTree

from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.table import RejectReason

Element = ElementTree.Element

_SCORES = ("score-partwise", "score-timewise")
_SCORE_START = re.compile(rb"<(?:[\w.-]+:)?score-(?:partwise|timewise)")
_ENTITY = b"<!ENTITY"
_MAX_BYTES_WITH_ENTITIES = 1 << 20
"""Entities can make text a hundred times longer before the parser refuses it."""
_DECLARED_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)[\"']")
_WIDE_ENCODINGS = ("gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr")
"""Encodings with several bytes to a letter that Python knows and the parser does not."""

_DECIMAL = re.compile(r"\s*([+-]?)(\d{0,12})(?:\.(\d{0,20})\d*)?\s*")
_INTEGER = re.compile(r"\s*([+-]?\d{1,6})(?:\.0*)?\s*")
_MAX_WARNINGS = 100
_MAX_BARS_OF_PARTS = 2_000_000
"""Most bars that all parts have together; a long opera has about 200,000."""


class Doubts:
    """What could not be made sense of: each sentence once, and not more of them than anybody reads."""

    def __init__(self) -> None:
        self._sentences: dict[str, None] = {}
        self._n_left_out = 0

    def add(self, sentence: str) -> None:
        """Add a sentence, unless it is there."""
        if sentence in self._sentences:
            return
        if len(self._sentences) < _MAX_WARNINGS:
            self._sentences[sentence] = None
        else:
            self._n_left_out += 1

    def sentences(self) -> list[str]:
        """All sentences, in the order in which they were added."""
        more = [f"{self._n_left_out} more warnings"] if self._n_left_out else []
        return [*self._sentences, *more]


@dataclass(frozen=True)
class XmlPart:
    """One part: what the list of parts says about it, and its bars, each of one measure or more."""

    part_id: str
    description: Element | None
    bars: Sequence[Sequence[Element]]


def parsed(data: bytes, doubts: Doubts) -> Element:
    """Parse a document, and take its names without namespaces.

    Raises
    ------
    RejectedFile
        It is no score, or not well-formed.
    """
    if _ENTITY in data.replace(b"\0", b"") and len(data) > _MAX_BYTES_WITH_ENTITIES:
        raise RejectedFile(RejectReason.UNSUPPORTED, "a large document that declares entities")
    root = _root(data, doubts)
    if root.tag.startswith("{"):
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
    if root.tag not in _SCORES:
        raise RejectedFile(RejectReason.NOT_MUSIC, f"a document of <{root.tag[:80]}>, no score")
    return root


def _root(data: bytes, doubts: Doubts) -> Element:
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        if not _SCORE_START.search(data.replace(b"\0", b"")):
            raise RejectedFile(RejectReason.NOT_MUSIC, f"no score: {error}") from None
        first_error = error
    text, encoding = _as_text(data)
    try:
        root = ElementTree.fromstring(
            text.lstrip("\ufeff \t\r\n\0").encode(), ElementTree.XMLParser(encoding="utf-8")
        )
    except ElementTree.ParseError:
        raise RejectedFile(RejectReason.MALFORMED, _described(first_error)) from None
    doubts.add(f"the document is not what it says ({first_error}): read as {encoding}")
    return root


def _described(error: Exception) -> str:
    if not isinstance(error, ElementTree.ParseError):
        return f"XML: {error}"
    line, column = error.position
    what = str(error).partition(": line ")[0]
    return f"XML: {what}, line {line}, column {column + 1}"


def _as_text(data: bytes) -> tuple[str, str]:
    """The text of a document whose declaration is wrong or not understood, and what it is encoded in."""
    declared = _DECLARED_ENCODING.search(data[:1000])
    wide = declared.group(1).decode().lower() if declared else ""
    for encoding in (*(e for e in _WIDE_ENCODINGS if e == wide), "utf-8"):
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), "latin-1"


def parts_of(root: Element, doubts: Doubts) -> list[XmlPart]:
    """The parts of a score, from the top of the page; those that the list of parts forgets come last."""
    measures = _by_part(root)
    descriptions = {
        element.get("id", ""): element for element in root.iterfind("part-list/score-part")
    }
    for part_id in measures.keys() - descriptions.keys():
        doubts.add(f"part {part_id!r} is not in the list of parts")
    part_ids = list(dict.fromkeys([*descriptions, *measures]))
    bars = [_bars(measures.get(part_id, ())) for part_id in part_ids]
    _check_extent(len(bars), max(map(len, bars), default=0))
    return [
        XmlPart(part_id, descriptions.get(part_id), bars_of_part)
        for part_id, bars_of_part in zip(part_ids, _aligned(bars), strict=True)
    ]


def _check_extent(n_parts: int, n_bars: int) -> None:
    """Refuse what few bytes can make much of: bars that a part lacks."""
    if n_parts * n_bars > _MAX_BARS_OF_PARTS:
        raise RejectedFile(RejectReason.TOO_LARGE, f"{n_parts} parts of {n_bars} bars")


def _by_part(root: Element) -> dict[str, list[Element]]:
    """The measures of each part."""
    found: dict[str, list[Element]] = {}
    if root.tag == "score-partwise":
        for part in root.iterfind("part"):
            found.setdefault(part.get("id", ""), []).extend(part.iterfind("measure"))
        return found
    measures = root.findall("measure")
    part_ids = dict.fromkeys(p.get("id", "") for m in measures for p in m.iterfind("part"))
    _check_extent(len(part_ids), len(measures))
    for measure in measures:
        contents: dict[str, list[Element]] = {part_id: [] for part_id in part_ids}
        for part in measure.iterfind("part"):
            contents[part.get("id", "")].extend(part)
        for part_id, content in contents.items():
            own = ElementTree.Element("measure", measure.attrib)
            own.extend(content)
            found.setdefault(part_id, []).append(own)
    return found


def _bars(measures: Iterable[Element]) -> list[list[Element]]:
    bars: list[list[Element]] = []
    for measure in measures:
        if bars and measure.get("non-controlling") == "yes":
            bars[-1].append(measure)
        else:
            bars.append([measure])
    return bars


def _aligned(parts: Sequence[list[list[Element]]]) -> list[list[list[Element]]]:
    """Put an empty bar where a part has none of a number that the longest part has."""
    longest = max(parts, key=len, default=[])
    numbers = [bar[0].get("number") for bar in longest]
    if len(set(numbers)) < len(numbers):
        return list(parts)
    return [_with_gaps(bars, numbers) for bars in parts]


def _with_gaps(bars: list[list[Element]], numbers: Sequence[str | None]) -> list[list[Element]]:
    own = {bar[0].get("number"): bar for bar in bars}
    is_gapless = [bar[0].get("number") for bar in bars] == list(numbers[: len(bars)])
    places = [n for n in numbers if n in own]
    if is_gapless or places != [bar[0].get("number") for bar in bars]:
        return bars
    return [own.get(number, []) for number in numbers]


def decimal(text: str | None) -> Fraction | None:
    """The exact value of a decimal number; None for what is none.

    Examples
    --------
    >>> decimal("0.75"), decimal("twelve")
    (Fraction(3, 4), None)
    """
    found = _DECIMAL.fullmatch(text or "")
    if not found:
        return None
    sign, whole, fraction = found.groups(default="")
    if not whole and not fraction:
        return None
    return Fraction(int(f"{sign}{whole}{fraction}"), 10 ** len(fraction))


def integer(text: str | None) -> int | None:
    """The value of a whole number; None for what is none, or has more digits than any in a score.

    Examples
    --------
    >>> integer(" -3 "), integer("1e9")
    (-3, None)
    """
    found = _INTEGER.fullmatch(text or "")
    return int(found.group(1)) if found else None
