"""One tune in ABC notation: from its header and its lines of music to a written score.

Source: the ABC standard 2.1 (https://abcnotation.com/wiki/abc:standard:v2.1), sections 3, 4 and 7.

- A field that changes what sounds (key, metre, unit, tempo) counts for the voice that it stands in; before the
  first voice, for all of them.
- Each voice is a part, in the order in which the tune names them; an overlay (``&``) belongs to its voice.
- Repeats are those of the first voice that has any.
- Text of any kind (titles, words, remarks, chord symbols) does not sound.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from pipeline_lib.notes.notation.abc.fields import (
    default_unit,
    read_key,
    read_metre,
    read_order,
    read_shift,
    read_tempo,
    read_unit,
    read_voice,
    sounding_key,
)
from pipeline_lib.notes.notation.abc.scanner import Token, field_of, scan, without_comment
from pipeline_lib.notes.notation.abc.voice import Setting, Voice
from pipeline_lib.notes.notation.written import Mark, Sign, WrittenScore
from pipeline_lib.notes.piece import RejectedFile, TrackInfo
from pipeline_lib.notes.table import RejectReason

_REPEATS = (Sign.REPEAT_START, Sign.REPEAT_END, Sign.ENDING_START, Sign.ENDING_END)
_RETURNS = (*_REPEATS, Sign.DOUBLE_BAR)
_REACH = re.compile(r"(?:%%|I:)\s*propagate-accidentals\s*:?\s*(not|octave|pitch)\b")
_MAX_VOICES = 1_000


def read_tune(text: str) -> WrittenScore:
    r"""Read one tune.

    Parameters
    ----------
    text : str
        The tune, its lines ended by line feeds.

    Raises
    ------
    RejectedFile
        It has no key, which a tune has to have, and at which its music begins.

    Examples
    --------
    >>> score = read_tune("X:1\nT:Scale\nL:1/4\nK:D\nDEFG|\n")
    >>> [note.pitch for note in score.notes], score.title
    ([62, 64, 66, 67], 'Scale')
    """
    tune = _Tune()
    for line in text.split("\n"):
        tune.take(line)
    return tune.finished()


class _Tune:
    """Takes the lines of a tune one by one."""

    def __init__(self) -> None:
        self._score = WrittenScore()
        self._setting = Setting()
        """What holds for voices that are yet to begin."""
        self._unit_is_stated = False
        self._in_body = False
        self._voices: dict[str, Voice] = {}
        self._voice: Voice | None = None
        self._tempo_text: str | None = None
        self._continued = ""
        self._decoration_of: dict[str, str] = {"S": "segno", "O": "coda"}

    def take(self, line: str) -> None:
        """Take one line."""
        reach = _REACH.match(line.strip())
        if reach:
            self._set(reach=reach[1])
            return
        line = without_comment(line)
        found = field_of(line, in_body=self._in_body)
        if found is not None:
            self._end_continued()
            self._field(*found)
        elif self._in_body:
            # A line that ends in a backslash goes on in the next, be it in mid-token.
            line = self._continued + line.strip()
            self._continued = line[:-1] if line.endswith("\\") else ""
            if not self._continued:
                self._scan(line)

    def _end_continued(self) -> None:
        line, self._continued = self._continued, ""
        self._scan(line)

    def _scan(self, line: str) -> None:
        for token in scan(line):
            self._music(token)

    def finished(self) -> WrittenScore:
        """The score, once all lines are taken."""
        self._end_continued()
        if not self._in_body:
            raise RejectedFile(RejectReason.MALFORMED, "a tune of ABC without a key (K:)")
        score = self._score
        voices = [v for v in self._voices.values() if v.time or len(self._voices) == 1]
        for part, voice in enumerate(voices):
            voice.finish()
            score.parts.append(TrackInfo(voice.name))
            score.notes += [note._replace(part=part) for note in voice.notes]
            score.warnings += voice.warnings
        score.end_quarter = max((v.time for v in voices), default=score.end_quarter)
        score.marks = _marks(score.marks, [voice.marks for voice in voices])
        self._check_order()
        return score

    def _check_order(self) -> None:
        score = self._score
        names = {mark.name for mark in score.marks if mark.sign is Sign.SECTION}
        missing = sorted(set(score.order) - names)
        if missing:
            score.warnings.append(f"the order of parts names {', '.join(missing)}: it is not there")
            if not names & set(score.order):
                score.order = ()

    # Fields

    def _field(self, letter: str, value: str) -> None:
        try:
            self._take_field(letter, value.strip())
        except ValueError as error:
            where = f"bar {self._voice.bar_number}" if self._voice else "header"
            self._score.warnings.append(f"{where}: {error}")

    def _take_field(self, letter: str, value: str) -> None:
        if letter == "T" and self._score.title is None:
            self._score.title = value or None
        elif letter == "M":
            self._metre(value)
        elif letter == "L":
            self._unit_is_stated = True
            self._set(unit_quarter=read_unit(value))
        elif letter == "Q":
            self._tempo(value)
        elif letter == "P":
            self._part(value)
        elif letter == "V":
            self._begin_voice(value)
        elif letter == "K":
            self._key(value)
        elif letter == "U":
            self._define(value)
        elif letter == "I":
            reach = _REACH.match(f"I:{value}")
            if reach:
                self._set(reach=reach[1])
        elif letter == "m":
            self._score.warnings.append(f"macro {value!r} is not played")

    def _set(self, **changes: Any) -> None:
        """Change what holds: in the voice under way, or before the first for all."""
        if self._voice is None:
            self._setting = replace(self._setting, **changes)
            for voice in self._voices.values():
                voice.setting = replace(voice.setting, **changes)
        else:
            self._voice.setting = replace(self._voice.setting, **changes)

    def _metre(self, value: str) -> None:
        metre = read_metre(value)
        self._set(metre=metre)
        if not self._in_body and not self._unit_is_stated:
            self._set(unit_quarter=default_unit(metre))
        if self._in_body:
            self._state_metre()

    def _state_metre(self) -> None:
        metre = (self._voice or self).setting.metre
        self._score.time_signatures.append((self._now, metre.name))

    def _key(self, value: str) -> None:
        try:
            self._set_key(value)
        finally:
            # Also an unknown key ends the header.
            if not self._in_body:
                self._begin_body()

    def _set_key(self, value: str) -> None:
        key, shift = read_key(value), read_shift(value)
        if shift.octaves is not None:
            self._set(octaves=shift.octaves)
        if shift.transpose is not None:
            self._set(transpose=shift.transpose)
        if key is not None:
            self._set(key=key)
            if self._in_body:
                self._state_key()

    def _state_key(self) -> None:
        setting = (self._voice or self).setting
        name = sounding_key(setting.key.name, setting.transpose)
        self._score.key_signatures.append((self._now, name))

    def _begin_body(self) -> None:
        self._in_body = True
        # What the header said of a voice does not make it the one under way.
        self._voice = None
        self._state_metre()
        self._state_key()
        if self._tempo_text is not None:
            self._tempo(self._tempo_text)

    def _tempo(self, value: str) -> None:
        if not self._in_body:
            self._tempo_text = value  # the unit may be yet to come
            return
        tempo_qpm = read_tempo(value, (self._voice or self).setting.unit_quarter)
        if tempo_qpm is not None:
            self._score.tempos.append((self._now, tempo_qpm))

    def _part(self, value: str) -> None:
        if self._in_body:
            self._score.marks.append(Mark(self._now, Sign.SECTION, name=value[:1]))
        else:
            self._score.order = read_order(value)

    def _begin_voice(self, value: str) -> None:
        identifier, name = read_voice(value)
        if identifier not in self._voices:
            if len(self._voices) >= _MAX_VOICES:
                raise ValueError(f"more than {_MAX_VOICES} voices: {identifier!r} is left out")
            self._voices[identifier] = Voice(len(self._voices), self._setting)
        voice = self._voices[identifier]
        self._voice = voice
        voice.name = name or voice.name
        shift = read_shift(value)
        if shift.octaves is not None:
            self._set(octaves=shift.octaves)
        if shift.transpose is not None:
            self._set(transpose=shift.transpose)
        if not self._in_body:
            self._voice = None

    def _define(self, value: str) -> None:
        match = re.match(r"([.~H-Wh-w])\s*=\s*[!+]?([^!+]*)", value)
        if match:
            self._decoration_of[match[1]] = match[2].strip()

    @property
    def setting(self) -> Setting:
        """What holds for voices that are yet to begin."""
        return self._setting

    @property
    def _now(self) -> Any:
        return self._voice.time if self._voice else self._score.end_quarter

    @property
    def _current(self) -> Voice:
        """The voice under way: the first, where music begins without a word."""
        if self._voice is None:
            if not self._voices:
                self._voices[""] = Voice(0, self._setting)
            self._voice = next(iter(self._voices.values()))
        return self._voice

    # Music

    def _music(self, token: Token) -> None:
        match, voice = token.match, self._current
        if match is None:
            voice.warn(f"{token.text!r} has no meaning in music")
        elif token.kind == "note":
            voice.note(token.text)
        elif token.kind == "bar":
            voice.bar(match["bar_sign"])
            if match["bar_passes"]:
                voice.ending(match["bar_passes"])
        elif token.kind == "chord":
            inner = match["chord_notes"] or match["old_chord"]
            voice.chord(inner, match["chord_length"] or match["old_chord_length"] or "")
        elif token.kind == "rest":
            voice.rest(match["rest_length"])
        elif token.kind == "rests":
            voice.rest_bars(match["n_bars"])
        elif token.kind == "field":
            self._field(match["field_name"], match["field_value"])
        elif token.kind == "ending":
            voice.ending(match["passes"] or match["ending_text"])
        elif token.kind == "overlay":
            voice.overlay(len(match["overlays"] or ""))
        elif token.kind == "decoration":
            voice.decoration(match["sign"] or match["old_sign"])
        elif token.kind == "letter":
            voice.decoration(self._decoration_of.get(token.text, ""))
        elif token.kind == "tuplet":
            voice.tuplet(match["tuplet_p"], match["tuplet_q"], match["tuplet_r"])
        elif token.kind in _PLAIN:
            _PLAIN[token.kind](voice, token.text)


_PLAIN = {
    "tie": lambda voice, _: voice.tie(),
    "broken": Voice.broken,
    "grace": Voice.grace,
    "text": Voice.text,
}
"""What a voice does with tokens that need no taking apart."""


def _marks(sections: list[Mark], voices: list[list[Mark]]) -> list[Mark]:
    """The marks of a tune: repeats of the first voice that has any, sections and jumps of all, each once."""
    repeats: list[Mark] = next(
        (marks for marks in voices if any(m.sign in _REPEATS for m in marks)),
        voices[0] if voices else [],
    )
    marks = [mark for mark in repeats if mark.sign in _RETURNS]
    # Voices state the section that begins one after another, and jumps together.
    marks += {mark.name: mark for mark in reversed(sections)}.values()
    marks += {m[:2]: m for voice in voices for m in voice if m.sign not in _RETURNS}.values()
    marks.sort(key=lambda mark: mark.at_quarter)
    codas = [n for n, mark in enumerate(marks) if mark.sign is Sign.CODA]
    if len(codas) > 1 and not any(mark.sign is Sign.TO_CODA for mark in marks):
        marks[codas[0]] = marks[codas[0]]._replace(sign=Sign.TO_CODA)
    return marks
