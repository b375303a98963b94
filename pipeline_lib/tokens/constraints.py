"""What new music must keep to: which tokens may come next, and where a piece may end.

A length in bars or seconds is met exactly, because no token is allowed from which the end cannot be reached: for
every number of steps that may be left, `Constraints.is_fillable` knows whether some tokens fill them.

A key allows the notes of its scale; of minor, those of the natural scale and the raised seventh. A chord is allowed
where all its notes are. A piece whose length is asked for ends with no rest; one that ends on the tonic ends with a
note of at least a quarter, or a chord over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.config import ConstraintConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.piece import key_sharps
from pipeline_lib.tokens.features import PITCH_CLASSES, TokenFeatures
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from pipeline_lib.tokens.vocabulary import END_ID, Vocabulary

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MINOR = (0, 2, 3, 5, 7, 8, 10, 11)
_OF_PROMPT = "prompt"
_FIFTH = 7
_RELATIVE_MINOR = 9


@dataclass(frozen=True, eq=False)
class Constraints:
    """What is allowed, for each of n sequences.

    Parameters
    ----------
    is_allowed : bool array, shape (n, vocab_size)
        Tokens that may come at all; the end is one where no length is asked for.
    steps_left : int32 array, shape (n,)
        Grid steps from the end of the prompt to the end of the piece.
    closes : bool array, shape (n, vocab_size)
        Tokens that may come last.
    is_fillable : bool array, shape (n, longest steps_left + 1)
        Whether that many steps can be filled, up to a token that may come last.
    duration_step : int32 array, shape (vocab_size,)
        Of each token.
    has_length : bool
        Whether a length is asked for; without, the last four say nothing.
    """

    is_allowed: NDArray[np.bool_]
    steps_left: NDArray[np.int32]
    closes: NDArray[np.bool_]
    is_fillable: NDArray[np.bool_]
    duration_step: NDArray[np.int32]
    has_length: bool

    @property
    def most_tokens(self) -> int:
        """Tokens that the longest sequence can take, its end included, where a length is asked for."""
        shortest = self.duration_step[self.duration_step > 0].min()
        return int(self.steps_left.max() // shortest) + 1

    def of(self, rows: slice) -> Constraints:
        """Those of some sequences."""
        return Constraints(
            self.is_allowed[rows],
            self.steps_left[rows],
            self.closes[rows],
            self.is_fillable[rows],
            self.duration_step,
            self.has_length,
        )


def constrain(
    config: ConstraintConfig,
    prompts: Sequence[Prompt],
    vocabulary: Vocabulary,
    tokeniser: Tokeniser,
) -> Constraints:
    """What settings allow behind each prompt.

    Parameters
    ----------
    config : ConstraintConfig
    prompts : sequence of Prompt
    vocabulary : Vocabulary
    tokeniser : Tokeniser
        The vocabulary's.

    Raises
    ------
    ConfigError
        Nothing would be allowed, the prompt is too long, a key is needed and not known, or a length is asked for
        that tokens of this tokeniser cannot be counted up to.
    """
    check_length(config, tokeniser)
    tokens = vocabulary.features
    has_length = config.bars is not None or config.seconds is not None
    rows = [_row(config, prompt, tokens, tokeniser) for prompt in prompts]
    longest = max(row.steps_left for row in rows)
    is_fillable = np.zeros((len(rows), longest + 1), dtype=bool)
    for row, fillable in zip(rows, is_fillable, strict=True):
        fillable[: row.steps_left + 1] = _fillable(row, tokens.advance_step)
        if has_length and not fillable[row.steps_left]:
            raise _unreachable(config, row.steps_left / tokeniser.steps_per_quarter)
    return Constraints(
        np.stack([row.is_allowed for row in rows]),
        np.array([row.steps_left for row in rows], dtype=np.int32),
        np.stack([row.closes for row in rows]),
        is_fillable,
        tokens.advance_step,
        has_length,
    )


@dataclass(frozen=True, eq=False)
class _Row:
    """What is allowed behind one prompt."""

    is_allowed: NDArray[np.bool_]
    closes: NDArray[np.bool_]
    steps_left: int


def _row(
    config: ConstraintConfig, prompt: Prompt, tokens: TokenFeatures, tokeniser: Tokeniser
) -> _Row:
    tonic, is_foreign = _key(config, prompt)
    lowest, highest = tokens.lowest_pitch, tokens.highest_pitch
    is_sounding = tokens.n_notes > 0
    is_in_range = (lowest >= config.min_pitch) & (highest <= config.max_pitch)
    is_in_key = ~tokens.has_pitch_class[:, is_foreign].any(axis=1)
    is_allowed = ~tokens.is_special & (is_in_range | ~is_sounding) & is_in_key
    if not (is_allowed & is_sounding).any():
        raise ConfigError(
            f"no token of the vocabulary is in {config.key or 'any key'} and between the pitches "
            f"{config.min_pitch} and {config.max_pitch}",
            remedy="ask for another key or a wider range",
        )
    # With a rest behind its last note, a piece would be shorter than asked for.
    closes = is_allowed & is_sounding
    if config.end_on_tonic:
        is_long = tokens.advance_step >= tokeniser.steps_per_quarter
        closes &= is_long & (lowest % PITCH_CLASSES == tonic)
    steps_left = _steps_left(config, prompt, tokeniser)
    is_allowed[END_ID] = steps_left is None
    return _Row(is_allowed, closes, steps_left or 0)


def _key(config: ConstraintConfig, prompt: Prompt) -> tuple[int | None, NDArray[np.bool_]]:
    """The tonic where one is needed, and which of the twelve pitch classes are not allowed."""
    is_foreign = np.zeros(PITCH_CLASSES, dtype=bool)
    if config.key is None and not config.end_on_tonic:
        return None, is_foreign
    name = prompt.key_signature if config.key in (None, _OF_PROMPT) else config.key
    if name is None:
        raise ConfigError(
            f"the prompt {prompt.source} states no key",
            remedy="name one, such as generate.key='G major'",
        )
    try:
        sharps, is_minor = key_sharps(name)
    except ValueError:
        raise ConfigError(
            f"no such key: {name}", remedy="name it with at most seven sharps or flats: Ab, not G#"
        ) from None
    tonic = (_FIFTH * sharps + (_RELATIVE_MINOR if is_minor else 0)) % PITCH_CLASSES
    if config.key is not None:
        is_foreign[:] = True
        is_foreign[(tonic + np.array(_MINOR if is_minor else _MAJOR)) % PITCH_CLASSES] = False
    return tonic, is_foreign


def _steps_left(config: ConstraintConfig, prompt: Prompt, tokeniser: Tokeniser) -> int | None:
    """Grid steps from the end of the prompt to the end of the piece; None where no length is asked for."""
    steps_per_quarter, used = tokeniser.steps_per_quarter, tokeniser.span_step(prompt.tokens)
    if config.bars is not None:
        wanted = config.bars * prompt.continued((), tokeniser).steps_per_bar
        asked = f"{config.bars} bars are" if config.bars > 1 else "1 bar is"
    elif config.seconds is not None:
        quarters = config.seconds / 60 * prompt.tempo_qpm
        wanted, asked = round(quarters * steps_per_quarter), f"{config.seconds:g} seconds are"
    else:
        return None
    if wanted <= used:
        raise ConfigError(
            f"the prompt {prompt.source} alone lasts {used / steps_per_quarter:g} quarter notes; "
            f"{asked} {wanted / steps_per_quarter:g}",
            remedy="ask for a longer piece, or a smaller prompts.length",
        )
    return wanted - used


def _fillable(row: _Row, duration_step: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Find which numbers of steps, 0 to steps_left, allowed tokens can fill so that the last of them closes."""
    last = np.unique(duration_step[row.closes])
    other = np.unique(duration_step[row.is_allowed])
    fillable = np.zeros(row.steps_left + 1, dtype=bool)
    fillable[last[last <= row.steps_left]] = True
    for n in range(1, len(fillable)):
        fillable[n] |= bool(fillable[n - other[other < n]].any())
    return fillable


def check_length(config: ConstraintConfig, tokeniser: Tokeniser) -> None:
    """Refuse an exact length where tokens are no whole events.

    Raises
    ------
    ConfigError
        A length is asked for, which this tokeniser's tokens cannot be counted up to.
    """
    if (config.bars is None and config.seconds is None) or tokeniser.writes_events:
        return
    setting = "generate.bars" if config.bars is not None else "generate.seconds"
    raise ConfigError(
        f"{setting} asks for an exact length, which is counted in whole notes, chords and rests; "
        f"tokens.kind={tokeniser.config.kind} has tokens that are none",
        remedy=f"leave {setting} out, or train with tokens.kind=note_event",
    )


def _unreachable(config: ConstraintConfig, quarters: float) -> ConfigError:
    ending = " and end on the tonic" if config.end_on_tonic else ""
    return ConfigError(
        f"no tokens of the vocabulary fill the {quarters:g} quarter notes that are left{ending}",
        remedy="ask for another length, key or range",
    )
