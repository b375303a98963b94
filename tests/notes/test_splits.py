"""Dividing pieces: the same music stays together, and as little as possible decides."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.config import SplitConfig
from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus.splits import assign_splits, with_splits
from pipeline_lib.notes.table import PIECE_SCHEMA, Split

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


def pieces_of(*rows: tuple[str, str, int | None, str | None]) -> pa.Table:
    """A piece table of (path, status, duplicate_group, melody_sha256)."""
    columns = ("path", "status", "duplicate_group", "melody_sha256")
    filled = [
        {"suffix": ".mid", "n_bytes": 1, "n_notes": 9, **dict(zip(columns, row, strict=True))}
        for row in rows
    ]
    return pa.Table.from_pylist(filled, schema=PIECE_SCHEMA)


def test_accepted_pieces_have_a_split_and_nothing_else_has() -> None:
    pieces = pieces_of(
        ("a.mid", "accepted", 0, "x"),
        ("b.mid", "duplicate", 0, "x"),
        ("c.mid", "rejected", None, None),
        ("d.mid", "accepted", 1, "y"),
        ("e.mid", "accepted", 2, "z"),
        ("f.mid", "accepted", 0, "x transposed"),
    )
    table = with_splits(pieces, SplitConfig())
    assert table.schema.equals(PIECE_SCHEMA, check_metadata=True)
    assert table.drop_columns("split").equals(pieces.drop_columns("split"))
    splits = table["split"].to_pylist()
    assert splits[1:3] == [None, None]
    assert splits[0] == splits[5]
    assert {splits[0], splits[3], splits[4]} == set(Split)


@pytest.mark.slow
@given(
    groups=st.lists(st.integers(0, 9), min_size=20, max_size=40).filter(lambda g: len(set(g)) >= 3),
    order=st.permutations(range(40)),
    numbering=st.permutations(range(10)),
)
def test_neither_paths_nor_the_numbers_of_groups_decide(
    groups: list[int], order: list[int], numbering: list[int]
) -> None:
    rows = [(f"{n}.mid", "accepted", group, f"{group} {n}") for n, group in enumerate(groups)]
    renamed = [
        (f"x{digest}", status, numbering[group], digest) for _, status, group, digest in rows
    ]
    renamed = [renamed[place] for place in order if place < len(renamed)]
    before, after = (with_splits(pieces_of(*some), SplitConfig()) for some in (rows, renamed))
    by_digest = [
        dict(zip(t["melody_sha256"].to_pylist(), t["split"].to_pylist(), strict=True))
        for t in (before, after)
    ]
    assert by_digest[0] == by_digest[1]


def test_rejects_and_copies_do_not_count_as_pieces() -> None:
    pieces = pieces_of(
        ("a.mid", "accepted", 0, "x"),
        ("b.mid", "accepted", 1, "y"),
        ("c.mid", "duplicate", 1, "y"),
        ("d.mid", "rejected", None, None),
    )
    with pytest.raises(CorpusError, match="2 usable pieces, 2 of them distinct"):
        with_splits(pieces, SplitConfig())
