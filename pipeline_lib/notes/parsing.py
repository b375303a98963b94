"""Parsing: from files to tables, a chunk at a time.

A file that cannot be read becomes a rejected row with its reason, whatever a parser does. What kind a file
is of is decided by its first bytes, then by its suffix: MIDI under the name of a score is MIDI.

A piece is named by the content of its file (``piece_id``), and by its number where a file holds several.

Files are read one by one, and put into tables a chunk of files at a time (`pipeline_lib.notes.batches`), which
is faster and keeps memory flat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.batches import MAX_PIECES, sorted_pieces
from pipeline_lib.notes.corpus.shard_tables import PieceRow, ShardTables, shard_tables
from pipeline_lib.notes.corpus.snapshot import SCORE_SUFFIXES, SourceFile
from pipeline_lib.notes.midi.files import read_unsorted
from pipeline_lib.notes.midi.packed import UnsortedPiece
from pipeline_lib.notes.notation.files import read_scores
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile, check_usable
from pipeline_lib.notes.table import RejectReason

_MIDI_MARKS = (b"MThd", b"RIFF")

_CHUNK_NOTES = 250_000
"""Number of notes at which a chunk is closed; it is closed at `MAX_PIECES` pieces, too."""

_Pieces = Sequence[UnsortedPiece | ParsedPiece | RejectedFile]


def read_pieces(data: bytes, suffix: str, config: ParseConfig) -> tuple[ParsedPiece, ...]:
    r"""Read a music file of any supported format: MIDI, ABC, kern or MusicXML.

    Parameters
    ----------
    data : bytes
        The whole file.
    suffix : str
        Suffix of the file's name in lower case, such as ".abc".
    config : ParseConfig
        How to read it.

    Returns
    -------
    tuple of ParsedPiece
        The pieces of the file in its order, at least one; some may have no notes.

    Raises
    ------
    RejectedFile
        The file, or one of its pieces, cannot be read; says why.

    Examples
    --------
    >>> from pipeline_lib.config import ParseConfig
    >>> (piece,) = read_pieces(b"X:1\nL:1/4\nK:C\nC D E2 |]\n", ".abc", ParseConfig())
    >>> piece.pitch.tolist(), piece.duration_quarter
    ([60, 62, 64], 4.0)
    """
    pieces = _read(data, suffix, config)
    for piece in pieces:
        if isinstance(piece, RejectedFile):
            raise piece
    return sorted_pieces([piece for piece in pieces if not isinstance(piece, RejectedFile)])


def first_piece(pieces: Sequence[ParsedPiece]) -> ParsedPiece:
    """Find the first of a file's pieces that has notes other than percussion.

    Raises
    ------
    RejectedFile
        No piece has; says why the last one cannot be used.
    """
    why_not = RejectedFile(RejectReason.NO_NOTES, "no pieces")
    for piece in pieces:
        try:
            check_usable(piece)
        except RejectedFile as rejected:
            why_not = rejected
        else:
            return piece
    raise why_not


def parse_files(
    files: Iterable[tuple[SourceFile, bytes | RejectedFile]],
    config: ParseConfig,
    before_tune: Callable[[], object] = lambda: None,
) -> Iterator[ShardTables]:
    """Parse files into tables, a chunk of files at a time.

    Parameters
    ----------
    files : iterable of (SourceFile, content)
        Each file and its bytes, or why these cannot be had; drawn one by one, each when it is parsed.
    config : ParseConfig
        How to read them.
    before_tune : callable
        Called without arguments before each tune of a file that holds many.

    Yields
    ------
    ShardTables
        Tables of one chunk: files in the order in which they came, pieces of one file by tune. A file of very
        many pieces may reach into several chunks. There is at least one chunk, be it empty.
    """
    rows: list[PieceRow] = []
    n_notes = n_chunks = 0
    for file, data in files:
        pieces: _Pieces = (
            [data]
            if isinstance(data, RejectedFile)
            else _read(data, file.suffix, config, before_tune)
        )
        rows += _numbered(file, pieces)
        n_notes += sum(map(_n_notes, pieces))
        while len(rows) >= MAX_PIECES or n_notes >= _CHUNK_NOTES:
            yield shard_tables(rows[:MAX_PIECES])
            rows, n_notes, n_chunks = rows[MAX_PIECES:], 0, n_chunks + 1
    if rows or not n_chunks:
        yield shard_tables(rows)


def _n_notes(piece: UnsortedPiece | ParsedPiece | RejectedFile) -> int:
    if isinstance(piece, UnsortedPiece):
        return sum(piece.n_notes)
    return len(piece) if isinstance(piece, ParsedPiece) else 0


def _read(
    data: bytes,
    suffix: str,
    config: ParseConfig,
    before_tune: Callable[[], object] = lambda: None,
) -> _Pieces:
    """Read the pieces of a file; one rejection if it cannot be read, whatever the parser trips over."""
    try:
        if suffix in SCORE_SUFFIXES and data[:4] not in _MIDI_MARKS:
            pieces: _Pieces = read_scores(data, suffix, config.repeats, before_tune)
        else:
            pieces = read_unsorted(data, config)
    except RejectedFile as rejected:
        return [rejected]
    except MemoryError as error:
        return [RejectedFile(RejectReason.OUT_OF_MEMORY, f"MemoryError: {error}")]
    except Exception as error:  # it is the file's fault, not the run's
        return [RejectedFile(RejectReason.MALFORMED, f"{type(error).__name__}: {error}")]
    return pieces or [RejectedFile(RejectReason.NO_NOTES, "no pieces")]


def _numbered(file: SourceFile, pieces: _Pieces) -> list[PieceRow]:
    assert file.sha256 is not None, "a file that is parsed was read"
    if len(pieces) == 1:
        return [PieceRow(file.piece_id, file.sha256, None, pieces[0])]
    return [PieceRow(file.tune_id(n), file.sha256, n, p) for n, p in enumerate(pieces, start=1)]
