"""How plots on the page look: as everything that is drawn, with the page's Chinese font."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib.font_manager import fontManager

from pipeline_lib.drawing import style
from pipeline_lib.reports.fonts.subset import FONT_PATH


@contextmanager
def page_style() -> Iterator[None]:
    """Draw plots of the page within this.

    The font's file changes with every new text of the page. Pictures of samples are drawn without it, or each such
    text would sample all music again.
    """
    with style("Droid Sans Fallback"):
        if str(FONT_PATH) not in {font.fname for font in fontManager.ttflist}:
            fontManager.addfont(FONT_PATH)
        yield
