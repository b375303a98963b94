"""The tunes of an ABC file, each with what the file says for all of them.

- A tune begins with its number (``X:``) and ends at an empty line (standard 2.1, section 2.2). Where music goes
  on after an empty line, as it does in many files, it belongs to the tune; prose does not.
- What stands before the first tune counts for all that do not say otherwise: fields and directives.
- A file without numbers is one tune, if it has a key.
"""

from __future__ import annotations

import re

from pipeline_lib.notes.notation.abc.scanner import is_music, without_comment

_TUNE_START = re.compile(r"^(?=[ \t]*X:(?![|:]))", re.MULTILINE)
_SHARED_LINE = re.compile(r"%%|[A-JL-WYZ]:")
"""Lines before the first tune that hold for every tune: directives, and all fields but ``K:``, which ends the
header of a tune, and ``X:``, which begins one."""
_FIELD_OR_COMMENT = re.compile(r"[ \t]*(%|[A-Za-z+]:)")
_TEXT_BLOCK = re.compile(r"^%%begin(\w+).*?(?:^%%end\1[^\n]*|\Z)", re.MULTILINE | re.DOTALL)


def tunes_of(text: str) -> list[str]:
    r"""Divide an ABC file into its tunes.

    Parameters
    ----------
    text : str
        The file, its lines ended by line feeds.

    Returns
    -------
    list of str
        Each tune with the lines that hold for all, in front of its own, and without what is no part of it.

    Examples
    --------
    >>> tunes_of("M:2/4\n\nX:1\nK:C\nCD|\n\nA word.\n\nX:2\nK:G\nGA|\n")
    ['X:1\nM:2/4\nK:C\nCD|', 'X:2\nM:2/4\nK:G\nGA|']
    """
    header, *tunes = _TUNE_START.split(_TEXT_BLOCK.sub("%", text))
    if not tunes:
        return [_own_lines(header)]
    # Not `splitlines`, which knows a dozen more line breaks, some of them letters of old encodings.
    shared = [line for line in header.split("\n") if _SHARED_LINE.match(line)]
    lines = [_own_lines(tune).split("\n") for tune in tunes]
    return ["\n".join([number, *shared, *rest]) for number, *rest in lines]


def _own_lines(tune: str) -> str:
    """A tune up to its end, and the music that goes on after it."""
    first, *others = re.split(r"\n[ \t]*(?:\n[ \t]*)+", tune.strip("\n"))
    return "\n".join([first, *(p for p in others if _goes_on(p))]).rstrip()


def _goes_on(paragraph: str) -> bool:
    """Whether a paragraph is music: each of its lines, and one of them with a bar line, or a field of the tune."""
    lines = [without_comment(line) for line in paragraph.split("\n")]
    music = [line for line in lines if line.strip() and not _FIELD_OR_COMMENT.match(line)]
    return bool(music) and all(map(is_music, music))
