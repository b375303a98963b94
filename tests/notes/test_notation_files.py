"""Files of any notation to notes: what kind a file is of, its text, its pieces."""

from __future__ import annotations

import io
import zipfile
from fractions import Fraction

import pytest

from pipeline_lib.notes.corpus.archives import MAX_FILE_BYTES
from pipeline_lib.notes.notation.files import read_scores
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile
from pipeline_lib.notes.table import RejectReason
from tests.notes.tiny_files import TUNE_ABC
from tests.notes.tiny_scores import MUSICXML

KERN = b"**kern\n*M3/4\n4c\n4d\n=2\n4e\n*-\n"
ABC = b"X:1\nT:T\nL:1/4\nK:C\nCDE|\n"


def read_score(data: bytes, suffix: str) -> ParsedPiece:
    """The one piece of a file."""
    (piece,) = read_scores(data, suffix)
    assert isinstance(piece, ParsedPiece)
    return piece


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


def test_septuplets_raise_the_resolution_until_they_are_exact() -> None:
    piece = read_score(abc("(7:4:7C/4D/4E/4F/4G/4A/4B/4 c | GA | Bc |]"), ".abc")
    assert quarters(piece)[1] == (Fraction(1, 7), Fraction(1, 7), 62)
    assert piece.ticks_per_quarter == 480 * 7


def test_a_natural_tied_twice_is_one_note() -> None:
    tune = abc("=F2- | F2- | F2 | CC |]", header="M:2/4\nL:1/4\nK:C\n")
    assert quarters(read_score(tune, ".abc"))[0] == (0, 6, 65)


def test_each_tune_of_a_book_is_a_piece_and_a_broken_one_costs_no_other() -> None:
    book = (
        b"M:2/4\nL:1/4\nQ:1/4=90\n\nX:1\nT:A\nK:C\nCD|\n\nX:2\nT:B\n\nX:3\nT:C\nL:1/8\nK:G\nGA|\n"
    )
    first, broken, last = read_scores(book, ".abc")
    assert isinstance(first, ParsedPiece)
    assert isinstance(last, ParsedPiece)
    assert isinstance(broken, RejectedFile) or not len(broken)
    # The file's fields hold for every tune, unless the tune says otherwise.
    assert quarters(first) == [(0, 1, 60), (1, 1, 62)]
    assert quarters(last) == [(0, Fraction(1, 2), 67), (Fraction(1, 2), Fraction(1, 2), 69)]
    assert [p.time_signature for p in (first, last)] == ["2/4", "2/4"]
    assert [p.tempo_qpm for p in (first, last)] == [90.0, 90.0]
    assert [p.key_signature for p in (first, last)] == ["C major", "G major"]


TWO_TUNES = b"X:1\nT:A\nM:2/4\nL:1/4\nK:C\nCD|\n\nX:2\nT:B\nM:2/4\nL:1/4\nK:C\nGA|\n"


def pitches(book: bytes) -> list[list[int]]:
    tunes = read_scores(book, ".abc")
    return [tune.pitch.tolist() for tune in tunes if isinstance(tune, ParsedPiece)]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_lines_of_abc_end_as_on_any_system(line_end: bytes) -> None:
    assert pitches(TWO_TUNES.replace(b"\n", line_end)) == [[60, 62], [67, 69]]
    (one, _) = TWO_TUNES.split(b"\n\n")
    assert read_score(one.replace(b"\n", line_end), ".abc").pitch.tolist() == [60, 62]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"T:A", b"T:A\x85bag"),  # an ellipsis in Windows' encoding, a line break in Unicode
        (b"T:A", b"T:A X:3"),
        (b"X:2", b"  X:2"),
        (b"X:1", b"A badge\n\nX:1"),
        (b"X:2", b"A badge was given.\n\nX:2"),
        (b"|\n\nX:2", b"|\n \nA badge was given.\n\nX:2"),
    ],
)
def test_nothing_beside_the_tunes_of_a_book_becomes_music(before: bytes, after: bytes) -> None:
    assert pitches(TWO_TUNES.replace(before, after)) == [[60, 62], [67, 69]]


def test_an_empty_line_within_a_tune_costs_no_music() -> None:
    assert pitches(TWO_TUNES.replace(b"CD|\n", b"CD|\n\nEF|\n")) == [[60, 62, 64, 65], [67, 69]]


def test_a_compressed_score_that_unpacks_to_gigabytes_is_refused_unopened() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.xml", bytes(MAX_FILE_BYTES + 1))
    with pytest.raises(RejectedFile) as caught:
        read_scores(bomb.getvalue(), ".mxl")
    assert caught.value.reason == RejectReason.TOO_LARGE


def test_abc_in_latin_1() -> None:
    assert len(read_score(TUNE_ABC.replace(b"T:Tune", b"T:T\xfcne"), ".abc")) == 11


@pytest.mark.parametrize(
    ("key", "name"),
    [("Am", "A minor"), ("Ddor", "C major"), ("Amix", "D major"), ("F#m", "F# minor")],
)
def test_modes_that_midi_lacks_get_the_major_key_of_their_signature(key: str, name: str) -> None:
    tune = abc("CD | EF | GA |]", header=f"M:2/4\nL:1/4\nK:{key}\n")
    assert read_score(tune, ".abc").key_signature == name


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


@pytest.mark.parametrize("suffix", [".abc", ".krn", ".musicxml", ".mxl", ".xml"])
@pytest.mark.parametrize("packed", [False, True])
def test_content_and_not_the_name_says_what_a_file_is(suffix: str, packed: bool) -> None:
    xml = zipped(MUSICXML) if packed else MUSICXML
    assert read_score(xml, suffix).pitch.tolist() == [72, 48, 74, 76]
    assert read_score(KERN, suffix).pitch.tolist() == [60, 62, 64]
    assert read_score(ABC, suffix).pitch.tolist() == [60, 62, 64]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("data", [ABC, KERN])
def test_text_in_any_encoding(encoding: str, data: bytes) -> None:
    text = data.decode().replace("T:T", "T:Tüne")
    assert read_score(text.encode(encoding), ".abc").pitch.tolist() == [60, 62, 64]


def test_repeats_are_played_or_not_as_asked() -> None:
    for data in (
        ABC.replace(b"CDE|", b"CD:|E"),
        KERN.replace(b"=2\n", b"=2:|!\n"),
        KERN.replace(b"*M3/4\n", b"*>[A,A,B]\n*>A\n").replace(b"=2\n", b"*>B\n"),
    ):
        played, once = (read_scores(data, ".abc", repeats)[0] for repeats in ("play", "once"))
        assert isinstance(played, ParsedPiece)
        assert isinstance(once, ParsedPiece)
        assert played.pitch.tolist() == [60, 62, 60, 62, 64]
        assert once.pitch.tolist() == [60, 62, 64]
