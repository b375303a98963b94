"""Prompts: the tokens that a model is given to continue.

A prompt brings the metre, tempo and key of the piece that it comes from, which the continuation keeps. It may
have no tokens: then only those are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.tokens.nearest import nearest_tokens
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.tokens.typed_notes import typed_note
from pipeline_lib.tokens.vocabulary import Vocabulary

_MOST_NAMED = 5
_MOST_OFFERED = 3


@dataclass(frozen=True)
class Prompt:
    """Tokens to continue, without the start token.

    Parameters
    ----------
    source : str
        The piece that it comes from: a piece_id, a file's name, the notes as they were typed, or "none".
    tokens : tuple of str
    time_signature : str
    tempo_qpm : float
    key_signature : str or None
    replaced : tuple of str
        What was taken for tokens that the vocabulary lacks, each once: ``"C#5:4 -> C#5:2"``.
    """

    source: str
    tokens: tuple[str, ...]
    time_signature: str
    tempo_qpm: float
    key_signature: str | None
    replaced: tuple[str, ...] = ()

    def continued(self, tokens: Sequence[str], tokeniser: Tokeniser) -> GridNotes:
        """The notes of the prompt with new tokens behind it."""
        return self._notes([*self.tokens, *tokens], tokeniser)

    def continuation(self, tokens: Sequence[str], tokeniser: Tokeniser) -> GridNotes:
        """The notes of new tokens alone, from the beginning of a bar."""
        return self._notes(tokens, tokeniser)

    def _notes(self, tokens: Sequence[str], tokeniser: Tokeniser) -> GridNotes:
        return tokeniser.decode(
            tokens,
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
        pa.field("replaced", pa.list_(pa.string()), nullable=False),
    ],
    metadata={"schema": "prompts/2"},
)
"""One row per sample to generate; all prompts have the same number of tokens."""


def prompt_table(prompts: Sequence[Prompt]) -> pa.Table:
    """Prompts with `PROMPT_SCHEMA`."""
    return pa.Table.from_pylist([vars(prompt) for prompt in prompts], schema=PROMPT_SCHEMA)


def prompts_from_table(table: pa.Table) -> list[Prompt]:
    """The prompts that were saved as a table."""
    lists = ("tokens", "replaced")
    return [Prompt(**{**row, **{n: tuple(row[n]) for n in lists}}) for row in table.to_pylist()]


def check_prompt(prompt: Prompt, vocabulary: Vocabulary, tokeniser: Tokeniser) -> None:
    """Refuse a prompt that a model cannot read.

    Raises
    ------
    ConfigError
        It holds tokens that the vocabulary lacks; names them, and the nearest that it has.
    """
    unknown = _unknown(prompt, vocabulary)
    if not unknown:
        return
    named = "; ".join(_offer(token, vocabulary, tokeniser) for token in unknown[:_MOST_NAMED])
    more = f"; and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
    raise ConfigError(
        f"the prompt {prompt.source} cannot be continued: never seen in training: {named}{more}",
        remedy="set prompts.nearest=true to have the nearest taken, or use another prompt, a smaller "
        "prompts.length, or a corpus with such notes",
    )


def with_nearest(prompt: Prompt, vocabulary: Vocabulary, tokeniser: Tokeniser) -> Prompt:
    """The prompt with what the vocabulary lacks replaced by the nearest that it has, and a record of it.

    A rest stays as it is where the vocabulary has no rests, and a note where it has no notes.
    """
    nearest = {
        token: nearest_tokens(token, vocabulary, tokeniser, 1)
        for token in _unknown(prompt, vocabulary)
    }
    taken = {token: found[0] for token, found in nearest.items() if found}
    return replace(
        prompt,
        tokens=tuple(taken.get(token, token) for token in prompt.tokens),
        replaced=tuple(
            f"{typed_note(t, tokeniser)} -> {typed_note(n, tokeniser)}" for t, n in taken.items()
        ),
    )


def _unknown(prompt: Prompt, vocabulary: Vocabulary) -> list[str]:
    """The prompt's tokens that the vocabulary lacks, each once."""
    return list(dict.fromkeys(token for token in prompt.tokens if token not in vocabulary.ids))


def _offer(token: str, vocabulary: Vocabulary, tokeniser: Tokeniser) -> str:
    nearest = nearest_tokens(token, vocabulary, tokeniser, _MOST_OFFERED)
    offered = ", ".join(typed_note(known, tokeniser) for known in nearest)
    return f"{typed_note(token, tokeniser)} (nearest: {offered or 'none'})"
