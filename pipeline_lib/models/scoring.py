"""Scoring given music with a network: its losses, and its probabilities of every next token.

A network that was trained on windows reads each target after a window of its own, from a zero state: so it knows
``seq_length`` tokens and no more, which makes sequence lengths comparable. One that was trained on streams reads
a piece from its start, as it does when it composes.

Batches are padded to a few shapes, for some backends compile anew for each shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline_lib.config import RunConfig
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.protocols import Predictor
from pipeline_lib.tokens.corpus import pieces_at
from pipeline_lib.tokens.windows import WindowIndex

_BATCH_TOKENS = 12_800
_PADDED_TO = 64
"""Multiple to which lengths of pieces and numbers of windows are padded."""


class _Losses(keras.Model):
    """Cross-entropy, in nats, of each token of some rows but the first."""

    def __init__(self, network: Network) -> None:
        super().__init__(name="losses")
        self.network = network

    def call(self, inputs: list[Any]) -> Any:
        """Map token ids (batch, time + 1), followed by the state to read them from, to losses (batch, time)."""
        rows, *state = inputs
        logits, _ = self.network(rows[:, :-1], state)  # (batch, time, vocab_size)
        return ops.sparse_categorical_crossentropy(
            rows[:, 1:], ops.cast(logits, "float32"), from_logits=True
        )


class _LogProbabilities(keras.Model):
    """Log-probabilities of the token that follows each position of some rows, or the last position alone."""

    def __init__(self, network: Network, *, last_only: bool) -> None:
        super().__init__(name="log_probabilities")
        self.network, self.last_only = network, last_only

    def call(self, inputs: list[Any]) -> Any:
        """Map token ids (batch, time), followed by the state to read them from, to (batch, time or 1, vocab_size)."""
        token_ids, *state = inputs
        logits, _ = self.network(token_ids, state, last_only=self.last_only)
        return ops.log_softmax(ops.cast(logits, "float32"))


class ValidationLoss:
    """The validation loss of a network while it is trained.

    Parameters
    ----------
    network : Network
    config : RunConfig
        Settings of the run; its ``regime`` says how the network reads.
    token_ids : int32 array, shape (n_tokens,)
        The flat token corpus.
    windows : WindowIndex
        Windows of the valid split, read in the regime ``windows``.
    spans : int64 array, shape (n_pieces, 2)
        Start and length of the pieces of the valid split, read in the regime ``streams``.
    """

    def __init__(
        self,
        network: Network,
        config: RunConfig,
        token_ids: NDArray[np.int32],
        windows: WindowIndex,
        spans: NDArray[np.int64],
    ) -> None:
        self._network = network
        self._losses = _Losses(network)
        self._token_ids = token_ids
        self._config = config
        self._windows = windows
        self._spans = spans

    def mean_nat(self) -> float:
        """Mean cross-entropy in nats per token, without dropout, over all targets of the valid split.

        With ``targets = "last"`` these are the last targets of its windows.
        """
        if self._config.regime == "streams":
            return self._of_pieces()
        total, n_targets = 0.0, 0
        batch_size = max(1, _BATCH_TOKENS // self._config.seq_length)
        every_start = self._windows.all_starts()
        for begin in range(0, len(every_start), batch_size):
            starts = every_start[begin : begin + batch_size]
            rows = sliding_window_view(self._token_ids, self._config.seq_length + 1)[starts]
            losses = self._read(rows)  # (batch, time)
            losses = losses[:, -1:] if self._config.targets == "last" else losses
            total += float(losses.sum(dtype=np.float64))
            n_targets += losses.size
        return total / n_targets

    def _of_pieces(self) -> float:
        """Mean loss over whole pieces, each read from its start."""
        total, n_targets = 0.0, 0
        for rows, lengths in _padded_batches(pieces_at(self._token_ids, self._spans)):
            losses = self._read(rows)
            counts = np.arange(losses.shape[1]) < lengths[:, None] - 1
            total += float(losses.sum(where=counts, dtype=np.float64))
            n_targets += int(counts.sum())
        return total / n_targets

    def _read(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Losses of rows, (batch, time + 1) -> (batch, time)."""
        return self._losses.predict_on_batch([rows, *self._network.initial_state(len(rows))])


class WindowPredictor:
    """A network as a `protocols.Predictor` that reads each target after a window of its own.

    Parameters
    ----------
    network : Network
    seq_length : int
        Number of tokens before a target that are read; fewer where the piece has fewer.
    """

    def __init__(self, network: Network, seq_length: int) -> None:
        self._network = network
        self._seq_length = seq_length
        self._last = _LogProbabilities(network, last_only=True)
        self._all = _LogProbabilities(network, last_only=False)

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[NDArray[np.float64]]:
        """Yield, for each piece, the distributions of its tokens from `first_target` on."""
        for piece in pieces:
            yield np.concatenate(
                [self._near_the_start(piece, first_target), self._later(piece, first_target)]
            )

    def _near_the_start(self, piece: NDArray[np.int32], first: int) -> NDArray[np.float64]:
        """Distributions of the targets that have fewer than `seq_length` tokens before them, read in one row."""
        inputs = piece[: min(self._seq_length, len(piece)) - 1]
        if len(inputs) < first:
            return np.empty((0, self._network.vocab_size))
        padded = np.zeros((1, self._seq_length), np.int32)
        padded[0, : len(inputs)] = inputs
        # (1, time, vocab_size)
        rows = self._all.predict_on_batch([padded, *self._network.initial_state(1)])
        return rows[0, first - 1 : len(inputs)].astype(np.float64)

    def _later(self, piece: NDArray[np.int32], first: int) -> NDArray[np.float64]:
        """Distributions of the targets that have at least `seq_length` tokens before them."""
        first = max(first, self._seq_length)
        if len(piece) <= first:
            return np.empty((0, self._network.vocab_size))
        windows = sliding_window_view(piece[:-1], self._seq_length)[first - self._seq_length :]
        found = [
            self._of_windows(windows[begin : begin + _PADDED_TO])
            for begin in range(0, len(windows), _PADDED_TO)
        ]
        return np.concatenate(found)

    def _of_windows(self, windows: NDArray[np.int32]) -> NDArray[np.float64]:
        """Distributions of the tokens that follow at most `_PADDED_TO` windows, (batch, vocab_size)."""
        padded = np.zeros((_PADDED_TO, self._seq_length), np.int32)
        padded[: len(windows)] = windows
        # (batch, 1, vocab_size)
        rows = self._last.predict_on_batch([padded, *self._network.initial_state(_PADDED_TO)])
        return rows[: len(windows), 0].astype(np.float64)


class PiecePredictor:
    """A network as a `protocols.Predictor` that reads each piece once, from its start.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._all = _LogProbabilities(network, last_only=False)

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[NDArray[np.float64]]:
        """Yield, for each piece, the distributions of its tokens from `first_target` on."""
        for rows, lengths in _padded_batches(pieces):
            state = self._network.initial_state(len(rows))
            found = self._all.predict_on_batch([rows[:, :-1], *state])  # (batch, time, vocab_size)
            for row, length in zip(found, lengths, strict=True):
                yield row[first_target - 1 : length - 1].astype(np.float64)


def make_predictor(network: Network, config: RunConfig) -> Predictor:
    """Make the predictor that reads music as the network did in training: by pieces, or by windows.

    Examples
    --------
    >>> from pipeline_lib.config import LstmConfig, token_config
    >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
    >>> from pipeline_lib.tokens.vocabulary import Vocabulary
    >>> model = LstmConfig(layers=1, units=8, embedding_size=4)
    >>> config = RunConfig(model=model, seq_length=3, learning_rate=0.01, seed=0)
    >>> tokens = ["<start>", "<end>", "<unknown>", "Pitch_60:1", "Pitch_62:1"]
    >>> vocabulary = Vocabulary.of(tokens, make_tokeniser(token_config({"kind": "note_event"})))
    >>> network = Network(config, vocabulary)
    >>> piece = np.array([0, 3, 4, 3, 4, 1], np.int32)
    >>> (log_p,) = make_predictor(network, config).log_probabilities([piece], first_target=1)
    >>> log_p.shape  # for each of the five targets, the distribution over five tokens
    (5, 5)
    >>> np.exp(log_p).sum(axis=1).round(3)
    array([1., 1., 1., 1., 1.])
    """
    if config.regime == "streams":
        return PiecePredictor(network)
    return WindowPredictor(network, config.seq_length)


def _padded_batches(
    pieces: Sequence[NDArray[np.int32]],
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
    """Pieces in order, as batches of rows padded at their ends, (batch, time + 1); and the lengths of the pieces."""
    batch: list[NDArray[np.int32]] = []
    for n, piece in enumerate(pieces):
        batch.append(piece)
        longest = max(map(len, batch))
        is_full = (len(batch) + 1) * longest > _BATCH_TOKENS
        if is_full or n == len(pieces) - 1:
            width = -(-longest // _PADDED_TO) * _PADDED_TO + 1
            rows = np.zeros((len(batch), width), np.int32)
            for row, tokens in zip(rows, batch, strict=True):
                row[: len(tokens)] = tokens
            yield rows, np.array(list(map(len, batch)))
            batch = []
