"""Cut the Chinese font down to what the reports say. Run as a script; see README.md in this folder.

The result is a plain TrueType file rather than a compressed one, because matplotlib measures the labels of
plots with the very font in which browsers then show them, and it reads no WOFF.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

FONT_FOLDER = Path(__file__).parent
FONT_PATH = FONT_FOLDER / "zh-subset.ttf"
LOCALE_PATH = FONT_FOLDER.parent / "locale" / "zh.toml"

# The page's unicode-range; other signs, such as quotation marks, are in the fonts of the reader.
_CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")


def characters_needed() -> str:
    """Every character of the Chinese texts that the page takes from this font, sorted."""
    return "".join(sorted(set(_CHINESE.findall(LOCALE_PATH.read_text(encoding="utf-8")))))


def write_subset(full_font: Path) -> None:
    """Write `FONT_PATH` from the full font; the same font gives the same bytes."""
    from fontTools import subset

    options = subset.Options(hinting=False)
    font = subset.load_font(str(full_font), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=characters_needed())
    subsetter.subset(font)
    _place_as_in_mainland_china(font)
    subset.save_font(font, str(FONT_PATH), options)
    font.close()


def _place_as_in_mainland_china(font: Any) -> None:
    """Move the marks that the font centres, as Taiwan does, to the side where its full stop is.

    Opening brackets go to the other side, next to what they open.
    """
    names = font.getBestCmap()
    margin = font["hmtx"][names[ord("。")]][1]
    for mark in "，：；）（":
        name = names[ord(mark)]
        glyph, (width, _) = font["glyf"][name], font["hmtx"][name]
        left = width - margin - (glyph.xMax - glyph.xMin) if mark == "（" else margin
        glyph.coordinates.translate((left - glyph.xMin, 0))
        glyph.recalcBounds(font["glyf"])
        font["hmtx"][name] = (width, glyph.xMin)


if __name__ == "__main__":
    write_subset(Path(sys.argv[1]))
