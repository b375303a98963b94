"""The tokens of ABC music, and what a tune's lines are.

Source: the ABC standard 2.1 (https://abcnotation.com/wiki/abc:standard:v2.1), section 4, with the forms of
older files that it lists in section 10: chords between plus signs, decorations between them, a lone ``!``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LENGTH = r"\d*(?:/+\d*)*"
_ACCIDENTAL = r"\^\^|__|\^|_|="
_PITCH = rf"(?:(?:{_ACCIDENTAL})(?:\d*/\d*)?)?[A-Ga-g][,']*"

NOTE = re.compile(
    rf"(?:(?P<accidental>{_ACCIDENTAL})(?P<microtone>\d*/\d*)?)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)"
    rf"(?P<length>{_LENGTH})"
)
"""A note with its parts; a microtone belongs to an accidental, such as ``^1/2c``."""

_TOKENS = {
    "blank": r"[ \t\\`]+",
    "text": r'"[^"]*(?:"|$)',
    # Between plus signs letters of notes are a chord, but for f, ff and the like.
    "decoration": r"!(?P<sign>[^!|\[\]\"]{1,40})!"
    r"|\+(?!(?!f{1,4}\+)[A-Ga-g]+\+)(?P<old_sign>[A-Za-z.()<>~]+)\+",
    "grace": r"\{[^}]*(?:\}|$)",
    "tuplet": r"\((?P<tuplet_p>\d{1,3})(?::(?P<tuplet_q>\d{0,3}))?(?::(?P<tuplet_r>\d{0,3}))?",
    "field": r"\[(?P<field_name>[A-Za-z]):(?P<field_value>[^\]]*)(?:\]|$)",
    "ending": r"\[\s*(?P<passes>\d[\d,\-. ]*)|\[\s*\"(?P<ending_text>[^\"]*)\"(?![^\[|]*\])",
    # A digit after a bar line is an ending, with or without the bracket that belongs there.
    "bar": r"\.?(?P<bar_sign>\[\|\]|(?:\[\||:+\||\||::)[|:]*\]?:*)(?:[ \t]*(?P<bar_passes>\d[\d,\-.]*))?",
    "chord": rf"\[(?P<chord_notes>[^\]|]*[A-Ga-gzx][^\]|]*)\](?P<chord_length>{_LENGTH})"
    rf"|\+(?P<old_chord>(?:{_PITCH}{_LENGTH})+)\+(?P<old_chord_length>{_LENGTH})",
    "note": rf"{_PITCH}{_LENGTH}",
    "rests": r"[ZX](?P<n_bars>\d*)",
    "rest": rf"[zx](?P<rest_length>{_LENGTH})",
    "space": rf"y{_LENGTH}",
    "tie": r"\.?-",
    "broken": r">+|<+",
    "overlay": r"\(&|&\)|(?P<overlays>&+)",
    "slur": r"\.?[()]'?",
    "letter": r"[.~H-Wh-w]",
    # Signs that the standard reserves, old line breaks, and a bracket that ended a bar line.
    "nothing": r"[$*;?@#!\]+]",
}
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _TOKENS.items()))

_MUSIC_FIELD = "IKLMmNPQRrsTUVWw"
"""Fields that a tune may have after its header; only some change what sounds."""
_LINE_FIELD = re.compile(r"[ \t]*([A-Za-z+]):(.*)", re.DOTALL)


class Token(NamedTuple):
    """One token of a line of music: its kind, a key of `_TOKENS`, and its match; kind "?" has no meaning."""

    kind: str
    text: str
    match: re.Match[str] | None


def scan(line: str) -> Iterator[Token]:
    """Divide a line of music into its tokens.

    Examples
    --------
    >>> [(token.kind, token.text) for token in scan("c>^d|1 (3abc :|")]  # doctest: +NORMALIZE_WHITESPACE
    [('note', 'c'), ('broken', '>'), ('note', '^d'), ('bar', '|1'), ('blank', ' '), ('tuplet', '(3'),
     ('note', 'a'), ('note', 'b'), ('note', 'c'), ('blank', ' '), ('bar', ':|')]
    """
    at = 0
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None or match.end() == at:
            yield Token("?", line[at], None)
            at += 1
        else:
            # The group that closes last is the outer one, which names the kind.
            yield Token(match.lastgroup or "?", match[0], match)
            at = match.end()


def field_of(line: str, *, in_body: bool) -> tuple[str, str] | None:
    """The letter and value of a field; None for music.

    In the body of a tune, ``G:|`` is a note before a repeat sign.

    Examples
    --------
    >>> field_of("K:G", in_body=True)
    ('K', 'G')
    >>> field_of("G:|", in_body=True) is None
    True
    """
    match = _LINE_FIELD.match(line)
    if match is None:
        return None
    letter, value = match[1], match[2]
    may_be_note = letter in "ABCDEFGabcdefgxyzXZ" and value[:1] in ("|", ":")
    if in_body and letter not in _MUSIC_FIELD and may_be_note:
        return None
    return letter, value


def without_comment(line: str) -> str:
    """A line without what follows an unescaped ``%``.

    Examples
    --------
    >>> without_comment("abc|  % the end")
    'abc|  '
    """
    return re.sub(r"(?<!\\)%.*", "", line, flags=re.DOTALL)


def is_music(line: str) -> bool:
    """Whether a line has a bar line and nothing that is not music, so that it is not prose.

    Examples
    --------
    >>> is_music("EF | GA |]"), is_music("Some words about a bag of bead|ed things")
    (True, False)
    """
    tokens = list(scan(line))
    unlikely = any(token.kind in ("?", "nothing") for token in tokens)
    decorations = sum(token.kind == "letter" and token.text != "." for token in tokens)
    notes = sum(token.kind in ("note", "chord", "rest", "rests") for token in tokens)
    return not unlikely and any(t.kind == "bar" for t in tokens) and decorations <= notes / 4
