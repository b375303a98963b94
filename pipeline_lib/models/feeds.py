"""In which order a network reads the corpus: shuffled windows, or pieces one after another.

A feed is a pure function of the run's seed: update g always reads the same passages, also in a run that was
stopped and goes on. Tokens are never copied into windows; a feed names where each passage starts, and whoever
trains gathers ``seq_length + 1`` tokens from there: the inputs and, one later, the targets.

Shuffled windows (the usual way) are read from a zero state, so that no network learns from more than
``seq_length`` tokens. Streams carry the state from window to window (truncated back-propagation through
time): what is remembered may be older than a window, though it is learnt within one.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.config import RunConfig
from pipeline_lib.errors import TrainingError


class Feed(Protocol):
    """An order of reading."""

    batch_size: int
    """Passages per update."""
    steps_per_epoch: int
    """Updates that read as many tokens as the train split has."""
    carries_state: bool
    """Whether each passage goes on where that of the update before ended, but for the first of an epoch."""

    def tokens(self, epoch: int) -> NDArray[np.int32]:
        """The flat array that the passages of an epoch (from 0) lie in."""

    def starts(self, step: int) -> NDArray[np.int32]:
        """Where the passages of an update (from 0) start, shape (batch_size,)."""


class WindowFeed:
    """Windows in a new random order at each pass.

    Parameters
    ----------
    token_ids : int32 array, shape (n_tokens,)
        The flat token corpus.
    starts : int64 array, shape (n_windows,)
        Where the windows of the train split start.
    n_train_tokens : int
        Tokens of the train split.
    config : RunConfig
    """

    carries_state = False

    def __init__(
        self,
        token_ids: NDArray[np.int32],
        starts: NDArray[np.int64],
        n_train_tokens: int,
        config: RunConfig,
    ) -> None:
        self._token_ids = token_ids
        self._starts = starts.astype(np.int32)
        self._seed = config.seed
        # Each device reads an equal part of a batch.
        fitting = len(starts) - len(starts) % config.n_devices
        self.batch_size = min(config.n_windows, fitting)
        if not self.batch_size:
            raise _too_short(config)
        self.steps_per_epoch = math.ceil(n_train_tokens / (self.batch_size * config.seq_length))
        self._pass_number = -1
        self._order = np.empty(0, dtype=np.int32)

    def tokens(self, epoch: int) -> NDArray[np.int32]:
        """The same array in every epoch."""
        return self._token_ids

    def starts(self, step: int) -> NDArray[np.int32]:
        """The next ones of the current pass; its order is remembered, being dear to compute."""
        pass_number, nth = divmod(step, len(self._starts) // self.batch_size)
        if pass_number != self._pass_number:
            self._order = _permutation(self._seed, pass_number, len(self._starts))
            self._pass_number = pass_number
        chosen: NDArray[np.int32] = self._starts[
            self._order[nth * self.batch_size : (nth + 1) * self.batch_size]
        ]
        return chosen


class StreamFeed:
    """Pieces in a new random order at each epoch, laid end to end and cut into streams of one length.

    A piece begins with its start token, at which a network learns to forget the piece before it.

    Parameters
    ----------
    token_ids : int32 array, shape (n_tokens,)
        The flat token corpus.
    spans : int64 array, shape (n_pieces, 2)
        Start and length of each piece of the train split.
    config : RunConfig
    """

    carries_state = True

    def __init__(
        self, token_ids: NDArray[np.int32], spans: NDArray[np.int64], config: RunConfig
    ) -> None:
        self._token_ids = token_ids
        self._spans = spans
        self._seed = config.seed
        self._seq_length = config.seq_length
        n_targets = max(int(spans[:, 1].sum()) - 1, 0)
        fitting = n_targets // config.seq_length
        self.batch_size = min(config.n_windows, fitting - fitting % config.n_devices)
        if not self.batch_size:
            raise _too_short(config)
        self.steps_per_epoch = n_targets // (self.batch_size * config.seq_length)
        self._epoch = -1
        self._tokens = token_ids[:0]

    def tokens(self, epoch: int) -> NDArray[np.int32]:
        """The train split in the order of an epoch."""
        if epoch != self._epoch:
            order = _permutation(self._seed, epoch, len(self._spans))
            pieces = [self._token_ids[s : s + n] for s, n in self._spans[order]]
            self._tokens, self._epoch = np.concatenate(pieces), epoch
        return self._tokens

    def starts(self, step: int) -> NDArray[np.int32]:
        """One passage further in every stream."""
        stream_length = self.steps_per_epoch * self._seq_length
        first = np.arange(self.batch_size, dtype=np.int32) * stream_length
        return first + step % self.steps_per_epoch * self._seq_length


def _permutation(seed: int, number: int, n: int) -> NDArray[np.int32]:
    generator = np.random.Generator(np.random.Philox(key=[seed, number]))
    return generator.permutation(n).astype(np.int32)


def _too_short(config: RunConfig) -> TrainingError:
    return TrainingError(
        f"not one window of seq_length {config.seq_length} fits into the train split"
        + (f" for each of {config.n_devices} devices" if config.n_devices > 1 else ""),
        remedy="use a smaller seq_length, or a larger corpus",
    )
