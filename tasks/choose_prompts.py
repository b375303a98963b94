"""Choose what generation continues, before anything is trained."""

from __future__ import annotations

from pathlib import Path

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import TokenConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.parsing import read_piece
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.tokens.corpus import encode_piece
from pipeline_lib.tokens.prompts import Prompt, check_prompt, prompt_table, random_prompts
from tasks.encode import load_corpus
from tasks.stages import stage

RANDOM_PROMPT = "random"


def read_prompt(source: str, length: int, tokens: TokenConfig) -> Prompt | None:
    """The prompt that a setting names: None for random ones, otherwise the opening of a file.

    Raises
    ------
    ConfigError
        The file is not there or cannot be read.
    """
    if source == RANDOM_PROMPT:
        return None
    path = Path(source).expanduser()
    try:
        piece = read_piece(path.read_bytes(), path.suffix.lower())
    except (OSError, RejectedFile) as error:
        raise ConfigError(
            f"the prompt cannot be read: {error}",
            path=path,
            remedy=f"give the path of a MIDI or score file, or {RANDOM_PROMPT!r}",
        ) from None
    opening = encode_piece(vars(piece), piece.ticks_per_quarter, tokens)[:length]
    return Prompt(
        path.name, tuple(opening), piece.time_signature, piece.tempo_qpm, piece.key_signature
    )


@stage(kind="prompts")
def choose_prompts(
    draft: Draft, tokens: Artifact, given: Prompt | None, n_prompts: int, length: int, seed: int
) -> None:
    """Write ``prompts.parquet``: one row per sample; the same prompt in all where one is given."""
    corpus = load_corpus(draft.store, tokens)
    if given is None:
        prompts = random_prompts(corpus, n_prompts, length, seed)
    else:
        check_prompt(given, corpus.vocabulary)
        prompts = [given] * n_prompts
    draft.write_table("prompts.parquet", prompt_table(prompts))
