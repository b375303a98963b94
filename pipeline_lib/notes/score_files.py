"""Scores in text form: ABC, Humdrum kern and MusicXML, read through music21.

music21 is slow (about 700 notes per second) and takes seconds to import, so it is imported when the first
score is read, and never used for MIDI.

Conventions:

- What is read is what is played: repeats are expanded. Where music21 cannot make sense of the repeat
  signs, the notes are taken as written.
- Tied notes become one note. Grace notes have no duration and are dropped, as are chord symbols and
  unpitched percussion.
- Each tune of a file with several (ABC) is a piece of its own, and read on its own: a broken one costs no
  other. What stands before the first tune (`M:`, `L:` and the like, the version of the notation) counts for
  all that do not say otherwise.
- Free text between tunes is no music: a paragraph of ABC has a field, a comment or a bar line.
- An accidental in ABC holds for its note alone, as music21 reads files that state no version of the notation;
  in those that state 2.1 it holds to the end of the bar.
- One part is one track. All notes get the same velocity.
- Changes of tempo, metre and key are where they are played, after repeats are expanded.
- The resolution is the smallest multiple of 480 ticks per quarter that holds every onset and duration
  exactly, triplets included. Only where there is none within MIDI's bounds are ticks rounded.
- Modes that MIDI does not know get the major key with the same signature: D dorian is "C major".
"""

from __future__ import annotations

import io
import math
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib.notes.corpus.archives import MAX_FILE_BYTES, too_large
from pipeline_lib.notes.piece import (
    DEFAULT_VELOCITY,
    ParsedPiece,
    RejectedFile,
    TrackInfo,
    changes_only,
    key_name,
    time_signature_name,
)
from pipeline_lib.notes.table import RejectReason
from pipeline_lib.notes.tempos import TempoChanges, tempo_changes

_TUNE_START = re.compile(r"^(?=[ \t]*X:)", re.MULTILINE)
_SHARED_LINE = re.compile(r"%abc-|%%|[A-JL-WYZ]:")
"""Lines before the first tune that hold for every tune: the version (which decides how far an accidental
reaches), directives, and all fields but `K:`, which ends the header of a tune, and `X:`, which begins one."""
_ABC_PARAGRAPH = re.compile(r"^%|^[ \t]*[A-Za-z]:|\|", re.MULTILINE)
_XML_MARK = rb"<score-(partwise|timewise)"
_MARKS = {
    ".abc": rb"(^|[\r\n])K:",
    ".krn": rb"(^|[\r\n])\*\*kern",
    ".musicxml": _XML_MARK,
    ".mxl": rb"^PK",
    ".xml": _XML_MARK,
}
"""Pattern that every file of a format holds somewhere, by suffix."""

_BASE_TICKS_PER_QUARTER = 480
_ROUNDED_TICKS_PER_QUARTER = 10_080
"""Resolution where none within MIDI's bounds is exact: divisible by every number up to 10."""
_MAX_TICKS_PER_QUARTER = 32_767
_MAX_DENOMINATOR = 65_535
"""Largest denominator of a time: music21 holds times as binary floats or as fractions up to it."""


def read_scores(
    data: bytes, suffix: str, before_tune: Callable[[], object] = lambda: None
) -> tuple[ParsedPiece | RejectedFile, ...]:
    r"""Read an ABC, kern or MusicXML file.

    Parameters
    ----------
    data : bytes
        The whole file.
    suffix : str
        Suffix of the file in lower case, which tells music21 the format.
    before_tune : callable
        Called without arguments before each tune of a book, which may take minutes as a whole.

    Returns
    -------
    tuple of ParsedPiece or RejectedFile
        One for each piece in the file, in its order; a piece of several that cannot be used has the
        reason in its place.

    Raises
    ------
    RejectedFile
        The file cannot be read, or the one piece in it cannot.

    Examples
    --------
    A tune of four bars, of which the first two are repeated:

    >>> tune = b"X:1\nM:2/4\nL:1/4\nK:G\n|: G B | c d :| e2 | g2 |]\n"
    >>> (piece,) = read_scores(tune, ".abc")
    >>> piece.pitch.tolist()
    [67, 71, 72, 74, 67, 71, 72, 74, 76, 79]
    >>> piece.duration_quarter
    12.0
    >>> piece.time_signature, piece.key_signature
    ('2/4', 'G major')
    """
    _check_kind(data, suffix)
    tunes = _tunes(_abc_text(data)) if suffix == ".abc" else []
    if len(tunes) < 2:
        scores = load_scores(data, suffix)
        return tuple(score_to_piece(score) for score in scores)
    pieces = []
    for tune in tunes:
        before_tune()
        pieces.append(_read_tune(tune))
    return tuple(pieces)


def load_parser() -> None:
    """Import music21, so that the seconds that takes are counted against no file."""
    import music21  # noqa: F401


def load_scores(data: bytes, suffix: str) -> list[Any]:
    """Load the scores of a file, each a `music21.stream.Score`; parameters as in `read_scores`.

    Raises
    ------
    RejectedFile
        The file is malformed, or music21 finds no score in it.
    """
    from music21 import stream

    _check_kind(data, suffix)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parsed = _parse(data, suffix)
        except MemoryError:
            raise
        except Exception as error:  # music21 raises nearly everything on bad input
            detail = f"{type(error).__name__}: {error}"
            raise RejectedFile(RejectReason.MALFORMED, detail) from None
    found = parsed.scores if isinstance(parsed, stream.Opus) else [parsed]
    scores = [score for score in found if isinstance(score, stream.Score)]
    if not scores:
        raise RejectedFile(RejectReason.NOT_MUSIC, "music21 finds no score in it")
    return scores


def _check_kind(data: bytes, suffix: str) -> None:
    if not data:
        raise RejectedFile(RejectReason.EMPTY_FILE, "0 bytes")
    # XML may come in UTF-16, where every other byte of a tag is zero.
    if not re.search(_MARKS[suffix], data.replace(b"\0", b"")):
        raise RejectedFile(RejectReason.NOT_MUSIC, f"lacks what every {suffix} file has")
    if suffix == ".mxl":
        _check_unpacked_size(data)


def _check_unpacked_size(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            n_bytes = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise RejectedFile(RejectReason.MALFORMED, f"compressed score: {error}") from None
    if n_bytes > MAX_FILE_BYTES:
        raise too_large(n_bytes)


def _tunes(text: str) -> list[str]:
    """The tunes of an ABC file, each with what the file's header says for all.

    A tune has to begin with its number. The header comes next, so that the tune's own fields override it.
    """
    header, *tunes = _TUNE_START.split(text)
    # Not `splitlines`, which knows a dozen more line breaks, some of them letters of old encodings.
    shared = [line for line in header.split("\n") if _SHARED_LINE.match(line)]
    lines = [tune.split("\n") for tune in tunes]
    return ["\n".join([number, *shared, *rest]) for number, *rest in lines]


def _read_tune(text: str) -> ParsedPiece | RejectedFile:
    """Read one tune of several; whatever is wrong with it is returned, for it must not cost the others."""
    try:
        (score, *_) = load_scores(text.encode(), ".abc")
        return score_to_piece(score)
    except RejectedFile as rejected:
        return rejected
    except MemoryError:
        raise
    except Exception as error:
        return RejectedFile(RejectReason.MALFORMED, f"{type(error).__name__}: {error}")


def _parse(data: bytes, suffix: str) -> Any:
    from music21 import converter

    if suffix == ".abc":
        return _parse_abc(_abc_text(data))
    if suffix == ".krn":
        return converter.parseData(_decoded(data), format="humdrum")
    with tempfile.TemporaryDirectory() as folder:
        # music21 unpacks compressed scores, and heeds the encoding XML declares, only in files on disk.
        path = Path(folder) / f"score{suffix}"
        path.write_bytes(data)
        return converter.parse(path, forceSource=True, storePickle=False)


def _parse_abc(text: str) -> Any:
    """Parse ABC as music21's converter does, but keep the ties of chords, which it reads and drops."""
    from music21 import abcFormat, note, tie

    tokens = abcFormat.ABCFile().readstr(text)
    for token in tokens.tokens:
        if isinstance(token, abcFormat.ABCChord) and token.tie:
            for part in token.subTokens:
                # A chord can be made of names of pitches, which have no ties, and of notes.
                part.pitchName = note.Note(part.pitchName)
                part.pitchName.tie = tie.Tie(token.tie)
    if tokens.definesReferenceNumbers():
        return abcFormat.translate.abcToStreamOpus(tokens)
    return abcFormat.translate.abcToStreamScore(tokens)


def _abc_text(data: bytes) -> str:
    """Text of an ABC file without its prose, which music21 would take for notes."""
    paragraphs = re.split(r"\n[ \t]*\n", _decoded(data))
    return "\n\n".join(p for p in paragraphs if _ABC_PARAGRAPH.search(p))


def _decoded(data: bytes) -> str:
    """Decode UTF-8 or else Latin-1; every kind of line end becomes a line feed."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # what old ABC collections are in; never fails
    return re.sub(r"\r\n?", "\n", text)


def score_to_piece(score: Any) -> ParsedPiece:
    """Convert a `music21.stream.Score` to the notes that are played, with repeats expanded and ties joined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        played = _expand_repeats(score)
        _drop_natural_signs(played)
        played = played.stripTies()
        notes = [
            (onset, index, pitch, duration)
            for index, part in enumerate(played.parts)
            for onset, pitch, duration in _part_notes(part)
        ]
        notes.sort(key=lambda note: note[:3])
        ticks_per_quarter = _exact_resolution([t for n in notes for t in (n[0], n[3])])
        columns = [list(column) for column in zip(*notes, strict=True)] or [[]] * 4
        onset_quarter, track, pitch, duration_quarter = columns
        onset_tick, duration_tick = _to_ticks(onset_quarter, duration_quarter, ticks_per_quarter)
        return ParsedPiece(
            track=np.array(track, np.int64),
            pitch=np.array(pitch, np.int64),
            velocity=np.full(len(notes), DEFAULT_VELOCITY, np.int64),
            onset_tick=onset_tick,
            duration_tick=duration_tick,
            tracks=tuple(_track_info(part) for part in played.parts),
            ticks_per_quarter=ticks_per_quarter,
            **_changes(played.flatten(), ticks_per_quarter),
        )


def _expand_repeats(score: Any) -> Any:
    from music21.exceptions21 import Music21Exception

    try:
        return score.expandRepeats()
    except Music21Exception:
        return score


def _drop_natural_signs(score: Any) -> None:
    """Remove natural signs: of notes tied on both sides, music21 joins only those with equal signs."""
    for element in score.recurse().notes:
        for pitch in element.pitches:
            if pitch.accidental is not None and pitch.accidental.name == "natural":
                pitch.accidental = None


def _track_info(part: Any) -> TrackInfo:
    instrument = part.getInstrument(returnDefault=False)
    program = (instrument and instrument.midiProgram) or 0
    return TrackInfo((part.partName or "").strip() or None, program)


def _part_notes(part: Any) -> Iterator[tuple[Fraction, int, Fraction]]:
    """Onset, pitch and duration (in quarter notes) of every sounding note of a part."""
    from music21 import harmony

    for element in part.flatten().notes:
        if element.duration.isGrace or isinstance(element, harmony.Harmony):
            continue
        duration = _fraction(element.quarterLength)
        for pitch in element.pitches if duration > 0 else ():
            # Not `pitch.midi`, which moves what is out of range by octaves.
            yield _fraction(element.offset), round(pitch.ps), duration


def _fraction(quarters: float | Fraction) -> Fraction:
    return Fraction(quarters).limit_denominator(_MAX_DENOMINATOR)


def _exact_resolution(times_quarter: list[Fraction]) -> int:
    """Ticks per quarter note at which all times are whole, or else `_ROUNDED_TICKS_PER_QUARTER`."""
    denominators = {time.denominator for time in times_quarter}
    exact = math.lcm(_BASE_TICKS_PER_QUARTER, *denominators)
    return exact if exact <= _MAX_TICKS_PER_QUARTER else _ROUNDED_TICKS_PER_QUARTER


def _to_ticks(
    onset_quarter: list[Fraction], duration_quarter: list[Fraction], ticks_per_quarter: int
) -> tuple[Any, Any]:
    """Convert onsets and durations to ticks, rounding both ends, so that notes that touch still do."""
    onset = np.array([round(t * ticks_per_quarter) for t in onset_quarter], np.int64)
    ends = (o + d for o, d in zip(onset_quarter, duration_quarter, strict=True))
    offset = np.array([round(t * ticks_per_quarter) for t in ends], np.int64)
    return onset, np.maximum(offset - onset, 1)


def _changes(flat: Any, ticks_per_quarter: int) -> dict[str, Any]:
    """Every change of tempo, metre and key, as fields of a ParsedPiece."""

    def changes(kind: str, value: Callable[[Any], Any]) -> Any:
        marks = flat.getElementsByClass(kind)
        states = ((round(_fraction(m.offset) * ticks_per_quarter), value(m)) for m in marks)
        return changes_only(states)

    return {
        "tempos": _tempos(flat, ticks_per_quarter),
        "time_signatures": changes(
            "TimeSignature", lambda m: time_signature_name(m.numerator, m.denominator)
        ),
        # A bare signature has no mode; where a key stands beside it, that says more, and comes last.
        "key_signatures": changes_only(
            (round(_fraction(k.offset) * ticks_per_quarter), _key(k))
            for k in sorted(
                flat.getElementsByClass("KeySignature"), key=lambda k: hasattr(k, "mode")
            )
        ),
    }


def _tempos(flat: Any, ticks_per_quarter: int) -> TempoChanges:
    marks = flat.getElementsByClass("MetronomeMark")
    stated = [(mark.offset, mark.getQuarterBPM()) for mark in marks]
    known = [(offset, tempo_qpm) for offset, tempo_qpm in stated if tempo_qpm is not None]
    return tempo_changes(
        [round(_fraction(offset) * ticks_per_quarter) for offset, _ in known],
        [tempo_qpm for _, tempo_qpm in known],
    )


def _key(signature: Any) -> str | None:
    if signature.sharps is None:
        return None
    return key_name(
        signature.sharps, minor=getattr(signature, "mode", None) in ("minor", "aeolian")
    )
