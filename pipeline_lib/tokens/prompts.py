"""Prompts: the tokens that a model is given to continue.

A prompt brings the metre, tempo and key of the piece that it comes from, which the continuation keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.note_tokens import decode_tokens
from pipeline_lib.tokens.vocabulary import UNKNOWN_ID, Vocabulary

_MOST_NAMED = 5


@dataclass(frozen=True)
class Prompt:
    """Tokens to continue, without the start token.

    Parameters
    ----------
    source : str
        The piece that it comes from: a piece_id or a file's name.
    tokens : tuple of str
    time_signature : str
    tempo_qpm : float
    key_signature : str or None
    """

    source: str
    tokens: tuple[str, ...]
    time_signature: str
    tempo_qpm: float
    key_signature: str | None

    def cache_value(self) -> list[object]:
        """All of it decides what is generated."""
        return [self.source, self.tokens, self.time_signature, self.tempo_qpm, self.key_signature]

    def continued(self, tokens: Sequence[str], steps_per_quarter: int) -> GridNotes:
        """The notes of the prompt with new tokens behind it."""
        return self._notes([*self.tokens, *tokens], steps_per_quarter)

    def continuation(self, tokens: Sequence[str], steps_per_quarter: int) -> GridNotes:
        """The notes of new tokens alone, from the beginning of a bar."""
        return self._notes(tokens, steps_per_quarter)

    def _notes(self, tokens: Sequence[str], steps_per_quarter: int) -> GridNotes:
        return decode_tokens(
            tokens,
            steps_per_quarter,
            time_signature=self.time_signature,
            tempo_qpm=self.tempo_qpm,
            key_signature=self.key_signature,
        )


PROMPT_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("tokens", pa.list_(pa.string()), nullable=False),
        pa.field("time_signature", pa.string(), nullable=False),
        pa.field("tempo_qpm", pa.float64(), nullable=False),
        pa.field("key_signature", pa.string()),
    ],
    metadata={"schema": "prompts/1"},
)
"""One row per sample to generate; all prompts have the same number of tokens."""


def prompt_table(prompts: Sequence[Prompt]) -> pa.Table:
    """Prompts with `PROMPT_SCHEMA`."""
    return pa.Table.from_pylist([vars(prompt) for prompt in prompts], schema=PROMPT_SCHEMA)


def prompts_from_table(table: pa.Table) -> list[Prompt]:
    """The prompts that were saved as a table."""
    return [Prompt(**{**row, "tokens": tuple(row["tokens"])}) for row in table.to_pylist()]


def random_prompts(corpus: TokenCorpus, n_prompts: int, n_tokens: int, seed: int) -> list[Prompt]:
    """Stretches of validation pieces, drawn at random; each piece once before any comes twice.

    A stretch is the first `n_tokens` known tokens in a row of its piece, mostly its opening. Where the
    vocabulary knows too few tokens for that (large chords are rarely seen twice), stretches are shorter.

    Raises
    ------
    ConfigError
        The vocabulary knows no token of any validation piece.
    """
    pieces = [(row, _piece_ids(corpus, row)) for row in corpus.rows(Split.VALID)]
    for length in range(n_tokens, 0, -1):
        starts = [(row, ids, _first_known(ids, length)) for row, ids in pieces]
        found = [(row, ids[n : n + length]) for row, ids, n in starts if n is not None]
        if found:
            return [_prompt(corpus, *found[n]) for n in _draw(len(found), n_prompts, seed)]
    raise ConfigError(
        "the vocabulary knows no token of any validation piece",
        remedy="use a larger corpus, or a smaller tokens.min_count",
    )


def check_prompt(prompt: Prompt, vocabulary: Vocabulary) -> None:
    """Refuse a prompt that a model cannot read.

    Raises
    ------
    ConfigError
        It is empty, or holds tokens that the vocabulary lacks; names them.
    """
    unknown = [token for token in prompt.tokens if token not in vocabulary.ids]
    if unknown or not prompt.tokens:
        named = ", ".join(dict.fromkeys(unknown[:_MOST_NAMED]))
        problem = f"tokens never seen in training: {named}" if unknown else "it holds no notes"
        raise ConfigError(
            f"the prompt {prompt.source} cannot be continued: {problem}",
            remedy="use another prompt, a smaller prompts.length, or a corpus with such notes",
        )


def _piece_ids(corpus: TokenCorpus, row: dict[str, Any]) -> NDArray[np.int32]:
    """A piece's tokens without start and end."""
    return corpus.token_ids[row["start"] + 1 : row["start"] + row["length"] - 1]


def _first_known(token_ids: NDArray[np.int32], length: int) -> int | None:
    """Where the first `length` known tokens in a row begin."""
    n_known = 0
    for n, token_id in enumerate(token_ids.tolist()):
        n_known = 0 if token_id == UNKNOWN_ID else n_known + 1
        if n_known == length:
            return n - length + 1
    return None


def _draw(n: int, n_drawn: int, seed: int) -> list[int]:
    """Numbers below n in random order, all of them before any comes again."""
    shuffles = np.random.default_rng(seed)
    order: list[int] = []
    while len(order) < n_drawn:
        order += shuffles.permutation(n).tolist()
    return order[:n_drawn]


def _prompt(corpus: TokenCorpus, row: dict[str, Any], token_ids: NDArray[np.int32]) -> Prompt:
    return Prompt(
        source=row["piece_id"],
        tokens=tuple(corpus.vocabulary.decode(token_ids.tolist())),
        time_signature=row["time_signature"],
        tempo_qpm=row["tempo_qpm"],
        key_signature=row["key_signature"],
    )
