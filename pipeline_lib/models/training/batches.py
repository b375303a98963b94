"""Batches: the order in which a network reads the corpus, as shuffled windows or as streams of whole pieces.

Both orders are pure functions of the run's seed: update g always reads the same passages, also in a run that was
stopped and goes on. Tokens are never copied into windows; batches name where each passage starts, and `updates`
gathers ``seq_length + 1`` tokens from there: the inputs and, one later, the targets. Neither the starts nor their
order are stored, so that a corpus takes the same memory at any ``seq_length`` and stride.

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
from pipeline_lib.models.training.shuffling import shuffled
from pipeline_lib.tokens.windows import WindowIndex


class Batches(Protocol):
    """An order in which the corpus is read: where the passages of each update start."""

    batch_size: int
    """Number of passages per update."""
    steps_per_epoch: int
    """Number of updates that together read as many tokens as the train split has."""
    carries_state: bool
    """Whether each passage goes on where that of the update before ended, but for the first of an epoch."""

    def tokens(self, epoch: int) -> NDArray[np.int32]:
        """The flat token array that the passages of an epoch, counted from 0, lie in."""

    def starts(self, steps: range) -> NDArray[np.int32]:
        """Starts of the passages of some updates, counted from 0; shape (len(steps), batch_size)."""


class WindowBatches:
    """Batches of windows, in a new random order at each pass over them.

    Parameters
    ----------
    token_ids : int32 array, shape (n_tokens,)
        The flat token corpus.
    windows : WindowIndex
        Windows of the train split.
    n_train_tokens : int
        Number of tokens of the train split.
    config : RunConfig
    """

    carries_state = False

    def __init__(
        self,
        token_ids: NDArray[np.int32],
        windows: WindowIndex,
        n_train_tokens: int,
        config: RunConfig,
    ) -> None:
        self._token_ids = token_ids
        self._windows = windows
        self._n_windows = len(windows)
        self._seed = config.seed
        # Each device reads an equal part of a batch.
        fitting = self._n_windows - self._n_windows % config.n_devices
        self.batch_size = min(config.n_windows, fitting)
        if not self.batch_size:
            raise _too_short(config)
        self.steps_per_epoch = math.ceil(n_train_tokens / (self.batch_size * config.seq_length))

    def tokens(self, epoch: int) -> NDArray[np.int32]:
        """The flat token corpus, the same in every epoch."""
        return self._token_ids

    def starts(self, steps: range) -> NDArray[np.int32]:
        """Starts of the next windows of the pass; windows that would not fill its last batch are left out."""
        passes, nth = np.divmod(np.asarray(steps), self._n_windows // self.batch_size)
        places = nth[:, None] * self.batch_size + np.arange(self.batch_size)
        for number in np.unique(passes):
            of_pass = passes == number
            places[of_pass] = shuffled(places[of_pass], self._n_windows, self._seed, number)
        return self._windows.starts(places).astype(np.int32)


class StreamBatches:
    """Batches from streams: pieces in a new random order at each epoch, laid end to end and cut into equal streams.

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
        """The tokens of the train split, its pieces in the order of an epoch."""
        if epoch != self._epoch:
            n_pieces = len(self._spans)
            order = shuffled(np.arange(n_pieces), n_pieces, self._seed, epoch)
            pieces = [self._token_ids[s : s + n] for s, n in self._spans[order]]
            self._tokens, self._epoch = np.concatenate(pieces), epoch
        return self._tokens

    def starts(self, steps: range) -> NDArray[np.int32]:
        """Starts of the passages: in every stream, one passage further at each update."""
        stream_length = self.steps_per_epoch * self._seq_length
        firsts = np.arange(self.batch_size, dtype=np.int32) * stream_length
        read = np.asarray(steps, dtype=np.int32)[:, None] % self.steps_per_epoch * self._seq_length
        return firsts + read


def _too_short(config: RunConfig) -> TrainingError:
    return TrainingError(
        f"not one window of seq_length {config.seq_length} fits into the train split"
        + (f" for each of {config.n_devices} devices" if config.n_devices > 1 else ""),
        remedy="use a smaller seq_length, or a larger corpus",
    )
