"""ABC to notes, rule by rule; pitches of a line in quarters, or notes as ``pitch:onset+duration``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.notes.notation.abc.book import tunes_of
from pipeline_lib.notes.notation.abc.tune import read_tune
from pipeline_lib.notes.notation.playing import play
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile
from tests.notes.tiny_scores import as_text, in_order, line


def tune(body: str, header: str = "M:4/4\nL:1/4\nK:C") -> ParsedPiece:
    return play(read_tune(f"X:1\nT:T\n{header}\n{body}"), "play")


def quarters(body: str, header: str = "M:4/4\nL:1/4\nK:C") -> str:
    return as_text(tune(body, header))


@pytest.mark.parametrize(
    ("body", "pitches"),
    [
        ("^C C D C | C", "61 61 62 61 60"),
        ("^C c C c | c", "61 72 61 72 72"),  # in its octave alone
        ("^c- | c c", "73:0+2 72:2+1"),  # a tie carries it over the bar line, and no further
        ("^c =c ^^c __c _c", "73 72 74 70 71"),
        ("[^CE] C | [CE] C", "61:0+1 64:0+1 61:1+1 60:2+1 64:2+1 60:3+1"),
        ("{^c}d c", "74 73"),
        ("^c :| c", "73 73 72"),
        ("^c || c", "73 72"),
        ("^1/2c c", "72 72"),
    ],
)
def test_accidentals_hold_to_the_end_of_their_bar(body: str, pitches: str) -> None:
    expected = in_order(pitches) if ":" in pitches else line(pitches)
    assert quarters(body) == in_order(expected)


@pytest.mark.parametrize(
    ("reach", "pitches"),
    [("not", "66 65 77 65"), ("octave", "66 66 77 65"), ("pitch", "66 66 78 65")],
)
@pytest.mark.parametrize("directive", ["%%propagate-accidentals {}", "I:propagate-accidentals {}"])
def test_a_file_may_say_how_far_accidentals_reach(reach: str, pitches: str, directive: str) -> None:
    header = f"{directive.format(reach)}\nM:4/4\nL:1/4\nK:C"
    assert quarters("^F F f | F", header) == in_order(line(pitches))


@pytest.mark.parametrize(
    ("key", "pitches", "name"),
    [
        ("C", "60 62 64 65 67 69 71", "C major"),
        ("", "60 62 64 65 67 69 71", None),
        ("none", "60 62 64 65 67 69 71", None),
        ("Bb", "60 62 63 65 67 69 70", "Bb major"),
        ("Am", "60 62 64 65 67 69 71", "A minor"),
        ("F# minor", "61 62 64 66 68 69 71", "F# minor"),
        ("Ador", "60 62 64 66 67 69 71", "G major"),
        ("D Mixolydian", "60 62 64 66 67 69 71", "G major"),
        ("G lyd", "61 62 64 66 67 69 71", "D major"),
        ("E phrygian", "60 62 64 65 67 69 71", "C major"),
        ("B loc", "60 62 64 65 67 69 71", "C major"),
        ("HP", "61 62 64 66 67 69 71", "D major"),
        ("Hp", "61 62 64 66 67 69 71", "D major"),
        ("D exp _b _e ^f", "60 62 63 66 67 69 70", None),
        ("D =c", "60 62 64 66 67 69 71", "G major"),
        ("Dmix=c^g", "60 62 64 66 68 69 71", "G major"),
        ("A minor ^f^g", "60 62 64 66 68 69 71", "A minor"),
        ("C bass octave=-1", "48 50 52 53 55 57 59", "C major"),
        ("C treble-8", "48 50 52 53 55 57 59", "C major"),
        ("C clef=treble+8", "72 74 76 77 79 81 83", "C major"),
        ("C transpose=2", "62 64 66 67 69 71 73", "D major"),
        ("C middle=d stafflines=1", "60 62 64 65 67 69 71", "C major"),
    ],
)
def test_keys(key: str, pitches: str, name: str | None) -> None:
    piece = tune("CDEFGAB", f"L:1/4\nK:{key}")
    assert as_text(piece) == line(pitches)
    assert piece.key_signature == name


@pytest.mark.parametrize(
    ("body", "pitches"),
    [
        ("F [K:D] F | F", "65 66 66"),
        ("F |\nK:D\nF |", "65 66"),
        ("F [K:clef=bass] F", "65 65"),
        ("F [r:F F F] [N:abc] F", "65 65"),
        ("|:[K:D] F :|[K:C] F", "66 66 65"),
        ("F [K:D octave=1] F [K:G] F", "65 78 78"),
    ],
)
def test_a_key_in_mid_tune(body: str, pitches: str) -> None:
    assert quarters(body) == line(pitches)


@pytest.mark.parametrize(
    ("body", "notes"),
    [
        ("C D/ E// F3/2 G/4 A2", "60:0+1 62:1+1/2 64:3/2+1/4 65:7/4+3/2 67:13/4+1/4 69:7/2+2"),
        ("C [L:1/8] D [L:1/16] E\nL:1/2\nF", "60:0+1 62:1+1/2 64:3/2+1/4 65:7/4+2"),
        ("C>D E<F", "60:0+3/2 62:3/2+1/2 64:2+1/2 65:5/2+3/2"),
        ("C>>D E<<<F", "60:0+7/4 62:7/4+1/4 64:2+1/8 65:17/8+15/8"),
        ("C > D", "60:0+3/2 62:3/2+1/2"),
        ("C>{g}D .E>!trill!F", "60:0+3/2 62:3/2+1/2 64:2+3/2 65:7/2+1/2"),
        ('C>"Am".D [CE]<G', "60:0+3/2 62:3/2+1/2 60:2+1/2 64:2+1/2 67:5/2+3/2"),
        ("C>z D", "60:0+3/2 62:2+1"),
        ("z>C D", "60:3/2+1/2 62:2+1"),
        ("(3C>DE F", "60:0+1 62:1+1/3 64:4/3+2/3 65:2+1"),
        ("C2>D", "60:0+5/2 62:5/2+1/2"),  # of unequal length: the bar keeps its length
        ("(3CDE F", "60:0+2/3 62:2/3+2/3 64:4/3+2/3 65:2+1"),
        ("(3C{d}DE F", "60:0+2/3 62:2/3+2/3 64:4/3+2/3 65:2+1"),
        ("(3CzE F", "60:0+2/3 64:4/3+2/3 65:2+1"),
        ("(3[CE]DyE F", "60:0+2/3 64:0+2/3 62:2/3+2/3 64:4/3+2/3 65:2+1"),
        ("(3:2:2 G2 C D", "67:0+4/3 60:4/3+2/3 62:2+1"),
        ("(3::2 G2 C D", "67:0+4/3 60:4/3+2/3 62:2+1"),
        ("(3:2:4(3CDE F", "60:0+4/9 62:4/9+4/9 64:8/9+4/9 65:4/3+2/3"),
        ("(3(3CDE F", "60:0+2/3 62:2/3+2/3 64:4/3+2/3 65:2+1"),
        ("(2CD E", "60:0+3/2 62:3/2+3/2 64:3+1"),
        ("(4CDEF G", "60:0+3/4 62:3/4+3/4 64:3/2+3/4 65:9/4+3/4 67:3+1"),
        ("((3CDE) (F", "60:0+2/3 62:2/3+2/3 64:4/3+2/3 65:2+1"),
        ("[C2E4] G", "60:0+2 64:0+4 67:2+1"),
        ("[CE]2 [C/E/]2 G", "60:0+2 64:0+2 60:2+1 64:2+1 67:3+1"),
        ("+CE+2 G", "60:0+2 64:0+2 67:2+1"),
        ("C,, C, c' c''", "36:0+1 48:1+1 84:2+1 96:3+1"),
        ("C y D y2 x E z2 F", "60:0+1 62:1+1 64:3+1 65:6+1"),
        ("C4 | Z2 | D4 | X | E4", "60:0+4 62:12+4 64:20+4"),
        ("C0 D", "62:0+1"),
        ("C/0 D", "62:0+1"),
    ],
)
def test_lengths(body: str, notes: str) -> None:
    assert quarters(body) == in_order(notes)


@pytest.mark.parametrize(("metre", "in_time_of"), [("6/8", 3), ("9/8", 3), ("4/4", 2), ("3/4", 2)])
def test_tuplets_of_five_fill_as_much_time_as_their_metre_says(metre: str, in_time_of: int) -> None:
    piece = tune("(5CDEFG A", f"M:{metre}\nL:1/4\nK:C")
    assert as_text(piece).split()[-1] == f"69:{in_time_of}+1"


@pytest.mark.parametrize(
    ("body", "notes"),
    [
        ("C-C D", "60:0+2 62:2+1"),
        ("C- | C D", "60:0+2 62:2+1"),
        ('C-"G"!p!C D', "60:0+2 62:2+1"),
        ("C -C D", "60:0+2 62:2+1"),
        ("C.-C D", "60:0+2 62:2+1"),
        ("C-D", "60:0+1 62:1+1"),
        ("C-zC", "60:0+1 60:2+1"),
        ("[CE]-[CE] D", "60:0+2 64:0+2 62:2+1"),
        ("[C-E][CE]", "60:0+2 64:0+1 64:1+1"),
        ("[CE]-C", "60:0+2 64:0+1"),
        ("C-[CE]", "60:0+2 64:1+1"),
        ("[^CC]-[^C=C]", "60:1+1 61:0+2 61:0+1"),
        ("[C^C]-[=C^C]", "60:0+2 61:0+2"),
        ("[C^C]- | [C^C]", "60:0+2 61:0+2"),
        ("^C- | [C=C]", "61:0+2 60:1+1"),
        ("|: C-|1 C :|2 C2 |]", "60:0+2 60:2+3"),
        ("C-C-C", "60:0+3"),
    ],
)
def test_ties(body: str, notes: str) -> None:
    assert quarters(body) == in_order(notes)


@pytest.mark.parametrize(
    ("body", "pitches"),
    [
        ("|: C :| D", "60 60 62"),
        ("C :| D :|", "60 60 62 62"),
        ("C :: D :|", "60 60 62 62"),
        ("C :|: D :|", "60 60 62 62"),
        ("C :||: D :|", "60 60 62 62"),
        ("C :| |: D :|", "60 60 62 62"),
        ("C || D :|", "60 62 62"),
        ("|: C || D :|", "60 62 60 62"),
        ("C |] D :|", "60 62 62"),
        ("C [|] D :|", "60 62 60 62"),
        ("|: C | D", "60 62"),
        ("|:: C ::| D", "60 60 60 62"),
        ("C |1 D :|2 E |]", "60 62 60 64"),
        ("C |1 D :|2 E :|", "60 62 60 64"),
        ("|: C [1 D :| [2 E |] F", "60 62 60 64 65"),
        ("|: C |1 D :|2 E || F :|", "60 62 60 64 65 65"),
        ("|: C |1,3 D :|2 E |]", "60 62 60 64 60 62"),
        ("|: C |1-3 D :|4 E |]", "60 62 60 62 60 62 60 64"),
        ("|: C |1 D :| E", "60 62 60 64"),
        ("C |1 D |2 E |]", "60 62 64"),
        ("|: C |1 D :|2 E |: F |1 G :|2 A |]", "60 62 60 64 65 67 65 69"),
        ("|: C | \\\n1 D :|2 E |]", "60 62 60 64"),
        ("C | D !fine! | E !D.C.! |]", "60 62 64 60 62"),
        ("C | !fine!D | E !D.C.alfine! |]", "60 62 64 60 62"),
        ("C !segno!D | E | !D.S.! F |]", "60 62 64 65 62 64 65"),
        ("C !segno! D !coda! | E !D.S.! | !coda! F", "60 62 64 62 65"),
        ("C !dacoda! | E !D.C.alcoda! | !coda! F", "60 64 60 65"),
        ("|: C :| D !D.C.! |]", "60 60 62 60 62"),
        ("SC | D OE | !D.S.!F | OG", "60 62 64 65 60 62 67"),
    ],
)
def test_repeats(body: str, pitches: str) -> None:
    assert quarters(body) == line(pitches)


@pytest.mark.parametrize(
    ("order", "pitches"),
    [
        ("ABA", "60 62 62 60"),
        ("A2B", "60 60 62 62"),
        ("(AB)2", "60 62 62 60 62 62"),
        ("A.B.A", "60 62 62 60"),
        ("BC", "62 62"),
        ("X", "60 62 62"),
    ],
)
def test_parts_are_played_in_the_order_of_the_header(order: str, pitches: str) -> None:
    header = f"P:{order}\nL:1/4\nK:C"
    assert quarters("P:A\nC |\nP:B\n|: D :|", header) == line(pitches)
    assert quarters("[P:A] C | [P:B] |: D :|", header) == line(pitches)


def test_repeats_can_be_left_out() -> None:
    score = read_tune("X:1\nP:AA\nL:1/4\nK:C\nP:A\n|: C |1 D :|2 E |]\n|: F :|")
    assert as_text(play(score, "once")) == line("60 64 65")


VOICES = "60:0+4 72:0+1 74:1+1 76:2+1 77:3+1 55:4+4 79:4+4"


@pytest.mark.parametrize(
    ("body", "header"),
    [
        ("V:1\nc d e f | g4 |\nV:2\nC4 | G,4 |", "V:1\nV:2\n"),
        ("V:1\nc d e f |\nV:2\nC4 |\nV:1\ng4 |\nV:2\nG,4 |", ""),
        ("[V:1] c d e f |\n[V:2] C4 |\n[V:1] g4 |\n[V:2] G,4 |", ""),
        ("[V:1] c d e f | [V:2] C4 | [V:1] g4 | [V:2] G,4 |", ""),
        ("V:1\nc d e f | g4 |\nV:2 octave=-1\nc4 | G4 |", ""),
        ("V:1\nc d e f | g4 |\nV:2\nc4 | G4 |", "V:1\nV:2 clef=bass-8\n"),
        ("V:1\nc d e f | g4 |\nV:2\n[L:1/1] C | G, |", ""),
        ("c d e f & C4 | g4 & G,4 |", ""),
        ("c d e f | g4 && C4 | G,4 |", ""),
        ("& C4 | g4 & G,4 |", None),
    ],
)
def test_voices_sound_together(body: str, header: str | None) -> None:
    if header is None:
        body, header = f"c d e f {body}", ""
    assert quarters(body, f"M:4/4\nL:1/4\n{header}K:C") == in_order(VOICES)


def test_voices_are_tracks_in_the_order_in_which_they_are_named() -> None:
    piece = tune(
        "V:B\nC |\nV:A\nE |\nV:C\nG |", 'V:A name="Alto"\nV:B nm="Bass"\nM:4/4\nL:1/4\nK:C'
    )
    assert [(track.name) for track in piece.tracks] == ["Alto", "Bass", None]
    assert sorted(zip(piece.track.tolist(), piece.pitch.tolist(), strict=True)) == [
        *[(0, 64), (1, 60), (2, 67)]
    ]


def test_what_a_field_says_in_one_voice_is_not_said_in_another() -> None:
    body = "V:1\nF [K:D] F ^G |\nV:2\nF F G |\nV:1\nF |\nV:2\nF |"
    notes = "65:0+1 66:1+1 68:2+1 65:0+1 65:1+1 67:2+1 66:3+1 65:3+1"
    assert quarters(body) == in_order(notes)


@pytest.mark.parametrize(
    "body",
    [
        '"Am"C "^text | with bars"D | !trill!E +fermata+F',
        "HC TD | ~E .F",
        "uC vD | JE KF",
        "C D |\nw: ca- ba-ge |\nE F |\nW: a bad bag",
        "C D |\nN:a note\nr:abc\nT:Feed a cab\n% comment abc\nE F | % efg",
        "C D |\n%%text a bad cab\n%%begintext\nabc | def\n%%endtext\nE F",
        "C D | ``E`F $ ; ?",
        "U:W=!trill!\nWC D | !ff!E !<(!F!<)!",
        "(C D | .(E F))",
        "C D [I:linebreak $] | [U:n=!x!] E F",
    ],
)
def test_text_and_ornaments_do_not_sound(body: str) -> None:
    (text,) = tunes_of(f"X:1\nM:2/4\nL:1/4\nK:C\n{body}")
    score = read_tune(text)
    assert as_text(play(score, "play")) == line("60 62 64 65")
    assert not score.warnings


@pytest.mark.parametrize(
    ("metre", "name", "unit"),
    [
        ("4/4", "4/4", "1/2"),
        ("C", "4/4", "1/2"),
        ("C|", "2/2", "1/2"),
        ("2/4", "2/4", "1/4"),
        ("3/4", "3/4", "1/2"),
        ("6/8", "6/8", "1/2"),
        ("2+3/8", "5/8", "1/4"),
        ("(2+2+3)/8", "7/8", "1/2"),
        ("3/4+3/8", "9/8", "1/2"),
        ("none", "4/4", "1/2"),
        ("4/0", "4/4", "1/2"),
        ("1000000/8", "4/4", "1/2"),
        ("4/3", "4/4", "1/2"),
    ],
)
def test_metres_and_the_unit_that_follows(metre: str, name: str, unit: str) -> None:
    piece = tune("C", f"M:{metre}\nK:C")
    assert piece.time_signature == name
    assert as_text(piece) == f"60:0+{unit}"


@pytest.mark.parametrize(
    ("tempo", "tempo_qpm"),
    [
        ("1/4=90", 90.0),
        ("3/8=80", 120.0),
        ('"Allegro" 1/4=90 "assai"', 90.0),
        ("1/4 1/8=60", 90.0),
        ("240", 120.0),
        ("C3=80", 120.0),
        ('"Allegro"', 120.0),
        ("1/4=1e99", 120.0),
        ("1/0=50", 120.0),
        ("1/4=99999999", 120.0),
    ],
)
def test_tempos(tempo: str, tempo_qpm: float) -> None:
    assert tune("C", f"Q:{tempo}\nL:1/8\nK:C").tempo_qpm == tempo_qpm


def test_changes_are_where_they_are_played() -> None:
    piece = tune("|: C [M:3/4][Q:1/4=60][K:G] D :| E")
    assert piece.time_signatures == ((0, "4/4"), (480, "3/4"), (960, "4/4"), (1440, "3/4"))
    assert piece.key_signatures == (
        (0, "C major"),
        (480, "G major"),
        (960, "C major"),
        (1440, "G major"),
    )
    assert piece.tempos.pairs() == ((480, 60.0),)


@pytest.mark.parametrize(
    ("body", "warning"),
    [
        ("C D E F | G A | B c d e |", "bar 2: 2 quarters in a metre of 4"),
        ("C D E F G |", "bar 1: 5 quarters in a metre of 4"),
        ("C 2 D", "bar 1: '2' has no meaning in music"),
        ("[K:Q] C", "bar 1: key 'Q' is not known"),
        ("C2>D", "bar 1: '>' between notes of unequal length"),
        ("C0", "bar 1: length '0' makes no sense: its note is left out"),
        ("^1/2C", "bar 1: '^1/2C' lies between two semitones: its sign is left out"),
        ("Z0 | C", "bar 1: a rest of 0 bars is left out"),
        ("Z99999999", "bar 1: a rest of 99999999 bars is left out"),
        ("C | D &&& E", "bar 2: an overlay of 3 bars reaches back before the first"),
        ("C4 & D |", "bar 1: an overlay is -3 quarters longer than its bars"),
        ("m:~G3 = G{A}G{F}G\nC", "macro '~G3 = G{A}G{F}G' is not played"),
        ("(3(3CDE F", "bar 1: tuplet (3 is written twice, and counts once"),
        (
            'C "_D.C. al Fine"D',
            'bar 1: the words "_D.C. al Fine" send players elsewhere: they are not followed',
        ),
        ("- C", "bar 1: a tie after no note"),
    ],
)
def test_what_makes_no_sense_is_said(body: str, warning: str) -> None:
    assert tune(body).warnings == (warning,)


def test_a_pickup_and_bars_divided_by_repeats_are_no_cause_for_warnings() -> None:
    assert not tune("G | C D E F | G A B :| c | C D E F | G A B |]").warnings


@pytest.mark.parametrize(
    "body",
    [
        "P:" + "(" * 3000 + "A" + ")9" * 3000,
        "(999C",
        "[1-99 C :|",
        "C" + "," * 5000,
        "C999999999999999999",
        "C" + "/" * 5000,
        "C" + ">" * 5000 + "D",
        "|" + ":" * 5000 + "C" + ":" * 5000 + "|",
        "&" * 5000,
        "Z9999|" * 100,
        "[" * 5000,
        '"' * 5001,
        "{" * 5000,
        "(3" * 2000 + "C",
    ],
)
def test_nonsense_costs_neither_time_nor_memory(body: str) -> None:
    header = f"M:4/4\n{body}\nK:C" if body.startswith("P:") else "M:4/4\nK:C"
    score = read_tune(f"X:1\n{header}\n{'C' if body.startswith('P:') else body}")
    try:
        n_notes = len(play(score, "play"))
    except RejectedFile:
        n_notes = 0
    assert n_notes < 1000


def test_a_tune_without_a_key_is_refused() -> None:
    with pytest.raises(RejectedFile, match="without a key"):
        read_tune("X:1\nM:4/4\nCDEF|")


@given(st.lists(st.sampled_from("CDEFGABcdefgab^_=,'/234><-|:[]()!\"{}.zxZ&1 \n")).map("".join))
def test_any_text_is_read_or_refused(body: str) -> None:
    try:
        piece = tune(body)
    except RejectedFile:
        return
    assert (piece.duration_tick > 0).all()
