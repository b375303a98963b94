"""Humdrum kern to notes, rule by rule; notes as ``pitch:onset+duration`` in quarters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.notes.notation.kern import read_kern
from pipeline_lib.notes.notation.playing import play
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile
from tests.notes.tiny_scores import as_text, in_order, line


def kern(*lines: str) -> ParsedPiece:
    """A piece of lines whose columns are divided by blanks; an ampersand stands for a blank in one."""
    text = "\n".join(row.replace(" ", "\t").replace("&", " ") for row in lines)
    return play(read_kern(text), "play")


def column(tokens: str, *before: str) -> str:
    """The notes of one spine."""
    return as_text(kern("**kern", *before, *tokens.split(), "*-"))


@pytest.mark.parametrize(
    ("tokens", "notes"),
    [
        ("4c 4d 4e", line("60 62 64")),
        ("4C 4CC 4CCC 4c 4cc 4ccc", line("48 36 24 60 72 84")),
        ("4c# 4d- 4e## 4f-- 4gn", line("61 61 66 63 67")),
        ("8c 16d 2e 1f", "60:0+1/2 62:1/2+1/4 64:3/4+2 65:11/4+4"),
        ("4.c 8..d 2...e", "60:0+3/2 62:3/2+7/8 64:19/8+15/4"),
        ("0c 00d 000e", "60:0+8 62:8+16 64:24+32"),
        ("6c 6d 6e 12f 20g", "60:0+2/3 62:2/3+2/3 64:4/3+2/3 65:2+1/3 67:7/3+1/5"),
        ("3%2c 1%3d", "60:0+8/3 62:8/3+12"),
        ("4r 4c", "60:1+1"),
        ("4c&4e&4g 4d", "60:0+1 64:0+1 67:0+1 62:1+1"),
        ("4c&e&g 4d", "60:0+1 64:0+1 67:0+1 62:1+1"),
        ("2c&4e 4d", "60:0+2 64:0+1 62:2+1"),
        ("4c qd 4e", "60:0+1 64:1+1"),
        ("4c 8qd 16qqe 4f", "60:0+1 65:1+1"),
        ("4c/L 4d\\J 4e'~ (4f; 4gT) 4ayy", line("60 62 64 65 67 69")),
        ("4R 4c", "60:1+1"),
        ("[4c 4c]", "60:0+2"),
        ("[4c 4c_ = 2c]", "60:0+4"),
        ("[4c 4d 4c]", line("60 62 60")),
        ("[4c&4e 4c]&4e", "60:0+2 64:0+1 64:1+1"),
        ("[4c&[4e 4c]&4e]", "60:0+2 64:0+2"),
        ("[4c#X = 4c#]", "61:0+2"),
    ],
)
def test_notes_of_a_spine(tokens: str, notes: str) -> None:
    assert column(tokens) == in_order(notes)


@pytest.mark.parametrize(
    ("lines", "notes"),
    [
        (["**kern **kern", "2C 4c", ". 4d", "*- *-"], "48:0+2 60:0+1 62:1+1"),
        (["**kern **kern", "4C 2c", "4D .", "4E 4d", "*- *-"], "48:0+1 50:1+1 52:2+1 60:0+2 62:2+1"),
        (["**kern **kern", "4.C 4c", ". 8d", "8D 4e", "8E .", "*- *-"],
         "48:0+3/2 50:3/2+1/2 52:2+1/2 60:0+1 62:1+1/2 64:3/2+1"),
        # Splits and merges
        (["**kern", "*^", "4c 4e", "*v *v", "4d", "*-"], "60:0+1 64:0+1 62:1+1"),
        (["**kern", "*^", "2c 4e", ". 4f", "*v *v", "4d", "*-"], "60:0+2 64:0+1 65:1+1 62:2+1"),
        (["**kern", "*^", "*^ *", "4c 4e 4g", "*v *v *v", "4d", "*-"], "60:0+1 64:0+1 67:0+1 62:1+1"),
        (["**kern", "*^", "*^ *^", "4c 4e 4g 4b", "*v *v *v *v", "4d", "*-"],
         "60:0+1 64:0+1 67:0+1 71:0+1 62:1+1"),
        (["**kern", "*^", "* *^", "4c 4e 4g", "* *v *v", "4d 4f", "*v *v", "4e", "*-"],
         "60:0+1 64:0+1 67:0+1 62:1+1 65:1+1 64:2+1"),
        (["**kern **kern", "*^ *^", "4C 4E 4c 4e", "*v *v *v *v", "4D 4d", "*- *-"],
         "48:0+1 52:0+1 60:0+1 64:0+1 50:1+1 62:1+1"),
        (["**kern **kern", "* *^", "4C 4c 4e", "* *v *v", "4D 4d", "*- *-"],
         "48:0+1 60:0+1 64:0+1 50:1+1 62:1+1"),
        (["**kern", "*^", "[4c 4e", "*v *v", "4c]", "*-"], "60:0+2 64:0+1"),
        # Spines that come, go and change places
        (["**kern", "4c", "*+", "* **kern", "4d 4f", "*- *-"], "60:0+1 62:1+1 65:1+1"),
        (["**kern **kern", "4C 4c", "*x *x", "4d 4D", "*x *x", "4E 4e", "*- *-"],
         "48:0+1 60:0+1 50:1+1 62:1+1 52:2+1 64:2+1"),
        (["**kern **kern", "4C 4c", "* *-", "4D", "*-"], "48:0+1 60:0+1 50:1+1"),
        (["**kern **kern", "4C 4c", "*- *-", "**kern", "4D", "*-"], "48:0+1 60:0+1 50:1+1"),
        # Spines of other kinds
        (["**harm **kern", "4I 4c", "4V 4d", "*- *-"], "60:0+1 62:1+1"),
        (["**kern **dynam **text", "2c p a", ". < .", "4d f b", "*- *- *-"], "60:0+2 62:2+1"),
        (["**dynam **kern", "*^ *", "p p 4c", "*v *v *", "f 4d", "*- *-"], "60:0+1 62:1+1"),
    ],
)  # fmt: skip
def test_spines(lines: list[str], notes: str) -> None:
    piece = kern(*lines)
    assert as_text(piece) == in_order(notes)
    assert not piece.warnings


def test_exchanged_spines_stay_with_their_parts() -> None:
    piece = kern("**kern **kern", "4C 4c", "*x *x", "4d 4D", "*- *-")
    assert sorted(zip(piece.track.tolist(), piece.pitch.tolist(), strict=True)) == [
        *[(0, 60), (0, 62), (1, 48), (1, 50)]
    ]


def test_parts_from_the_top_of_the_page_with_names_and_programs() -> None:
    piece = kern("**kern **kern", '*I"Cello *I"Flute', "*Icello *Iflt", "4C 4c", "*- *-")
    assert [(t.name, t.program) for t in piece.tracks] == [("Flute", 73), ("Cello", 42)]
    assert piece.track.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("tokens", "pitches"),
    [
        ("=1!|: 4c =2:|! 4d ==", "60 60 62"),
        ("4c =:|! 4d ==:|!", "60 60 62 62"),
        ("=1!|: 4c =:|!|: 4d ==:|!", "60 60 62 62"),
        ("4c =3:|!|: 4d ==:|!", "60 60 62 62"),
        ("=|: 4c =:| 4d", "60 60 62"),
        ("4c =2:||: 4d =:|!;", "60 60 62 62"),
        ("*>[A,B,A] *>A 4c *>B 4d", "60 62 60"),
        ("*>[A,A,B] *>norep[A,B] *>A =1!|: 4c =:|! *>B 4d", "60 60 62"),
        ("*>norep[A] *>A =!|: 4c =:|! *>B 4d", "60 60 62"),
        ("*>[A,A1,A,A2] *>A 4c *>A1 4d *>A2 4e", "60 62 60 64"),
        ("*>[A,X] *>A 4c *>B 4d", "60"),
    ],
)
def test_repeats(tokens: str, pitches: str) -> None:
    assert column(tokens) == line(pitches)


@pytest.mark.parametrize(
    ("tokens", "metre", "key", "tempo_qpm"),
    [
        ("*M3/4 *k[b-] *d: *MM96", "3/4", "D minor", 96.0),
        ("*d: *k[b-]", "4/4", "D minor", 120.0),
        ("*M2+3/8 *k[f#c#]", "5/8", "D major", 120.0),
        ("*k[] *D:dor", "4/4", "C major", 120.0),
        ("*k[] *A:aeo", "4/4", "A minor", 120.0),
        ("*k[b-e-a-] *c:", "4/4", "C minor", 120.0),
        ("*f#: *MM60.5", "4/4", "F# minor", 60.5),
        ("*M0/4 *k[c#] *?:X *MM[Allegro]", "4/4", None, 120.0),
        ("*ITrd-1c-2 *Trd1c2 *clefGv2", "4/4", None, 120.0),
    ],
)
def test_what_a_spine_states(tokens: str, metre: str, key: str | None, tempo_qpm: float) -> None:
    piece = kern("**kern", *tokens.split(), "4c", "*-")
    assert (piece.time_signature, piece.key_signature, piece.tempo_qpm) == (metre, key, tempo_qpm)
    assert piece.pitch.tolist() == [60]


def test_the_title() -> None:
    text = "!!!COM: Anon\n!!!OTL@@EN: A Song\n**kern\n4c\n*-\n"
    assert read_kern(text).title == "A Song"


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (["**kern", "4c 4d", "*-"], "line 2: 2 columns where there are 1 spines"),
        (["**kern", "c", "*-"], "line 2: 'c' has no length"),
        (["**kern", "4", "*-"], "line 2: '4' is no note"),
        (["**kern", "4ce", "*-"], "line 2: '4ce' is no note"),
        (["**kern", "4c", "*x", "*-"], "line 3: a spine is exchanged (*x) with none"),
        (["**kern **kern", "2c 4e", "4d 4f", "*- *-"], "line 3: a note begins before the one before it ends"),
        (["**kern", "*>[A,B]", "*>A", "4c", "*-"], "the expansion list names B: it is not there"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said(lines: list[str], warning: str) -> None:
    assert kern(*lines).warnings == (warning,)


@pytest.mark.parametrize("text", ["", "**harm\n4I\n*-\n", "Dear diary"])
def test_files_without_kern_are_refused(text: str) -> None:
    with pytest.raises(RejectedFile, match="kern"):
        read_kern(text)


@pytest.mark.parametrize(
    "tokens", ["*^ " * 12, "4" + "c" * 99, "0%999999c", "9" * 99 + "c", "4c" + "." * 99, "*v " * 9]
)
def test_nonsense_costs_neither_time_nor_memory(tokens: str) -> None:
    assert len(column(tokens).split()) < 9


@given(st.lists(st.sampled_from("48.cdCr[]_#-=:|!*^v+x>\t \n")).map("".join))
def test_any_text_is_read_or_refused(body: str) -> None:
    try:
        piece = play(read_kern(f"**kern\t**kern\n{body}\n*-\t*-\n"), "play")
    except RejectedFile:
        return
    assert (piece.duration_tick > 0).all()
