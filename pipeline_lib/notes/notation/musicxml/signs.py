"""Repeats and jumps of a MusicXML score, element by element.

Source: the MusicXML 4.0 standard, elements ``repeat``, ``ending`` and ``sound``.

*Da capo*, *dal segno*, *fine* and the coda are what ``sound`` says of them. Where a score nowhere says one of them
so, the symbols and words that are shown count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline_lib.notes.notation.musicxml.document import Doubts, Element, integer
from pipeline_lib.notes.notation.written import Sign

_MAX_PASSES = 64
"""More often than any passage is played."""
_RANGE = re.compile(r"(\d{1,6})(?:[.\s]*[-–—][.\s]*(\d{1,6}))?")

_SOUNDS = {
    "segno": Sign.SEGNO,
    "coda": Sign.CODA,
    "tocoda": Sign.TO_CODA,
    "fine": Sign.FINE,
    "dacapo": Sign.DA_CAPO,
    "dalsegno": Sign.DAL_SEGNO,
}
_WORDS = (
    (re.compile(r"(d\.? ?c\.?|da capo)(?![a-z]).*"), Sign.DA_CAPO),
    (re.compile(r"(d\.? ?s\.?|dal segno)(?![a-z]).*"), Sign.DAL_SEGNO),
    (re.compile(r"fine\.?"), Sign.FINE),
    (re.compile(r"(to|al) coda\.?"), Sign.TO_CODA),
    (re.compile(r"coda\.?"), Sign.CODA),
)
"""What is written over the notes, in lower case."""


class BarlineSign(NamedTuple):
    """A sign of a bar line, with what `pipeline_lib.notes.notation.written.Mark` says about it."""

    sign: Sign
    times: int = 2
    passes: tuple[int, ...] = ()


def barline_signs(
    barline: Element, last_passes: tuple[int, ...], where: str, doubts: Doubts
) -> Iterator[BarlineSign]:
    """The repeats and endings of a ``barline``; `last_passes` are those of the ending before."""
    ending = barline.find("ending")
    if ending is not None and ending.get("type") == "start":
        passes = _passes(ending, last_passes, where, doubts)
        yield BarlineSign(Sign.ENDING_START, passes=passes)
    elif ending is not None:
        yield BarlineSign(Sign.ENDING_END)
    repeat = barline.find("repeat")
    direction = None if repeat is None else repeat.get("direction")
    if repeat is not None and direction == "backward":
        yield BarlineSign(Sign.REPEAT_END, times=_times(repeat, where, doubts))
    elif direction == "forward":
        yield BarlineSign(Sign.REPEAT_START)
    elif repeat is not None:
        doubts.add(f"{where}: a repeat without a direction is left out")
    if repeat is not None and repeat.get("after-jump") == "yes":
        doubts.add(f"{where}: a repeat that is to be played again after a jump is not")


def _passes(
    ending: Element, last_passes: tuple[int, ...], where: str, doubts: Doubts
) -> tuple[int, ...]:
    """The passes that an ending is for; where it says none, the one that follows."""
    for text in (ending.get("number", ""), ending.text or ""):
        found: set[int] = set()
        for first, last in _RANGE.findall(text):
            found.update(range(int(first), min(int(last or first), _MAX_PASSES) + 1))
        passes = sorted(n for n in found if 0 < n <= _MAX_PASSES)
        if passes:
            return tuple(passes)
    following = max(last_passes, default=0) + 1
    doubts.add(f"{where}: an ending without a number is taken for number {following}")
    return (following,)


def _times(repeat: Element, where: str, doubts: Doubts) -> int:
    stated = repeat.get("times")
    if stated is None:
        return 2
    times = integer(stated)
    if times is None or not 0 < times <= _MAX_PASSES:
        doubts.add(f"{where}: a repeat {stated[:20]!r} times is played twice")
        return 2
    return times


def heard_signs(sound: Element) -> Iterator[Sign]:
    """What a ``sound``, or a bar line, says about the order of play."""
    for name, value in sound.items():
        if name in _SOUNDS and value != "no":
            yield _SOUNDS[name]
        elif name == "forward-repeat" and value == "yes":
            yield Sign.REPEAT_START


def shown_signs(direction: Element) -> Iterator[Sign]:
    """What the symbols and words of a ``direction`` or of a bar line say about it.

    A coda's symbol stands both where the coda begins and where players leave for it.
    """
    for element in direction.iter():
        if element.tag == "segno":
            yield Sign.SEGNO
        elif element.tag == "coda":
            yield Sign.CODA
        elif element.tag == "words":
            said = " ".join((element.text or "").lower().split())
            yield from (sign for pattern, sign in _WORDS if pattern.fullmatch(said))
