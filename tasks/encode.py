"""Give every token its id: the vocabulary of the train split, and all pieces as one array of ids."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import TokenConfig
from pipeline_lib.notes.table import Split
from pipeline_lib.stores.pieces import read_pieces
from pipeline_lib.stores.tokens import read_lines, write_tokens
from pipeline_lib.tokens.corpus import build_corpus
from pipeline_lib.tokens.sequences import TokenSequences
from pipeline_lib.tokens.tokenisers import make_tokeniser
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.tokens.vocabulary import build_vocabulary
from tasks.progress import report
from tasks.stages import stage

_OTHER_KEYS = [semitones for semitones in range(-5, 7) if semitones]
_COLUMNS = (
    "piece_id",
    "split",
    "time_signature",
    "tempo_qpm",
    "key_signature",
    "estimated_key",
    "transposed_semitones",
)


@stage(kind="tokens", schema_version=3)
def encode(draft: Draft, pieces: Artifact, tokenised: list[Artifact], config: TokenConfig) -> None:
    """Write ``vocabulary.parquet``, ``tokens.parquet`` (the flat array), ``pieces.parquet`` and ``tokeniser.json``."""
    rows = _used_pieces(read_pieces(draft.store, pieces, _COLUMNS))
    wanted = {row["piece_id"] for row in rows}
    tokeniser, lines = make_tokeniser(config), TokenSequences()
    for n, shard in enumerate(tokenised):
        lines.add_table(read_lines(draft.store, shard), wanted)
        report("encode", n + 1, len(tokenised))
    if config.augment == "12_keys":
        rows += in_other_keys(rows, lines, tokeniser)
    train = [row["line"] for row in rows if row["split"] == Split.TRAIN]
    vocabulary, table = build_vocabulary(
        lines.count(train), len(train), config.min_count, tokeniser
    )
    corpus = build_corpus(rows, lines, vocabulary)
    write_tokens(draft, corpus, table, tokeniser)


def _used_pieces(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of the pieces that have a split, by piece_id: a fixed order that no path decides."""
    used = table.filter(pc.is_valid(table["split"])).sort_by("piece_id")
    return [
        {
            **row,
            "line": row["piece_id"],
            "augmented_semitones": 0,
            "key_signature": _key_signature(row),
        }
        for row in used.to_pylist()
    ]


def _key_signature(row: dict[str, Any]) -> str | None:
    """The key of a piece's tokens: the file's, unless the piece was moved."""
    if not row["transposed_semitones"]:
        key: str | None = row["key_signature"]
        return key
    return "A minor" if row["estimated_key"].endswith("minor") else "C major"


def in_other_keys(
    rows: list[dict[str, Any]], lines: TokenSequences, tokeniser: Tokeniser
) -> list[dict[str, Any]]:
    """Further rows for the train pieces, and their lines."""
    train = {row["piece_id"]: row for row in rows if row["split"] == Split.TRAIN}
    return [
        {
            **train[piece_id],
            "line": line,
            "augmented_semitones": semitones,
            "key_signature": None,
        }
        for semitones in _OTHER_KEYS
        for piece_id, line in lines.add_transposed(list(train), semitones, tokeniser).items()
    ]
