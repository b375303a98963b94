"""Pieces as lines of tokens, before there is a vocabulary.

Each different token is held once as text; a line is an array of positions among these texts. So a corpus of
a hundred million tokens fits in a few hundred megabytes, and what is done to every token (counting,
transposing, looking up an id) is done to every different one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.tokens.tokenisers.base import Tokeniser

LINE_SCHEMA = pa.schema(
    [
        pa.field("piece_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("token", pa.dictionary(pa.int32(), pa.string()), nullable=False),
    ],
    metadata={"schema": "lines/1"},
)
"""One row per token, piece after piece."""


class TokenSequences:
    """Lines of tokens by piece_id."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._lines: dict[str, NDArray[np.int32]] = {}

    @property
    def texts(self) -> list[str]:
        """The different tokens; what a line's numbers point to."""
        return list(self._positions)

    def __getitem__(self, piece_id: str) -> NDArray[np.int32]:
        """One piece's tokens as positions in `texts`, shape (n_tokens,)."""
        return self._lines[piece_id]

    def add(self, piece_id: str, tokens: Iterable[str]) -> None:
        """Add the line of one piece."""
        positions = [self._position(token) for token in tokens]
        self._lines[piece_id] = np.array(positions, np.int32)

    def add_table(self, table: pa.Table, wanted: Collection[str]) -> None:
        """Add those lines of a table with `LINE_SCHEMA` whose piece is wanted."""
        table = table.unify_dictionaries().combine_chunks()
        if not len(table):
            return
        piece_ids, tokens = (column.chunk(0) for column in table.columns)
        positions = np.array(
            [self._position(token) for token in tokens.dictionary.to_pylist()], np.int32
        )
        line = positions[tokens.indices.to_numpy()]
        piece = piece_ids.indices.to_numpy()
        starts = np.flatnonzero(np.diff(piece, prepend=-1))
        for part, start in zip(np.split(line, starts[1:]), starts, strict=True):
            piece_id = piece_ids.dictionary[int(piece[start])].as_py()
            if piece_id in wanted:
                self._lines[piece_id] = part

    def count(self, piece_ids: Iterable[str]) -> Counter[str]:
        """How often each token occurs in some pieces."""
        totals = np.zeros(len(self._positions), np.int64)
        for piece_id in piece_ids:
            totals += np.bincount(self._lines[piece_id], minlength=len(totals))
        return Counter({t: int(n) for t, n in zip(self._positions, totals, strict=True) if n})

    def add_transposed(
        self, piece_ids: Sequence[str], semitones: int, tokeniser: Tokeniser
    ) -> dict[str, str]:
        """Add copies of some pieces in another key.

        Parameters
        ----------
        piece_ids : sequence of str
        semitones : int
            Up; negative for down.
        tokeniser : Tokeniser
            The one that wrote the tokens.

        Returns
        -------
        dict of str to str
            The copies' names by those of their originals. A piece of which a note would leave MIDI's range
            has no copy.
        """
        texts = self.texts
        is_used = np.zeros(len(texts), bool)
        for piece_id in piece_ids:
            is_used[self._lines[piece_id]] = True
        positions = np.full(len(texts), -1, np.int32)
        for used in np.flatnonzero(is_used).tolist():
            moved = tokeniser.transpose(texts[used], semitones)
            if moved is not None:
                positions[used] = self._position(moved)
        copies: dict[str, str] = {}
        for piece_id in piece_ids:
            line = positions[self._lines[piece_id]]
            if line.min(initial=0) >= 0:
                copies[piece_id] = f"{piece_id}{semitones:+d}"
                self._lines[copies[piece_id]] = line
        return copies

    def _position(self, token: str) -> int:
        return self._positions.setdefault(token, len(self._positions))


def sequence_table(lines: Sequence[tuple[str, Sequence[str]]]) -> pa.Table:
    """Pieces and their tokens as a table with `LINE_SCHEMA`."""
    lengths = [len(tokens) for _, tokens in lines]
    of_piece = np.repeat(np.arange(len(lines), dtype=np.int32), lengths)
    piece_ids = pa.DictionaryArray.from_arrays(
        pa.array(of_piece), pa.array([piece_id for piece_id, _ in lines], pa.string())
    )
    tokens = pa.array([token for _, line in lines for token in line], pa.string())
    return pa.table([piece_ids, tokens.dictionary_encode()], schema=LINE_SCHEMA)
