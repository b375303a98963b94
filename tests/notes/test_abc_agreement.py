"""Note for note against abc2midi (inside symusic), over whole collections of music21's corpus.

abc2midi performs what a tune says, and makes a performance of it: ornaments are played out, chord symbols
accompany, fermatas are held. What leads to that is taken out of the text that both are given, as are repeats, on
whose missing starts abc2midi does not follow the standard, and a few things that it cannot read. What still differs
is listed here with its cause.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import symusic

from pipeline_lib.notes.notation.abc.book import tunes_of
from pipeline_lib.notes.notation.abc.scanner import field_of, without_comment
from pipeline_lib.notes.notation.abc.tune import read_tune
from pipeline_lib.notes.notation.playing import play
from pipeline_lib.notes.text import decoded

Note = tuple[int, int, int]
"""Onset, end and pitch, the former in steps of a grid."""

UNEQUAL = "broken rhythm between notes of unequal length, which abc2midi leaves out"
CHORD = "a chord whose notes are not equally long, of which abc2midi changes some"
OLD_CHORD = "chords between plus signs, which abc2midi leaves out"
SLUR = "a tie between two pitches, which abc2midi takes for one note"
BRACKET = "a bracket that is never closed: abc2midi takes the rest of the line for one chord"
NO_KEY = "a key that is none (K: H), at which abc2midi gives up"
ROUNDED = "a time that 480 ticks per quarter cannot express, rounded otherwise"
EXPLAINED = {
    "ryansMammoth": {
        ("MollShurkiesJig.abc", 0): UNEQUAL,
        ("TidalWaveJig.abc", 0): UNEQUAL,
        ("BuckleysHornpipe.abc", 0): UNEQUAL,
        ("42dHighlandRegimentStrathspey.abc", 0): UNEQUAL,
        ("BoysOfBockhillJig.abc", 0): UNEQUAL,
        ("MugbyJimsHighlandFling.abc", 0): CHORD,
        ("DickCarrolsClog.abc", 0): CHORD,
        ("MyLadysGoonHasGairsOntStrathspey.abc", 0): BRACKET,
        ("SirGeorgeClargsStrathspey.abc", 0): ROUNDED,
    },
    "oneills1850": {
        ("0811-0899.abc", 0): OLD_CHORD,
        ("0981-1000.abc", 13): SLUR,
        ("1116-1135_mh.abc", 11): SLUR,
        ("1116-1135_mh.abc", 15): SLUR,
        ("1701-1780.abc", 65): CHORD,
        ("0701-0720.abc", 16): UNEQUAL,
        ("0001-0050.abc", 8): UNEQUAL,
        ("1276-1375.abc", 6): UNEQUAL,
        ("1625-1700.abc", 59): UNEQUAL,
        ("1625-1700.abc", 60): UNEQUAL,
        ("0101-0200.abc", 73): ROUNDED,
        ("0051-0100.abc", 43): ROUNDED,
        ("0101-0200.abc", 98): ROUNDED,
        ("0201-0300.abc", 0): ROUNDED,
        ("0051-0100.abc", 20): ROUNDED,
    },
    "airdsAirs": {},
    "essenFolksong": {("han2.abc", 444): NO_KEY},
}
"""For each collection, tunes (file, and number in it from 0) of which notes differ, and why."""

EVERY = {"essenFolksong": 4}
"""Of a large collection, every so many tunes of a file are read; of the others all."""

GRID = 96
"""abc2midi begins notes a tick late and ends them a tick early, of 480 in a quarter: they are put on this grid."""


def as_abc2midi_reads(tune: str) -> str:
    """A tune without what abc2midi performs in its own way."""
    header = ["%%propagate-accidentals octave", "%%MIDI chordattack 0"]
    lines, in_body = [], False
    for line in tune.split("\n"):
        found = field_of(without_comment(line), in_body=in_body)
        if found is None and in_body:
            lines.append(plain_music(without_comment(line)))
        elif found is not None and found[0] in "XMLQKV":
            in_body = in_body or found[0] == "K"
            lines.append(line)
    first, *rest = [line for line in lines if line.strip()]
    return "\n".join([first, *header, *rest, ""])


def plain_music(line: str) -> str:
    line = re.sub(r'"[^"]*"|![^!|]*!|\{[^}]*\}|`', "", line).replace("!", "")
    line = re.sub(r"\[[NPr]:[^\]]*\]", "", line)
    line = re.sub(r"[~.uvkHTJMPRSLOI](?=[(uvTkH.~\^_=]*[A-Ga-gzx\[|])", "", line)
    line = re.sub(r"\[\|\]|:*\|+[:\]]*|::|\[\|:*", " | ", line)
    line = re.sub(r"(\|\s*)+\[?\d[\d,\-]*", " | ", line)
    line = re.sub(r"(\| *)+", "| ", line)
    return re.sub(r"\((5|7|9)(?!:)", r"(\1:2:\1", re.sub(r"\[\d", " ", line))


def on_grid(tick: int, ticks_per_quarter: int) -> int:
    """The nearest step of the grid."""
    return (2 * tick * GRID + ticks_per_quarter) // (2 * ticks_per_quarter)


def theirs(tune: str) -> Counter[Note]:
    notes: Counter[Note] = Counter()
    try:
        with silenced():
            score = symusic.Score.from_abc(tune)
    except RuntimeError:  # it gives up
        return notes
    for track in score.tracks:
        for note in track.notes:
            onset = on_grid(note.time - 1, score.ticks_per_quarter)
            end = on_grid(note.time + note.duration + 1, score.ticks_per_quarter)
            notes[onset, end, note.pitch] += 1
    return notes


def ours(tune: str) -> Counter[Note]:
    piece = play(read_tune(tune), "play")
    columns = zip(piece.onset_tick, piece.duration_tick, piece.pitch, strict=True)
    return Counter(
        (
            on_grid(int(onset), piece.ticks_per_quarter),
            on_grid(int(onset + duration), piece.ticks_per_quarter),
            int(pitch),
        )
        for onset, duration, pitch in columns
    )


@contextmanager
def silenced() -> Iterator[None]:
    """Without what C code prints."""
    kept = [os.dup(stream) for stream in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        yield
    finally:
        for stream, original in zip((1, 2), kept, strict=True):
            os.dup2(original, stream)
            os.close(original)
        os.close(nowhere)


def collection(name: str) -> list[Path]:
    package = find_spec("music21")
    assert package is not None
    assert package.origin is not None
    return sorted((Path(package.origin).parent / "corpus" / name).rglob("*.abc"))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(EXPLAINED))
def test_two_readers_agree_on_a_collection(name: str) -> None:
    n_notes, n_equal = 0, 0
    differing: dict[tuple[str, int], list[Note]] = {}
    for path in collection(name):
        text = re.sub(r"\r\n?", "\n", decoded(path.read_bytes()))
        for number, tune in list(enumerate(tunes_of(text)))[:: EVERY.get(name, 1)]:
            plain = as_abc2midi_reads(tune)
            mine, other = ours(plain), theirs(plain)
            n_notes += max(mine.total(), other.total())
            n_equal += (mine & other).total()
            if mine != other:
                differing[path.name, number] = sorted((mine - other) | (other - mine))[:6]
    unexplained = {tune: notes for tune, notes in differing.items() if tune not in EXPLAINED[name]}
    assert not unexplained
    assert n_equal / n_notes >= 0.999
    assert EXPLAINED[name].keys() <= differing.keys()
