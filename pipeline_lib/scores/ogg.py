"""Ogg files whose bytes depend on their content alone.

Every page of an Ogg file carries the number of its stream, which libsndfile draws at random, and a checksum
that covers it. Source: RFC 3533, section 6 (the layout of a page), and the CRC of libogg: polynomial
0x04c11db7, most significant bit first, from 0 and without inversion.
"""

from __future__ import annotations

import zlib

_STREAM_NUMBER = slice(14, 18)
_CHECKSUM = slice(22, 26)
_N_SEGMENTS = 26
_BITS_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_INVERTED = 0xFFFFFFFF


def with_fixed_stream_number(data: bytes) -> bytes:
    """Give the stream of an Ogg file the number 1.

    Parameters
    ----------
    data : bytes
        An Ogg file of one stream.
    """
    pages = []
    start = 0
    while start < len(data):
        end = start + _page_length(data, start)
        pages.append(_renumbered(data[start:end]))
        start = end
    return b"".join(pages)


def _page_length(data: bytes, start: int) -> int:
    """Length of a page in bytes: of its header, the lengths of its segments, and the segments."""
    first = start + _N_SEGMENTS + 1
    lengths = data[first : first + data[start + _N_SEGMENTS]]
    return _N_SEGMENTS + 1 + len(lengths) + sum(lengths)


def _renumbered(page: bytes) -> bytes:
    changed = bytearray(page)
    changed[_STREAM_NUMBER] = (1).to_bytes(4, "little")
    changed[_CHECKSUM] = bytes(4)
    changed[_CHECKSUM] = _checksum(changed).to_bytes(4, "little")
    return bytes(changed)


def _checksum(page: bytes | bytearray) -> int:
    """CRC of a page, by zlib, whose polynomial is the same, with the bits of each byte and of the sum reversed."""
    backwards = zlib.crc32(page.translate(_BITS_REVERSED), _INVERTED) ^ _INVERTED
    return int(f"{backwards:032b}"[::-1], 2)
