"""Choose which notes of each piece are learnt from, and sketch them, so that duplicates are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import SelectConfig
from pipeline_lib.notes.corpus.duplicates import minhash, notes_digest
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.selection import Selected, rounding_errors, select_notes
from pipeline_lib.notes.table import SELECTION_SCHEMA
from pipeline_lib.stores.notes import read_shard_notes
from pipeline_lib.stores.pieces import write_selection
from pipeline_lib.workers import NO_LIMITS, Mark, run_isolated
from tasks.stages import stage


@stage(kind="selections", in_other_processes=True)
def select(draft: Draft, shard: Artifact, config: SelectConfig, steps_per_quarter: int) -> None:
    """Write ``selections.parquet``: what is kept of each piece, and how far the grid moves it."""
    run_isolated(_select, NO_LIMITS, draft, shard, config, steps_per_quarter)


def _select(
    mark: Mark, draft: Draft, shard: Artifact, config: SelectConfig, steps_per_quarter: int
) -> None:
    rows: list[dict[str, Any]] = []
    for n, (piece_id, notes, track_names) in enumerate(read_shard_notes(draft.store, shard)):
        mark(n)
        try:
            selected = select_notes(notes, track_names, config)
        except RejectedFile as rejected:
            reason = {"reject_reason": rejected.reason, "reject_detail": rejected.detail}
            rows.append({"piece_id": piece_id, "n_selected": 0, **reason})
        else:
            rows.append({"piece_id": piece_id, **_describe(selected, steps_per_quarter)})
    write_selection(draft, pa.Table.from_pylist(rows, schema=SELECTION_SCHEMA))


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
