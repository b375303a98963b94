"""Write the selected notes of each piece as a line of tokens."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import SelectConfig, TokenConfig
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.selection import select_notes
from pipeline_lib.stores.notes import read_shard_notes
from pipeline_lib.stores.tokens import write_lines
from pipeline_lib.tokens.corpus import encode_piece
from pipeline_lib.tokens.tokenisers import make_tokeniser
from pipeline_lib.workers import NO_LIMITS, Mark, run_isolated
from tasks.stages import stage


@stage(kind="lines", in_other_processes=True)
def tokenise(
    draft: Draft,
    shard: Artifact,
    selection: SelectConfig,
    config: TokenConfig,
) -> None:
    """Write ``tokens.parquet``: one row per token, piece after piece."""
    run_isolated(_tokenise, NO_LIMITS, draft, shard, selection, config)


def _tokenise(
    mark: Mark,
    draft: Draft,
    shard: Artifact,
    selection: SelectConfig,
    config: TokenConfig,
) -> None:
    tokeniser = make_tokeniser(config)
    lines: list[tuple[str, list[str]]] = []
    for n, (piece_id, notes, names) in enumerate(read_shard_notes(draft.store, shard)):
        mark(n)
        try:
            selected = select_notes(notes, names, selection)
        except RejectedFile:
            continue  # `select` has told why
        lines.append((piece_id, encode_piece(selected.notes, tokeniser)))
    write_lines(draft, lines)
