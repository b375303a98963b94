"""Humdrum files with ``**kern`` spines.

Sources: Humdrum syntax and the **kern representation (https://www.humdrum.org/guide/ch05/,
https://www.humdrum.org/rep/kern/); humlib, inside verovio, is the reference to compare with.

- Each line of data begins when the first of the sounding tokens ends; the first note of a chord says how long its
  token is. Lines without a timed note in a kern spine take no time.
- Each kern spine is a part, and the rightmost is the top of the page; what it splits into are its voices. Spines
  of other kinds give no notes.
- Pitches are those that sound: ``*ITr`` tells how a transposing instrument's part is printed, and ``*Tr`` that the
  file was transposed, which has been done.
- Where a file has an expansion list (``*>[A,A,B]``), it says what is repeated, and repeat signs are for the page;
  where it has none, the signs count.
- Grace notes and groupettos (``q``, ``Q``) have no duration; hidden notes (``yy``) sound; unpitched ones do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby

from pipeline_lib.notes.notation.letters import (
    C4,
    MINOR_MODES,
    SEMITONE_OF,
    key_signature_sharps,
)
from pipeline_lib.notes.notation.written import Mark, Sign, WrittenNote, WrittenScore
from pipeline_lib.notes.piece import RejectedFile, TrackInfo, key_name, time_signature_name
from pipeline_lib.notes.table import RejectReason

_LENGTH = re.compile(r"(\d{1,6})(?:%(\d{1,6}))?(\.{0,8})")
_PITCH = re.compile(r"([a-g]+|[A-G]+)(#{1,2}|-{1,2})?")
_MAX_LETTERS = 8

_BAR = re.compile(r"=+[^:|!\t]*(.*)")
_METRE = re.compile(r"\*M(\d{1,3}(?:\+\d{1,3})*)/(\d{1,4})")
_TEMPO = re.compile(r"\*MM(\d{1,4}(?:\.\d+)?)")
_SIGNATURE = re.compile(r"\*k\[((?:[a-g][#\-]+)*)\]")
_KEY = re.compile(r"\*([A-Ga-g])([#\-]?):(\w*)")
_SECTION = re.compile(r"\*>([^\[\]]+)")
_ORDER = re.compile(r"\*>\[([^\]]*)\]")
_CODE = re.compile(r"\*I([a-z][a-z0-9]*)")
_TITLE = re.compile(r"!!!OTL[^:]*:\s*(.*)")

_SHARP_ORDER = "fcgdaeb"
_MAX_ORDER = 10_000

_CODES_OF_PROGRAM = {
    0: "piano pfort",
    6: "cemba",
    7: "clavi",
    8: "celst",
    9: "glock",
    11: "vibra",
    12: "marim",
    13: "xylo",
    19: "organ",
    20: "reedo",
    21: "accor",
    22: "harmc",
    24: "guitr lute",
    25: "mando",
    33: "bguit",
    40: "violn",
    41: "viola",
    42: "cello vioba",
    43: "contr cbass",
    46: "arpa harp",
    47: "timpa",
    52: "vox soprn mezzo calto alto tenor barit bass cant feme male",
    56: "tromp cornt",
    57: "tromb",
    58: "tuba",
    60: "cor",
    65: "sax",
    68: "oboe",
    69: "cangl",
    70: "fagot",
    71: "clars clarb",
    72: "picco",
    73: "flt",
    74: "recor",
    75: "panpi",
    79: "ocari",
    104: "sitar",
    105: "banjo",
    106: "shami",
    107: "koto",
}
_PROGRAM_OF_CODE = {
    code: program for program, codes in _CODES_OF_PROGRAM.items() for code in codes.split()
}
"""General MIDI program, from 0, of the instrument codes of the Humdrum reference that have one."""


@dataclass(eq=False)
class _Part:
    """A kern spine, with whatever it splits into."""

    name: str | None = None
    program: int = 0
    n_voices: int = 1


@dataclass(eq=False)
class _Spine:
    """One column, as it is now; `part` is None while it is of another kind than kern."""

    part: _Part | None = None
    voice: int = 0
    end: Fraction = Fraction(0)
    """When its latest token ends."""


@dataclass(eq=False)
class _Stated:
    """What has been stated, in as many spines as there are, each once."""

    keys: set[tuple[Fraction, bool, str | None]] = field(default_factory=set)
    metres: set[tuple[Fraction, str | None]] = field(default_factory=set)
    tempos: set[tuple[Fraction, float]] = field(default_factory=set)
    sections: dict[str, Fraction] = field(default_factory=dict)


def read_kern(text: str) -> WrittenScore:
    r"""Read a Humdrum file.

    Parameters
    ----------
    text : str
        The file, its lines ended by line feeds.

    Raises
    ------
    RejectedFile
        It has no ``**kern`` spine.

    Examples
    --------
    >>> score = read_kern("**kern\n*M2/4\n4c\n8.d\n16e\n*-\n")
    >>> [(note.pitch, str(note.duration_quarter)) for note in score.notes]
    [(60, '1'), (62, '3/4'), (64, '1/4')]
    """
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), start=1):
        reader.take(line, number)
    return reader.finished()


class _Reader:
    """Takes the lines of a file one by one."""

    def __init__(self) -> None:
        self._score = WrittenScore()
        self._spines: list[_Spine] = []
        self._parts: list[_Part] = []
        """From left to right."""
        self._notes: list[tuple[_Part, WrittenNote]] = []
        self._time = Fraction(0)
        self._line = 0
        self._stated = _Stated()

    def take(self, line: str, number: int) -> None:
        """Take one line."""
        self._line = number
        if line.startswith("!") or not line.strip():
            title = _TITLE.match(line)
            if title and self._score.title is None:
                self._score.title = title[1].strip() or None
            return
        tokens = line.split("\t")
        if line.startswith("**") and not self._spines:
            self._spines = [_Spine(end=self._time) for _ in tokens]
        tokens = self._as_many_as_spines(tokens)
        if tokens and tokens[0].startswith("*"):
            self._interpret(tokens)
        elif tokens and tokens[0].startswith("="):
            self._bar(tokens)
        else:
            self._sound(tokens)

    def finished(self) -> WrittenScore:
        """The score, once all lines are taken."""
        if not self._parts:
            raise RejectedFile(RejectReason.NOT_MUSIC, "no **kern spine")
        score = self._score
        number = {id(part): n for n, part in enumerate(reversed(self._parts))}
        score.parts = [TrackInfo(part.name, part.program) for part in reversed(self._parts)]
        score.notes = [note._replace(part=number[id(part)]) for part, note in self._notes]
        score.key_signatures = [
            (at, name) for at, _, name in sorted(self._stated.keys, key=_by_time)
        ]
        score.time_signatures = sorted(self._stated.metres, key=lambda stated: stated[0])
        score.tempos = sorted(self._stated.tempos)
        self._finish_order()
        return score

    def _finish_order(self) -> None:
        score, sections = self._score, self._stated.sections
        missing = sorted(set(score.order) - set(sections))
        if missing:
            score.warnings.append(f"the expansion list names {', '.join(missing)}: it is not there")
            score.order = tuple(name for name in score.order if name in sections)
        if score.order:
            score.marks = [Mark(at, Sign.SECTION, name=name) for name, at in sections.items()]

    def _warn(self, what: str) -> None:
        self._score.warnings.append(f"line {self._line}: {what}")

    def _as_many_as_spines(self, tokens: list[str]) -> list[str]:
        n_spines = len(self._spines)
        if len(tokens) == n_spines:
            return tokens
        # Some programs write several tabs in a row.
        filled = [token for token in tokens if token]
        if len(filled) == n_spines:
            return filled
        self._warn(f"{len(tokens)} columns where there are {n_spines} spines")
        return (filled + ["."] * n_spines)[:n_spines]

    # Interpretations

    def _interpret(self, tokens: list[str]) -> None:
        if any(token in ("*^", "*v", "*x", "*+", "*-") for token in tokens):
            self._spines = list(self._rearranged(tokens))
            return
        for spine, token in zip(self._spines, tokens, strict=True):
            if token.startswith("**"):
                self._begin(spine, token)
            elif spine.part is not None and token.startswith("*"):
                self._state(spine.part, token)

    def _begin(self, spine: _Spine, token: str) -> None:
        if token != "**kern":
            spine.part = None
        elif spine.part is None:
            spine.part = _Part()
            left = [s.part for s in self._spines[: self._spines.index(spine)] if s.part is not None]
            at = self._parts.index(left[-1]) + 1 if left else 0
            self._parts.insert(at, spine.part)

    def _rearranged(self, tokens: list[str]) -> Iterator[_Spine]:
        """The spines after a line of splits, merges, exchanges, additions and ends."""
        columns = list(zip(tokens, self._spines, strict=True))
        exchanged = [n for n, token in enumerate(tokens) if token == "*x"]
        for first, second in zip(exchanged[::2], exchanged[1::2], strict=False):
            columns[first], columns[second] = columns[second], columns[first]
        if len(exchanged) % 2:
            self._warn("a spine is exchanged (*x) with none")
        for (token, _), run in groupby(columns, key=_merged):
            spines = [spine for _, spine in run]
            for spine in spines[: 1 if token == "*v" else None]:
                spine.end = max(s.end for s in spines) if token == "*v" else spine.end
                if token != "*-":
                    yield spine
                if token == "*^":
                    yield self._split(spine)
                if token == "*+":
                    yield _Spine(end=self._time)

    @staticmethod
    def _split(spine: _Spine) -> _Spine:
        if spine.part is None:
            return _Spine(end=spine.end)
        spine.part.n_voices += 1
        return _Spine(spine.part, spine.part.n_voices - 1, spine.end)

    def _state(self, part: _Part, token: str) -> None:
        """Take what one interpretation says of a part or of the piece."""
        if metre := _METRE.fullmatch(token):
            beats = sum(map(int, metre[1].split("+")))
            self._stated.metres.add((self._time, time_signature_name(beats, int(metre[2]))))
        elif tempo := _TEMPO.fullmatch(token):
            self._stated.tempos.add((self._time, float(tempo[1])))
        elif signature := _SIGNATURE.fullmatch(token):
            self._stated.keys.add((self._time, False, _name_of_signature(signature[1])))
        elif key := _KEY.fullmatch(token):
            self._stated.keys.add((self._time, True, _name_of_key(*key.groups())))
        elif order := _ORDER.fullmatch(token):
            names = [name.strip() for name in order[1].split(",") if name.strip()]
            if len(names) > _MAX_ORDER:
                self._warn(f"an expansion list of {len(names)} sections is left out")
            else:
                self._score.order = tuple(names)
        elif section := _SECTION.fullmatch(token):
            self._stated.sections.setdefault(section[1], self._time)
        elif token.startswith('*I"'):
            part.name = token[3:].strip() or None
        elif (code := _CODE.fullmatch(token)) and code[1] in _PROGRAM_OF_CODE:
            part.program = _PROGRAM_OF_CODE[code[1]]

    # Data

    def _bar(self, tokens: list[str]) -> None:
        bar = _BAR.match(tokens[0])
        signs = bar[1].strip(";") if bar else ""
        if signs.startswith(":"):
            self._score.marks.append(Mark(self._time, Sign.REPEAT_END))
        if signs.endswith(":"):
            self._score.marks.append(Mark(self._time, Sign.REPEAT_START))

    def _sound(self, tokens: list[str]) -> None:
        is_timed = False
        for spine, token in zip(self._spines, tokens, strict=True):
            if spine.part is None or token == ".":
                continue
            duration = self._token(spine, spine.part, token)
            if duration:
                if spine.end > self._time:
                    self._warn("a note begins before the one before it ends")
                spine.end = self._time + duration
                is_timed = True
        if is_timed:
            ends = [s.end for s in self._spines if s.part is not None and s.end > self._time]
            self._time = min(ends)
            self._score.end_quarter = max(self._score.end_quarter, *ends)

    def _token(self, spine: _Spine, part: _Part, token: str) -> Fraction | None:
        """Take a note, chord or rest; returns how long it is, if it takes time."""
        of_token: Fraction | None = None
        for note in token.split():
            if "q" in note or "Q" in note:
                continue
            duration = _length(note) or of_token
            if duration is None:
                self._warn(f"{note[:20]!r} has no length")
                continue
            of_token = of_token or duration
            if "r" in note or "R" in note:
                continue
            pitch = _pitch(note)
            if pitch is None:
                self._warn(f"{note[:20]!r} is no note")
                continue
            written = WrittenNote(
                self._time,
                duration,
                pitch,
                voice=spine.voice,
                ties_on="[" in note or "_" in note,
                ties_back="]" in note or "_" in note,
            )
            self._notes.append((part, written))
        return of_token


def _merged(column: tuple[str, _Spine]) -> tuple[str, int]:
    """Key by which spines that merge are together: neighbours of one part; all others stand alone."""
    token, spine = column
    if token != "*v":
        return token, id(spine)
    return token, id(spine.part) if spine.part is not None else 0


def _by_time(stated: tuple[Fraction, bool, str | None]) -> tuple[Fraction, bool, str]:
    """Key that sorts a signature before the key at the same time, which says more."""
    at, is_key, name = stated
    return at, is_key, name or ""


def _length(note: str) -> Fraction | None:
    """Quarter notes that a note's rhythm stands for; None where it has none."""
    match = _LENGTH.search(note)
    if match is None:
        return None
    digits, below, dots = match.groups()
    if not digits.strip("0"):
        length = Fraction(4 * 2 ** min(len(digits), 3))
    else:
        length = Fraction(4 * int(below or 1), int(digits))
    if not length:
        return None
    return length * (2 - Fraction(1, 2 ** len(dots)))


def _pitch(note: str) -> int | None:
    match = _PITCH.search(note)
    if match is None or len(set(match[1])) > 1 or len(match[1]) > _MAX_LETTERS:
        return None
    letters, sign = match[1], match[2] or ""
    octave = len(letters) - 1 if letters.islower() else -len(letters)
    return C4 + 12 * octave + SEMITONE_OF[letters[0].upper()] + sign.count("#") - sign.count("-")


def _name_of_signature(accidentals: str) -> str | None:
    """Name of the major key with a signature such as ``f#c#``; None for one that no key has."""
    letters, signs = accidentals[::2], accidentals[1::2]
    for order, sign, step in ((_SHARP_ORDER, "#", 1), (_SHARP_ORDER[::-1], "-", -1)):
        if signs == sign * len(letters) and set(letters) == set(order[: len(letters)]):
            return key_name(step * len(letters), minor=False)
    return None


def _name_of_key(tonic: str, sign: str, mode: str) -> str | None:
    """Name of a key: minor for a lower-case tonic; modes that MIDI lacks have the major key of their signature."""
    known = mode[:3].lower() or ("min" if tonic.islower() else "maj")
    sharps = key_signature_sharps(tonic.upper(), {"": 0, "#": 1, "-": -1}[sign], known)
    return None if sharps is None else key_name(sharps, minor=known in MINOR_MODES)
