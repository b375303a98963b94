"""One part of a MusicXML score, bar by bar: its notes, its signs and what it states.

Source: the MusicXML 4.0 standard, elements ``note``, ``backup``, ``forward``, ``attributes``, ``direction`` and
``sound``. Where it leaves a choice, and where files break it:

- Grace notes take no time and are dropped. Cue notes, rests and percussion without a pitch take time, and are silent.
- What is not printed sounds.
- A note without a ``duration`` is as long as its type, its dots and its tuplet say.
- A bar is as long as its notes and rests reach furthest, not as where the last of them ends (see `end_of`).
- Where a note has no ``tie``, which is for the ear, ``tied``, which is for the eye, counts.
- Of tones between the semitones the nearest one is taken.
- Attributes count from the time at which they stand, ``divisions`` from the line.
- The ``offset`` of a direction moves what is seen, such as a metronome mark; what is heard only if it says so.
- *Fine*, *da capo* and the like count where their ``sound`` stands; at the start of a bar, where many programs put
  what belongs to the end, and where they are only shown, at the end of the bar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from pipeline_lib.notes.notation.letters import SEMITONE_OF
from pipeline_lib.notes.notation.musicxml.document import Doubts, Element, XmlPart, decimal, integer
from pipeline_lib.notes.notation.musicxml.signs import (
    BarlineSign,
    barline_signs,
    heard_signs,
    shown_signs,
)
from pipeline_lib.notes.notation.musicxml.statements import (
    CONCERT_PITCH,
    Metre,
    Transposition,
    dotted,
    metre,
    metronome_qpm,
    nearest_semitone,
    sounding_key,
    transposition,
)
from pipeline_lib.notes.notation.written import Sign
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.table import RejectReason

_MAX_PITCH = 127
_MAX_OCTAVES = 100
_MAX_DENOMINATOR = 10**60
"""Largest denominator of a time: numbers that no music needs would make every sum longer than the last."""
_AT_END = (Sign.FINE, Sign.DA_CAPO, Sign.DAL_SEGNO, Sign.TO_CODA)
_ZERO = Fraction(0)


class BarNote(NamedTuple):
    """A note of a bar; its time counts from the start of the bar, its pitch is what sounds."""

    onset_quarter: Fraction
    duration_quarter: Fraction
    pitch: int
    voice: int
    ties_on: bool
    ties_back: bool


class BarSign(NamedTuple):
    """A sign in a bar; `at_quarter` counts from the start of the bar, None is its end."""

    at_quarter: Fraction | None
    sign: BarlineSign


@dataclass
class Bar:
    """One bar of a part; times count from its start.

    Parameters
    ----------
    length_quarter : Fraction
        How long it is by the notes of the part, and the rests beside them.
    filled_quarter : Fraction
        How far the part goes if rests alone, and what is skipped, count.
    metre_quarter : Fraction or None
        How long it is by the metre; None where no metre says so.
    is_implicit : bool
        Whether it is no full bar.
    tempos : list of (at_quarter, tempo_qpm, is_heard)
        The last says whether it is one for the ear; else it is a metronome mark.
    """

    length_quarter: Fraction = _ZERO
    filled_quarter: Fraction = _ZERO
    metre_quarter: Fraction | None = None
    is_implicit: bool = False
    notes: list[BarNote] = field(default_factory=list)
    repeats: list[BarSign] = field(default_factory=list)
    heard: list[BarSign] = field(default_factory=list)
    shown: list[BarSign] = field(default_factory=list)
    tempos: list[tuple[Fraction, float, bool]] = field(default_factory=list)
    metres: list[tuple[Fraction, Metre]] = field(default_factory=list)
    keys: list[tuple[Fraction, str | None, bool]] = field(default_factory=list)
    """Time, name, whether the part is a transposing one."""


class _Written(NamedTuple):
    onset_quarter: Fraction
    duration_quarter: Fraction
    pitch: int
    staff: int
    voice: int
    ties_on: bool
    ties_back: bool


def read_bars(part: XmlPart, doubts: Doubts) -> list[Bar]:
    """Read all bars of a part.

    Raises
    ------
    RejectedFile
        It has a pitch or a time that no music has.
    """
    reader = _PartReader(part.part_id, doubts)
    return [reader.read(measures) for measures in part.bars]


class _PartReader:
    """Reads the bars of a part one after another, and knows what holds from one to the next."""

    def __init__(self, part_id: str, doubts: Doubts) -> None:
        self._part_id = part_id
        self._doubts = doubts
        self._divisions: Fraction | None = None
        self._metre = Metre()
        self._transpositions: dict[int, Transposition] = {}
        """By staff; 0 stands for all that are not there."""
        self._voices: dict[tuple[int, str], int] = {}
        self._quarters: dict[str | None, Fraction | None] = {}
        """Times by their text, while the divisions are the same: few times come again and again."""
        self._pitches: dict[tuple[tuple[str, str | None], ...], int | None] = {}
        self._last_passes: tuple[int, ...] = ()
        self._readers: Mapping[str, Callable[[Element], None]] = {
            "note": self._read_note,
            "backup": self._read_backup,
            "forward": self._read_forward,
            "attributes": self._read_attributes,
            "direction": self._read_direction,
            "sound": self._read_sound_alone,
            "barline": self._read_barline,
        }
        self._begin_bar()

    def _begin_bar(self) -> None:
        self._bar = Bar()
        self._where = f"part {self._part_id}"
        self._start = self._at = _ZERO
        self._is_last = True
        self._sounded = self._rested = _ZERO
        """How far notes reach in the bar, and how far rests do."""
        self._chord: tuple[Fraction, Fraction] | None = None
        """Onset and duration of the note that a chord would go on from."""
        self._written: list[_Written] = []
        self._changes: list[tuple[Fraction, int, Transposition]] = []
        self._keys: list[tuple[Fraction, Element]] = []

    def read(self, measures: Sequence[Element]) -> Bar:
        """Read a bar."""
        self._begin_bar()
        for index, measure in enumerate(measures):
            self._where = f"part {self._part_id}, bar {measure.get('number', '?')[:20]}"
            self._start = self._at = self._bar.filled_quarter
            self._chord = None
            self._is_last = index == len(measures) - 1
            for element in measure:
                reader = self._readers.get(element.tag)
                if reader is not None:
                    reader(element)
        self._bar.metre_quarter = self._metre.bar_quarter if measures else None
        self._bar.is_implicit = any(m.get("implicit") == "yes" for m in measures[:1])
        self._measure()
        self._finish()
        return self._bar

    def _measure(self) -> None:
        """Find how long the bar is; rests that end it do not make it longer than its metre."""
        bar = self._bar
        metre_quarter = None if bar.is_implicit else bar.metre_quarter
        if metre_quarter and self._sounded > metre_quarter:
            self._doubt(f"{self._sounded} quarter notes long; by its metre, {metre_quarter}")
        if self._sounded:
            rested = min(self._rested, metre_quarter or self._rested)
            bar.length_quarter = max(self._sounded, rested)

    def _finish(self) -> None:
        """Give notes and keys the pitch that sounds at their time, and signs their place."""
        bar = self._bar
        changes = sorted(self._changes, key=lambda change: change[0])
        bar.keys = [
            (at, sounding_key(key, transposed), transposed.semitones % 12 != 0)
            for at, key in self._keys
            for transposed in [self._transposition(at, 1, changes)]
        ]
        for note in self._written:
            transposed = self._transposition(note.onset_quarter, note.staff, changes)
            distances = (0, transposed.doubled) if transposed.doubled else (0,)
            for distance in distances:
                pitch = note.pitch + transposed.semitones + distance
                if not 0 <= pitch <= _MAX_PITCH:
                    detail = f"{self._where}: a pitch of {pitch}, outside 0-{_MAX_PITCH}"
                    raise RejectedFile(RejectReason.MALFORMED, detail)
                bar.notes.append(
                    BarNote(
                        note.onset_quarter,
                        note.duration_quarter,
                        pitch,
                        note.voice,
                        note.ties_on,
                        note.ties_back,
                    )
                )
        for _, staff, transposed in changes:
            self._transpose(self._transpositions, staff, transposed)
        bar.heard = [self._placed(sign) for sign in bar.heard]

    def _transposition(
        self, at: Fraction, staff: int, changes: Sequence[tuple[Fraction, int, Transposition]]
    ) -> Transposition:
        """What holds for a staff at a time of this bar."""
        in_force = self._transpositions
        if changes:
            in_force = dict(in_force)
            for since, changed_staff, transposed in changes:
                if since <= at:
                    self._transpose(in_force, changed_staff, transposed)
        return in_force.get(staff) or in_force.get(0, CONCERT_PITCH)

    @staticmethod
    def _transpose(
        in_force: dict[int, Transposition], staff: int, transposed: Transposition
    ) -> None:
        if staff == 0:
            in_force.clear()
        in_force[staff] = transposed

    def _placed(self, sign: BarSign) -> BarSign:
        """A sign where it counts: those that are followed at a bar line there."""
        at, what = sign
        if what.sign in _AT_END and at is not None and not 0 < at < self._bar.filled_quarter:
            return BarSign(None, what)
        return sign

    def _doubt(self, what: str) -> None:
        self._doubts.add(f"{self._where}: {what}")

    def _move_to(self, at: Fraction) -> None:
        if at.denominator > _MAX_DENOMINATOR:
            detail = f"{self._where}: durations without a common unit"
            raise RejectedFile(RejectReason.MALFORMED, detail)
        self._at = at
        if at > self._bar.filled_quarter:
            self._bar.filled_quarter = at

    def _in_quarters(self, text: str | None) -> Fraction | None:
        """A time in divisions, in quarter notes; None for what is none."""
        if text not in self._quarters:
            self._quarters[text] = self._converted(text)
        return self._quarters[text]

    def _converted(self, text: str | None) -> Fraction | None:
        n_divisions = decimal(text)
        if n_divisions is None:
            return None
        if self._divisions is None:
            self._doubt("no divisions are stated: durations are in quarter notes")
            self._divisions = Fraction(1)
        return n_divisions / self._divisions

    # Notes

    def _read_note(self, element: Element) -> None:
        parts = {child.tag: child for child in element}
        if "grace" in parts:
            return
        is_chord = "chord" in parts
        if is_chord and self._chord is None:
            self._doubt("a note of a chord without a first one begins where it stands")
            is_chord = False
        duration = self._duration(element, parts, is_chord)
        if is_chord and self._chord is not None:
            onset = self._chord[0]
        else:
            onset = self._at
            self._chord = onset, duration
            self._move_to(onset + duration)
            if "rest" not in parts:
                self._sounded = max(self._sounded, self._at)
            elif parts["rest"].get("measure") != "yes":
                self._rested = max(self._rested, self._at)
        if "pitch" not in parts or "cue" in parts or "rest" in parts:
            return
        pitch = self._pitch(parts["pitch"])
        if pitch is None:
            return
        if duration == 0:
            self._doubt("a note of no length is left out")
            return
        if element.get("time-only"):
            self._doubt("a note for some passes only is played in all")
        staff = integer(_text(parts, "staff")) or 1
        voice = self._voice(staff, _text(parts, "voice") or "1")
        self._written.append(
            _Written(onset, duration, pitch, staff, voice, *self._ties(element, parts))
        )

    def _duration(self, element: Element, parts: Mapping[str, Element], is_chord: bool) -> Fraction:
        stated = self._in_quarters(_text(parts, "duration")) if "duration" in parts else None
        if stated is not None and stated >= 0:
            return stated
        self._doubt("a duration that is missing or none is derived from the type of the note")
        n_dots = sum(child.tag == "dot" for child in element)
        derived = dotted(_text(parts, "type"), n_dots)
        rest = parts.get("rest")
        if rest is not None and (rest.get("measure") == "yes" or derived is None):
            return self._metre.bar_quarter or derived or _ZERO
        if derived is None:
            return self._chord[1] if is_chord and self._chord else _ZERO
        return derived * self._tuplet(parts.get("time-modification"))

    def _tuplet(self, modification: Element | None) -> Fraction:
        """What a tuplet multiplies lengths by."""
        if modification is None:
            return Fraction(1)
        actual = integer(modification.findtext("actual-notes")) or 0
        normal = integer(modification.findtext("normal-notes")) or 0
        if actual < 1 or normal < 1:
            self._doubt("a tuplet without numbers is none")
            return Fraction(1)
        return Fraction(normal, actual)

    def _pitch(self, pitch: Element) -> int | None:
        """The written pitch as a MIDI number; None for what is none."""
        written = tuple((child.tag, child.text) for child in pitch)
        if written not in self._pitches:
            self._pitches[written] = self._pitch_of(
                *(pitch.findtext(name) for name in ("step", "alter", "octave"))
            )
        found = self._pitches[written]
        if found is None:
            said = " ".join(text or "" for _, text in written)
            self._doubt(f"a note without a proper pitch is silent: {said[:40]!r}")
        return found

    def _pitch_of(self, step: str | None, alter: str | None, octave: str | None) -> int | None:
        semitone = SEMITONE_OF.get((step or "").strip().upper())
        height = integer(octave)
        altered = decimal(alter) if (alter or "").strip() else _ZERO
        if semitone is None or height is None or altered is None or abs(height) > _MAX_OCTAVES:
            return None
        if altered.denominator != 1:
            self._doubt("a microtone is played as the nearest semitone")
        return 12 * (height + 1) + semitone + nearest_semitone(altered)

    def _voice(self, staff: int, name: str) -> int:
        return self._voices.setdefault((staff, name.strip()), len(self._voices))

    @staticmethod
    def _ties(element: Element, parts: Mapping[str, Element]) -> tuple[bool, bool]:
        """Whether a tie begins at a note, and whether one ends."""
        if "tie" in parts:
            kinds = {child.get("type") for child in element if child.tag == "tie"}
        elif "notations" in parts:
            kinds = {tied.get("type") for tied in element.iterfind("notations/tied")}
        else:
            return False, False
        return not kinds.isdisjoint(("start", "continue")), not kinds.isdisjoint(
            ("stop", "continue")
        )

    def _read_backup(self, element: Element) -> None:
        distance = self._in_quarters(element.findtext("duration"))
        if distance is None or distance < 0:
            self._doubt("a backup without a duration is left out")
        elif self._at - distance < self._start:
            self._doubt("a backup beyond the beginning of the bar ends there")
            self._move_to(self._start)
        else:
            self._move_to(self._at - distance)

    def _read_forward(self, element: Element) -> None:
        distance = self._in_quarters(element.findtext("duration"))
        if distance is None or distance < 0:
            self._doubt("a forward without a duration is left out")
        else:
            self._move_to(self._at + distance)

    # What is stated

    def _read_attributes(self, element: Element) -> None:
        for child in element:
            if child.tag == "divisions":
                self._read_divisions(child)
            elif child.tag == "transpose":
                transposed, is_exact = transposition(child)
                if not is_exact:
                    self._doubt("a transposition is not in whole semitones: the nearest is taken")
                self._changes.append((self._at, integer(child.get("number")) or 0, transposed))
        key, time = element.find("key"), element.find("time")
        if key is not None:
            self._keys.append((self._at, key))
        if time is not None:
            self._metre = metre(time)
            if time.find("senza-misura") is None and self._metre.name is None:
                self._doubt("a metre is none that music is barred by")
            self._bar.metres.append((self._at, self._metre))

    def _read_divisions(self, element: Element) -> None:
        divisions = decimal(element.text)
        if divisions is None or divisions <= 0:
            self._doubt(f"divisions of {(element.text or '')[:20]!r} are not believed")
        else:
            self._divisions = divisions
            self._quarters.clear()

    def _read_direction(self, element: Element) -> None:
        offset = element.find("offset")
        moved = self._offset(offset)
        is_sound_moved = offset is not None and offset.get("sound") == "yes"
        sound = element.find("sound")
        if sound is not None:
            self._read_sound(sound, moved if is_sound_moved else self._at)
        if sound is None or sound.get("tempo") is None:
            self._read_metronomes(element, moved)
        if sound is None or not any(heard_signs(sound)):
            self._show(element, moved)

    def _show(self, element: Element, at: Fraction | None) -> None:
        for sign in shown_signs(element):
            place = None if sign in _AT_END else at
            self._bar.shown.append(BarSign(place, BarlineSign(sign)))

    def _offset(self, offset: Element | None) -> Fraction:
        """Where something is that an offset moves."""
        distance = self._in_quarters(offset.text) if offset is not None else None
        return max(self._at + (distance or 0), self._start)

    def _read_metronomes(self, direction: Element, at: Fraction) -> None:
        for metronome in direction.iterfind("direction-type/metronome"):
            tempo_qpm = metronome_qpm(metronome)
            if tempo_qpm is None:
                self._doubt("a metronome mark without a number is left out")
            else:
                self._bar.tempos.append((at, tempo_qpm, False))

    def _read_sound_alone(self, sound: Element) -> None:
        self._read_sound(sound, self._at)

    def _read_sound(self, sound: Element, at: Fraction) -> None:
        own_offset = sound.find("offset")
        if own_offset is not None:
            at = self._offset(own_offset)
        stated = sound.get("tempo")
        tempo_qpm = decimal(stated)
        if tempo_qpm is not None:
            self._bar.tempos.append((at, float(tempo_qpm), True))
        elif stated is not None:
            self._doubt(f"a tempo of {stated[:20]!r} is left out")
        self._hear(sound, at)

    def _hear(self, element: Element, at: Fraction | None) -> None:
        for sign in heard_signs(element):
            found = self._bar.repeats if sign is Sign.REPEAT_START else self._bar.heard
            found.append(BarSign(at, BarlineSign(sign)))

    def _read_barline(self, barline: Element) -> None:
        at = self._place(barline.get("location", "right"))
        for sign in barline_signs(barline, self._last_passes, self._where, self._doubts):
            self._last_passes = sign.passes or self._last_passes
            self._bar.repeats.append(BarSign(at, sign))
        self._hear(barline, at)
        if not any(heard_signs(barline)):
            self._show(barline, at)

    def _place(self, location: str) -> Fraction | None:
        """Where a bar line stands; None at the end of the bar."""
        if location == "left":
            return self._start
        if location == "middle":
            return self._at
        return None if self._is_last else self._bar.filled_quarter


def _text(parts: Mapping[str, Element], tag: str) -> str | None:
    return parts[tag].text if tag in parts else None


def end_of(bars: Sequence[Bar]) -> Fraction:
    """Length of one bar of all parts.

    It is as long as the fullest part makes it with its notes. Programs are careless about the length of what fills
    a part that is silent: that counts up to the length by the metre, and in a bar that is no full one where there
    is nothing else.
    """
    length = max((bar.length_quarter for bar in bars), default=_ZERO)
    filled = max((bar.filled_quarter for bar in bars), default=_ZERO)
    by_metre = next((bar.metre_quarter for bar in bars if bar.metre_quarter), None)
    if any(bar.is_implicit for bar in bars):
        return length or filled
    if by_metre is None:
        return filled
    return max(length, min(filled, by_metre)) or by_metre
