"""Beam search: the likeliest sequences that can be found by keeping only a few at every step.

Nothing is drawn at random, so each prompt has one outcome. It serves comparison with sampling: beam search is known
to write repetitive text (Holtzman et al. 2020), and music likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.errors import ConfigError
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.networks.stepper import NetworkStepper
from pipeline_lib.tokens.constraints import Constraints
from pipeline_lib.tokens.vocabulary import END_ID, START_ID


def search(
    network: Network,
    prompt: NDArray[np.int32],
    constraints: Constraints,
    *,
    width: int,
    length: int,
) -> NDArray[np.int32]:
    """Search for the likeliest continuation of a prompt.

    Parameters
    ----------
    network : Network
    prompt : int32 array, shape (n_given,)
        Token ids, without the start token.
    constraints : Constraints
        Constraints of one row, for this prompt.
    width : int
        Number of sequences, or beams, kept at each step.
    length : int
        Number of new tokens at most.

    Returns
    -------
    int32 array, shape (n_new,)
        The new tokens alone. Sequences are compared by the mean log-probability of their tokens, the end
        included, so that short ones have no advantage.

    Raises
    ------
    ConfigError
        None of the sequences that were kept can meet the constraints.

    Examples
    --------
    A network that has learnt nothing yet, and constraints that allow notes alone, not the end:

    >>> from pipeline_lib.config import LstmConfig, NoteEventConfig, RunConfig
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> from pipeline_lib.tokens.vocabulary import Vocabulary
    >>> tokens = ["<start>", "<end>", "<unknown>", "Pitch_60:1", "Pitch_62:1"]
    >>> vocabulary = Vocabulary.of(tokens, make_tokeniser(NoteEventConfig()))
    >>> model = LstmConfig(layers=1, units=8, embedding_size=4)
    >>> network = Network(RunConfig(model=model, seq_length=3, learning_rate=0.01, seed=0), vocabulary)
    >>> notes_only = Constraints(
    ...     is_allowed=np.array([[False, False, False, True, True]]),
    ...     steps_left=np.zeros(1, np.int32),
    ...     closes=np.ones((1, 5), bool),
    ...     is_fillable=np.ones((1, 1), bool),
    ...     duration_step=np.ones(5, np.int32),
    ...     has_length=False,
    ... )
    >>> new = search(network, np.array([3], np.int32), notes_only, width=2, length=6)
    >>> new.shape, bool((new >= 3).all())
    ((6,), True)
    """
    stepper = NetworkStepper(network)
    stepper.reset(width)
    for token_id in [START_ID, *prompt.tolist()]:
        logits = stepper.step(np.full(width, token_id, np.int32))
    sequences = np.empty((width, 0), np.int32)
    steps_left = np.full(width, constraints.steps_left[0])
    # All beams are equal at first: only one may go on.
    log_p = np.where(np.arange(width) == 0, 0.0, -np.inf)
    finished: list[tuple[float, NDArray[np.int32]]] = []
    for n in range(length):
        candidates = log_p[:, None] + _log_softmax(logits)  # (width, vocab_size)
        candidates[~_allowed(constraints, steps_left)] = -np.inf
        best = np.argsort(-candidates, axis=None, kind="stable")[: 2 * width]
        rows, token_ids = np.unravel_index(best, candidates.shape)  # (2 width,) each
        scores = candidates[rows, token_ids]
        ends = token_ids == END_ID
        finished += [
            (score / (n + 1), sequences[row])
            for score, row in zip(scores[ends], rows[ends], strict=True)
            if np.isfinite(score)
        ]
        # (width,) each: at most one candidate of each beam is an end
        rows, token_ids, log_p = (x[~ends][:width] for x in (rows, token_ids, scores))
        if not np.isfinite(log_p).any():
            break
        # (width, n + 1)
        sequences = np.column_stack([sequences[rows], token_ids.astype(np.int32)])
        steps_left = steps_left[rows] - constraints.duration_step[token_ids]
        stepper.keep(rows)
        logits = stepper.step(token_ids.astype(np.int32))
    if np.isfinite(log_p).any() and not constraints.has_length:
        finished.append((float(log_p.max()) / length, sequences[int(np.argmax(log_p))]))
    if not finished:
        raise ConfigError(
            f"none of the {width} sequences that were kept can be ended in time",
            remedy="search with a larger generate.beam_width",
        )
    return max(finished, key=lambda found: found[0])[1]


def search_each(
    network: Network,
    prompts: Sequence[NDArray[np.int32]],
    constraints: Constraints,
    width: int,
    length: int,
    progress: Callable[[int, int], None],
) -> list[NDArray[np.int32]]:
    """Search for the likeliest continuation of each prompt; equal prompts under equal constraints are searched once.

    Parameters
    ----------
    network, prompts, constraints, width, length
        As for `search`, with a row of the constraints for each prompt.
    progress : callable
        A function that is told the prompts done and the number of prompts.
    """
    found: dict[bytes, NDArray[np.int32]] = {}
    outcomes = []
    for n, prompt in enumerate(prompts):
        of_prompt = constraints.of(slice(n, n + 1))
        key = prompt.tobytes() + of_prompt.is_allowed.tobytes() + of_prompt.steps_left.tobytes()
        if key not in found:
            found[key] = search(network, prompt, of_prompt, width=width, length=length)
        outcomes.append(found[key])
        progress(n + 1, len(prompts))
    return outcomes


def _allowed(constraints: Constraints, steps_left: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tokens that may come next in each sequence, shape (width, vocab_size); the rules of `network_loop.in_time`."""
    allowed = np.repeat(constraints.is_allowed, len(steps_left), axis=0)
    if not constraints.has_length:
        return allowed
    left = steps_left[:, None] - constraints.duration_step
    can_go_on = constraints.is_fillable[0][np.maximum(left, 0)]
    allowed &= np.where(left > 0, can_go_on, (left == 0) & constraints.closes[0])
    has_ended = steps_left <= 0
    allowed[has_ended] = np.arange(allowed.shape[1]) == END_ID
    return allowed


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
