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

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config import SplitConfig
from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus import CorpusSnapshot
from pipeline_lib.notes.duplicates import duplicate_groups
from pipeline_lib.notes.table import PIECE_SCHEMA, Split, Status

_MIN_GROUPS = 3
_MAX_REASONS_SHOWN = 3
_MAX_EXAMPLES = 3


def assign_splits(
    digests: Sequence[str], valid_fraction: float, test_fraction: float, seed: int
) -> list[Split]:
    """Divide pieces into train, valid and test.

    Each of valid and test gets as many pieces as fit its share, at least one group of duplicates; train
    gets the rest. A group too large for the shares goes to train unless there are no others.

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
    if len(sizes) < _MIN_GROUPS:
        raise CorpusError(
            f"{len(digests)} usable pieces, {len(sizes)} of them distinct, cannot be divided into train, "
            f"valid and test: at least {_MIN_GROUPS} distinct pieces are needed",
            remedy="add files to the corpus, or allow shorter pieces with a smaller ingest.min_notes",
        )
    room = {
        Split.TEST: max(1, int(test_fraction * len(digests))),
        Split.VALID: max(1, int(valid_fraction * len(digests))),
    }
    small = min(room.values())
    order = sorted(sizes, key=lambda digest: (sizes[digest] > small, _rank(digest, seed)))
    split_of = {order[-1]: Split.TRAIN}
    for digest in order[:-1]:
        split_of[digest] = _first_with_room(room, sizes[digest], set(split_of.values()))
        if split_of[digest] in room:
            room[split_of[digest]] -= sizes[digest]
    return [split_of[digest] for digest in digests]


def piece_table(snapshot: CorpusSnapshot, shard_pieces: pa.Table, config: SplitConfig) -> pa.Table:
    """Say of every input file what became of it.

    Parameters
    ----------
    snapshot : CorpusSnapshot
        The files.
    shard_pieces : pyarrow.Table
        With `SHARD_PIECE_SCHEMA`, one row for every distinct content in the snapshot.
    config : SplitConfig

    Returns
    -------
    pyarrow.Table
        With `PIECE_SCHEMA`, sorted by path. Only accepted pieces have a split; duplicates share the
        group of their first copy.

    Raises
    ------
    CorpusError
        Some pieces are usable, but too few to divide.
    """
    row_of = {sha256: row for row, sha256 in enumerate(shard_pieces["sha256"].to_pylist())}
    rows = shard_pieces.take(pa.array([row_of[f.sha256] for f in snapshot.files], pa.int64()))
    usable = [
        i for i, status in enumerate(rows["status"].to_pylist()) if status == Status.ACCEPTED
    ]
    first_row = {snapshot.files[i].sha256: i for i in reversed(usable)}
    accepted = sorted(first_row.values())
    digests = rows["notes_sha256"].take(pa.array(accepted, pa.int64())).to_pylist()
    splits = assign_splits(
        digests, config.valid_fraction, config.test_fraction, config.seed
    ) if accepted else []
    split_of = dict(zip(accepted, splits, strict=True))
    group_of = dict(zip(accepted, duplicate_groups(digests).tolist(), strict=True))
    ...
