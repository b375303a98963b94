"""Write the selected notes of each piece as a line of tokens."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import SelectConfig
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.selection import select_notes
from pipeline_lib.stores.notes import read_shard_notes
from pipeline_lib.stores.tokens import write_lines
from pipeline_lib.tokens.corpus import encode_piece
from pipeline_lib.workers import NO_LIMITS, Mark, run_isolated
from tasks.stages import stage


@stage(kind="lines", in_other_processes=True)
def tokenise(
    draft: Draft,
    shard: Artifact,
    selection: SelectConfig,
    steps_per_quarter: int,
    max_duration_quarter: int,
) -> None:
    """Write ``tokens.parquet``: one row per token, piece after piece."""
    run_isolated(
        _tokenise, NO_LIMITS, draft, shard, selection, steps_per_quarter, max_duration_quarter
    )


def _tokenise(
    mark: Mark,
    draft: Draft,
    shard: Artifact,
    selection: SelectConfig,
    steps_per_quarter: int,
    max_duration_quarter: int,
) -> None:
    lines: list[tuple[str, list[str]]] = []
    for n, (piece_id, notes, names) in enumerate(read_shard_notes(draft.store, shard)):
        mark(n)
        try:
            selected = select_notes(notes, names, selection)
        except RejectedFile:
            continue  # `select` has told why
        tokens = encode_piece(selected.notes, steps_per_quarter, max_duration_quarter)
        lines.append((piece_id, tokens))
    write_lines(draft, lines)
