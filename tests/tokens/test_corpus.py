from __future__ import annotations

from collections import Counter

import numpy as np

from pipeline_lib.notes.selection import PieceNotes
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus, encode_piece
from pipeline_lib.tokens.vocabulary import (
    END_ID,
    SPECIAL_TOKENS,
    START_ID,
    UNKNOWN_ID,
    build_vocabulary,
    vocabulary_from_rows,
)
from tests.tokenisers import NOTES
from tests.tokens.conftest import A, B, C


def test_ids_are_given_by_falling_count_after_the_special_tokens() -> None:
    vocabulary, table = build_vocabulary(Counter([B, A, A, C, B, A]), 2, 1, NOTES)
    assert vocabulary.tokens == (*SPECIAL_TOKENS, A, B, C)
    assert table.column("count").to_pylist() == [2, 2, 0, 3, 2, 1]
    assert vocabulary_from_rows(table.to_pylist()) == vocabulary


def test_rare_tokens_become_unknown_and_are_counted_there() -> None:
    vocabulary, table = build_vocabulary(Counter([A, A, B, C]), 1, 2, NOTES)
    assert vocabulary.tokens == (*SPECIAL_TOKENS, A)
    assert table.column("count").to_pylist()[UNKNOWN_ID] == 2
    assert vocabulary.encode([A, B]).tolist() == [3, UNKNOWN_ID]


def test_equal_counts_are_ordered_by_name_whatever_the_order_of_pieces() -> None:
    forwards, _ = build_vocabulary(Counter([A, B, C]), 3, 1, NOTES)
    backwards, _ = build_vocabulary(Counter([C, B, A]), 3, 1, NOTES)
    assert forwards == backwards


def test_pieces_are_wrapped_and_joined(corpus: TokenCorpus) -> None:
    a, b = corpus.vocabulary.encode([A, B]).tolist()
    assert corpus.token_ids.tolist() == [
        *(START_ID, a, b, a, b, END_ID),
        *(START_ID, a, a, END_ID),
        *(START_ID, b, a, b, END_ID),
        *(START_ID, UNKNOWN_ID, b, END_ID),
    ]
    assert corpus.spans(Split.TRAIN).tolist() == [[0, 6], [6, 4]]
    assert corpus.spans(Split.TEST).tolist() == [[15, 4]]
    assert corpus.pieces.column("n_unknown").to_pylist() == [0, 0, 0, 1]


def test_an_excerpt_keeps_the_metre_and_starts_at_its_first_token(corpus: TokenCorpus) -> None:
    (piece,) = corpus.rows(Split.VALID)
    notes = corpus.excerpt(piece, 1, 10, NOTES)
    assert notes.pitch.tolist() == [60, 62]
    assert notes.onset_step.tolist() == [0, 24]
    assert (notes.time_signature, notes.tempo_qpm) == ("3/4", 90.0)


def test_an_excerpt_holds_what_was_written_also_where_the_vocabulary_does_not_know_it(
    corpus: TokenCorpus,
) -> None:
    (piece,) = corpus.rows(Split.TEST)
    assert corpus.excerpt(piece, 0, 2, NOTES).pitch.tolist() == [64, 62]


def test_tracks_are_merged_and_notes_of_any_order_come_out_by_time() -> None:
    notes = PieceNotes(
        track=np.array([1, 0, 0], np.uint16),
        is_drum=np.zeros(3, bool),
        pitch=np.array([64, 67, 60], np.uint8),
        onset_tick=np.array([0, 480, 0], np.int32),
        duration_tick=np.array([480, 480, 480], np.int32),
        ticks_per_quarter=480,
    )
    assert encode_piece(notes, NOTES) == ["Chord_60.64:1", "Pitch_67:1"]
