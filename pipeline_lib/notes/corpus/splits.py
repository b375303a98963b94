"""Train, valid and test: which piece is in which, decided once, before anything is counted or trained.

Pieces that are the same music (`pipeline_lib.notes.corpus.duplicates`) are never separated. The order in which
groups are dealt out is a hash of the seed and their notes, not a shuffle of their positions: it depends
neither on file names nor on the order of files, and when a corpus grows, most of its pieces stay where
they were.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.config import SplitConfig
from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.table import PIECE_SCHEMA, Split, Status

_MIN_DISTINCT = 3


def assign_splits(
    groups: Sequence[str], valid_fraction: float, test_fraction: float, seed: int
) -> list[Split]:
    """Divide pieces into train, valid and test.

    Test and valid each get as many pieces as fit their share, but at least one group of duplicates; train
    gets the rest. A group larger than a share goes to train, unless nothing smaller is left for the others.

    Parameters
    ----------
    groups : sequence of str
        The name of each piece's group, which stays together.
    valid_fraction, test_fraction : float
        Shares of the pieces, each below 0.5.
    seed : int
        Seed of the order in which groups are dealt out; other seeds give other divisions.

    Returns
    -------
    list of Split
        The split of each piece.

    Raises
    ------
    CorpusError
        There are fewer than three distinct pieces.

    Examples
    --------
    The third and fourth piece are the same music:

    >>> groups = ["a", "b", "c", "c"]
    >>> [split.value for split in assign_splits(groups, 0.25, 0.25, seed=0)]
    ['test', 'valid', 'train', 'train']
    """
    sizes = Counter(groups)
    if len(sizes) < _MIN_DISTINCT:
        raise CorpusError(
            f"{len(groups)} usable pieces, {len(sizes)} of them distinct, cannot be divided into "
            f"train, valid and test: at least {_MIN_DISTINCT} distinct pieces are needed",
            remedy="add files to the corpus, or accept shorter pieces with a smaller select.min_notes",
        )
    room = {
        Split.TEST: max(1, int(test_fraction * len(groups))),
        Split.VALID: max(1, int(valid_fraction * len(groups))),
    }
    smaller_share = min(room.values())
    order = sorted(sizes, key=lambda group: (sizes[group] > smaller_share, _rank(group, seed)))
    first, second, *others, last = order
    split_of = {first: Split.TEST, second: Split.VALID, last: Split.TRAIN}
    room[Split.TEST] -= sizes[first]
    room[Split.VALID] -= sizes[second]
    for group in others:
        split = next((s for s in room if sizes[group] <= room[s]), Split.TRAIN)
        split_of[group] = split
        if split in room:
            room[split] -= sizes[group]
    return [split_of[group] for group in groups]


def with_splits(pieces: pa.Table, config: SplitConfig) -> pa.Table:
    """Fill in the splits of a table of pieces.

    Parameters
    ----------
    pieces : pyarrow.Table
        All pieces of a corpus, with `PIECE_SCHEMA`.
    config : SplitConfig
        Sizes of the splits, and their seed.

    Returns
    -------
    pyarrow.Table
        The same table with ``split`` set for all accepted pieces; it stays null for copies and rejects.

    Raises
    ------
    CorpusError
        There are too few pieces to divide.
    """
    is_used = pc.equal(pieces["status"], Status.ACCEPTED.value).to_numpy()
    used = pieces.filter(pa.array(is_used)).select(["duplicate_group", "melody_sha256"])
    frame = used.to_pandas()
    # A group is known by its smallest digest, so that other files in the corpus do not rename it.
    names = frame.groupby("duplicate_group")["melody_sha256"].transform("min")
    splits = np.full(len(pieces), None, dtype=object)
    splits[is_used] = assign_splits(
        names.tolist(), config.valid_fraction, config.test_fraction, config.seed
    )
    place = pieces.schema.get_field_index("split")
    return pieces.set_column(place, PIECE_SCHEMA.field("split"), pa.array(splits, pa.string()))


def _rank(group: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()
