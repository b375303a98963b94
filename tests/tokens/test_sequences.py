"""Lines of tokens: each text once, whatever is done to all of them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import build_corpus
from pipeline_lib.tokens.sequences import LINE_SCHEMA, TokenSequences, sequence_table
from pipeline_lib.tokens.vocabulary import UNKNOWN_ID, build_vocabulary
from tests.tokenisers import NOTES
from tests.tokens.conftest import A, B, C, row, token_lines

HIGH = "Pitch_127:1"


def texts(lines: TokenSequences, piece_id: str) -> list[str]:
    return [lines.texts[position] for position in lines[piece_id]]


def test_a_table_gives_back_the_lines_that_are_wanted() -> None:
    table = sequence_table([("p1", [A, B, A]), ("p2", [C]), ("p3", [B, C])])
    assert table.schema.equals(LINE_SCHEMA, check_metadata=True)
    lines = TokenSequences()
    lines.add_table(table, {"p1", "p3"})
    assert texts(lines, "p1") == [A, B, A]
    assert texts(lines, "p3") == [B, C]
    with pytest.raises(KeyError):
        lines["p2"]


def test_tables_written_piece_by_piece_and_apart_share_their_texts() -> None:
    one = pa.concat_tables([sequence_table([("p1", [A, B])]), sequence_table([("p2", [B, B])])])
    lines = TokenSequences()
    lines.add_table(one, {"p1", "p2"})
    lines.add_table(sequence_table([("p3", [C, A])]), {"p3"})
    assert [texts(lines, p) for p in ("p1", "p2", "p3")] == [[A, B], [B, B], [C, A]]
    assert len(lines.texts) == 3


def test_lines_are_whole_whatever_the_row_groups_of_their_file(tmp_path: Path) -> None:
    pq.write_table(
        sequence_table([("p1", [A, B, A]), ("p2", [C, C])]),
        tmp_path / "lines.parquet",
        row_group_size=2,
    )
    lines = TokenSequences()
    lines.add_table(pq.read_table(tmp_path / "lines.parquet"), {"p1", "p2"})
    assert [texts(lines, p) for p in ("p1", "p2")] == [[A, B, A], [C, C]]


def test_a_shard_without_pieces_has_no_lines() -> None:
    lines = TokenSequences()
    lines.add_table(sequence_table([]), {"p1"})
    assert lines.texts == []


def test_counts_are_over_the_pieces_asked_for() -> None:
    lines = token_lines(p1=[A, B, A], p2=[C, B])
    assert lines.count(["p1"]) == {A: 2, B: 1}
    assert lines.count(["p1", "p2"]) == {A: 2, B: 2, C: 1}


def test_copies_in_another_key_where_every_note_has_room() -> None:
    lines = token_lines(p1=[A, "Rest:1", B], p2=[A, HIGH])
    copies = lines.add_transposed(["p1", "p2"], 2, NOTES)
    assert set(copies) == {"p1"}  # nothing is above pitch 127
    assert texts(lines, copies["p1"]) == [B, "Rest:1", C]
    assert texts(lines, "p1") == [A, "Rest:1", B]


def test_texts_are_in_twelve_keys_not_in_keys_of_keys() -> None:
    lines = token_lines(p1=[A, "Rest:1"], p2=[B, "Rest:1"])
    for semitones in range(-5, 7):
        lines.add_transposed(["p1"], semitones, NOTES)
    pitches = [f"Pitch_{pitch}:1" for pitch in range(55, 67)]
    assert set(lines.texts) == {*pitches, "Rest:1"}


def test_copies_are_trained_on_and_nothing_else() -> None:
    lines = token_lines(p1=[A, B], p2=[B, A])
    (copy,) = lines.add_transposed(["p1"], 2, NOTES).values()
    rows = [
        row("p1", "train"),
        row("p2", "valid"),
        {**row("p1", "train"), "line": copy, "augmented_semitones": 2},
    ]
    vocabulary, _ = build_vocabulary(lines.count(["p1", copy]), 2, 1, NOTES)
    corpus = build_corpus(rows, lines, vocabulary)
    assert corpus.spans(Split.TRAIN).tolist() == [[0, 4], [8, 4]]
    assert [r["piece_id"] for r in corpus.rows(Split.TRAIN)] == ["p1"]
    assert corpus.table["token"].to_pylist()[9:11] == [B, C]
    assert UNKNOWN_ID not in corpus.token_ids
