"""Scores in text form: ABC, Humdrum kern and MusicXML, by readers of our own that share one rule of playing.

No library that we tried reads all of the public cases of such files (EXPERIMENTS.md has the table), plays
repeats or leaves them as asked, keeps times exact, and says what it could not make sense of.

Conventions:

- What kind a file is of is decided by its content, not by its suffix: a compressed score may be called .xml.
- What is read is what is played: see `pipeline_lib.notes.notation.repeats`, or each passage once, on request.
- Tied notes become one note. Grace notes have no duration and are dropped, as are cue notes, chord symbols and
  unpitched percussion.
- Pitch is what sounds, whatever is written for a transposing instrument.
- Each tune of a file with several (ABC) is a piece of its own; a broken one costs no other.
- One part is one track, from the top of the score.
- Modes that MIDI does not know get the major key with the same signature: D dorian is "C major".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal

from pipeline_lib.notes.notation.abc.book import tunes_of
from pipeline_lib.notes.notation.abc.tune import read_tune
from pipeline_lib.notes.notation.kern import read_kern
from pipeline_lib.notes.notation.musicxml.compressed import unpacked
from pipeline_lib.notes.notation.musicxml.score import read_musicxml
from pipeline_lib.notes.notation.playing import play
from pipeline_lib.notes.notation.written import WrittenScore
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile
from pipeline_lib.notes.table import RejectReason
from pipeline_lib.notes.text import decoded

_MARKS = {
    "musicxml": rb"<(\w+:)?score-(partwise|timewise)",
    "kern": rb"(^|[^\w !*])\*\*kern",
    "abc": rb"(^|[\r\n])[ \t]*K:",
}
"""Pattern that every file of a format holds somewhere; the first that is found decides."""


def read_scores(
    data: bytes,
    suffix: str,
    repeats: Literal["play", "once"] = "play",
    before_tune: Callable[[], object] = lambda: None,
) -> tuple[ParsedPiece | RejectedFile, ...]:
    r"""Read an ABC, kern or MusicXML file.

    Parameters
    ----------
    data : bytes
        The whole file.
    suffix : str
        Suffix of the file, for messages.
    repeats : "play" or "once"
        Whether what is repeated counts as often as it is played, or once.
    before_tune : callable
        Called without arguments before each tune of a book, which may take long as a whole.

    Returns
    -------
    tuple of ParsedPiece or RejectedFile
        One for each piece in the file, in its order; a piece of several that cannot be used has the
        reason in its place.

    Raises
    ------
    RejectedFile
        The file cannot be read, or the one piece in it cannot.

    Examples
    --------
    A tune of four bars, of which the first two are repeated:

    >>> tune = b"X:1\nM:2/4\nL:1/4\nK:G\n|: G B | c d :| e2 | g2 |]\n"
    >>> (piece,) = read_scores(tune, ".abc")
    >>> piece.pitch.tolist()
    [67, 71, 72, 74, 67, 71, 72, 74, 76, 79]
    >>> piece.duration_quarter
    12.0
    >>> piece.time_signature, piece.key_signature
    ('2/4', 'G major')
    >>> (piece,) = read_scores(tune, ".abc", repeats="once")
    >>> piece.duration_quarter
    8.0
    """
    pieces = []
    for score in written_scores(data, suffix, before_tune):
        pieces.append(score if isinstance(score, RejectedFile) else _played(score, repeats))
    if len(pieces) == 1 and isinstance(pieces[0], RejectedFile):
        raise pieces[0]
    return tuple(pieces)


def written_scores(
    data: bytes, suffix: str, before_tune: Callable[[], object] = lambda: None
) -> Iterator[WrittenScore | RejectedFile]:
    """Read the scores of a file as they are written; parameters and errors as of `read_scores`."""
    data, kind = _recognised(data, suffix)
    if kind == "musicxml":
        yield read_musicxml(data)
    elif kind == "kern":
        yield read_kern(_text(data))
    else:
        for tune in tunes_of(_text(data)):
            before_tune()
            try:
                yield read_tune(tune)
            except RejectedFile as rejected:
                yield rejected


def _recognised(data: bytes, suffix: str) -> tuple[bytes, str]:
    """The document of a file, unpacked, and its format."""
    if not data:
        raise RejectedFile(RejectReason.EMPTY_FILE, "0 bytes")
    data = unpacked(data)
    # In UTF-16 every other byte of these patterns is zero.
    plain = data.replace(b"\0", b"")
    kind = next((kind for kind, mark in _MARKS.items() if re.search(mark, plain)), None)
    if kind is None:
        raise RejectedFile(RejectReason.NOT_MUSIC, f"lacks what every {suffix} file has")
    return data, kind


def _played(score: WrittenScore, repeats: Literal["play", "once"]) -> ParsedPiece | RejectedFile:
    try:
        return play(score, repeats)
    except RejectedFile as rejected:
        return rejected


def _text(data: bytes) -> str:
    """Text whose every line ends in a line feed."""
    return re.sub(r"\r\n?", "\n", decoded(data))
