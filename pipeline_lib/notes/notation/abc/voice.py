"""One voice of an ABC tune: from its notes, lengths and signs to written notes and marks.

Source: the ABC standard 2.1 (https://abcnotation.com/wiki/abc:standard:v2.1), section 4. Where it leaves a choice:

- An accidental holds to the end of its bar, in its octave, as notation in general has it; files may ask for
  otherwise (``%%propagate-accidentals``). A note tied over a bar line keeps its accidental.
- A chord is as long as its first note; its other notes sound as long as each says.
- Grace notes have no duration and are dropped; their accidentals count.
- Broken rhythm between notes of unequal length, which the standard leaves undefined, moves as much time as
  between two of the shorter: the bar keeps its length.
- Chord symbols, annotations, ornaments and articulations do not change what sounds.
- *Fine*, *da capo* and the like count at the end of their bar, *segno* and *coda* where they stand. They are signs
  (``!D.C.!``): words for players (``"D.C."``) are not followed, and said to be there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from pipeline_lib.notes.notation.abc.fields import ALTERATIONS, Key, Metre
from pipeline_lib.notes.notation.abc.scanner import NOTE
from pipeline_lib.notes.notation.letters import C4, SEMITONE_OF
from pipeline_lib.notes.notation.written import Mark, Sign, WrittenNote

_MAX_DOTS = 8
_MAX_BARS = 100_000
_MAX_TIMES = 99
_DEFAULT_OF_TUPLET = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
"""Notes in whose time so many are played; for other numbers that depends on the metre."""
_LAYERS = 64
_ONE = Fraction(1)
"""Numbers of voices that one voice and its overlays may use."""

Reach = Literal["not", "octave", "pitch"]
"""What an accidental holds for beyond its note: nothing, its pitch, or its letter in all octaves."""

_JUMP_SIGNS = {
    "segno": Sign.SEGNO,
    "coda": Sign.CODA,
    "fine": Sign.FINE,
    "dacapo": Sign.DA_CAPO,
    "dc": Sign.DA_CAPO,
    "dcalfine": Sign.DA_CAPO,
    "dcalcoda": Sign.DA_CAPO,
    "ds": Sign.DAL_SEGNO,
    "dsalfine": Sign.DAL_SEGNO,
    "dsalcoda": Sign.DAL_SEGNO,
    "dalsegno": Sign.DAL_SEGNO,
    "dacoda": Sign.TO_CODA,
    "tocoda": Sign.TO_CODA,
}
_JUMP_IN_WORDS = re.compile(r"(d\.? ?[cs]\b|da capo|dal segno|fine\b)", re.IGNORECASE)
_AT_BAR_END = (Sign.FINE, Sign.DA_CAPO, Sign.DAL_SEGNO, Sign.TO_CODA)


_NO_METRE_STATED = Metre(None, None)
_C_MAJOR = Key({}, "C major")


@dataclass(frozen=True)
class Setting:
    """What fields say that holds until the next one: unit, metre, key, shift of pitches, reach of accidentals."""

    unit_quarter: Fraction = Fraction(1, 2)
    metre: Metre = _NO_METRE_STATED
    key: Key = _C_MAJOR
    octaves: int = 0
    transpose: int = 0
    reach: Reach = "octave"


_Place = tuple[str, int]
"""A letter, and its octave."""


@dataclass
class _Tuplet:
    """A tuplet under way: by what it multiplies lengths, and for how many more notes."""

    ratio: Fraction
    n_left: int


@dataclass
class _Event:
    """The latest note, chord or rest: when it began, how long it is, its notes, their places and how each is raised."""

    onset: Fraction
    duration: Fraction
    notes: range
    raised: Sequence[tuple[_Place, int]]


@dataclass
class Voice:
    """Takes the music of one voice, token by token.

    Parameters
    ----------
    part : int
        Index of its part.
    setting : Setting
        What holds now; fields replace it.
    """

    part: int
    setting: Setting
    name: str | None = None
    notes: list[WrittenNote] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    time: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        self._bar_starts = [self.time]
        self._layer = 0
        self._layers_used = 0
        self._overlaid: tuple[Fraction, int] | None = None
        """End of the main layer and bars to go, while an overlay is under way."""
        self._accidentals: dict[_Place, int] = {}
        self._tied: dict[_Place, list[int]] = {}
        self._tuplets: list[_Tuplet] = []
        self._latest: _Event | None = None
        self._broken = ""
        self._waiting: list[Sign] = []
        self._start_colons = 0
        self._is_ordinary_start = False

    @property
    def bar_number(self) -> int:
        """Number of the bar under way, from 1."""
        return len(self._bar_starts)

    def warn(self, what: str) -> None:
        """Note down what could not be made sense of, and in which bar."""
        self.warnings.append(f"bar {self.bar_number}: {what}")

    # Notes and rests

    def note(self, text: str) -> None:
        """Take a note such as ``^c'3/2``."""
        self._sound([text], _ONE)

    def chord(self, inner: str, length: str) -> None:
        """Take a chord: what stands between its brackets, and the length behind them."""
        multiplier = self._length(length)
        if multiplier is None:
            return
        inner = re.sub(r'"[^"]*"|![^!]*!|\{[^}]*\}', "", inner)
        members = [m[0] for m in re.finditer(NOTE.pattern + r"(?:\.?-)?", inner)]
        if members:
            self._sound(members, multiplier)
        else:
            self.rest("".join(re.findall(r"[zx]([\d/]*)", inner)[:1]), multiplier)

    def rest(self, length: str, multiplier: Fraction = _ONE) -> None:
        """Take a rest of some length."""
        units = self._length(length)
        if units is not None:
            self._pass_time(self._duration(_product(units, multiplier)))

    def rest_bars(self, n_bars: str) -> None:
        """Take a rest of whole bars."""
        count = int(n_bars[:6] or 1)
        if not count or count + len(self._bar_starts) > _MAX_BARS:
            self.warn(f"a rest of {n_bars[:20]} bars is left out")
            return
        bar_quarter = self.setting.metre.bar_quarter or Fraction(4)
        self._bar_starts += [self.time + n * bar_quarter for n in range(1, count)]
        self._pass_time(count * bar_quarter)

    def grace(self, text: str) -> None:
        """Take grace notes: of them only accidentals count."""
        for match in NOTE.finditer(text):
            self._alteration(match, _place(match), {})

    def _sound(self, texts: list[str], multiplier: Fraction) -> None:
        first, length_of_all = len(self.notes), None
        tied, self._tied = self._tied, {}
        raised: list[tuple[_Place, int]] = []
        for text in texts:
            match = NOTE.match(text)
            assert match is not None, "the scanner has found a note"
            units = self._length(match["length"])
            if units is None:
                continue
            if length_of_all is None:
                first_units, length_of_all = units, self._duration(_product(units, multiplier))
            # Of a chord, each note is as long as it says, in proportion to the first.
            duration = (
                length_of_all if units == first_units else length_of_all / first_units * units
            )
            place = _place(match)
            alteration = self._alteration(match, place, tied)
            raised.append((place, alteration))
            self._add(place, alteration, duration)
            if text.endswith("-"):
                self._tie(len(self.notes) - 1, place, alteration)
        if length_of_all is not None:
            self._pass_time(length_of_all, range(first, len(self.notes)), raised)

    def _add(self, place: _Place, alteration: int, duration: Fraction) -> None:
        letter, octave = place
        pitch = C4 + 12 * (octave + self.setting.octaves) + SEMITONE_OF[letter] + alteration
        self.notes.append(
            WrittenNote(
                self.time,
                duration,
                pitch + self.setting.transpose,
                self.part,
                self._layer,
                ties_back=True,
            )
        )

    def _alteration(
        self, match: re.Match[str], place: _Place, tied: dict[_Place, list[int]]
    ) -> int:
        """Semitones by which a note is raised, by its own sign, a tie, the bar or the key."""
        sign, (letter, _) = match["accidental"], place
        if match["microtone"]:
            self.warn(f"{match[0]!r} lies between two semitones: its sign is left out")
            sign = None
        if sign is not None:
            if self.setting.reach == "pitch":
                self._accidentals = {p: a for p, a in self._accidentals.items() if p[0] != letter}
                self._accidentals[letter, 0] = ALTERATIONS[sign]
            elif self.setting.reach == "octave":
                self._accidentals[place] = ALTERATIONS[sign]
            return ALTERATIONS[sign]
        held = (letter, 0) if self.setting.reach == "pitch" else place
        plain = self._accidentals.get(held, self.setting.key.alterations.get(letter, 0))
        # Of two tied notes with one letter, as in a chord of C and C sharp, a plain one goes on as it is.
        return plain if plain in tied.get(place, [plain]) else tied[place][-1]

    def _length(self, text: str) -> Fraction | None:
        """Units that a length such as ``3/2`` or ``//`` stands for; None, with a warning, for nonsense."""
        if not text:
            return _ONE
        digits, *below = re.split(r"(/+)", text)
        length = Fraction(int(digits[:9] or 1)) if len(digits) <= 9 else Fraction(0)
        for slashes, number in zip(below[::2], below[1::2], strict=True):
            divisor = int(number[:6]) if number else 2
            if len(slashes) > _MAX_DOTS or len(number) > 6:
                divisor = 0
            elif number:
                divisor *= 2 ** (len(slashes) - 1)
            else:
                divisor = 2 ** len(slashes)
            length = length / divisor if divisor else Fraction(0)
        if not length:
            self.warn(f"length {text[:20]!r} makes no sense: its note is left out")
            return None
        return length

    def _duration(self, units: Fraction) -> Fraction:
        """Quarter notes that some units last, in the tuplets and the broken rhythm under way."""
        duration = _product(self.setting.unit_quarter, units)
        for tuplet in self._tuplets:
            duration *= tuplet.ratio
            tuplet.n_left -= 1
        self._tuplets = [tuplet for tuplet in self._tuplets if tuplet.n_left > 0]
        if self._broken and self._latest is not None:
            duration += self._break(self._latest, duration)
        return duration

    def _break(self, event: _Event, duration: Fraction) -> Fraction:
        """Let broken rhythm move time between the latest event and the next, to which it adds what is returned."""
        sign, self._broken = self._broken, ""
        moved = min(event.duration, duration) * (1 - Fraction(1, 2 ** len(sign)))
        if event.duration != duration:
            self.warn(f"{sign!r} between notes of unequal length")
        if sign[0] == "<":
            moved = -moved
        stretch = (event.duration + moved) / event.duration
        for n in event.notes:
            note = self.notes[n]
            self.notes[n] = note._replace(duration_quarter=note.duration_quarter * stretch)
        self.time = event.onset + event.duration + moved
        return -moved

    def _pass_time(
        self,
        duration: Fraction,
        notes: range = range(0),
        raised: Sequence[tuple[_Place, int]] = (),
    ) -> None:
        self._latest = _Event(self.time, duration, notes, raised)
        self.time += duration

    # Rhythm and ties

    def tie(self) -> None:
        """Tie the latest note or chord to what follows."""
        if self._latest is None or not self._latest.notes:
            self.warn("a tie after no note")
            return
        for n, (place, alteration) in zip(self._latest.notes, self._latest.raised, strict=True):
            self._tie(n, place, alteration)

    def _tie(self, n: int, place: _Place, alteration: int) -> None:
        self.notes[n] = self.notes[n]._replace(ties_on=True)
        self._tied.setdefault(place, []).append(alteration)

    def broken(self, sign: str) -> None:
        """Take the sign by which the latest note gets a dot or more, at the cost of the next; ``<``: the reverse."""
        if self._latest is None or len(sign) > _MAX_DOTS:
            self.warn(f"broken rhythm {sign[:20]!r} after no note")
        else:
            self._broken = sign

    def tuplet(self, p: str, q: str | None, r: str | None) -> None:
        """Begin a tuplet: p notes in the time of q, for the next r."""
        n_notes = int(p)
        in_time_of = int(q) if q else self._default_of_tuplet(n_notes)
        count = int(r) if r else n_notes
        if not n_notes or not in_time_of or not count:
            self.warn(f"tuplet ({p}:{q or ''}:{r or ''} makes no sense")
            return
        tuplet = _Tuplet(Fraction(in_time_of, n_notes), count)
        if self._tuplets[-1:] == [tuplet]:
            self.warn(f"tuplet ({p} is written twice, and counts once")
        else:
            self._tuplets.append(tuplet)

    def _default_of_tuplet(self, n_notes: int) -> int:
        known = _DEFAULT_OF_TUPLET.get(n_notes)
        if known is not None:
            return known
        beats = (self.setting.metre.name or "4/4").split("/")[0]
        return 3 if int(beats) % 3 == 0 and int(beats) > 3 else 2

    # Bars

    def bar(self, sign: str) -> None:
        """Take a bar line of any kind, such as ``|``, ``:|``, ``||`` or ``::``."""
        self._end_overlay()
        before, after = _colons(sign)
        is_ordinary = sign in ("|", ".|")
        self._check_bar(is_ordinary)
        self._put_waiting()
        if before:
            times = min(max(before, self._start_colons) + 1, _MAX_TIMES)
            self.marks.append(Mark(self.time, Sign.REPEAT_END, times))
            self._start_colons = 0
        elif not is_ordinary and not after and sign != "[|]":
            self.marks.append(Mark(self.time, Sign.DOUBLE_BAR))
        if after:
            self.marks.append(Mark(self.time, Sign.REPEAT_START))
            self._start_colons = after
        self._accidentals = {}
        if self._overlaid is None and self.time > self._bar_starts[-1]:
            self._bar_starts.append(self.time)
        self._is_ordinary_start = is_ordinary

    def ending(self, text: str) -> None:
        """Begin an ending: text is such as ``1``, ``1,3`` or ``1-3``."""
        passes: list[int] = []
        for first, last in re.findall(r"(\d{1,2})(?:-(\d{1,2}))?", text):
            passes += range(int(first), int(last or first) + 1)
        if not passes:
            self.warn(f"ending {text!r} has no number")
            return
        self.marks.append(Mark(self.time, Sign.ENDING_START, passes=tuple(passes)))
        self._is_ordinary_start = False

    def overlay(self, n_bars: int) -> None:
        """Go back to the start of a bar, to lay another layer over the bars since."""
        end = self.time if self._overlaid is None else self._overlaid[0]
        if n_bars > len(self._bar_starts):
            self.warn(f"an overlay of {n_bars} bars reaches back before the first")
            n_bars = len(self._bar_starts)
        self._overlaid = max(end, self.time), n_bars
        self.time = self._bar_starts[-n_bars]
        self._layers_used = (self._layers_used + 1) % _LAYERS
        self._layer = self._layers_used
        self._accidentals, self._tied, self._latest, self._tuplets = {}, {}, None, []

    def _end_overlay(self) -> None:
        """At a bar line: end the overlay if it has had its bars."""
        if self._overlaid is None:
            return
        end, n_bars = self._overlaid
        if n_bars > 1:
            self._overlaid = end, n_bars - 1
            return
        if self.time != end:
            self.warn(f"an overlay is {_number(self.time - end)} quarters longer than its bars")
        self.time = max(end, self.time)
        self._overlaid, self._layer, self._layers_used = None, 0, 0

    def _check_bar(self, is_ordinary_end: bool) -> None:
        """Warn of a bar that is too long, or too short where no repeat, ending or double bar explains it."""
        expected, has = self.setting.metre.bar_quarter, self.time - self._bar_starts[-1]
        if expected is None or self._overlaid is not None or not has:
            return
        is_inner = self._is_ordinary_start and is_ordinary_end
        if has > expected or (has < expected and is_inner):
            self.warn(f"{_number(has)} quarters in a metre of {_number(expected)}")

    # Signs

    def decoration(self, name: str) -> None:
        """Take a decoration: those that send players elsewhere count, the others do not change what sounds."""
        sign = _JUMP_SIGNS.get(re.sub(r"[\s.]", "", name).lower())
        if sign in _AT_BAR_END:
            self._waiting.append(sign)
        elif sign is not None:
            self.marks.append(Mark(self.time, sign))

    def text(self, text: str) -> None:
        """Take a chord symbol or annotation, which does not sound; a player may go where it says, and is not sent."""
        if _JUMP_IN_WORDS.match(text.strip('"^_<>@ ')):
            self.warn(f"the words {text} send players elsewhere: they are not followed")

    def finish(self) -> None:
        """End the voice."""
        self._end_overlay()
        self._put_waiting()

    def _put_waiting(self) -> None:
        self.marks += [Mark(self.time, sign) for sign in self._waiting]
        self._waiting = []


def _place(match: re.Match[str]) -> _Place:
    """Letter of a note, and its octave above the one that begins at C4."""
    letter, marks = match["letter"], match["octave"]
    return letter.upper(), letter.islower() + marks.count("'") - marks.count(",")


def _colons(sign: str) -> tuple[int, int]:
    """Colons before and after the lines of a bar line; of colons alone, both."""
    if "|" not in sign:
        return 1, 1
    before, after = sign.lstrip(".").split("|")[0], sign.split("|")[-1]
    return before.count(":"), after.count(":")


def _product(one: Fraction, other: Fraction) -> Fraction:
    """A product, of which a factor is 1 more often than not: fractions are slow."""
    return one if other is _ONE else other if one is _ONE else one * other


def _number(quarters: Fraction) -> str:
    return f"{float(quarters):g}"
