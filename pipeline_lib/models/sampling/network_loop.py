"""Sampling new sequences, note by note, in a loop that the backend compiles as a whole.

The state goes from note to note; nothing is read twice. Each sequence has its own random stream (Philox, keyed by
seed and number) and takes one uniform number per token. Sequences are sampled in blocks of one size, each in the
block and row that its number says, with rows left empty where there are fewer: arithmetic of one shape gives a
row the same bits whatever is in the others, so that a sequence does not depend on how many are sampled beside it.

Blocks are small on processors, where each core takes one, and large on GPUs. Between processors and GPUs, and
between backends, the last bits of scores differ and with them, now and then, a note.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pipeline_lib.config import SamplingConfig
from pipeline_lib.models.compiling import compiled
from pipeline_lib.models.devices import has_gpu
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.sampling.logit_filters import filter_logits, sample_token
from pipeline_lib.models.training.checkpoints import to_numpy
from pipeline_lib.tokens.constraints import Constraints
from pipeline_lib.tokens.vocabulary import END_ID, START_ID

BLOCK_SIZE, BLOCK_SIZE_GPU = 4, 64
"""Number of sequences of a block, on processors and on GPUs."""
_STEPS_PER_CALL = 256
"""Number of tokens sampled in one call, after which progress is told; a call costs as much as ten steps of a small
network."""
_FREE = -1
"""Mark, in place of a given token id, of a token that is to be sampled."""
_NONE = -1
"""Mark, in place of a recent token id, of a token that does not exist yet."""

Progress = Callable[[int, int], None]
"""A function that is told the tokens read or sampled so far, and their number at most."""


class Sampler:
    """Sampler of continuations with a network.

    Parameters
    ----------
    network : Network
        Its weights are used, not copied.
    config : SamplingConfig

    Examples
    --------
    A network that has learnt nothing yet, and constraints that allow notes alone, not the end:

    >>> from pipeline_lib.config import LstmConfig, RunConfig, token_config
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> from pipeline_lib.tokens.vocabulary import Vocabulary
    >>> model = LstmConfig(layers=1, units=8, embedding_size=4)
    >>> config = RunConfig(model=model, seq_length=3, learning_rate=0.01, seed=0)
    >>> tokens = ["<start>", "<end>", "<unknown>", "Pitch_60:1", "Pitch_62:1"]
    >>> vocabulary = Vocabulary.of(tokens, make_tokeniser(token_config({"kind": "note_event"})))
    >>> network = Network(config, vocabulary)
    >>> notes_only = Constraints(
    ...     is_allowed=np.array([[False, False, False, True, True]] * 2),
    ...     steps_left=np.zeros(2, np.int32),
    ...     closes=np.ones((2, 5), bool),
    ...     is_fillable=np.ones((2, 1), bool),
    ...     duration_step=np.ones(5, np.int32),
    ...     has_length=False,
    ... )
    >>> prompts = [np.array([3], np.int32), np.array([4], np.int32)]
    >>> sampler = Sampler(network, SamplingConfig(temperature=1.2))
    >>> [new.shape for new in sampler.sample(prompts, notes_only, length=6, seed=0)]
    [(6,), (6,)]
    """

    def __init__(self, network: Network, config: SamplingConfig) -> None:
        self._network, self._config = network, config
        self._block_size = BLOCK_SIZE_GPU if has_gpu() else BLOCK_SIZE
        self._loops: dict[bool, _Loop] = {}

    def sample(
        self,
        prompts: Sequence[NDArray[np.int32]],
        constraints: Constraints,
        *,
        length: int,
        seed: int,
        numbers: Sequence[int] | None = None,
        progress: Progress = lambda step, n_steps: None,
    ) -> list[NDArray[np.int32]]:
        """Continue every prompt with sampled tokens.

        Parameters
        ----------
        prompts : sequence of int32 arrays
            Token ids, without the start token; all of one length, which may be 0.
        constraints : Constraints
            Constraints with a row for each prompt.
        length : int
            Number of new tokens per sequence at most. A sequence ends sooner where the model ends the piece, or where
            it is as long as the constraints ask for.
        seed : int
            Seed of all random streams.
        numbers : sequence of int, optional
            Number of each sequence, all different, which with the seed decides its random stream; 0, 1, ... if not
            given.
        progress : callable
            A function that is told the tokens read or sampled so far, and their number at most.

        Returns
        -------
        list of int32 arrays
            The new tokens of each sequence alone, without prompt, start or end.
        """
        blocks: dict[int, _Block] = defaultdict(lambda: _Block(self._block_size))
        for nth, number in enumerate(numbers or range(len(prompts))):
            block, row = divmod(number, self._block_size)
            blocks[block].add(row, nth, number)
        counted = _Counter(len(blocks) * (len(prompts[0]) + length), progress)
        loop, given = self._loop(constraints.has_length), np.stack(prompts)

        def run(block: _Block) -> NDArray[np.int32]:
            return loop.run(block, given, constraints, length, seed, counted.add)

        with ThreadPoolExecutor(_n_side_by_side()) as threads:
            outcomes = list(threads.map(run, blocks.values()))
        sampled = {
            nth: until_end(tokens[row])
            for block, tokens in zip(blocks.values(), outcomes, strict=True)
            for row, nth in zip(block.rows, block.nths, strict=True)
        }
        return [sampled[nth] for nth in range(len(prompts))]

    def _loop(self, has_length: bool) -> _Loop:
        """The compiled loop, with or without a length to meet; made when it is first asked for."""
        if has_length not in self._loops:
            self._loops[has_length] = _Loop(self._network, self._config, has_length=has_length)
        return self._loops[has_length]


class _Block:
    """Sequences that are sampled together: their rows in the block, places in the call's lists, and numbers."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.rows: list[int] = []
        self.nths: list[int] = []
        self.numbers: list[int] = []

    def add(self, row: int, nth: int, number: int) -> None:
        self.rows.append(row)
        self.nths.append(nth)
        self.numbers.append(number)

    def spread(self, values: NDArray[Any], empty: Any) -> NDArray[Any]:
        """Put the values of the block's sequences, taken from those of the whole call, into the rows of the block."""
        rows = np.full((self.size, *values.shape[1:]), empty, values.dtype)
        rows[self.rows] = values[self.nths]
        return rows


class _Counter:
    """Counter of the tokens that several threads have done."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress = total, progress
        self._done = 0
        self._lock = threading.Lock()

    def add(self, n: int) -> None:
        with self._lock:
            self._done = min(self._done + n, self._total)
            self._progress(self._done, self._total)


class _Loop:
    """Loop over the steps of a block, `_STEPS_PER_CALL` of them in each compiled call."""

    def __init__(self, network: Network, config: SamplingConfig, *, has_length: bool) -> None:
        self._network, self._config, self._has_length = network, config, has_length
        self._steps = compiled(self._do_steps)

    def run(
        self,
        block: _Block,
        prompts: NDArray[np.int32],
        constraints: Constraints,
        length: int,
        seed: int,
        count: Callable[[int], None],
    ) -> NDArray[np.int32]:
        """Sample the new tokens of a block, shape (block size, length); after an end come only ends."""
        n_given, n_steps = prompts.shape[1], prompts.shape[1] + length
        n_padded = -(-n_steps // _STEPS_PER_CALL) * _STEPS_PER_CALL
        given = np.full((len(prompts), n_padded), END_ID, np.int32)
        given[:, :n_given] = prompts
        given[:, n_given:n_steps] = _FREE
        given = block.spread(given, END_ID)
        drawn = np.zeros((block.size, n_padded), np.float32)
        drawn[block.rows, n_given:n_steps] = uniforms(seed, block.numbers, length)
        limits, carry = self._limits(block, constraints), self._nothing_read(block, constraints)
        tokens = np.full((block.size, n_padded), END_ID, np.int32)
        for begin in range(0, n_padded, _STEPS_PER_CALL):
            steps = slice(begin, begin + _STEPS_PER_CALL)
            added, *carry = self._steps(given[:, steps], drawn[:, steps], *limits, *carry)
            tokens[:, steps] = to_numpy(added)
            has_ended = bool((tokens[:, steps][:, -1] == END_ID).all())
            count(n_padded - begin if has_ended else _STEPS_PER_CALL)
            if has_ended:
                break
        return tokens[:, n_given:n_steps]

    def _limits(self, block: _Block, constraints: Constraints) -> list[NDArray[Any]]:
        """The arrays of the constraints, in the rows of a block."""
        return [
            block.spread(constraints.is_allowed, True),
            block.spread(constraints.closes, True),
            block.spread(constraints.is_fillable, True),
            constraints.duration_step,
        ]

    def _nothing_read(self, block: _Block, constraints: Constraints) -> list[Any]:
        """Initial values of what is carried from step to step: token, position, steps left, recent tokens, state."""
        return [
            np.full(block.size, START_ID, np.int32),
            np.zeros(1, np.int32),
            block.spread(constraints.steps_left, 0),
            np.full((block.size, self._config.repetition_window), _NONE, np.int32),
            *self._network.initial_step_state(block.size),
        ]

    def _do_steps(
        self,
        given: Any,
        drawn: Any,
        is_allowed: Any,
        closes: Any,
        is_fillable: Any,
        duration_step: Any,
        *carry: Any,
    ) -> list[Any]:
        """Sample a call's steps: the tokens, shape (batch, time), followed by the new values of what is carried."""

        def goes_on(n: Any, tokens: Any, token_ids: Any, *rest: Any) -> Any:
            return ops.logical_and(n < given.shape[1], ops.any(token_ids != END_ID))

        def step(n: Any, *loop: Any) -> list[Any]:
            tokens, token_ids, position, steps_left, recent, *state = loop
            # (batch, vocab_size)
            logits, state = self._network.step(token_ids, state, position[0])
            allowed = is_allowed
            if self._has_length:
                allowed = in_time(is_allowed, steps_left, closes, is_fillable, duration_step)
            log_p = filter_logits(
                ops.cast(logits, "float32"),
                self._config,
                is_allowed=allowed,
                is_recent=self._is_recent(recent, logits.shape[-1]),
            )
            sampled = sample_token(log_p, ops.take(drawn, n, axis=1))  # (batch,)
            sampled = ops.where(token_ids == END_ID, END_ID, sampled)
            stated = ops.take(given, n, axis=1)
            is_free = stated == _FREE
            following = ops.where(is_free, sampled, stated)
            used = ops.where(is_free, ops.take(duration_step, following), 0)
            # (batch, repetition_window)
            recent = ops.concatenate([recent[:, 1:], following[:, None]], axis=1)
            tokens = ops.where(ops.arange(tokens.shape[1]) == n, following[:, None], tokens)
            return [n + 1, tokens, following, position + 1, steps_left - used, recent, *state]

        # Tokens that the loop does not reach any more are ends.
        loop = [ops.zeros((), "int32"), ops.full_like(given, END_ID), *carry]
        return ops.while_loop(goes_on, step, loop)[1:]

    def _is_recent(self, recent: Any, vocab_size: int) -> Any:
        if self._config.repetition_penalty == 1:
            return None
        # (batch, repetition_window, vocab_size) -> (batch, vocab_size)
        return ops.any(recent[:, :, None] == ops.arange(vocab_size, dtype="int32"), axis=1)


def uniforms(seed: int, numbers: Sequence[int], length: int) -> NDArray[np.float32]:
    """Random numbers in [0, 1) of the sequences with these numbers, shape (n_sequences, length).

    Examples
    --------
    A sequence has the same random numbers whichever others are beside it:

    >>> both = uniforms(seed=0, numbers=[3, 7], length=4)
    >>> bool((both[1] == uniforms(seed=0, numbers=[7], length=4)).all())
    True
    """
    streams = [np.random.Generator(np.random.Philox(key=[seed, n])) for n in numbers]
    return np.stack([stream.random(length, dtype=np.float32) for stream in streams])


def in_time(
    is_allowed: Any, steps_left: Any, closes: Any, is_fillable: Any, duration_step: Any
) -> Any:
    """Tokens that may come next so that the piece has its length, shape (batch, vocab_size).

    Where a piece has its length already, the end alone may come.

    Parameters
    ----------
    is_allowed : bool tensor, shape (batch, vocab_size)
        Tokens that may come at all.
    steps_left : int32 tensor, shape (batch,)
        Number of grid steps from here to the end of the piece.
    closes : bool tensor, shape (batch, vocab_size)
        Tokens that may come last.
    is_fillable : bool tensor, shape (batch, longest steps_left + 1)
        Whether each number of grid steps can be filled with tokens, up to one that may come last.
    duration_step : int32 tensor, shape (vocab_size,)
        Duration of each token, in grid steps.
    """
    left = (
        steps_left[:, None] - duration_step[None, :]
    )  # (batch, vocab_size): steps left after each token
    can_go_on = ops.take_along_axis(is_fillable, ops.maximum(left, 0), axis=1)
    can_end = ops.where(left > 0, can_go_on, ops.logical_and(left == 0, closes))
    is_end = ops.arange(duration_step.shape[0]) == END_ID
    return ops.where(steps_left[:, None] > 0, ops.logical_and(is_allowed, can_end), is_end[None, :])


def until_end(tokens: NDArray[np.int32]) -> NDArray[np.int32]:
    """The tokens of a sequence before its first end token.

    Examples
    --------
    >>> until_end(np.array([3, 4, END_ID, 5], np.int32)).tolist()
    [3, 4]
    """
    ends = np.flatnonzero(tokens == END_ID)
    return tokens[: ends[0]] if len(ends) else tokens


def _n_side_by_side() -> int:
    """Number of blocks that threads sample at once; backends other than TensorFlow do not expect threads."""
    return os.cpu_count() or 1 if keras.backend.backend() == "tensorflow" and not has_gpu() else 1
