"""Sampling from any model that reads one token at a time, such as n-gram models.

The rules and the random streams are those of `network_loop`, whose loop is compiled and works with networks alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.config import SamplingConfig
from pipeline_lib.models.protocols import Stepper
from pipeline_lib.models.sampling.logit_filters import filter_logits, sample_token
from pipeline_lib.models.sampling.network_loop import Progress, in_time, uniforms, until_end
from pipeline_lib.models.training.checkpoints import to_numpy
from pipeline_lib.tokens.constraints import Constraints
from pipeline_lib.tokens.vocabulary import END_ID, START_ID


def sample_stepwise(
    stepper: Stepper,
    config: SamplingConfig,
    prompts: Sequence[NDArray[np.int32]],
    constraints: Constraints,
    *,
    length: int,
    seed: int,
    progress: Progress = lambda step, n_steps: None,
) -> list[NDArray[np.int32]]:
    """Continue every prompt with sampled tokens, all side by side.

    Parameters
    ----------
    stepper : Stepper
        The model; it is reset first.
    config : SamplingConfig
    prompts, constraints, length, seed, progress
        As for `network_loop.Sampler.sample`; sequences are numbered in their order.

    Returns
    -------
    list of int32 arrays
        The new tokens of each sequence alone, without prompt, start or end.

    Examples
    --------
    A bigram model of one piece, whose likeliest notes follow each other for as long as the end is not allowed:

    >>> from pipeline_lib.models.ngrams.counts import count_ngrams
    >>> from pipeline_lib.models.ngrams.smoothed import NgramStepper, witten_bell
    >>> piece = np.array([0, 3, 4, 3, 4, 1], np.int32)  # start, four notes, end
    >>> counts = count_ngrams(piece, np.array([[0, 6]]), vocab_size=5, max_order=2)
    >>> notes_only = Constraints(
    ...     is_allowed=np.array([[False, False, False, True, True]]),
    ...     steps_left=np.zeros(1, np.int32),
    ...     closes=np.ones((1, 5), bool),
    ...     is_fillable=np.ones((1, 1), bool),
    ...     duration_step=np.ones(5, np.int32),
    ...     has_length=False,
    ... )
    >>> (new,) = sample_stepwise(
    ...     NgramStepper(witten_bell(counts, order=2)),
    ...     SamplingConfig(temperature=0),
    ...     [np.array([3], np.int32)],
    ...     notes_only,
    ...     length=5,
    ...     seed=0,
    ... )
    >>> new.tolist()
    [4, 3, 4, 3, 4]
    """
    read = np.stack(prompts)  # (batch, n_given); later (batch, time)
    n_given, n_steps = read.shape[1], read.shape[1] + length
    stepper.reset(len(prompts))
    for token_ids in [np.full(len(prompts), START_ID, np.int32), *read.T]:
        logits = stepper.step(token_ids)  # (batch, vocab_size)
    steps_left = constraints.steps_left
    for drawn in uniforms(seed, range(len(prompts)), length).T:
        log_p = filter_logits(
            logits,
            config,
            is_allowed=_allowed(constraints, steps_left),
            is_recent=_recent(read, config, logits.shape[1]),
        )
        has_ended = (read[:, n_given:] == END_ID).any(axis=1)
        following = np.where(has_ended, END_ID, to_numpy(sample_token(log_p, drawn))).astype(
            np.int32
        )
        read = np.append(read, following[:, None], axis=1)
        progress(read.shape[1], n_steps)
        if (following == END_ID).all():
            break
        steps_left = steps_left - constraints.duration_step[following]
        logits = stepper.step(following)
    progress(n_steps, n_steps)
    return [until_end(tokens) for tokens in read[:, n_given:]]


def _allowed(constraints: Constraints, steps_left: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tokens that may come next, shape (batch, vocab_size)."""
    if not constraints.has_length:
        return constraints.is_allowed
    return to_numpy(
        in_time(
            constraints.is_allowed,
            steps_left,
            constraints.closes,
            constraints.is_fillable,
            constraints.duration_step,
        )
    )


def _recent(
    read: NDArray[np.int32], config: SamplingConfig, vocab_size: int
) -> NDArray[np.bool_] | None:
    """Whether each token is among the last read, shape (batch, vocab_size); None without a repetition penalty."""
    if config.repetition_penalty == 1:
        return None
    is_recent = np.zeros((len(read), vocab_size), bool)
    np.put_along_axis(
        is_recent, read[:, -config.repetition_window :].astype(np.int64), True, axis=1
    )
    return is_recent
