"""Prompts: the tokens that a model is given to continue.

A prompt brings the metre, tempo and key of the piece that it comes from, which the continuation keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
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


def random_openings(corpus: TokenCorpus, n_prompts: int, n_tokens: int, seed: int) -> list[Prompt]:
    """Openings of validation pieces, drawn at random; each piece once before any comes twice.

    Pieces that are no longer than the opening, or have an unknown token in it, are passed over.

    Raises
    ------
    ConfigError
        No validation piece serves.
    """
    rows = [row for row in corpus.rows(Split.VALID) if _serves(corpus, row, n_tokens)]
    if not rows:
        raise ConfigError(
            f"no validation piece has {n_tokens} known tokens and one more to continue with",
            remedy="lower generate.prompt_length, or add longer pieces",
        )
    shuffles = np.random.default_rng(seed)
    order: list[int] = []
    while len(order) < n_prompts:
        order += shuffles.permutation(len(rows)).tolist()
    return [_opening(corpus, rows[n], n_tokens) for n in order[:n_prompts]]


def check_prompt(prompt: Prompt, vocabulary: Vocabulary) -> NDArray[np.int32]:
    """The prompt's token ids.

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
            remedy="use another prompt, a shorter generate.prompt_length, or a corpus with such notes",
        )
    return vocabulary.encode(prompt.tokens)


def _serves(corpus: TokenCorpus, row: dict[str, Any], n_tokens: int) -> bool:
    token_ids = _opening_ids(corpus, row, n_tokens)
    return row["length"] > n_tokens + 2 and UNKNOWN_ID not in token_ids


def _opening_ids(corpus: TokenCorpus, row: dict[str, Any], n_tokens: int) -> NDArray[np.int32]:
    first = row["start"] + 1
    return corpus.token_ids[first : first + n_tokens]


def _opening(corpus: TokenCorpus, row: dict[str, Any], n_tokens: int) -> Prompt:
    return Prompt(
        source=row["piece_id"],
        tokens=tuple(corpus.vocabulary.decode(_opening_ids(corpus, row, n_tokens).tolist())),
        time_signature=row["time_signature"],
        tempo_qpm=row["tempo_qpm"],
        key_signature=row["key_signature"],
    )
