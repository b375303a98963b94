from __future__ import annotations

import pytest

from pipeline_lib.scores.ogg import with_fixed_stream_number

HEADER = b"OggS\0\2" + bytes(8)


def page(stream: int, checksum: int, content: bytes) -> bytes:
    numbers = stream.to_bytes(4, "little") + bytes(4) + checksum.to_bytes(4, "little")
    return HEADER + numbers + bytes([1, len(content)]) + content


def crc(data: bytes) -> int:
    """Bit by bit, as a division of polynomials."""
    remainder = 0
    for byte in data:
        remainder ^= byte << 24
        for _ in range(8):
            is_long = remainder >> 31
            remainder = (remainder << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if is_long else 0)
    return remainder


@pytest.mark.parametrize("contents", [[b"some music"], [b"a", b"", bytes(200)]])
def test_every_page_gets_the_number_and_its_checksum(contents: list[bytes]) -> None:
    drawn = b"".join(page(0xDEADBEEF, 0x12345678, content) for content in contents)
    fixed = b"".join(page(1, crc(page(1, 0, content)), content) for content in contents)
    assert with_fixed_stream_number(drawn) == fixed
    assert with_fixed_stream_number(fixed) == fixed
