"""Every file has a row that says what became of it, and the rows add up."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.config import DuplicateConfig
from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus.catalogue import check_rejects, count_corpus, piece_table
from pipeline_lib.notes.corpus.duplicates import SKETCH_SIZE
from pipeline_lib.notes.corpus.snapshot import SNAPSHOT_SCHEMA
from pipeline_lib.notes.table import PIECE_SCHEMA, SELECTION_SCHEMA, SHARD_PIECE_SCHEMA

CONFIG = DuplicateConfig()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def piece_id(content: str, tune: int | None = None) -> str:
    return digest(content)[:16] if tune is None else digest(f"{digest(content)}/{tune}")[:16]


def files(*contents: tuple[str, str | None]) -> pa.Table:
    """A snapshot of (path, content); None where it cannot be read."""
    rows = [
        {
            "path": path,
            "sha256": None if content is None else digest(content),
            "suffix": path[-4:],
            "n_bytes": len(content or ""),
            "reject_reason": "unreadable" if content is None else None,
            "reject_detail": "Input/output error" if content is None else None,
        }
        for path, content in contents
    ]
    return pa.Table.from_pylist(rows, schema=SNAPSHOT_SCHEMA)


def parsed(content: str, reason: str | None = None, tune: int | None = None) -> dict[str, Any]:
    """A row of a shard: ten seconds and nine notes, unless there is a reason why not."""
    row = {"piece_id": piece_id(content, tune), "sha256": digest(content), "tune": tune}
    if reason:
        return {
            **row,
            "status": "rejected",
            "reject_reason": reason,
            "reject_detail": "so it is",
            "n_notes": 0,
        }
    return {
        **row,
        "status": "accepted",
        "ticks_per_quarter": 480,
        "tempo_qpm": 100.0,
        "time_signature": "3/4",
        "n_tracks": 1,
        "n_notes": 9,
        "n_unended": 2,
        "n_zero_length": 1,
        "n_warnings": 2,
        "warning": "bar 7: 5 quarters in a metre of 4",
        "duration_quarter": 9.0,
        "duration_sec": 10.0,
    }


def chosen(
    content: str, melody: str, reason: str | None = None, tune: int | None = None
) -> dict[str, Any]:
    """A row of a selection; pieces with one melody are the same but for their key."""
    row = {"piece_id": piece_id(content, tune), "n_selected": 8}
    if reason:
        return {**row, "reject_reason": reason, "reject_detail": "too few", "n_selected": 0}
    sketch = np.random.default_rng(sum(melody.encode())).integers(0, 2**32, SKETCH_SIZE, np.uint32)
    return {
        **row,
        "selected_tracks": [0],
        "notes_sha256": digest(content),
        "melody_sha256": digest(melody),
        "minhash": sketch.astype("<u4").tobytes(),
    }


def shards(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SHARD_PIECE_SCHEMA)


def selections(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SELECTION_SCHEMA)


def column(table: pa.Table, name: str) -> list[Any]:
    values: list[Any] = table[name].to_pylist()
    return values


SMALL = piece_table(
    files(
        ("a.mid", "one"),
        ("b.mid", "two"),
        ("c.kar", "one"),
        ("d.mid", "two, higher"),
        ("e.mid", "broken"),
        ("f.mid", "broken"),
        ("g.mid", "short"),
        ("h.mid", None),
    ),
    # The order of shards is not that of paths; "one" was read by two of them.
    pa.concat_tables(
        [
            shards(parsed("two"), parsed("broken", "truncated"), parsed("one")),
            shards(parsed("one"), parsed("short"), parsed("two, higher")),
        ]
    ),
    pa.concat_tables(
        [
            selections(chosen("two", "two"), chosen("one", "one")),
            selections(
                chosen("one", "one"),
                chosen("short", "short", "too_few_notes"),
                chosen("two, higher", "two"),
            ),
        ]
    ),
    CONFIG,
)


def test_every_file_has_a_row_in_the_order_of_paths() -> None:
    assert SMALL.schema.equals(PIECE_SCHEMA, check_metadata=True)
    SMALL.validate(full=True)
    assert column(SMALL, "path") == [
        f"{c}.{s}" for c, s in zip("abcdefgh", ["mid"] * 2 + ["kar"] + ["mid"] * 5, strict=True)
    ]
    assert column(SMALL, "suffix") == [path[-4:] for path in column(SMALL, "path")]
    assert column(SMALL, "sha256")[0] == digest("one")
    assert column(SMALL, "split") == [None] * 8


def test_a_copy_counts_once_under_its_first_path() -> None:
    assert column(SMALL, "status") == [
        *("accepted", "accepted", "duplicate", "accepted"),
        *("rejected", "rejected", "rejected", "rejected"),
    ]
    first, copy = SMALL.to_pylist()[0], SMALL.to_pylist()[2]
    differs = {name for name in first if first[name] != copy[name]}
    assert differs == {"path", "suffix", "status", "duplicate_kind"}


def test_pieces_that_are_the_same_music_have_a_group_and_say_how() -> None:
    one, two, copy, higher, *rejected = column(SMALL, "duplicate_group")
    assert one == copy != two == higher
    assert {one, two} == {0, 1}
    assert rejected == [None] * 4
    assert column(SMALL, "duplicate_kind") == [
        *(None, None, "exact", "transposed"),
        *(None, None, None, None),
    ]


def test_reasons_come_from_whoever_rejected_it() -> None:
    assert column(SMALL, "reject_reason")[4:] == [
        *("truncated", "truncated", "too_few_notes", "unreadable")
    ]
    assert column(SMALL, "reject_detail")[4:] == [
        *("so it is", "so it is", "too few", "Input/output error")
    ]
    assert column(SMALL, "n_notes") == [9, 9, 9, 9, 0, 0, 9, 0]


def test_the_small_table_in_numbers() -> None:
    counts = count_corpus(SMALL)
    assert (counts.n_files, counts.n_pieces) == (8, 8)
    assert (counts.n_accepted, counts.n_rejected, counts.n_copies) == (3, 4, 1)
    assert counts.rejected_by_reason == {"truncated": 2, "too_few_notes": 1, "unreadable": 1}
    assert counts.duplicates_by_kind == {"exact": 1, "transposed": 1}
    assert counts.n_groups == 2
    assert (counts.n_notes, counts.n_unended, counts.n_zero_length) == (27, 6, 3)
    assert counts.n_doubtful == counts.n_accepted
    assert counts.hours == pytest.approx(30 / 3600)


def test_tunes_of_a_file_follow_each_other() -> None:
    tunes = (2, 1, 3)
    table = piece_table(
        files(("a.abc", "book"), ("b.mid", "one"), ("c.abc", "book")),
        shards(
            *(parsed("book", "no_notes" if tune == 3 else None, tune) for tune in tunes),
            parsed("one"),
        ),
        selections(
            chosen("one", "one"), *(chosen("book", f"tune {tune}", tune=tune) for tune in (1, 2))
        ),
        CONFIG,
    )
    assert column(table, "path") == [*["a.abc"] * 3, "b.mid", *["c.abc"] * 3]
    assert column(table, "tune") == [1, 2, 3, None, 1, 2, 3]
    assert column(table, "status") == [
        *("accepted", "accepted", "rejected", "accepted"),
        *("duplicate", "duplicate", "rejected"),
    ]
    counts = count_corpus(table)
    assert (counts.n_files, counts.n_pieces, counts.n_accepted) == (3, 7, 3)


@pytest.mark.parametrize("contents", [[("a.mid", None)], [("a.mid", None), ("b.mid", None)]])
def test_where_nothing_can_be_read_there_is_still_a_table(
    contents: list[tuple[str, str | None]],
) -> None:
    table = piece_table(files(*contents), shards(), selections(), CONFIG)
    assert column(table, "status") == ["rejected"] * len(contents)
    assert table.schema.equals(PIECE_SCHEMA, check_metadata=True)
    counts = count_corpus(table)
    assert (counts.n_rejected, counts.n_groups, counts.hours) == (len(contents), 0, 0.0)


CONTENTS = ["one", "two", "three", "book", "broken", "short", None]
SHARDS = shards(
    *(parsed(content) for content in ("one", "two", "three", "short")),
    *(parsed("book", tune=tune) for tune in (1, 2)),
    parsed("broken", "malformed"),
)
SELECTIONS = selections(
    *(chosen(content, content) for content in ("one", "two")),
    chosen("three", "two"),
    *(chosen("book", f"tune {tune}", tune=tune) for tune in (1, 2)),
    chosen("short", "short", "too_few_notes"),
)


@pytest.mark.slow
@given(st.lists(st.sampled_from(CONTENTS), min_size=1, max_size=12))
def test_the_numbers_add_up(contents: list[str | None]) -> None:
    paths = [f"{n:02}.mid" for n in range(len(contents))]
    table = piece_table(files(*zip(paths, contents, strict=True)), SHARDS, SELECTIONS, CONFIG)
    counts = count_corpus(table)
    assert counts.n_files == len(contents)
    assert counts.n_pieces == len(table) == len(contents) + contents.count("book")
    assert counts.n_pieces == counts.n_accepted + counts.n_rejected + counts.n_copies
    assert counts.n_copies == counts.duplicates_by_kind.get("exact", 0)
    assert counts.n_rejected == sum(counts.rejected_by_reason.values())
    repeats = sum(counts.duplicates_by_kind.values()) - counts.n_copies
    assert counts.n_accepted - counts.n_groups == repeats
    is_accepted = [status == "accepted" for status in column(table, "status")]
    accepted = [i for i, used in zip(column(table, "piece_id"), is_accepted, strict=True) if used]
    assert len(accepted) == len(set(accepted))


def test_without_a_usable_file_the_run_stops() -> None:
    table = piece_table(
        files(("a.mid", "x")), shards(parsed("x", "no_notes")), selections(), CONFIG
    )
    with pytest.raises(CorpusError, match=r"no usable file among 1: 1 × no_notes \(a\.mid\)"):
        check_rejects(table, 1.0)


def test_too_many_rejects_name_the_worst_reasons_and_examples() -> None:
    broken = [f"broken {i}" for i in range(4)]
    good = ["one", "two", "three"]
    table = piece_table(
        files(*((f"{i}.mid", content) for i, content in enumerate([*broken, *good]))),
        shards(*(parsed(c, "truncated") for c in broken), *(parsed(c) for c in good)),
        selections(*(chosen(c, c) for c in good)),
        CONFIG,
    )
    check_rejects(table, 4 / 7)
    with pytest.raises(
        CorpusError, match=r"4 of 7 files .* 4 × truncated \(0\.mid, 1\.mid, 2\.mid\)"
    ):
        check_rejects(table, 0.5)
