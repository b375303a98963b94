"""Music as tokens: the kinds ``lines``, ``tokens``, ``windows`` and ``prompts``."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import token_config
from pipeline_lib.notes.table import Split
from pipeline_lib.stores import file_names
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.prompts import Prompt, prompt_table, prompts_from_table
from pipeline_lib.tokens.sequences import sequence_table
from pipeline_lib.tokens.tokenisers import make_tokeniser
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.tokens.vocabulary import Vocabulary, vocabulary_from_rows
from pipeline_lib.tokens.windows import WINDOW_PARQUET_OPTIONS, WindowIndex, windows_of


def write_lines(draft: Draft, lines: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Write the tokens of pieces by piece_id, before there is a vocabulary."""
    draft.write_table(file_names.TOKENS, sequence_table(lines))


def read_lines(store: ArtifactStore, lines: Artifact) -> pa.Table:
    """The tokens of a shard's pieces, with `tokens.sequences.LINE_SCHEMA`."""
    return store.read_table(lines, file_names.TOKENS)


def write_tokens(
    draft: Draft, corpus: TokenCorpus, counted: pa.Table, tokeniser: Tokeniser
) -> None:
    """Write a token corpus.

    Parameters
    ----------
    draft : Draft
    corpus : TokenCorpus
    counted : pyarrow.Table
        Its vocabulary with counts, with `tokens.vocabulary.VOCABULARY_SCHEMA`.
    tokeniser : Tokeniser
        The one that wrote the tokens.
    """
    draft.write_table(file_names.VOCABULARY, counted)
    draft.write_table(file_names.TOKENS, corpus.table)
    draft.write_table(file_names.PIECES, corpus.pieces)
    draft.write_json(file_names.TOKENISER, tokeniser.config.tokeniser.model_dump(mode="json"))


def read_tokens(store: ArtifactStore, tokens: Artifact) -> TokenCorpus:
    """The token corpus."""
    return TokenCorpus(
        table=store.read_table(tokens, file_names.TOKENS),
        pieces=store.read_table(tokens, file_names.PIECES),
        vocabulary=read_vocabulary(store, tokens),
    )


def read_vocabulary(store: ArtifactStore, tokens: Artifact) -> Vocabulary:
    """The vocabulary of a token corpus alone."""
    return vocabulary_from_rows(store.read_table(tokens, file_names.VOCABULARY).to_pylist())


def read_tokeniser(store: ArtifactStore, tokens: Artifact) -> Tokeniser:
    """The tokeniser that wrote a token corpus."""
    return make_tokeniser(token_config(store.read_json(tokens, file_names.TOKENISER)))


def write_windows(draft: Draft, index: pa.Table) -> None:
    """Write where windows start, with `tokens.windows.WINDOW_SCHEMA`."""
    draft.write_table(file_names.WINDOWS, index, **WINDOW_PARQUET_OPTIONS)


def read_windows(store: ArtifactStore, windows: Artifact, split: Split) -> WindowIndex:
    """The windows of one split."""
    return windows_of(store.read_table(windows, file_names.WINDOWS), split)


def write_prompts(draft: Draft, prompts: Sequence[Prompt]) -> None:
    """Write what each sample continues."""
    draft.write_table(file_names.PROMPTS, prompt_table(prompts))


def read_prompts(store: ArtifactStore, prompts: Artifact) -> list[Prompt]:
    """What each sample continues, by its number."""
    return prompts_from_table(store.read_table(prompts, file_names.PROMPTS))
