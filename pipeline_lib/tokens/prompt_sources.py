"""From the setting ``prompts.source`` to prompts.

A prompt is drawn (``random``, ``window``), or given: ``none``, the opening of a file, or typed notes. What is given is
read before there is a corpus, so that a mistake in it costs no time, and chosen when there is one.

Notes and ``none`` have no metre, tempo and key of their own. They get those of the corpus: of each the most common
one among train pieces.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipeline_lib.config import (
    NO_PROMPT,
    RANDOM_PROMPT,
    WINDOW_PROMPT,
    ParseConfig,
    PromptConfig,
    SelectConfig,
)
from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.corpus.archives import read_file, unreadable
from pipeline_lib.notes.parsing import first_piece, read_pieces
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile
from pipeline_lib.notes.selection import PieceNotes, select_notes
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus, encode_piece
from pipeline_lib.tokens.prompt_draws import random_prompts, window_prompts
from pipeline_lib.tokens.prompts import Prompt, check_prompt, with_nearest
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.tokens.typed_notes import looks_typed, parse_typed_notes
from pipeline_lib.workers import Limits, Mark, ProcessLost, run_isolated


class Signatures(NamedTuple):
    """Metre, tempo and key, as pieces have them."""

    time_signature: str
    tempo_qpm: float
    key_signature: str | None


@dataclass(frozen=True)
class Given:
    """What a user wants continued, as far as it is known without a corpus.

    Parameters
    ----------
    source : str
        A file's name, the notes as they were typed, or "none".
    tokens : tuple of str
    signatures : Signatures or None
        None where it has none of its own.
    """

    source: str
    tokens: tuple[str, ...]
    signatures: Signatures | None

    def cache_value(self) -> dict[str, Any]:
        """All of it decides what is generated."""
        return dict(vars(self))


def read_prompt(
    config: PromptConfig, parse: ParseConfig, selection: SelectConfig, tokeniser: Tokeniser
) -> Given | None:
    """What the settings name as the prompt; None for prompts that are drawn.

    Of a file with several pieces it is the first one's opening. The same notes are chosen as in the corpus.

    Raises
    ------
    ConfigError
        The file is not there or cannot be read, or there is a mistake in the notes.
    """
    if config.is_drawn:
        return None
    if config.source == NO_PROMPT:
        return Given(NO_PROMPT, (), None)
    path = os.path.expanduser(config.source)
    if looks_typed(config.source) and not os.path.exists(path):
        return Given(config.source, tuple(parse_typed_notes(config.source, tokeniser)), None)
    try:
        piece = _read_piece(path, parse)
        notes = _select(piece, selection)
    except (RejectedFile, ProcessLost) as error:
        raise ConfigError(
            f"the prompt cannot be read: {error.detail} ({error.reason})",
            path=path,
            remedy="give the path of a MIDI or score file, notes such as 'C4:1 E4:0.5', "
            f"{RANDOM_PROMPT!r}, {WINDOW_PROMPT!r} or {NO_PROMPT!r}",
        ) from None
    opening = encode_piece(notes, tokeniser)[: config.length]
    signatures = Signatures(piece.time_signature, piece.tempo_qpm, piece.key_signature)
    return Given(Path(path).name, tuple(opening), signatures)


def choose(
    config: PromptConfig,
    given: Given | None,
    corpus: TokenCorpus,
    tokeniser: Tokeniser,
    n_prompts: int,
) -> list[Prompt]:
    """The prompts to continue, all of one length.

    Parameters
    ----------
    config : PromptConfig
    given : Given or None
        What `read_prompt` made of these settings. All prompts are this one.
    corpus : TokenCorpus
        Whose vocabulary the model knows, and whose validation pieces prompts are drawn from.
    tokeniser : Tokeniser
        The corpus's.
    n_prompts : int

    Raises
    ------
    ConfigError
        The vocabulary lacks what is given, or knows nothing that could be drawn.
    """
    if given is None:
        draw = window_prompts if config.source == WINDOW_PROMPT else random_prompts
        return draw(corpus, n_prompts, config.length, config.seed)
    prompt = Prompt(given.source, given.tokens, *(given.signatures or common_signatures(corpus)))
    if config.nearest:
        prompt = with_nearest(prompt, corpus.vocabulary, tokeniser)
    check_prompt(prompt, corpus.vocabulary, tokeniser)
    return [prompt] * n_prompts


def common_signatures(corpus: TokenCorpus) -> Signatures:
    """The most common metre, tempo and key of train pieces, each by itself.

    To state no key counts as one. Of equally common ones it is the first in their order: the slower tempo.
    """
    rows = corpus.rows(Split.TRAIN)
    return Signatures(*(_most_common(row[name] for row in rows) for name in Signatures._fields))


def _most_common(values: Iterable[Any]) -> Any:
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value is not None, value))


def _read_piece(path: str, config: ParseConfig) -> ParsedPiece:
    """The first piece of a file; read in another process, as all foreign files are."""
    limits = Limits(config.file_limit_sec, config.memory_limit_mib)
    return run_isolated(_first_piece, limits, path, config)


def _first_piece(mark: Mark, path: str, config: ParseConfig) -> ParsedPiece:
    """Runs in the isolated process."""
    suffix = Path(path).suffix.lower()
    mark(0)
    try:
        data = read_file(path)
    except OSError as error:
        raise unreadable(error) from None
    return first_piece(read_pieces(data, suffix, config))


def _select(piece: ParsedPiece, config: SelectConfig) -> PieceNotes:
    """The notes that are learnt from, however few or many."""
    notes = PieceNotes(
        piece.track,
        piece.is_drum,
        piece.pitch,
        piece.onset_tick,
        piece.duration_tick,
        piece.ticks_per_quarter,
    )
    unlimited = config.model_copy(update={"min_notes": 1, "max_notes": None})
    return select_notes(notes, [track.name for track in piece.tracks], unlimited).notes
