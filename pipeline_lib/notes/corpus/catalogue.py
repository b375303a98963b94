"""The table of pieces: what became of every file, and which pieces are the same music.

Put together from the scan's list of files, the shards' pieces and the selections; see
`pipeline_lib.notes.table.PIECE_SCHEMA`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline_lib.config import DuplicateConfig
from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus.duplicates import group_duplicates
from pipeline_lib.notes.table import PIECE_SCHEMA, DuplicateKind, Status

_REASONS_SHOWN = 3
_EXAMPLES_SHOWN = 3
_SECONDS_PER_HOUR = 3600


def piece_table(
    files: pa.Table, shard_pieces: pa.Table, selections: pa.Table, config: DuplicateConfig
) -> pa.Table:
    """Build the table of pieces, which says of every input file what became of it.

    Parameters
    ----------
    files : pyarrow.Table
        All files of the corpus, with `SNAPSHOT_SCHEMA`, sorted by path.
    shard_pieces : pyarrow.Table
        All pieces of every readable file, with `SHARD_PIECE_SCHEMA`; those of a content that two shards read
        are there twice.
    selections : pyarrow.Table
        A row for every piece that a shard accepted, with `SELECTION_SCHEMA`.
    config : DuplicateConfig
        What counts as the same music.

    Returns
    -------
    pyarrow.Table
        A table with `PIECE_SCHEMA`, in which ``split`` is still null.
    """
    file_row, shard_row = _pieces_of_files(files, shard_pieces)
    shard_part = shard_pieces.take(shard_row)
    selection_row = pc.index_in(shard_part["piece_id"], value_set=selections["piece_id"])
    file_part, selected = files.take(file_row), selections.take(selection_row)

    columns: dict[str, Any] = {
        **_columns(selected),
        **_columns(shard_part),
        **_columns(file_part, but="sha256"),
    }
    for name in ("reject_reason", "reject_detail"):
        columns[name] = pc.coalesce(file_part[name], shard_part[name], selected[name])
    columns["n_notes"] = pc.fill_null(shard_part["n_notes"], 0)
    columns["sha256"] = file_part["sha256"]
    is_usable = pc.invert(pc.is_valid(columns["reject_reason"])).to_numpy()
    is_first = ~pd.Series(columns["piece_id"].to_pylist()).duplicated().to_numpy()
    status = np.where(is_usable, Status.DUPLICATE, Status.REJECTED).astype(object)
    status[is_usable & is_first] = Status.ACCEPTED
    columns["status"] = pa.array(status, pa.string())
    columns |= _duplicates(columns, is_usable, config)
    columns["split"] = pa.nulls(len(file_row), pa.string())
    table = pa.table({field.name: columns[field.name] for field in PIECE_SCHEMA})
    return table.cast(PIECE_SCHEMA)


def _pieces_of_files(files: pa.Table, shard_pieces: pa.Table) -> tuple[NDArray[np.int64], pa.Array]:
    """Rows of `files`, and of `shard_pieces` (null where there is none), for each row of the table of pieces."""
    of_file = pd.DataFrame({"sha256": files["sha256"].to_pylist(), "file": np.arange(len(files))})
    of_piece = pd.DataFrame(
        {
            "sha256": shard_pieces["sha256"].to_pylist(),
            "piece_id": shard_pieces["piece_id"].to_pylist(),
            "tune": shard_pieces["tune"].to_numpy(),
            "piece": np.arange(len(shard_pieces)),
        }
    ).drop_duplicates("piece_id")
    both = of_file.merge(of_piece, on="sha256", how="left").sort_values(["file", "tune"])
    missing = both["piece"].isna().to_numpy()
    shard_row = pa.array(both["piece"].fillna(0).to_numpy(np.int64), mask=missing)
    return both["file"].to_numpy(), shard_row


def _columns(table: pa.Table, but: str = "") -> dict[str, pa.ChunkedArray]:
    return {name: table[name] for name in table.column_names if name != but}


def _duplicates(
    columns: dict[str, Any], is_usable: NDArray[np.bool_], config: DuplicateConfig
) -> dict[str, pa.Array]:
    """The columns ``duplicate_group`` and ``duplicate_kind``; null for rejects."""
    used = pa.array(np.flatnonzero(is_usable))
    part = {
        name: columns[name].take(used).to_pylist()
        for name in ("piece_id", "notes_sha256", "melody_sha256", "minhash")
    }
    groups, kinds = group_duplicates(
        part["piece_id"],
        part["notes_sha256"],
        part["melody_sha256"],
        part["minhash"],
        config.min_similarity,
    )
    rows = np.full(len(is_usable), -1)
    rows[is_usable] = np.arange(len(used))
    place = pa.array(rows, mask=rows < 0)
    return {
        "duplicate_group": pa.array(groups, pa.int32()).take(place),
        "duplicate_kind": pa.array(kinds, pa.string()).take(place),
    }


def check_rejects(pieces: pa.Table, max_rejected_fraction: float) -> None:
    """Raise an error when too much of a corpus could not be used.

    Parameters
    ----------
    pieces : pyarrow.Table
        All pieces of the corpus, with `PIECE_SCHEMA`.
    max_rejected_fraction : float
        The largest share of rejected pieces that is allowed, 0–1.

    Raises
    ------
    CorpusError
        A larger share was rejected, or every piece; the message names the commonest reasons and examples.
    """
    rejected = pieces.filter(pc.equal(pieces["status"], Status.REJECTED.value))
    if len(rejected) == len(pieces):
        raise CorpusError(
            f"no usable file among {len(pieces)}: {_worst_reasons(rejected)}",
            remedy="repair or replace the files named here; `select.min_notes` says how short a piece may be",
        )
    if len(rejected) > max_rejected_fraction * len(pieces):
        raise CorpusError(
            f"{len(rejected)} of {len(pieces)} files cannot be used, more than the share of "
            f"{max_rejected_fraction:g} that is allowed: {_worst_reasons(rejected)}",
            remedy="repair or remove the files named here, or raise ingest.max_rejected_fraction",
        )


def _worst_reasons(rejected: pa.Table) -> str:
    """The commonest reasons with examples, such as "3 × truncated (a.mid, b.mid, c.mid); 1 × no_notes (d.mid)"."""
    reasons = rejected["reject_reason"]
    worst = Counter(reasons.to_pylist()).most_common(_REASONS_SHOWN)
    return "; ".join(
        f"{count} × {reason} ({', '.join(_first_paths(rejected, reason))})"
        for reason, count in worst
    )


def _first_paths(rejected: pa.Table, reason: str) -> list[str]:
    chosen = rejected.filter(pc.equal(rejected["reject_reason"], reason))
    paths: list[str] = chosen["path"].slice(0, _EXAMPLES_SHOWN).to_pylist()
    return paths


@dataclass(frozen=True)
class CorpusCounts:
    """A corpus in numbers.

    Parameters
    ----------
    n_files : int
        Number of files, members of archives included.
    n_pieces : int
        Number of pieces in them, counting a rejected file as one: ``n_accepted + n_rejected + n_copies``.
    n_accepted, n_rejected, n_copies : int
        Number of pieces by what became of them; copies have the same bytes as an accepted piece.
    rejected_by_reason : dict of str to int
        Number of rejected pieces by `RejectReason`, the commonest first.
    duplicates_by_kind : dict of str to int
        Number of pieces that repeat an earlier one, by `DuplicateKind`; all but the exact ones are accepted.
    n_groups : int
        Number of different pieces of music among the accepted ones.
    n_repaired : int
        Number of accepted pieces that were repaired.
    n_doubtful : int
        Number of accepted pieces in which a reader could not make sense of something.
    n_unended, n_zero_length : int
        Number of notes dropped from accepted pieces, because they never end or have no length.
    n_notes : int
        Number of notes of the accepted pieces.
    hours : float
        How long the accepted pieces sound, in hours.
    """

    n_files: int
    n_pieces: int
    n_accepted: int
    n_rejected: int
    n_copies: int
    rejected_by_reason: dict[str, int]
    duplicates_by_kind: dict[str, int]
    n_groups: int
    n_repaired: int
    n_doubtful: int
    n_unended: int
    n_zero_length: int
    n_notes: int
    hours: float


def count_corpus(pieces: pa.Table) -> CorpusCounts:
    """Count the pieces, notes and hours of a table with `PIECE_SCHEMA`."""
    status = Counter(pieces["status"].to_pylist())
    kinds = Counter(pieces["duplicate_kind"].drop_null().to_pylist())
    reasons = Counter(pieces["reject_reason"].drop_null().to_pylist())
    accepted = pieces.filter(pc.equal(pieces["status"], Status.ACCEPTED.value))
    return CorpusCounts(
        n_files=pc.count_distinct(pieces["path"]).as_py(),
        n_pieces=len(pieces),
        n_accepted=status[Status.ACCEPTED],
        n_rejected=status[Status.REJECTED],
        n_copies=status[Status.DUPLICATE],
        rejected_by_reason=dict(reasons.most_common()),
        duplicates_by_kind={k.value: kinds[k] for k in DuplicateKind if kinds[k]},
        n_groups=pc.count_distinct(accepted["duplicate_group"]).as_py(),
        n_repaired=pc.count(accepted["repair"]).as_py(),
        n_doubtful=pc.count(accepted["warning"]).as_py(),
        n_unended=_total(accepted["n_unended"]),
        n_zero_length=_total(accepted["n_zero_length"]),
        n_notes=_total(accepted["n_notes"]),
        hours=float(_total(accepted["duration_sec"]) / _SECONDS_PER_HOUR),
    )


def _total(column: pa.ChunkedArray) -> Any:
    return pc.sum(column).as_py() or 0


def piece_path(row: Mapping[str, Any]) -> str:
    """Where a piece of the table comes from: its file's path, and which tune of it, if it has several."""
    return f"{row['path']} #{row['tune']}" if row["tune"] else str(row["path"])
