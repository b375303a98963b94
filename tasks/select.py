"""Choose which notes of each piece are learnt from, and sketch them, so that duplicates are found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import SelectConfig
from pipeline_lib.notes.corpus.duplicates import minhash, notes_digest
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.selection import PieceNotes, Selected, rounding_errors, select_notes
from pipeline_lib.notes.table import SELECTION_SCHEMA
from pipeline_lib.workers import Limits, Mark, run_isolated
from tasks.stages import stage

NO_LIMITS = Limits(file_limit_sec=3600.0, memory_limit_mib=1 << 20)
"""For what reads no foreign files, and runs in other processes for speed alone."""

_NOTE_COLUMNS = ("track", "is_drum", "pitch", "onset_tick", "duration_tick")


@stage(kind="selections", in_other_processes=True)
def select(draft: Draft, shard: Artifact, config: SelectConfig, steps_per_quarter: int) -> None:
    """Write ``selections.parquet``: what is kept of each piece, and how far the grid moves it."""
    run_isolated(_select, NO_LIMITS, draft, shard, config, steps_per_quarter)


def pieces_of_shard(
    store: ArtifactStore, shard: Artifact
) -> Iterator[tuple[str, PieceNotes, list[str | None]]]:
    """The accepted pieces of a shard: piece_id, notes, names of tracks."""
    notes = store.read_table(shard, "notes.parquet", columns=["piece_id", *_NOTE_COLUMNS])
    columns = {name: notes[name].to_numpy() for name in _NOTE_COLUMNS}
    rows = store.read_table(shard, "pieces.parquet", ["piece_id", "ticks_per_quarter", "n_notes"])
    names = _track_names(store.read_table(shard, "tracks.parquet", ["piece_id", "name"]))
    start = 0
    for row in rows.to_pylist():
        # Both tables have the pieces in the same order; rejected ones have no notes.
        stop = start + row["n_notes"]
        if stop > start:
            part = {name: column[start:stop] for name, column in columns.items()}
            piece = PieceNotes(**part, ticks_per_quarter=row["ticks_per_quarter"])
            yield row["piece_id"], piece, names[row["piece_id"]]
        start = stop


def _track_names(tracks: pa.Table) -> dict[str, list[str | None]]:
    names: dict[str, list[str | None]] = {}
    ids = tracks["piece_id"].cast(pa.string()).to_pylist()
    for piece_id, name in zip(ids, tracks["name"].to_pylist(), strict=True):
        names.setdefault(piece_id, []).append(name)
    return names


def _select(
    mark: Mark, draft: Draft, shard: Artifact, config: SelectConfig, steps_per_quarter: int
) -> None:
    rows: list[dict[str, Any]] = []
    for n, (piece_id, notes, track_names) in enumerate(pieces_of_shard(draft.store, shard)):
        mark(n)
        try:
            selected = select_notes(notes, track_names, config)
        except RejectedFile as rejected:
            reason = {"reject_reason": rejected.reason, "reject_detail": rejected.detail}
            rows.append({"piece_id": piece_id, "n_selected": 0, **reason})
        else:
            rows.append({"piece_id": piece_id, **_describe(selected, steps_per_quarter)})
    draft.write_table("selections.parquet", pa.Table.from_pylist(rows, schema=SELECTION_SCHEMA))


def _describe(selected: Selected, steps_per_quarter: int) -> dict[str, Any]:
    notes, as_found = selected.notes, selected.before_transposition
    per_quarter = notes.ticks_per_quarter
    mean, largest = rounding_errors(notes.onset_tick, per_quarter, steps_per_quarter)
    is_moved = selected.estimated_key is not None
    return {
        "selected_tracks": np.array(selected.tracks, np.uint16),
        "n_selected": len(notes),
        "estimated_key": selected.estimated_key,
        "transposed_semitones": selected.transposed_semitones if is_moved else None,
        "mean_rounding_quarter": mean,
        "max_rounding_quarter": largest,
        "notes_sha256": notes_digest(as_found, transposable=False),
        "melody_sha256": notes_digest(as_found, transposable=True),
        "minhash": minhash(as_found),
    }
