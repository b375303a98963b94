"""Choose what generation continues, before anything is trained."""

from __future__ import annotations

from pathlib import Path

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import ParseConfig, PromptConfig, SelectConfig, TokenConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.parsing import first_piece, read_pieces
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile
from pipeline_lib.notes.selection import PieceNotes, select_notes
from pipeline_lib.tokens.corpus import encode_piece
from pipeline_lib.tokens.prompts import Prompt, check_prompt, prompt_table, random_prompts
from tasks.encode import load_corpus
from tasks.stages import stage

RANDOM_PROMPT = "random"


def read_prompt(
    config: PromptConfig, parse: ParseConfig, selection: SelectConfig, tokens: TokenConfig
) -> Prompt | None:
    """The prompt that a setting names: None for random ones, otherwise the opening of a file.

    Of a file with several pieces it is the first one's. The same notes are chosen as in the corpus.

    Raises
    ------
    ConfigError
        The file is not there or cannot be read.
    """
    if config.source == RANDOM_PROMPT:
        return None
    path = Path(config.source).expanduser()
    # A prompt may be shorter or longer than a piece to learn from.
    selection = selection.model_copy(update={"min_notes": 1, "max_notes": None})
    try:
        piece = first_piece(read_pieces(path.read_bytes(), path.suffix.lower(), parse))
        names = [track.name for track in piece.tracks]
        selected = select_notes(_as_notes(piece), names, selection)
    except (OSError, RejectedFile) as error:
        raise ConfigError(
            f"the prompt cannot be read: {error}",
            path=path,
            remedy=f"give the path of a MIDI or score file, or {RANDOM_PROMPT!r}",
        ) from None
    opening = encode_piece(selected.notes, tokens.steps_per_quarter, tokens.max_duration_quarter)
    return Prompt(
        path.name,
        tuple(opening[: config.length]),
        piece.time_signature,
        piece.tempo_qpm,
        piece.key_signature,
    )


def _as_notes(piece: ParsedPiece) -> PieceNotes:
    return PieceNotes(
        piece.track,
        piece.is_drum,
        piece.pitch,
        piece.onset_tick,
        piece.duration_tick,
        piece.ticks_per_quarter,
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
