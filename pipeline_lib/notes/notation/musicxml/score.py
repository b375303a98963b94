"""MusicXML to a written score.

Source: the MusicXML 4.0 standard (https://www.w3.org/2021/06/musicxml40/); `pipeline_lib.notes.notation.musicxml` has its
elements, and says for each what is done where the standard leaves a choice. Here the parts are put together:

- Bars of all parts begin together. A bar is as long as the fullest part makes it: so a bar before the first, or one
  that a repeat sign divides, keeps its own length. Only a bar that no part fills is as long as its metre says.
- Repeats and endings are those of the first part that has any. Jumps are taken from all parts, each once.
- What several parts state at one moment about tempo, metre and key counts once, as the first of them says; of tempos
  those for the ear before metronome marks, of keys those of parts at concert pitch before those of transposing parts.
- Some programs say only where ties begin. In a score where none ends, they end at the note that follows at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, zip_longest
from typing import TypeVar

from pipeline_lib.notes.notation.musicxml.document import (
    Doubts,
    Element,
    XmlPart,
    integer,
    parsed,
    parts_of,
)
from pipeline_lib.notes.notation.musicxml.part import Bar, BarSign, end_of, read_bars
from pipeline_lib.notes.notation.written import Mark, Sign, WrittenNote, WrittenScore
from pipeline_lib.notes.piece import MAX_TRACKS, RejectedFile, TrackInfo
from pipeline_lib.notes.table import RejectReason

Value = TypeVar("Value")

_MAX_PROGRAM = 127
_JUMPS = (Sign.DA_CAPO, Sign.DAL_SEGNO)
_ORDER_AT_ONE_PLACE = {
    sign: order
    for order, sign in enumerate(
        (
            Sign.ENDING_END,
            Sign.REPEAT_END,
            Sign.FINE,
            Sign.TO_CODA,
            Sign.DA_CAPO,
            Sign.DAL_SEGNO,
            Sign.REPEAT_START,
            Sign.ENDING_START,
            Sign.SEGNO,
            Sign.CODA,
        )
    )
}
"""First what ends at a place, then what begins."""


def read_musicxml(data: bytes) -> WrittenScore:
    """Read a MusicXML document.

    Parameters
    ----------
    data : bytes
        The document; `pipeline_lib.notes.notation.musicxml.compressed.unpacked` gives that of a compressed file.

    Returns
    -------
    WrittenScore
        The score as its page has it.

    Raises
    ------
    RejectedFile
        It is no score, is not well-formed, or has what no music has.

    Examples
    --------
    >>> note = "<note><pitch><step>A</step><octave>4</octave></pitch><duration>2</duration></note>"
    >>> measure = f"<measure><attributes><divisions>2</divisions></attributes>{note}</measure>"
    >>> score = read_musicxml(f"<score-partwise><part>{measure}</part></score-partwise>".encode())
    >>> [(int(note.onset_quarter), int(note.duration_quarter), note.pitch) for note in score.notes]
    [(0, 1, 69)]
    """
    doubts = Doubts()
    root = parsed(data, doubts)
    parts = parts_of(root, doubts)
    if len(parts) > MAX_TRACKS:
        raise RejectedFile(RejectReason.TOO_LARGE, f"{len(parts)} parts")
    bars = [read_bars(part, doubts) for part in parts]
    starts = _starts(bars)
    return WrittenScore(
        notes=_with_ends_of_ties(list(_notes(bars, starts)), doubts),
        parts=[_track(part) for part in parts],
        marks=_marks(bars, starts),
        tempos=_tempos(bars, starts),
        time_signatures=_metres(bars, starts),
        key_signatures=_keys(bars, starts),
        end_quarter=starts[-1],
        title=_title(root),
        warnings=doubts.sentences(),
    )


def _starts(parts: Sequence[Sequence[Bar]]) -> list[Fraction]:
    """Where each bar begins, and where the last one ends."""
    bars = zip_longest(*parts, fillvalue=Bar())
    return list(accumulate(map(end_of, bars), initial=Fraction(0)))


def _notes(parts: Sequence[Sequence[Bar]], starts: Sequence[Fraction]) -> Iterator[WrittenNote]:
    for index, bars in enumerate(parts):
        for start, bar in zip(starts, bars, strict=False):
            for onset, duration, pitch, voice, ties_on, ties_back in bar.notes:
                yield WrittenNote(start + onset, duration, pitch, index, voice, ties_on, ties_back)


def _with_ends_of_ties(notes: list[WrittenNote], doubts: Doubts) -> list[WrittenNote]:
    """Notes as they are, or, where no tie of a score ends, with ties that end at the next note of their pitch."""
    has_ends = any(note.ties_back for note in notes)
    if has_ends or not any(note.ties_on for note in notes):
        return notes
    doubts.add("ties begin and none ends: each ends at the note of its pitch that follows at once")
    return [note._replace(ties_back=True) for note in notes]


def _track(part: XmlPart) -> TrackInfo:
    if part.description is None:
        return TrackInfo()
    name = (part.description.findtext("part-name") or "").strip()
    program = integer(part.description.findtext("midi-instrument/midi-program")) or 1
    return TrackInfo(name or None, min(max(program - 1, 0), _MAX_PROGRAM))


def _title(root: Element) -> str | None:
    titles = (root.findtext(path) for path in ("work/work-title", "movement-title"))
    return next((title.strip() for title in titles if title and title.strip()), None)


def _marks(parts: Sequence[Sequence[Bar]], starts: Sequence[Fraction]) -> list[Mark]:
    """All signs, in the order of the page."""
    repeats = next((bars for bars in parts if any(bar.repeats for bar in bars)), ())
    marks = [
        Mark(_place(sign, at, starts), sign.sign.sign, sign.sign.times, sign.sign.passes)
        for at, bar in enumerate(repeats)
        for sign in bar.repeats
    ]
    marks += _jumps(parts, starts)
    return sorted(marks, key=lambda mark: (mark.at_quarter, _ORDER_AT_ONE_PLACE[mark.sign]))


def _place(sign: BarSign, n_bar: int, starts: Sequence[Fraction]) -> Fraction:
    """Where a sign stands on the page: in its bar, however far an offset moves it."""
    start, end = starts[n_bar : n_bar + 2]
    return end if sign.at_quarter is None else min(start + sign.at_quarter, end)


def _jumps(parts: Sequence[Sequence[Bar]], starts: Sequence[Fraction]) -> Iterable[Mark]:
    """Jumps and where they lead, each once: those that are heard, and those that are only shown."""
    heard = dict.fromkeys(
        (_place(sign, n_bar, starts), sign.sign.sign)
        for bars in parts
        for n_bar, bar in enumerate(bars)
        for sign in bar.heard
    )
    shown = _shown_jumps(
        parts, starts, min((at for at, sign in heard if sign in _JUMPS), default=None)
    )
    heard_kinds = {sign for _, sign in heard}
    if not heard_kinds.isdisjoint(_JUMPS):
        heard_kinds.update(_JUMPS)
    more = dict.fromkeys(mark for mark in shown if mark[1] not in heard_kinds)
    return [Mark(at, sign) for at, sign in (*heard, *more)]


def _shown_jumps(
    parts: Sequence[Sequence[Bar]], starts: Sequence[Fraction], jump_quarter: Fraction | None
) -> list[tuple[Fraction, Sign]]:
    """What is shown; a coda's symbol before the jump sends players to the coda at the end of its bar."""
    shown = [
        (_place(sign, n_bar, starts), sign.sign.sign, starts[n_bar + 1])
        for bars in parts
        for n_bar, bar in enumerate(bars)
        for sign in bar.shown
    ]
    if jump_quarter is None:
        jump_quarter = min((at for at, sign, _ in shown if sign in _JUMPS), default=None)
    if jump_quarter is None:
        return [(at, sign) for at, sign, _ in shown if sign is not Sign.CODA]
    return [
        (bar_end, Sign.TO_CODA) if sign is Sign.CODA and at < jump_quarter else (at, sign)
        for at, sign, bar_end in shown
    ]


def _tempos(
    parts: Sequence[Sequence[Bar]], starts: Sequence[Fraction]
) -> list[tuple[Fraction, float]]:
    return _first_of_each(
        (
            (start + at, tempo_qpm)
            for start, bar in zip(starts, bars, strict=False)
            for at, tempo_qpm, is_heard in bar.tempos
            if is_heard is wanted
        )
        for wanted in (True, False)
        for bars in parts
    )


def _metres(
    parts: Sequence[Sequence[Bar]], starts: Sequence[Fraction]
) -> list[tuple[Fraction, str | None]]:
    return _first_of_each(
        (
            (start + at, metre.name)
            for start, bar in zip(starts, bars, strict=False)
            for at, metre in bar.metres
        )
        for bars in parts
    )


def _keys(
    parts: Sequence[Sequence[Bar]], starts: Sequence[Fraction]
) -> list[tuple[Fraction, str | None]]:
    return _first_of_each(
        (
            (start + at, name)
            for start, bar in zip(starts, bars, strict=False)
            for at, name, is_transposed in bar.keys
            if is_transposed is wanted
        )
        for wanted in (False, True)
        for bars in parts
    )


def _first_of_each(
    statements: Iterable[Iterable[tuple[Fraction, Value]]],
) -> list[tuple[Fraction, Value]]:
    """Statements in the order of the page: of those at one moment the first part's, and of these the last."""
    first: dict[Fraction, Value] = {}
    for of_one_part in statements:
        for at, value in dict(of_one_part).items():
            first.setdefault(at, value)
    return sorted(first.items(), key=lambda statement: statement[0])
