"""Top lines of pieces, laid one after the other, as the texts in which passages are compared.

Conventions
-----------
- Of every piece, the notes of the top line are compared (`pipeline_lib.evaluation.pieces.Pieces.top_line`), by pitch
  and by their own duration. Rests do not count, nor does the time at which a note begins.
- A passage is some notes in a row, of one piece. `Likeness` says when two passages are the same.
- All pieces lie on the same grid, or their durations would not compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np

from pipeline_lib.evaluation.pieces import Pieces
from pipeline_lib.notes.grid import GridNotes, IntArray
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.features import TokenFeatures, describe_tokens
from pipeline_lib.tokens.tokenisers.base import Tokeniser

_PITCHES = 256
"""Number above all differences of pitches and intervals: pitches are below 128, intervals between −127 and 127."""


class Likeness(Enum):
    """Likeness of two passages: when they count as the same.

    ``EXACT``: every note has the same pitch and duration. ``TRANSPOSED``: every note has the same duration, and every
    note but the first the same interval from the note before, so that k notes have k durations and k − 1 intervals.
    ``PAIRS``: every note has the same duration and the same interval from the note before, which therefore has to
    exist; so k notes follow a further one whose duration does not count. They are the (interval, duration) n-grams of
    `pipeline_lib.evaluation.repetition`.
    """

    EXACT = "exact"
    TRANSPOSED = "transposed"
    PAIRS = "pairs"


@dataclass(frozen=True, eq=False)
class Lines:
    """The top lines of pieces, laid one after the other.

    Parameters
    ----------
    names : sequence of str
        Name of each piece, such as its piece_id.
    starts : int64 array, shape (n_pieces + 1,)
        Number of the note at which each piece begins, and the number of all notes.
    pitch, duration_step : int64 arrays, shape (n_notes,)
        Pitch of each note, and its duration in grid steps.
    """

    names: Sequence[str]
    starts: IntArray
    pitch: IntArray
    duration_step: IntArray

    @property
    def lengths(self) -> IntArray:
        """Number of notes of each piece, shape (n_pieces,)."""
        return np.diff(self.starts)

    @cached_property
    def piece(self) -> IntArray:
        """Number of the piece that each note belongs to, shape (n_notes,)."""
        return np.repeat(np.arange(len(self.names)), self.lengths)

    def of(self, pieces: IntArray) -> Lines:
        """Select the lines of some pieces, given by their numbers, ascending."""
        is_wanted = np.zeros(len(self.names), bool)
        is_wanted[pieces] = True
        notes = is_wanted[self.piece]
        return Lines(
            names=[self.names[number] for number in pieces],
            starts=np.append(0, np.cumsum(self.lengths[pieces])),
            pitch=self.pitch[notes],
            duration_step=self.duration_step[notes],
        )

    def spelled(self, likeness: Likeness) -> tuple[IntArray, IntArray]:
        """Spell each note as a number: one for a note that begins a passage, one for a note within a passage.

        Returns
        -------
        first, following : int64 arrays, shape (n_notes,)
            Equal numbers for notes that are the same. 0 where a passage cannot begin, or cannot go on.
        """
        exact = 1 + self.duration_step * _PITCHES + self.pitch
        interval = np.diff(self.pitch, prepend=0)
        pair = 1 + self.duration_step * _PITCHES + interval + _PITCHES // 2
        begins_piece = np.zeros(len(self.pitch), bool)
        begins_piece[self.starts[:-1][self.lengths > 0]] = True
        pair[begins_piece] = 0
        match likeness:
            case Likeness.EXACT:
                return exact, np.where(begins_piece, 0, exact)
            case Likeness.TRANSPOSED:
                return self.duration_step, pair
            case Likeness.PAIRS:
                return pair, pair


def join_lines(pieces: Mapping[str, GridNotes]) -> Lines:
    """Join the top lines of pieces, which are given by name.

    Examples
    --------
    The chord C4-E4 and the note D4: the top line is E4 D4.

    >>> chord_then_note = GridNotes(np.array([0, 0, 1]), np.ones(3, int), np.array([60, 64, 62]), 1)
    >>> join_lines({"tune": chord_then_note}).pitch
    array([64, 62])
    """
    line = Pieces.of(list(pieces.values())).top_line
    return Lines(
        names=list(pieces),
        starts=line.sequences(line.pitch).bounds,
        pitch=line.pitch,
        duration_step=line.duration_step,
    )


def lines_of_corpus(
    corpus: TokenCorpus, rows: Sequence[dict[str, Any]], tokeniser: Tokeniser
) -> Lines:
    """Join the top lines of whole pieces of a token corpus, as `join_lines` does.

    Where every token is a whole event, no piece is decoded: that is fast enough for ten million notes.

    Parameters
    ----------
    corpus : TokenCorpus
    rows : sequence of dict
        Rows of the corpus's table of pieces.
    tokeniser : Tokeniser
        Tokeniser that the corpus was encoded with.
    """
    if not tokeniser.writes_events:
        return join_lines(
            {row["piece_id"]: corpus.excerpt(row, 0, row["length"], tokeniser) for row in rows}
        )
    token = corpus.table.column("token").combine_chunks()
    written = TokenFeatures(describe_tokens(token.dictionary.to_pylist(), tokeniser))
    pitch = written.highest_pitch.astype(np.int64)
    duration_step = written.advance_step.astype(np.int64)
    # The tokens between the start and the end token.
    spans = [np.arange(row["start"] + 1, row["start"] + row["length"] - 1) for row in rows]
    position = token.indices.to_numpy()[np.concatenate([np.empty(0, np.int64), *spans])]
    is_note = pitch[position] >= 0
    notes_before = np.append(0, np.cumsum(is_note))
    return Lines(
        names=[row["piece_id"] for row in rows],
        starts=notes_before[np.cumsum([0, *map(len, spans)])],
        pitch=pitch[position[is_note]],
        duration_step=duration_step[position[is_note]],
    )
