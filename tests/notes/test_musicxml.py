"""MusicXML to written scores, and what of them is played; every expected note is worked out by hand."""

from __future__ import annotations

import io
import re
import zipfile
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline_lib.notes.corpus.archives import MAX_FILE_BYTES
from pipeline_lib.notes.notation.musicxml.compressed import unpacked
from pipeline_lib.notes.notation.musicxml.score import read_musicxml
from pipeline_lib.notes.notation.playing import play
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile
from pipeline_lib.notes.table import RejectReason
from tests.notes.tiny_scores import MUSICXML

Note = tuple[Fraction, Fraction, int]
"""Onset and duration in quarter notes, pitch."""

# Building files


def document(*parts: str, head: str = "", kind: str = "score-partwise") -> bytes:
    """A score of parts P1, P2, …, each given as its measures."""
    listed = "".join(
        f'<score-part id="P{n}"><part-name>Part {n}</part-name></score-part>'
        for n in range(1, len(parts) + 1)
    )
    bodies = "".join(f'<part id="P{n}">{body}</part>' for n, body in enumerate(parts, 1))
    return f"<{kind}>{head}<part-list>{listed}</part-list>{bodies}</{kind}>".encode()


def bars(*contents: str, divisions: int | str = 1, metre: tuple[object, int] = (4, 4)) -> str:
    """Measures from 1, the first of which states divisions and metre."""
    first, *others = contents
    return "".join(
        f'<measure number="{n}">{content}</measure>'
        for n, content in enumerate((stated(divisions, metre) + first, *others), 1)
    )


def stated(divisions: int | str, metre: tuple[object, int]) -> str:
    time = f"<time><beats>{metre[0]}</beats><beat-type>{metre[1]}</beat-type></time>"
    return f"<attributes><divisions>{divisions}</divisions>{time}</attributes>"


def note(name: str, duration: int | str | None, *after: str, before: str = "") -> str:
    """A note such as "C4", "F#4" or "Bb3", with other elements before its pitch and after its duration."""
    found = re.fullmatch(r"([A-G])([#b]?)(-?\d+)", name)
    assert found
    step, sign, octave = found.groups()
    alter = f"<alter>{1 if sign == '#' else -1}</alter>" if sign else ""
    pitch = f"<pitch><step>{step}</step>{alter}<octave>{octave}</octave></pitch>"
    return f"<note>{before}{pitch}{lasting(duration)}{''.join(after)}</note>"


def lasting(duration: int | str | None) -> str:
    return "" if duration is None else f"<duration>{duration}</duration>"


def rest(duration: int | str | None, *after: str, attribute: str = "") -> str:
    return f"<note><rest {attribute}/>{lasting(duration)}{''.join(after)}</note>"


def moved(kind: str, duration: int) -> str:
    return f"<{kind}><duration>{duration}</duration></{kind}>"


def attributes(*content: str) -> str:
    return f"<attributes>{''.join(content)}</attributes>"


def key(fifths: int, mode: str = "") -> str:
    return f"<key><fifths>{fifths}</fifths>{f'<mode>{mode}</mode>' if mode else ''}</key>"


def transpose(*content: tuple[str, int], number: int = 0, more: str = "") -> str:
    of_staff = f' number="{number}"' if number else ""
    values = "".join(f"<{name}>{value}</{name}>" for name, value in content)
    return f"<transpose{of_staff}>{values}{more}</transpose>"


CLARINET = transpose(("diatonic", -1), ("chromatic", -2))
CHORD = "<chord/>"
TIE_ON, TIE_BACK = '<tie type="start"/>', '<tie type="stop"/>'


def voice(number: int) -> str:
    return f"<voice>{number}</voice>"


def barline(location: str, *content: str) -> str:
    return f'<barline location="{location}">{"".join(content)}</barline>'


BACKWARD, FORWARD = '<repeat direction="backward"/>', '<repeat direction="forward"/>'
REPEAT_START, REPEAT_END = barline("left", FORWARD), barline("right", BACKWARD)


def ending(number: str, kind: str) -> str:
    return f'<ending number="{number}" type="{kind}"/>'


def direction(*shown: str, sound: str = "", offset: str = "") -> str:
    types = "".join(f"<direction-type>{kind}</direction-type>" for kind in shown)
    heard = f"<sound {sound}/>" if sound else ""
    return f"<direction>{types}{offset}{heard}</direction>"


def metronome(unit: str, per_minute: str) -> str:
    return f"<metronome>{unit}<per-minute>{per_minute}</per-minute></metronome>"


# Reading them


def read(data: bytes) -> ParsedPiece:
    return play(read_musicxml(unpacked(data)), "play")


def quarters(piece: ParsedPiece) -> list[Note]:
    """(onset, duration, pitch) in exact quarter notes."""
    columns = zip(piece.onset_tick, piece.duration_tick, piece.pitch, strict=True)
    per_quarter = piece.ticks_per_quarter
    return [
        (Fraction(int(o), per_quarter), Fraction(int(d), per_quarter), int(p))
        for o, d, p in columns
    ]


def played(*contents: str, divisions: int | str = 1) -> list[Note]:
    """Notes of a score of one part."""
    return quarters(read(document(bars(*contents, divisions=divisions))))


def pitches(*contents: str) -> list[int]:
    return [pitch for _, _, pitch in played(*contents)]


def warnings(data: bytes) -> str:
    return " / ".join(read_musicxml(data).warnings)


# Documents


@pytest.mark.parametrize("suffix", [".musicxml", ".mxl"])
def test_two_parts_with_a_triplet(suffix: str) -> None:
    piece = read(zipped(MUSICXML) if suffix == ".mxl" else MUSICXML)
    third = Fraction(1, 3)
    assert quarters(piece) == [(0, 2 * third, 72), (0, 2, 48), (2 * third, third, 74), (1, 1, 76)]
    assert piece.track.tolist() == [0, 1, 0, 0]
    assert piece.program.tolist() == [73, 0, 73, 73]
    assert [track.name for track in piece.tracks] == ["Flute", "Bass"]
    assert piece.warnings == ()


def test_scores_by_time() -> None:
    measures = (
        f'<measure number="{n}"><part id="P2">{note(low, 4)}</part>'
        f'<part id="P1">{stated(1, (4, 4)) if n == 1 else ""}{note(high, 4)}</part></measure>'
        for n, (low, high) in enumerate([("C3", "C5"), ("D3", "D5")], 1)
    )
    parts = '<score-part id="P1"/><score-part id="P2"/>'
    data = f"<score-timewise><part-list>{parts}</part-list>{''.join(measures)}</score-timewise>"
    piece = read(data.encode())
    assert quarters(piece) == [(0, 4, 72), (0, 4, 48), (4, 4, 74), (4, 4, 50)]
    assert piece.track.tolist() == [0, 1, 0, 1]


def test_a_part_that_a_measure_of_a_score_by_time_lacks_is_silent_there() -> None:
    first = f'<measure number="1"><part id="P1">{note("C4", 4)}</part></measure>'
    second = f'<measure number="2"><part id="P2">{note("E4", 4)}</part></measure>'
    parts = '<score-part id="P1"/><score-part id="P2"/>'
    data = f"<score-timewise><part-list>{parts}</part-list>{first}{second}</score-timewise>"
    assert quarters(read(data.encode())) == [(0, 4, 60), (4, 4, 64)]


def test_namespaces_and_document_types_change_nothing() -> None:
    dtd = b'<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1 Partwise//EN" "http://x.invalid/p.dtd">'
    in_namespace = MUSICXML.replace(b'version="3.1"', b'xmlns="urn:x" version="3.1"')
    with_dtd = MUSICXML.replace(b"<score-partwise", dtd + b"<score-partwise")
    assert quarters(read(in_namespace)) == quarters(read(with_dtd)) == quarters(read(MUSICXML))


def test_entities_are_text_from_the_document_alone() -> None:
    inner = b'<!DOCTYPE score-partwise [<!ENTITY f "Fl&#252;te">]>'
    with_inner = MUSICXML.replace(b"<score-partwise", inner + b"<score-partwise")
    piece = read(with_inner.replace(b"<part-name>Flute", b"<part-name>&f;"))
    assert piece.tracks[0].name == "Flüte"
    outer = b'<!DOCTYPE score-partwise [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
    with_outer = MUSICXML.replace(b"<score-partwise", outer + b"<score-partwise")
    assert_rejected(with_outer.replace(b"<part-name>Flute", b"<part-name>&f;"), "malformed")


def test_entities_that_grow_are_refused() -> None:
    lines = [b'<!ENTITY a0 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">']
    lines += [b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)]
    bomb = b"<!DOCTYPE score-partwise [" + b"".join(lines) + b"]><score-partwise>&a9;"
    assert_rejected(bomb + b"</score-partwise>", "malformed")


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-be", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-8", "UTF-16"),
        ("latin-1", "ISO-8859-1"),
        ("latin-1", "UTF-8"),
        ("latin-1", ""),
    ],
)
def test_encodings(encoding: str, declared: str) -> None:
    text = MUSICXML.decode().replace("Flute", "Flöte")
    declaration = f'encoding="{declared}"' if declared else ""
    text = text.replace('encoding="UTF-8"', declaration)
    data = text.encode(encoding)
    if encoding == "utf-16-be":
        data = b"\xfe\xff" + text.replace('encoding="UTF-8"', 'encoding="UTF-16"').encode(encoding)
    piece = read(data)
    assert piece.tracks[0].name == "Flöte"
    assert len(piece) == 4


def test_encodings_of_several_bytes() -> None:
    text = MUSICXML.decode().replace("Flute", "笛").replace("UTF-8", "GB2312")
    assert read(text.encode("gb2312")).tracks[0].name == "笛"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not_music"),
        (b"Dear diary, today I practised.", "not_music"),
        (b"<html></html>", "not_music"),
        (b"<opus><score/></opus>", "not_music"),
        (b"PK no archive", "malformed"),
        (MUSICXML[:-40], "malformed"),
        (MUSICXML.replace(b"<octave>3", b"<octave>12"), "malformed"),
        (MUSICXML.replace(b"<octave>3", b"<octave>-3"), "malformed"),
        (MUSICXML.replace(b"<duration>6", b"<duration>600000000000"), "too_large"),
    ],
)
def test_what_cannot_be_used_is_rejected(data: bytes, reason: str) -> None:
    assert_rejected(data, reason)


def assert_rejected(data: bytes, reason: str) -> str:
    with pytest.raises(RejectedFile) as caught:
        read(data)
    assert caught.value.reason == RejectReason(reason)
    return caught.value.detail


def test_where_a_document_breaks_is_said() -> None:
    broken = MUSICXML.replace(b"</part-list>", b"</parts>")
    assert "line 9, column 5" in assert_rejected(broken, "malformed")


def test_names_programs_and_title() -> None:
    head = "<work><work-title> Air </work-title></work><movement-title>II</movement-title>"
    score = read_musicxml(document(bars(note("C4", 4)), head=head))
    assert score.title == "Air"
    assert score.end_quarter == 4
    second = read_musicxml(document(bars(note("C4", 4)), head=head.split("</work>")[1]))
    assert second.title == "II"
    assert read_musicxml(document(bars(note("C4", 4)))).title is None
    wild = MUSICXML.replace(b"<midi-program>74", b"<midi-program>900")
    assert read_musicxml(wild).parts[0].program == 127


# Time


def test_divisions_may_change_within_a_bar_and_be_no_whole_numbers() -> None:
    faster = attributes("<divisions>4</divisions>")
    assert played(note("C4", 1) + faster + note("D4", 4) + note("E4", 8)) == [
        (0, 1, 60),
        (1, 1, 62),
        (2, 2, 64),
    ]
    half = Fraction(1, 2)
    assert played(note("C4", "1.25") + note("D4", "1.25"), divisions="2.5") == [
        (0, half, 60),
        (half, half, 62),
    ]


def test_divisions_are_of_a_part() -> None:
    data = document(bars(note("C4", 8), divisions=2), bars(note("E3", 12), divisions=3))
    assert quarters(read(data)) == [(0, 4, 60), (0, 4, 52)]


def test_bars_begin_together_however_far_each_part_fills_them() -> None:
    short, full = bars(note("C4", 1), note("D4", 4)), bars(note("E3", 4), note("F3", 4))
    assert quarters(read(document(short, full))) == [
        (0, 1, 60),
        (0, 4, 52),
        (4, 4, 62),
        (4, 4, 53),
    ]


def test_a_bar_is_as_long_as_its_furthest_note_not_its_last() -> None:
    two_voices = note("C4", 4) + moved("backup", 4) + note("E4", 2)
    assert played(two_voices, note("D4", 4)) == [(0, 4, 60), (0, 2, 64), (4, 4, 62)]


def test_a_forward_at_the_end_counts() -> None:
    assert played(note("C4", 1) + moved("forward", 3), note("D4", 4))[1] == (4, 4, 62)


def test_a_bar_before_the_first_keeps_its_length() -> None:
    upbeat = stated(1, (4, 4)) + note("G3", 1)
    measures = f'<measure number="0" implicit="yes">{upbeat}</measure>' + bars(note("C4", 4))
    assert quarters(read(document(measures))) == [(0, 1, 55), (1, 4, 60)]


def test_an_empty_bar_is_as_long_as_its_metre() -> None:
    assert played(note("C4", 4), "", note("D4", 4)) == [(0, 4, 60), (8, 4, 62)]
    three = attributes("<time><beats>3</beats><beat-type>4</beat-type></time>")
    assert played(note("C4", 4), three, note("D4", 3)) == [(0, 4, 60), (7, 3, 62)]


def test_what_fills_a_silent_part_makes_no_bar_longer_than_its_music() -> None:
    three = stated(1, (3, 4))
    too_long = rest(4, attribute='measure="yes"')
    full = document(bars(note("C4", 3), note("D4", 3), metre=(3, 4)), bars(too_long, metre=(3, 4)))
    assert quarters(read(full)) == [(0, 3, 60), (3, 3, 62)]
    upbeat = [
        f'<measure number="0" implicit="yes">{three}{content}</measure><measure number="1">{note("D4", 3)}</measure>'
        for content in (note("C4", 1), rest(3, attribute='measure="yes"'))
    ]
    assert quarters(read(document(*upbeat)))[:2] == [(0, 1, 60), (1, 3, 62)]
    skipped = upbeat[0].replace(note("C4", 1), rest(1) + moved("forward", 2))
    assert quarters(read(document(upbeat[0], skipped)))[:2] == [(0, 1, 60), (1, 3, 62)]


def test_a_bar_with_more_notes_than_its_metre_is_longer_and_one_with_more_rests_is_not() -> None:
    other = bars(note("C3", 4), note("D3", 4))
    rests = document(bars(note("C4", 3) + rest(3), note("D4", 4)), other)
    assert quarters(read(rests))[2:] == [(4, 4, 62), (4, 4, 50)]
    notes = document(bars(rest(2) + note("C4", 3), note("D4", 4)), other)
    assert quarters(read(notes))[2:] == [(5, 4, 62), (5, 4, 50)]
    assert "bar 1: 5 quarter notes long; by its metre, 4" in warnings(notes)


def test_a_rest_for_a_bar_counts_where_notes_fill_less() -> None:
    part = bars(note("C4", 1), note("D4", 4))
    other = bars(rest(4, attribute='measure="yes"'), note("E4", 4))
    assert quarters(read(document(part, other)))[1:] == [(4, 4, 62), (4, 4, 64)]


def test_bars_that_a_part_leaves_out_are_found_by_their_numbers() -> None:
    whole = bars(note("C4", 4), note("D4", 4), note("E4", 4))
    gap = whole.replace(f'<measure number="2">{note("D4", 4)}</measure>', "")
    assert len(gap) < len(whole)
    assert quarters(read(document(whole, gap)))[-2:] == [(8, 4, 64), (8, 4, 64)]


def test_bars_of_one_part_alone_do_not_begin_in_the_others() -> None:
    """Three bars of 2/4 against two of 3/4, as in Don Giovanni."""
    own = '<measure number="X{}" non-controlling="yes">{}</measure>'
    threes = bars(note("C4", 3)) + own.format(1, note("D4", 3)) + bars(note("C4", 3))
    twos = bars(note("E3", 2)) + own.format(1, note("F3", 2)) + own.format(2, note("G3", 2))
    twos += bars(note("A3", 3))
    onsets = [(onset, pitch) for onset, _, pitch in quarters(read(document(threes, twos)))]
    assert onsets == [(0, 60), (0, 52), (2, 53), (3, 62), (4, 55), (6, 60), (6, 57)]


@pytest.mark.parametrize(
    ("value", "length"),
    [
        ("<type>half</type>", Fraction(2)),
        ("<type>quarter</type><dot/>", Fraction(3, 2)),
        ("<type>quarter</type><dot/><dot/>", Fraction(7, 4)),
        (
            "<type>eighth</type><time-modification><actual-notes>3</actual-notes>"
            "<normal-notes>2</normal-notes></time-modification>",
            Fraction(1, 3),
        ),
    ],
)
def test_a_missing_duration_is_that_of_the_type(value: str, length: Fraction) -> None:
    data = document(bars(note("C4", None, value) + note("D4", 1)))
    assert quarters(read(data)) == [(0, length, 60), (length, 1, 62)]
    assert "P1, bar 1" in warnings(data)


def test_a_rest_for_a_bar_without_a_duration_is_as_long_as_the_metre() -> None:
    data = document(bars(rest(None, attribute='measure="yes"'), note("D4", 3), metre=(3, 4)))
    assert quarters(read(data)) == [(3, 3, 62)]


def test_grace_notes_take_no_time_cue_notes_sound_not_and_hidden_notes_do() -> None:
    grace = note("B3", None, before="<grace/>") + note("A3", None, before=f"<grace/>{CHORD}")
    cue = note("G5", 1, before="<cue/>")
    drum = "<note><unpitched/><duration>1</duration></note>"
    hidden = note("E4", 1).replace("<note>", '<note print-object="no">')
    assert played(grace + note("C4", 1) + cue + drum + hidden) == [(0, 1, 60), (3, 1, 64)]


def test_a_small_note_sounds() -> None:
    assert played(note("C4", 1, '<type size="cue">quarter</type>')) == [(0, 1, 60)]


def test_notes_of_a_chord_begin_with_its_first() -> None:
    chord = note("C4", 2) + note("E4", 1, before=CHORD) + note("G4", 2, before=CHORD)
    assert played(chord + note("D4", 2)) == [(0, 2, 60), (0, 1, 64), (0, 2, 67), (2, 2, 62)]


def test_a_chord_after_a_grace_note_begins_with_its_own_first_note() -> None:
    chord = note("C4", 2) + note("E4", 2, before=CHORD)
    grace = note("B3", None, before="<grace/>")
    assert played(note("D4", 2) + grace + chord)[1:] == [(2, 2, 60), (2, 2, 64)]


def test_a_backup_beyond_the_bar_ends_at_its_beginning() -> None:
    data = document(bars(note("C4", 4), note("D4", 4) + moved("backup", 6) + note("E4", 4)))
    assert quarters(read(data)) == [(0, 4, 60), (4, 4, 62), (4, 4, 64)]
    assert "bar 2: a backup" in warnings(data)


@pytest.mark.parametrize(
    ("broken", "warning"),
    [
        (note("C4", "long"), "duration"),
        (note("C4", "-1"), "duration"),
        (note("C4", "1e9"), "duration"),
        (note("C4", 0), "no length"),
        (note("C4", 1).replace("<step>C", "<step>H"), "pitch"),
        (note("C4", 1).replace("<octave>4</octave>", ""), "pitch"),
        (note("C4", 1, before=CHORD), "chord"),
        ("<backup/>", "backup"),
        ("<forward><duration>x</duration></forward>", "forward"),
        (attributes("<divisions>0</divisions>"), "divisions"),
        (direction(metronome("<beat-unit>quarter</beat-unit>", "lively")), "metronome"),
        ("<sound tempo='fast'/>", "tempo"),
        (barline("left", "<repeat/>"), "repeat"),
        (barline("right", '<repeat direction="backward" times="1000000000"/>'), "repeat"),
    ],
)
def test_what_makes_no_sense_is_left_out_with_a_warning(broken: str, warning: str) -> None:
    data = document(bars(broken, note("D4", 4)))
    assert "part P1, bar 1: " in warnings(data)
    assert warning in warnings(data)
    assert quarters(read(data))[-1][1:] == (4, 62)


def test_warnings_are_few() -> None:
    data = document(bars(*[note("C4", "x")] * 1000))
    assert len(read_musicxml(data).warnings) == 101


def test_times_without_a_common_unit_are_refused() -> None:
    primes = [n for n in range(2, 500) if all(n % k for k in range(2, n))]
    content = "".join(attributes(f"<divisions>{p}</divisions>") + note("C4", 1) for p in primes)
    assert "common unit" in assert_rejected(document(bars(content)), "malformed")


# Pitch


def test_accidentals_are_those_of_the_pitch() -> None:
    assert pitches(note("F#4", 1), note("Bb4", 1), note("C4", 1)) == [66, 70, 60]


@pytest.mark.parametrize(("alter", "pitch"), [("1.5", 61), ("0.75", 61), ("-0.25", 60), ("-2", 58)])
def test_microtones_are_the_nearest_semitone(alter: str, pitch: int) -> None:
    data = document(bars(note("C#4", 1).replace("<alter>1", f"<alter>{alter}")))
    assert [p for _, _, p in quarters(read(data))] == [pitch]
    assert ("microtone" in warnings(data)) == ("." in alter)


@pytest.mark.parametrize(
    ("content", "sounding"),
    [
        (CLARINET, [60]),
        (transpose(("chromatic", -2)), [60]),
        (transpose(("diatonic", 0), ("chromatic", 0), ("octave-change", -1)), [50]),
        (transpose(("diatonic", -1), ("chromatic", -2), ("octave-change", -1)), [48]),
        (transpose(("diatonic", 7), ("chromatic", 12)), [74]),
        (transpose(("chromatic", 0), more="<double/>"), [50, 62]),
        (transpose(("chromatic", 0), more='<double above="yes"/>'), [62, 74]),
    ],
)
def test_what_sounds_of_a_transposing_part(content: str, sounding: list[int]) -> None:
    assert pitches(attributes(content) + note("D4", 4)) == sounding


def test_a_change_of_transposition_holds_from_its_time_in_all_voices() -> None:
    in_a = transpose(("diatonic", -2), ("chromatic", -3))
    voices = note("D4", 2) + attributes(in_a) + note("D4", 2) + moved("backup", 4)
    voices += note("D5", 2) + note("D5", 2)
    assert pitches(attributes(CLARINET) + voices, note("D4", 4)) == [60, 72, 59, 71, 59]


def test_each_staff_may_have_its_transposition() -> None:
    octave_down = transpose(("chromatic", 0), ("octave-change", -1), number=2)
    content = note("C4", 4, "<staff>1</staff>") + moved("backup", 4)
    content += note("C4", 4, "<staff>2</staff>")
    assert pitches(attributes(octave_down) + content) == [48, 60]
    assert pitches(attributes(CLARINET, octave_down) + content) == [48, 58]


# Ties


def test_ties_join_over_a_bar_line_within_a_chord_and_through_several_notes() -> None:
    first = note("C5", 4, TIE_ON) + note("E5", 4, before=CHORD)
    assert played(first, note("C5", 4, TIE_BACK)) == [(0, 8, 72), (0, 4, 76)]
    long = [note("C5", 4, TIE_ON), note("C5", 4, TIE_BACK, TIE_ON), note("C5", 2, TIE_BACK)]
    assert played(*long) == [(0, 10, 72)]


def test_ties_of_two_voices_on_one_pitch_are_each_their_own() -> None:
    first = note("C5", 4, TIE_ON, voice(1)) + moved("backup", 4) + note("C5", 4, TIE_ON, voice(2))
    second = note("C5", 1, TIE_BACK, voice(2)) + moved("backup", 1)
    second += note("C5", 4, TIE_BACK, voice(1))
    assert played(first, second) == [(0, 5, 72), (0, 8, 72)]


def test_ties_may_change_voice_and_name() -> None:
    assert played(note("C#4", 4, TIE_ON, voice(1)), note("Db4", 4, TIE_BACK, voice(2))) == [
        (0, 8, 61)
    ]


def test_ties_that_are_only_shown_count() -> None:
    def tied(kind: str) -> str:
        return f'<notations><tied type="{kind}"/></notations>'

    assert played(note("C4", 4, tied("start")), note("C4", 4, tied("stop"))) == [(0, 8, 60)]
    assert len(played(note("C4", 4, tied("let-ring")), note("C4", 4))) == 2


def test_a_slur_and_a_tie_with_one_end_join_nothing() -> None:
    slur = '<notations><slur type="start"/></notations>'
    assert len(played(note("C4", 4, slur), note("C4", 4))) == 2
    tied = (note("E4", 1, TIE_ON), note("E4", 1, TIE_BACK))
    assert len(played(note("C4", 4, TIE_ON), note("C4", 4), *tied)) == 3
    assert len(played(note("C4", 4), note("C4", 4, TIE_BACK), *tied)) == 3


def test_ties_of_a_score_that_says_of_none_where_it_ends() -> None:
    """As in madrigals and string quartets that music21 brings along."""
    data = document(bars(note("C4", 4, TIE_ON), note("C4", 4), note("C4", 4)))
    assert quarters(read(data)) == [(0, 8, 60), (8, 4, 60)]
    assert "none ends" in warnings(data)


def test_a_tie_into_two_endings_is_played_in_both() -> None:
    one = barline("left", ending("1", "start")) + note("C4", 4, TIE_BACK)
    one += barline("right", ending("1", "stop"), BACKWARD)
    two = barline("left", ending("2", "start")) + note("C4", 4, TIE_BACK)
    assert played(note("C4", 4, TIE_ON), one, two) == [(0, 8, 60), (8, 8, 60)]


# Repeats and jumps

A, B, C, D, E = (note(f"{step}4", 4) for step in "CDEFG")
"""Whole bars of C4, D4, E4, F4 and G4: pitches 60, 62, 64, 65 and 67."""


def test_repeats() -> None:
    assert pitches(A, REPEAT_START + B + REPEAT_END, C) == [60, 62, 62, 64]
    assert pitches(A, B + REPEAT_END, C) == [60, 62, 60, 62, 64]
    assert pitches(A + REPEAT_END, B + REPEAT_END) == [60, 60, 62, 62]
    thrice = barline("right", '<repeat direction="backward" times="3"/>')
    assert pitches(REPEAT_START + A + thrice, B) == [60, 60, 60, 62]


def test_a_repeat_sign_within_a_bar() -> None:
    half, other = note("C4", 2), note("D4", 2)
    middle = barline("middle", BACKWARD)
    assert played(half + middle + other, A) == [(0, 2, 60), (2, 2, 60), (4, 2, 62), (6, 4, 60)]


def test_a_bar_line_without_a_place_is_at_the_right() -> None:
    assert pitches(f"<barline>{BACKWARD}</barline>" + A, B) == [60, 60, 62]


@pytest.mark.parametrize("close", ["stop", "discontinue", None])
def test_endings(close: str | None) -> None:
    one = (
        barline("left", ending("1", "start")) + B + barline("right", ending("1", "stop"), BACKWARD)
    )
    two = barline("left", ending("2", "start")) + C
    two += barline("right", ending("2", close)) if close else ""
    assert pitches(A, one, two, D) == [60, 62, 60, 64, 65]


@pytest.mark.parametrize("number", ["1,2", "1, 2", "1-2", "1.2.", "1 2"])
def test_an_ending_for_several_passes(number: str) -> None:
    one = barline("left", ending(number, "start")) + B
    one += barline("right", ending(number, "stop"), BACKWARD)
    two = barline("left", ending("3", "start")) + C + barline("right", ending("3", "stop"))
    assert pitches(A, one, two) == [60, 62, 60, 62, 60, 64]


def test_endings_without_numbers_are_counted() -> None:
    one = barline("left", ending("", "start")) + B + barline("right", ending("", "stop"), BACKWARD)
    two = barline("left", ending("", "start")) + C + barline("right", ending("", "stop"))
    assert pitches(A, one, two) == [60, 62, 60, 64]


def test_repeats_that_all_parts_have_count_once() -> None:
    both = bars(A + REPEAT_END, B)
    assert len(quarters(read(document(both, both)))) == 6
    only_second = document(bars(A, B), both)
    assert len(quarters(read(only_second))) == 6


@pytest.mark.parametrize("before_notes", [True, False])
def test_da_capo_al_fine(before_notes: bool) -> None:
    def with_sign(bar: str, sign: str) -> str:
        return sign + bar if before_notes else bar + sign

    fine = direction("<words>Fine</words>", sound='fine="yes"')
    jump = direction("<words>D.C. al Fine</words>", sound='dacapo="yes"')
    assert pitches(A, with_sign(B, fine), with_sign(C, jump)) == [60, 62, 64, 60, 62]


def test_dal_segno_al_coda() -> None:
    bars_with_sounds = (
        A,
        '<sound segno="s"/>' + B,
        C + '<sound tocoda="c"/>',
        D + '<sound dalsegno="s"/>',
        '<sound coda="c"/>' + E,
    )
    assert pitches(*bars_with_sounds) == [60, 62, 64, 65, 62, 64, 67]


def test_symbols_and_words_count_where_nothing_sounds() -> None:
    shown = (
        A,
        direction("<segno/>") + B,
        C + direction("<words>To Coda</words>", "<coda/>"),
        D + direction("<words>D.S. al Coda</words>"),
        direction("<coda/>") + E,
    )
    assert pitches(*shown) == [60, 62, 64, 65, 62, 64, 67]
    assert pitches(A + direction("<words>Fine</words>"), B + direction("<words>D.C.</words>")) == [
        60,
        62,
        60,
    ]


def test_a_jump_that_all_parts_have_is_one() -> None:
    part = bars(A + '<sound fine="yes"/>', B + '<sound dacapo="yes"/>')
    assert [m.sign.name for m in read_musicxml(document(part, part)).marks] == ["FINE", "DA_CAPO"]


def test_fine_within_a_bar_is_where_it_sounds() -> None:
    half = note("C4", 2) + '<sound fine="yes"/>' + note("D4", 2)
    assert pitches(half, E + '<sound dacapo="yes"/>') == [60, 62, 67, 60]


def test_an_offset_moves_no_sign_out_of_its_bar() -> None:
    moved_far = direction("<segno/>", offset="<offset>9</offset>")
    assert pitches(A + moved_far, B, C + '<sound dalsegno="s"/>') == [60, 62, 64, 62, 64]


def test_a_da_capo_of_a_score_with_repeats_plays_each_once() -> None:
    minuet = (A + REPEAT_END, B + direction("<words>Fine</words>", sound='fine="yes"'))
    trio = (REPEAT_START + C + REPEAT_END, D + '<sound dacapo="yes"/>')
    assert pitches(*minuet, *trio) == [60, 60, 62, 64, 64, 65, 60, 62]


def test_an_implied_start_of_a_repeat() -> None:
    assert pitches(A, '<sound forward-repeat="yes"/>' + B, C + REPEAT_END) == [60, 62, 64, 62, 64]


# Tempo, metre and key


def changes(*contents: str) -> ParsedPiece:
    return read(document(bars(*contents)))


@pytest.mark.parametrize(
    ("mark", "tempo_qpm"),
    [
        (direction("<words>x</words>", sound='tempo="90"'), 90.0),
        ('<sound tempo="72.5"/>', 72.5),
        (direction(metronome("<beat-unit>half</beat-unit>", "60")), 120.0),
        (direction(metronome("<beat-unit>quarter</beat-unit><beat-unit-dot/>", "c. 80")), 120.0),
        (direction(metronome("<beat-unit>eighth</beat-unit>", "100-120")), 50.0),
        (direction(metronome("<beat-unit>quarter</beat-unit>", "80"), sound='tempo="84"'), 84.0),
    ],
)
def test_tempo(mark: str, tempo_qpm: float) -> None:
    assert changes(mark + A).tempo_qpm == tempo_qpm


def test_of_several_tempos_at_one_moment_the_last_of_the_first_part_counts() -> None:
    first = bars('<sound tempo="80"/>' + A + moved("backup", 4) + '<sound tempo="90"/>', B)
    assert read(document(first, bars('<sound tempo="70"/>' + A, B))).tempos.pairs() == ((0, 90.0),)
    shown = direction(metronome("<beat-unit>quarter</beat-unit>", "60"))
    assert read(document(bars(shown + A), bars('<sound tempo="70"/>' + B))).tempo_qpm == 70.0


@pytest.mark.parametrize(
    ("offset", "onset"),
    [("<offset>2</offset>", 0), ('<offset sound="yes">2</offset>', 2 * 480)],
)
def test_an_offset_moves_what_is_heard_if_it_says_so(offset: str, onset: int) -> None:
    mark = direction("<words>x</words>", sound='tempo="90"', offset=offset)
    assert changes(mark + A).tempos.pairs() == ((onset, 90.0),)


@pytest.mark.parametrize(
    ("time", "name"),
    [
        ("<beats>3+2</beats><beat-type>8</beat-type>", "5/8"),
        ("<beats>2</beats><beat-type>4</beat-type><beats>3</beats><beat-type>8</beat-type>", "7/8"),
        ("<beats>12</beats><beat-type>8</beat-type>", "12/8"),
    ],
)
def test_metre(time: str, name: str) -> None:
    changed = attributes(f"<time>{time}</time>")
    assert changes(A, changed + B).time_signatures == ((0, "4/4"), (4 * 480, name))


def test_what_has_no_metre_states_none() -> None:
    data = document(bars(A, attributes("<time><senza-misura/></time>") + B))
    assert read_musicxml(data).time_signatures == [(0, "4/4"), (4, None)]
    assert warnings(data) == ""


@pytest.mark.parametrize(
    ("stated_key", "name"),
    [
        (key(-2), "Bb major"),
        (key(-2, "minor"), "G minor"),
        (key(0, "dorian"), "C major"),
        (key(1, "aeolian"), "E minor"),
        ("<key><key-step>F</key-step><key-alter>1</key-alter></key>", None),
    ],
)
def test_key(stated_key: str, name: str | None) -> None:
    assert changes(attributes(stated_key) + A).key_signature == name


@pytest.mark.parametrize(
    ("content", "fifths", "name"),
    [
        (CLARINET, 2, "C major"),
        (transpose(("chromatic", -2)), 2, "C major"),
        (transpose(("diatonic", 2), ("chromatic", 3)), -3, "Gb major"),
        (transpose(("diatonic", -4), ("chromatic", -7)), 1, "C major"),
        (transpose(("diatonic", 0), ("chromatic", 0), ("octave-change", -1)), 1, "G major"),
        (transpose(("diatonic", -2), ("chromatic", -3)), 6, "Eb major"),
    ],
)
def test_keys_of_transposing_parts_are_those_that_sound(
    content: str, fifths: int, name: str
) -> None:
    assert changes(attributes(key(fifths), content) + A).key_signature == name


def test_the_key_of_a_part_at_concert_pitch_counts_before_that_of_a_transposing_one() -> None:
    horn = attributes(key(0), transpose(("diatonic", -4), ("chromatic", -7)))
    data = document(bars(horn + A), bars(attributes(key(-3)) + A), bars(attributes(key(1)) + A))
    assert read(data).key_signatures == ((0, "Eb major"),)


# Compressed files


def zipped(xml: bytes, name: str = "a.xml", container: str = "a.xml") -> bytes:
    listed = f'<rootfile full-path="{container}"/>'
    return archive(
        ("META-INF/container.xml", f"<container><rootfiles>{listed}</rootfiles></container>"),
        (name, xml),
    )


def archive(*members: tuple[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return buffer.getvalue()


def test_a_compressed_file_holds_the_score_that_its_container_names() -> None:
    assert unpacked(MUSICXML) == MUSICXML
    assert unpacked(zipped(MUSICXML)) == MUSICXML
    assert unpacked(zipped(MUSICXML, "a b/ü.xml", "a%20b/ü.xml")) == MUSICXML
    assert unpacked(zipped(MUSICXML, "a.xml", "other.xml")) == MUSICXML
    two = '<rootfile full-path="a.pdf" media-type="application/pdf"/><rootfile full-path="b.xml"/>'
    container = f'<container xmlns="urn:x"><rootfiles>{two}</rootfiles></container>'
    members = (("a.pdf", "x"), ("c.xml", "<x/>"), ("b.xml", MUSICXML))
    assert unpacked(archive(("META-INF/container.xml", container), *members)) == MUSICXML


def test_without_a_container_the_first_score_counts() -> None:
    members = (("META-INF/x.xml", "<x/>"), ("__MACOSX/._a.xml", "x"), ("a.musicxml", MUSICXML))
    assert unpacked(archive(*members)) == MUSICXML
    assert_rejected(archive(("read-me.txt", "Hello")), "not_music")


def test_a_container_that_names_nothing_there_is_no_choice_between_two() -> None:
    container = '<container><rootfile full-path="c.xml"/></container>'
    members = (("META-INF/container.xml", container), ("a.xml", "<x/>"), ("b.xml", "<x/>"))
    assert "c.xml" in assert_rejected(archive(*members), "malformed")


def test_archives_that_unpack_to_gigabytes_are_refused() -> None:
    assert_rejected(archive(("score.xml", bytes(MAX_FILE_BYTES + 1))), "too_large")
    many = archive(*((f"{n}.xml", "") for n in range(10_001)))
    assert_rejected(many, "too_large")


def test_a_false_size_unpacks_no_more_than_it_says() -> None:
    data = archive(("score.xml", bytes(MAX_FILE_BYTES + 1)))
    stated = (MAX_FILE_BYTES + 1).to_bytes(4, "little")
    assert data.count(stated) == 2
    assert_rejected(data.replace(stated, (100).to_bytes(4, "little")), "malformed")


def test_members_that_share_bytes_are_refused() -> None:
    data = bytearray(archive(("a.xml", MUSICXML), ("b.xml", MUSICXML)))
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 42 : entry + 46] = bytes(4)  # the second begins where the first does
    assert "overlap" in assert_rejected(bytes(data), "malformed")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_the_standard_does_not_know_are_refused(method: int) -> None:
    assert_rejected(archive(("a.xml", MUSICXML), method=method), "unsupported")


def test_encrypted_members_are_refused() -> None:
    data = bytearray(archive(("a.xml", MUSICXML)))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in assert_rejected(bytes(data), "unsupported")


@pytest.mark.parametrize("n_bytes", [10, 100, 300, 500])
def test_a_truncated_archive_is_malformed(n_bytes: int) -> None:
    assert_rejected(zipped(MUSICXML)[:-n_bytes], "malformed")


@pytest.mark.parametrize("name", ["e.zip", "l.zip", "arch-1-IndexError-d.zip"])
def test_hostile_archives_are_refused(test_data: Path, name: str) -> None:
    with pytest.raises(RejectedFile):
        read((test_data / "cases" / "hostile" / name).read_bytes())
