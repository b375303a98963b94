"""Engraved scores: MusicXML -> SVG, through Verovio.

Verovio draws notes as paths, so that a score needs no font; only text such as the note in "♩ = 120" is set
in a music font, which a page needs to embed only once and is therefore kept apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import verovio

_PAGE_WIDTH = 2_100
"""Width of a page in Verovio's units at a scale of 100."""


@dataclass(frozen=True)
class Engraving:
    """A score as an image.

    Parameters
    ----------
    svg : str
        The score on one continuous page; element ids are unique per seed.
    font_face : str
        CSS rule of the music font that tempo marks are set in; the same for every score.
    highlights : tuple of (start_sec, end_sec, element ids)
        Times at which notes sound, for lighting these up as audio plays.
    """

    svg: str
    font_face: str
    highlights: tuple[tuple[float, float, tuple[str, ...]], ...]


def engrave(musicxml: str, *, seed: int) -> Engraving:
    """Engrave a score as one continuous SVG page.

    Parameters
    ----------
    musicxml : str
        Content of a MusicXML file.
    seed : int
        Seed of the ids of the elements, at least 1; these must differ between the scores of a page.

    Raises
    ------
    ValueError
        Verovio cannot read the score.

    Examples
    --------
    A bar of one whole note, C4, which sounds for two seconds:

    >>> score = '''<score-partwise version="4.0">
    ...   <part-list><score-part id="P1"><part-name/></score-part></part-list>
    ...   <part id="P1"><measure number="1">
    ...     <attributes><divisions>1</divisions></attributes>
    ...     <note><pitch><step>C</step><octave>4</octave></pitch>
    ...       <duration>4</duration><type>whole</type></note>
    ...   </measure></part>
    ... </score-partwise>'''
    >>> engraving = engrave(score, seed=1)
    >>> engraving.svg[:4]
    '<svg'
    >>> [(start_sec, end_sec, len(ids)) for start_sec, end_sec, ids in engraving.highlights]
    [(0.0, 2.0, 1)]
    """
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit(False)
    # Verovio knows where its fonts are in the main thread only: told nothing, others get empty scores.
    toolkit.setResourcePath(str(Path(verovio.__file__).parent / "data"))
    toolkit.setOptions(
        {
            "xmlIdSeed": seed,
            "pageWidth": _PAGE_WIDTH,
            "pageHeight": 60_000,
            "adjustPageHeight": True,
            "scale": 50,
            "svgViewBox": True,
            "header": "none",
            "footer": "none",
            "pageMarginLeft": 20,
            "pageMarginRight": 20,
            "pageMarginTop": 30,
            "pageMarginBottom": 30,
            "smuflTextFont": "embedded",
        }
    )
    if not toolkit.loadData(musicxml):
        raise ValueError(f"Verovio cannot read this score: {toolkit.getLog()}")
    svg, font_face = _without_font(toolkit.renderToSVG(1))
    return Engraving(svg, font_face, tuple(_highlights(toolkit.renderToTimemap())))


def _without_font(svg: str) -> tuple[str, str]:
    """Split an SVG from the ``@font-face`` rule in it."""
    rule = re.search(r"@font-face\s*\{[^}]*\}", svg)
    return (svg.replace(rule.group(), ""), rule.group()) if rule else (svg, "")


def _highlights(timemap: list[dict[str, Any]]) -> Iterator[tuple[float, float, tuple[str, ...]]]:
    for now, after in pairwise(timemap):
        if now.get("on"):
            yield now["tstamp"] / 1000, after["tstamp"] / 1000, tuple(now["on"])
