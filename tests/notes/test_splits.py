"""Dividing pieces, and saying of every file what became of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.config import SplitConfig
from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus import SourceFile
from pipeline_lib.notes.splits import assign_splits, check_rejects, piece_table
from pipeline_lib.notes.table import PIECE_SCHEMA, SHARD_PIECE_SCHEMA, Split

DIGESTS = [f"digest {i}" for i in range(100)]


@given(
    digests=st.lists(st.integers(0, 30).map(str), min_size=3, max_size=80).filter(
        lambda digests: len(set(digests)) >= 3
    ),
    valid_fraction=st.floats(0.01, 0.49),
    test_fraction=st.floats(0.01, 0.49),
    seed=st.integers(0, 2**32 - 1),
)
def test_groups_stay_together_and_no_split_is_empty(
    digests: list[str], valid_fraction: float, test_fraction: float, seed: int
) -> None:
    splits = assign_splits(digests, valid_fraction, test_fraction, seed)
    assert len(set(zip(digests, splits, strict=True))) == len(set(digests))
    assert set(splits) == set(Split)


def test_shares_are_met() -> None:
    assert Counter(assign_splits(DIGESTS, 0.1, 0.2, seed=0)) == {
        Split.TRAIN: 70,
        Split.VALID: 10,
        Split.TEST: 20,
    }


def test_a_group_larger_than_the_shares_goes_to_train() -> None:
    digests = ["large"] * 30 + DIGESTS[:70]
    splits = assign_splits(digests, 0.1, 0.1, seed=0)
    assert set(splits[:30]) == {Split.TRAIN}
    assert Counter(splits)[Split.TEST] == Counter(splits)[Split.VALID] == 10


def test_the_seed_decides() -> None:
    assert assign_splits(DIGESTS, 0.1, 0.1, 1) == assign_splits(DIGESTS, 0.1, 0.1, 1)
    assert assign_splits(DIGESTS, 0.1, 0.1, 1) != assign_splits(DIGESTS, 0.1, 0.1, 2)


def test_the_order_of_pieces_does_not_matter() -> None:
    backwards = assign_splits(DIGESTS[::-1], 0.1, 0.1, 0)
    assert backwards[::-1] == assign_splits(DIGESTS, 0.1, 0.1, 0)


def test_most_pieces_stay_where_they_were_when_the_corpus_grows() -> None:
    before = assign_splits(DIGESTS, 0.1, 0.1, 0)
    grown = assign_splits([*DIGESTS, *(f"new {i}" for i in range(10))], 0.1, 0.1, 0)
    moved = sum(a != b for a, b in zip(before, grown, strict=False))
    assert moved <= 10


def test_two_distinct_pieces_are_too_few() -> None:
    with pytest.raises(CorpusError, match=r"5 usable pieces, 2 of them distinct.*at least 3"):
        assign_splits(["a", "a", "b", "b", "b"], 0.1, 0.1, 0)


def source(path: str, content: str) -> SourceFile:
    return SourceFile(path, hashlib.sha256(content.encode()).hexdigest(), path[-4:], len(content))


def shard_rows(contents: dict[str, str | None], reason: str = "no_notes") -> pa.Table:
    """Rows of SHARD_PIECE_SCHEMA: digest of the notes by content, None where it is rejected."""
    rows: list[dict[str, Any]] = []
    for content, digest in contents.items():
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        row = {"piece_id": sha256[:16], "sha256": sha256, "suffix": ".mid", "n_notes": 0}
        if digest is None:
            row |= {"status": "rejected", "reject_reason": reason, "reject_detail": "…"}
        else:
            row |= {"status": "accepted", "notes_sha256": digest, "n_notes": 9}
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=SHARD_PIECE_SCHEMA)


def test_one_row_per_file() -> None:
    files = (
        source("a.mid", "one"),
        source("b.mid", "two"),
        source("c.kar", "one"),
        source("d.mid", "same tune as two"),
        source("e.mid", "three"),
        source("f.mid", "broken"),
        source("g.mid", "broken"),
    )
    shards = shard_rows(
        {"one": "1", "two": "2", "same tune as two": "2", "three": "3", "broken": None}
    )
    table = piece_table(files, shards, SplitConfig())
    assert table.schema.equals(PIECE_SCHEMA, check_metadata=True)
    rows = table.to_pylist()
    assert [row["path"] for row in rows] == [f.path for f in files]
    assert [row["status"] for row in rows] == [
        *("accepted", "accepted", "duplicate", "accepted", "accepted", "rejected", "rejected")
    ]
    assert [row["duplicate_group"] for row in rows] == [0, 1, 0, 1, 2, None, None]
    assert rows[2]["suffix"] == ".kar"
    assert rows[1]["split"] == rows[3]["split"]
    assert {row["split"] for row in rows[:2] + rows[3:5]} == {"train", "valid", "test"}
    assert [row["split"] for row in (rows[2], *rows[5:])] == [None, None, None]


def test_without_a_usable_file_there_is_a_table_but_no_split() -> None:
    table = piece_table([source("a.mid", "x")], shard_rows({"x": None}), SplitConfig())
    assert table["split"].to_pylist() == [None]
    with pytest.raises(CorpusError, match=r"no usable file among 1: 1 × no_notes \(a\.mid\)"):
        check_rejects(table, 1.0)


def test_too_many_rejects_name_the_worst_reasons_and_examples() -> None:
    contents = [f"broken {i}" for i in range(4)]
    files = [source(f"{i}.mid", content) for i, content in enumerate([*contents, "1", "2", "3"])]
    shards = pa.concat_tables(
        [
            shard_rows(dict.fromkeys(contents), "truncated"),
            shard_rows({"1": "1", "2": "2", "3": "3"}),
        ]
    )
    table = piece_table(files, shards, SplitConfig())
    check_rejects(table, 4 / 7)
    with pytest.raises(
        CorpusError, match=r"4 of 7 files .* 4 × truncated \(0\.mid, 1\.mid, 2\.mid\)"
    ):
        check_rejects(table, 0.5)
