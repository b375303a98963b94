"""ABC, kern and MusicXML to notes."""

from __future__ import annotations

import io
import zipfile
from fractions import Fraction

import pytest
from tiny_files import TUNE_ABC

from pipeline_lib.notes.piece import ParsedPiece, RejectedFile
from pipeline_lib.notes.scores import read_score
from pipeline_lib.notes.table import RejectReason

KERN = b"**kern\n*M3/4\n*k[b-]\n*d:\n4c\n8d\n8e\n4f\n=2\n2.g\n==\n*-\n"

MUSICXML = b"""<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="3.1">
  <part-list>
    <score-part id="P1"><part-name>Flute</part-name>
      <score-instrument id="I1"><instrument-name>Flute</instrument-name></score-instrument>
      <midi-instrument id="I1"><midi-channel>1</midi-channel><midi-program>74</midi-program></midi-instrument>
    </score-part>
    <score-part id="P2"><part-name>Bass</part-name></score-part>
  </part-list>
  <part id="P1"><measure number="1">
    <attributes><divisions>3</divisions><time><beats>2</beats><beat-type>4</beat-type></time></attributes>
    <note><pitch><step>C</step><octave>5</octave></pitch><duration>2</duration><type>quarter</type>
      <time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification></note>
    <note><pitch><step>D</step><octave>5</octave></pitch><duration>1</duration><type>eighth</type>
      <time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification></note>
    <note><pitch><step>E</step><octave>5</octave></pitch><duration>3</duration><type>quarter</type></note>
  </measure></part>
  <part id="P2"><measure number="1">
    <attributes><divisions>3</divisions></attributes>
    <note><pitch><step>C</step><octave>3</octave></pitch><duration>6</duration><type>half</type></note>
  </measure></part>
</score-partwise>
"""


def abc(body: str, header: str = "M:2/4\nL:1/4\nK:C\n") -> bytes:
    return f"X:1\nT:T\n{header}{body}\n".encode()


def quarters(piece: ParsedPiece) -> list[tuple[Fraction, Fraction, int]]:
    """(onset, duration, pitch) in exact quarter notes."""
    columns = zip(piece.onset_tick, piece.duration_tick, piece.pitch, strict=True)
    per_quarter = piece.ticks_per_quarter
    return [
        (Fraction(int(o), per_quarter), Fraction(int(d), per_quarter), int(p))
        for o, d, p in columns
    ]


def test_repeats_are_played() -> None:
    piece = read_score(TUNE_ABC, ".abc")
    assert piece.pitch.tolist() == [70, 69, 70, 72, 70, 69, 70, 72, 74, 74, 75]
    assert piece.onset_tick.tolist() == [480 * i for i in range(11)]
    assert piece.duration_tick.tolist() == [480] * 10 + [960]
    assert (piece.tempo_qpm, piece.time_signature) == (90.0, "2/4")
    assert piece.key_signature == "Bb major"


def test_where_repeats_make_no_sense_notes_are_taken_as_written() -> None:
    opened_twice = abc("|: CD | EF |: GA | Bc |]")
    assert read_score(opened_twice, ".abc").pitch.tolist() == [60, 62, 64, 65, 67, 69, 71, 72]


def test_triplets_are_exact() -> None:
    piece = read_score(abc("(3C/D/E/ F | GA | Bc |]"), ".abc")
    third = Fraction(1, 3)
    assert quarters(piece)[:4] == [
        (Fraction(0), third, 60),
        (third, third, 62),
        (2 * third, third, 64),
        (Fraction(1), Fraction(1), 65),
    ]
    assert piece.ticks_per_quarter == 480


def test_septuplets_raise_the_resolution_until_they_are_exact() -> None:
    piece = read_score(abc("(7:4:7C/4D/4E/4F/4G/4A/4B/4 c | GA | Bc |]"), ".abc")
    assert quarters(piece)[1] == (Fraction(1, 7), Fraction(1, 7), 62)
    assert piece.ticks_per_quarter == 480 * 7


def test_ties_merge_and_grace_notes_are_dropped() -> None:
    piece = read_score(abc("CD- | D{g}E | FG |]"), ".abc")
    assert quarters(piece)[:3] == [(0, 1, 60), (1, 2, 62), (3, 1, 64)]
    assert len(piece) == 5


def test_chords_sound_and_chord_symbols_do_not() -> None:
    piece = read_score(abc('"Am"[CE]D | EF | GA |]'), ".abc")
    assert quarters(piece)[:3] == [(0, 1, 60), (0, 1, 64), (1, 1, 62)]
    assert len(piece) == 7


def test_the_first_of_several_tunes_is_read() -> None:
    second = TUNE_ABC.replace(b"X:1", b"X:2").replace(b"BA", b"cc")
    assert read_score(TUNE_ABC + b"\n" + second, ".abc").pitch[0] == 70


def test_abc_in_latin_1() -> None:
    assert len(read_score(TUNE_ABC.replace(b"T:Tune", b"T:T\xfcne"), ".abc")) == 11


@pytest.mark.parametrize(
    ("key", "name"),
    [("Am", "A minor"), ("Ddor", "C major"), ("Amix", "D major"), ("F#m", "F# minor")],
)
def test_modes_that_midi_lacks_get_the_major_key_of_their_signature(key: str, name: str) -> None:
    tune = abc("CD | EF | GA |]", header=f"M:2/4\nL:1/4\nK:{key}\n")
    assert read_score(tune, ".abc").key_signature == name


def test_kern() -> None:
    piece = read_score(KERN, ".krn")
    half = Fraction(1, 2)
    assert quarters(piece) == [
        (0, 1, 60),
        (1, half, 62),
        (3 * half, half, 64),
        (2, 1, 65),
        (3, 3, 67),
    ]
    assert (piece.time_signature, piece.key_signature) == ("3/4", "D minor")


@pytest.mark.parametrize("suffix", [".musicxml", ".xml", ".mxl"])
def test_musicxml(suffix: str) -> None:
    piece = read_score(zipped(MUSICXML) if suffix == ".mxl" else MUSICXML, suffix)
    third = Fraction(1, 3)
    assert quarters(piece) == [(0, 2 * third, 72), (0, 2, 48), (2 * third, third, 74), (1, 1, 76)]
    assert piece.track.tolist() == [0, 1, 0, 0]
    assert piece.program.tolist() == [73, 0, 73, 73]
    assert piece.n_tracks == 2


def zipped(xml: bytes) -> bytes:
    container = b'<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("a.xml", xml)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "suffix", "reason"),
    [
        (b"", ".abc", "empty_file"),
        (b"Dear diary, today I practised.", ".abc", "not_music"),
        (b"Dear diary, today I practised.", ".krn", "not_music"),
        (b"<html></html>", ".musicxml", "not_music"),
        (b"no archive", ".mxl", "not_music"),
        (MUSICXML[:-40], ".xml", "malformed"),
        (zipped(MUSICXML)[:-40], ".mxl", "malformed"),
        (MUSICXML.replace(b"<octave>3", b"<octave>12"), ".xml", "malformed"),
    ],
)
def test_what_cannot_be_used_is_rejected(data: bytes, suffix: str, reason: str) -> None:
    with pytest.raises(RejectedFile) as caught:
        read_score(data, suffix)
    assert caught.value.reason == RejectReason(reason)
