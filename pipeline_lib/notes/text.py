"""Text of files that do not say how it is encoded: titles, names of tracks, whole scores.

A mark at the beginning decides, or else zeros at every other byte (UTF-16), or else that it is sound UTF-8.
What is left comes from the time before: Shift-JIS, GBK or Windows-1252, told apart by their bytes:

- Shift-JIS, where all of it decodes, to at least two characters (or one kana), most of whose first bytes are
  from 0x81 to 0x9F: kana and the common kanji. Western text has punctuation there, and never most of its letters.
- GBK, where bytes above 0xA0 come in pairs only, and most of these are common hanzi (level 1 of GB 2312). Western
  text has its accented letters one by one.

charset-normalizer goes by frequencies, which titles are too short for: it reads every second of the test titles wrongly.
"""

from __future__ import annotations

import codecs
import re

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encoding by the mark that a text begins with; that of UTF-32 begins as UTF-16's does, so it comes first."""

_JAPANESE = re.compile(rb"[\x81-\x9f\xe0-\xea][\x40-\x7e\x80-\xfc]")
_KANA = re.compile(rb"\x82[\x9f-\xf1]|\x83[\x40-\x96]")
_CHINESE = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")
_HIGH = re.compile(rb"[\x80-\xff]+")


def decoded(data: bytes) -> str:
    """Decode text; never fails, though the outcome may be wrong for encodings that are not listed above.

    Examples
    --------
    >>> decoded("Fuß".encode("latin-1")), decoded("荒城の月".encode("shift-jis")), decoded("茉莉花".encode("gbk"))
    ('Fuß', '荒城の月', '茉莉花')
    """
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    two_bytes = _two_byte_encoding(data)
    if two_bytes:
        return data.decode(two_bytes, "replace")
    for is_likely, encoding in (
        (lambda _: True, "utf-8"),
        (_is_japanese, "cp932"),
        (_is_chinese, "gbk"),
        (lambda _: True, "cp1252"),
    ):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if is_likely(data):
            return text
    return data.decode("latin-1")


def _two_byte_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark: letters of ASCII have a zero as their higher byte."""
    if len(data) < 2 or 0 not in data[:2000]:
        return None
    even, odd = data[:2000:2], data[1:2000:2]
    if odd.count(0) > len(odd) / 2 and not even.count(0):
        return "utf-16-le"
    if even.count(0) > len(even) / 2 and not odd.count(0):
        return "utf-16-be"
    return None


def _is_japanese(data: bytes) -> bool:
    characters = _JAPANESE.findall(data)
    n_common = sum(character[0] < 0xA0 for character in characters)
    is_enough = len(characters) > 1 or _KANA.search(data) is not None
    # Nothing else may be high: single bytes are half-width kana, which titles do not have.
    return (
        is_enough and 2 * n_common > len(characters) and not _HIGH.search(_JAPANESE.sub(b"", data))
    )


def _is_chinese(data: bytes) -> bool:
    characters = _CHINESE.findall(data)
    n_common = sum(0xB0 <= character[0] <= 0xD7 for character in characters)
    in_pairs = not any(len(run) % 2 for run in _HIGH.findall(data))
    return in_pairs and len(characters) > 1 and 2 * n_common > len(characters)
