"""Cut the Chinese font down to what the reports say. Run as a script; see README.md in this folder.

The result is a plain TrueType file rather than a compressed one, because matplotlib measures the labels of
plots with the very font in which browsers then show them, and it reads no WOFF.
"""

from __future__ import annotations

import sys
from pathlib import Path

FONT_FOLDER = Path(__file__).parent
FONT_PATH = FONT_FOLDER / "zh-subset.ttf"
LOCALE_PATH = FONT_FOLDER.parent / "locale" / "zh.toml"


def characters_needed() -> str:
    """Every character of the Chinese texts that is not ASCII, sorted."""
    text = LOCALE_PATH.read_text(encoding="utf-8")
    return "".join(sorted({character for character in text if not character.isascii()}))


def write_subset(full_font: Path) -> None:
    """Write `FONT_PATH` from the full font; the same font gives the same bytes."""
    from fontTools import subset

    options = subset.Options(hinting=False)
    font = subset.load_font(str(full_font), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=characters_needed())
    subsetter.subset(font)
    subset.save_font(font, str(FONT_PATH), options)
    font.close()


if __name__ == "__main__":
    write_subset(Path(sys.argv[1]))
