"""Train, valid and test: who is in which, decided once, before anything is counted or trained.

Pieces with the same notes (`pipeline_lib.notes.duplicates`) are never separated. The order in which
groups are dealt out is a hash of the seed and their notes, not a shuffle of their positions: it depends
neither on file names nor on the order of files, and when a corpus grows, most of its pieces stay where
they were.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipeline_lib.config import SplitConfig
from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus import SourceFile
from pipeline_lib.notes.duplicates import duplicate_groups
from pipeline_lib.notes.table import PIECE_SCHEMA, Split, Status

_MIN_DISTINCT = 3
_REASONS_SHOWN = 3
_EXAMPLES_SHOWN = 3


def assign_splits(
    digests: Sequence[str], valid_fraction: float, test_fraction: float, seed: int
) -> list[Split]:
    """Divide pieces into train, valid and test.

    Test and valid each get as many pieces as fit their share, but at least one group of duplicates; train
    gets the rest. A group larger than a share goes to train, unless nothing smaller is left for the others.

    Parameters
    ----------
    digests : sequence of str
        One per piece; pieces with equal digests stay together.
    valid_fraction, test_fraction : float
        Shares of the pieces, each below 0.5.
    seed : int
        Other seeds give other divisions.

    Returns
    -------
    list of Split
        One per piece.

    Raises
    ------
    CorpusError
        There are fewer than three distinct pieces.
    """
    sizes = Counter(digests)
    if len(sizes) < _MIN_DISTINCT:
        raise CorpusError(
            f"{len(digests)} usable pieces, {len(sizes)} of them distinct, cannot be divided into "
            f"train, valid and test: at least {_MIN_DISTINCT} distinct pieces are needed",
            remedy="add files to the corpus, or accept shorter pieces with a smaller ingest.min_notes",
        )
    room = {
        Split.TEST: max(1, int(test_fraction * len(digests))),
        Split.VALID: max(1, int(valid_fraction * len(digests))),
    }
    smaller_share = min(room.values())
    order = sorted(sizes, key=lambda digest: (sizes[digest] > smaller_share, _rank(digest, seed)))
    first, second, *others, last = order
    split_of = {first: Split.TEST, second: Split.VALID, last: Split.TRAIN}
    room[Split.TEST] -= sizes[first]
    room[Split.VALID] -= sizes[second]
    for digest in others:
        split = next((s for s in room if sizes[digest] <= room[s]), Split.TRAIN)
        split_of[digest] = split
        if split in room:
            room[split] -= sizes[digest]
    return [split_of[digest] for digest in digests]


def piece_table(
    files: Sequence[SourceFile], shard_pieces: pa.Table, config: SplitConfig
) -> pa.Table:
    """Say of every input file what became of it.

    Parameters
    ----------
    files : sequence of SourceFile
        Sorted by path.
    shard_pieces : pyarrow.Table
        With `SHARD_PIECE_SCHEMA`; one row for every distinct content in the files.
    config : SplitConfig

    Returns
    -------
    pyarrow.Table
        With `PIECE_SCHEMA`, sorted by path. Only accepted pieces have a split; a duplicate has the group
        of its first copy. Every copy of a rejected file is rejected.

    Raises
    ------
    CorpusError
        Some pieces are usable, but too few to divide.
    """
    content = {row["sha256"]: row for row in shard_pieces.to_pylist()}
    accepted = sorted(s for s, row in content.items() if row["status"] == Status.ACCEPTED)
    digests = [content[sha256]["notes_sha256"] for sha256 in accepted]
    fractions = (config.valid_fraction, config.test_fraction)
    splits = assign_splits(digests, *fractions, config.seed) if accepted else []
    split_of = dict(zip(accepted, splits, strict=True))
    group_of = dict(zip(accepted, duplicate_groups(digests).tolist(), strict=True))

    rows: list[dict[str, Any]] = []
    for file in files:
        row = {**content[file.sha256], "path": file.path, "suffix": file.suffix}
        row["duplicate_group"] = group_of.get(file.sha256)
        # The first copy takes the split, so the next one finds none.
        row["split"] = split_of.pop(file.sha256, None)
        if row["status"] == Status.ACCEPTED and row["split"] is None:
            row["status"] = Status.DUPLICATE
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=PIECE_SCHEMA)


def check_rejects(pieces: pa.Table, max_rejected_fraction: float) -> None:
    """Stop when too many files of a corpus could not be used.

    Parameters
    ----------
    pieces : pyarrow.Table
        With `PIECE_SCHEMA`.
    max_rejected_fraction : float
        The largest bearable share of rejected files, 0–1.

    Raises
    ------
    CorpusError
        More were rejected, or all; the message names the commonest reasons and examples.
    """
    rejected = [row for row in pieces.to_pylist() if row["status"] == Status.REJECTED]
    if len(rejected) == len(pieces):
        raise CorpusError(
            f"no usable file among {len(pieces)}: {_worst_reasons(rejected)}",
            remedy="repair or replace the files named here; `ingest.min_notes` says how short a piece may be",
        )
    if len(rejected) > max_rejected_fraction * len(pieces):
        raise CorpusError(
            f"{len(rejected)} of {len(pieces)} files cannot be used, more than the share of "
            f"{max_rejected_fraction:g} that is allowed: {_worst_reasons(rejected)}",
            remedy="repair or remove the files named here, or raise ingest.max_rejected_fraction",
        )


def _rank(digest: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{digest}".encode()).hexdigest()


def _worst_reasons(rejected: list[dict[str, Any]]) -> str:
    """Such as "3 × truncated (a.mid, b.mid, c.mid); 1 × no_notes (d.mid)"."""
    paths: dict[str, list[str]] = {}
    for row in rejected:
        paths.setdefault(row["reject_reason"], []).append(row["path"])
    worst = sorted(paths.items(), key=lambda item: -len(item[1]))[:_REASONS_SHOWN]
    return "; ".join(
        f"{len(found)} × {reason} ({', '.join(found[:_EXAMPLES_SHOWN])})" for reason, found in worst
    )
