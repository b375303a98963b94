"""Turn notes into tokens: the vocabulary of the train split, and every piece in its ids."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import TokenConfig
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus, build_corpus, encode_piece
from pipeline_lib.tokens.vocabulary import build_vocabulary, vocabulary_from_table
from tasks.progress import report
from tasks.stages import stage

_COLUMNS = ("is_drum", "pitch", "onset_tick", "duration_tick")


@stage(kind="tokens")
def encode(draft: Draft, pieces: Artifact, shards: list[Artifact], config: TokenConfig) -> None:
    """Write ``vocabulary.parquet``, ``tokens.parquet`` (the flat array) and ``pieces.parquet``."""
    rows = _used_pieces(draft.store.read_table(pieces, "pieces.parquet"))
    tokens: dict[str, list[str]] = {}
    for n, shard in enumerate(shards):
        tokens.update(_encode_shard(draft.store, shard, rows, config))
        report("encode", n + 1, len(shards))
    in_order = [tokens[piece_id] for piece_id in rows]
    train = [
        t for t, row in zip(in_order, rows.values(), strict=True) if row["split"] == Split.TRAIN
    ]
    vocabulary, vocabulary_table = build_vocabulary(train, config.min_count)
    corpus = build_corpus(list(rows.values()), in_order, vocabulary)
    draft.write_table("vocabulary.parquet", vocabulary_table)
    draft.write_table("tokens.parquet", corpus.table)
    draft.write_table("pieces.parquet", corpus.pieces)


def load_corpus(store: ArtifactStore, tokens: Artifact) -> TokenCorpus:
    """The token corpus that `encode` wrote."""
    return TokenCorpus(
        table=store.read_table(tokens, "tokens.parquet"),
        pieces=store.read_table(tokens, "pieces.parquet"),
        vocabulary=vocabulary_from_table(store.read_table(tokens, "vocabulary.parquet")),
    )


def _used_pieces(table: pa.Table) -> dict[str, dict[str, Any]]:
    """Rows of the pieces that have a split, by piece_id, in a fixed order that no path decides."""
    used = table.filter(pc.is_valid(table.column("split"))).sort_by("piece_id")
    return {row["piece_id"]: row for row in used.to_pylist()}


def _encode_shard(
    store: ArtifactStore, shard: Artifact, rows: dict[str, dict[str, Any]], config: TokenConfig
) -> dict[str, list[str]]:
    notes = store.read_table(shard, "notes.parquet", columns=["piece_id", *_COLUMNS])
    columns = {name: notes.column(name).to_numpy() for name in _COLUMNS}
    piece_ids = notes.column("piece_id").cast(pa.string())
    tokens: dict[str, list[str]] = {}
    start = 0
    # The table is sorted by piece, and value_counts keeps the order of first sight.
    for entry in pc.value_counts(piece_ids).to_pylist():
        piece_id, stop = entry["values"], start + entry["counts"]
        if piece_id in rows:
            piece = {name: column[start:stop] for name, column in columns.items()}
            ticks_per_quarter = rows[piece_id]["ticks_per_quarter"]
            tokens[piece_id] = encode_piece(piece, ticks_per_quarter, config)
        start = stop
    return tokens
