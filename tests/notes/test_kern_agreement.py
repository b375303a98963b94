"""Note for note against humlib (inside verovio), over pieces in kern of music21's corpus.

verovio plays grace notes, which are taken out of the text that both are given, as are repeats: it does not play
those of every file. It runs in a process of its own, which a broken file can end.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline_lib.notes.notation.kern import read_kern
from pipeline_lib.notes.notation.playing import play
from pipeline_lib.notes.text import decoded

EVERY = 30
"""Share of Palestrina's 1,318 movements that are read; of the others all."""
TICKS_PER_QUARTER = 24
"""verovio ends notes a tick early, of 120 in a quarter: times of both are put on this grid."""

VEROVIO = """
import base64, json, sys, symusic, verovio
verovio.enableLog(verovio.LOG_OFF)
for text in json.load(sys.stdin):
    toolkit = verovio.toolkit()
    toolkit.loadData(text)
    score = symusic.Score.from_midi(base64.b64decode(toolkit.renderToMIDI()))
    notes = [note for track in score.tracks for note in track.notes]
    ticks = score.ticks_per_quarter
    print(json.dumps([(n.time, n.time + n.duration, n.pitch, ticks) for n in notes]), flush=True)
"""


def plain(text: str) -> str:
    """A file without repeats and grace notes."""
    lines = []
    for line in text.split("\n"):
        if line.startswith("*>"):
            continue
        if line.startswith("="):
            line = re.sub(r":|\|!|!\|", "", line)
        elif not line.startswith(("!", "*")):
            tokens = ["." if re.search("[qQ]", token) else token for token in line.split("\t")]
            if set(tokens) == {"."}:
                continue
            line = "\t".join(tokens)
        lines.append(line)
    return "\n".join(lines)


def pieces() -> list[Path]:
    package = find_spec("music21")
    assert package is not None
    assert package.origin is not None
    paths = sorted((Path(package.origin).parent / "corpus").rglob("*.krn"))
    palestrina = [path for path in paths if "palestrina" in path.parts]
    return [path for path in paths if "palestrina" not in path.parts] + palestrina[::EVERY]


def rounded(time: Fraction) -> int:
    return round(time * TICKS_PER_QUARTER)


@pytest.mark.slow
def test_two_readers_agree_on_kern() -> None:
    texts = [plain(decoded(path.read_bytes())) for path in pieces()]
    outcome = subprocess.run(
        [sys.executable, "-c", VEROVIO],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    n_notes = n_equal = 0
    for text, line in zip(texts, outcome.stdout.splitlines(), strict=True):
        theirs = Counter(
            (rounded(Fraction(onset, ticks)), rounded(Fraction(end, ticks)), pitch)
            for onset, end, pitch, ticks in json.loads(line)
        )
        piece = play(read_kern(text), "play")
        assert not piece.warnings
        quarter = piece.ticks_per_quarter
        ours = Counter(
            (rounded(Fraction(int(o), quarter)), rounded(Fraction(int(o + d), quarter)), int(p))
            for o, d, p in zip(piece.onset_tick, piece.duration_tick, piece.pitch, strict=True)
        )
        n_notes += max(ours.total(), theirs.total())
        n_equal += (ours & theirs).total()
    assert n_notes > 30_000
    assert n_equal / n_notes >= 0.999
