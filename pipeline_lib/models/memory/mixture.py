"""Mixtures of models with the memory of what the piece has already played.

The models' distributions are mixed, each with a share of its own; then the gate raises or lowers the probability of
what the memory recalls. Both are fitted on pieces that no model was trained on. With an n-gram model alone this is a
long-term model with a short-term model beside it; with a network, that network with a memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.models.memory.gate import (
    Evidence,
    FloatArray,
    apply_gate,
    classes,
    features,
    fit_gate,
)
from pipeline_lib.models.memory.recall import (
    Recalled,
    join_recalled,
    recall_piece,
)
from pipeline_lib.models.protocols import Predictor
from pipeline_lib.tokens.vocabulary import UNKNOWN_ID

_ROUNDS = 100

Rows = Iterable[FloatArray]
"""Distributions of one model, piece by piece, as `Predictor.log_probabilities` yields them."""


@dataclass(frozen=True, eq=False)
class MemoryMixture:
    """Fitted weights of a mixture of models with the memory.

    Parameters
    ----------
    shares : float64 array, shape (n_models,)
        Weight of each model's probabilities in the mixture; they sum to one.
    gate : float64 array, shape (n_classes, N_FEATURES)
        Weights of the gate (`pipeline_lib.models.memory.gate`).
    """

    shares: FloatArray
    gate: FloatArray

    def mix(
        self, predicted: Sequence[Rows], pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[FloatArray]:
        """Yield the mixture's distributions, as `Predictor.log_probabilities` does.

        Parameters
        ----------
        predicted : sequence of iterables
            For each model, the distributions that it yields for the same pieces and `first_target`.
        pieces : sequence of int32 arrays
            Token ids of whole pieces.
        first_target : int
            Place, in each piece, of the first token to predict; at least 1.
        """
        for piece, *of_models in zip(pieces, *predicted, strict=True):
            log_p = mix_models(self.shares, of_models)
            begin = 0
            for recalled in recall_piece(piece, first_target, log_p.shape[1]):
                rows = slice(begin, begin + recalled.n_rows)
                log_p[rows] = apply_gate(self.gate, log_p[rows], recalled)
                begin += recalled.n_rows
            yield log_p

    def to_json(self) -> dict[str, Any]:
        """The weights as JSON values."""
        return {"shares": self.shares.tolist(), "gate": self.gate.tolist()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> MemoryMixture:
        """The mixture whose weights `to_json` gave."""
        return cls(np.array(values["shares"]), np.array(values["gate"]))


def mix_models(shares: FloatArray, log_p: Iterable[FloatArray]) -> FloatArray:
    """Mix models: the logarithm of the weighted mean of their probabilities.

    Parameters
    ----------
    shares : float64 array, shape (n_models,)
    log_p : iterable of float64 arrays
        Log-probabilities of each model, all of one shape.

    Returns
    -------
    float64 array
        In the same shape.

    Examples
    --------
    >>> log_p = np.log([[0.5, 0.5], [0.1, 0.9]])  # two models, two tokens
    >>> np.exp(mix_models(np.array([0.5, 0.5]), log_p)).round(3)
    array([0.3, 0.7])
    """
    weighted = np.stack(
        [np.log(share) + of_model for share, of_model in zip(shares, log_p, strict=True)]
    )
    return np.logaddexp.reduce(weighted, axis=0)


class MemoryPredictor:
    """A mixture of models with the memory, as a `protocols.Predictor`.

    Parameters
    ----------
    models : sequence of Predictor
    mixture : MemoryMixture
        Weights that were fitted for these models, in this order.
    """

    def __init__(self, models: Sequence[Predictor], mixture: MemoryMixture) -> None:
        self._models = models
        self._mixture = mixture

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[FloatArray]:
        """Yield the distributions of the next token, as `protocols.Predictor` says; the whole piece so far is read."""
        predicted = [model.log_probabilities(pieces, first_target) for model in self._models]
        return self._mixture.mix(predicted, pieces, first_target)


def fit_mixture(
    predicted: Sequence[Rows],
    pieces: Sequence[NDArray[np.int32]],
    first_target: int,
    max_targets: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> MemoryMixture:
    """Fit the models' shares, then the gate, on targets that the vocabulary knows.

    Parameters
    ----------
    predicted : sequence of iterables
        For each model, the distributions that its `Predictor.log_probabilities` yields for the pieces.
    pieces : sequence of int32 arrays
        Token ids of whole pieces, held out from the training of every model.
    first_target : int
        Place, in each piece, of the first target; at least 1.
    max_targets : int
        Number of targets after which no further piece is read.
    progress : callable
        A function that is told the targets found, and `max_targets`.

    Examples
    --------
    Of two models, one holds four tokens equally likely, and one gives each target a probability of 0.97:

    >>> piece = np.array([0, 3, 3, 3, 1], np.int32)
    >>> uniform, good = np.full((4, 4), 0.25), np.full((4, 4), 0.01)
    >>> good[np.arange(4), piece[1:]] = 0.97
    >>> mixture = fit_mixture([[np.log(uniform)], [np.log(good)]], [piece], 1, max_targets=100)
    >>> mixture.shares.round(3)
    array([0., 1.])
    """
    found: list[_Found] = []
    for piece, *of_models in zip(pieces, *predicted, strict=True):
        found += _look_up(piece, np.stack(of_models), first_target)
        n_found = sum(len(one.targets) for one in found)
        progress(min(n_found, max_targets), max_targets)
        if n_found >= max_targets:
            break
    shares = _fit_shares(np.concatenate([one.target_log_p for one in found], axis=1))
    return MemoryMixture(shares, fit_gate(_join(found, shares)))


@dataclass(frozen=True, eq=False)
class _Found:
    """Some known targets, a row for each, with the tokens recalled there and what the models give both."""

    recalled: Recalled
    targets: NDArray[np.int32]
    """Token id of each target, shape (n_rows,)."""
    target_log_p: FloatArray
    """Log-probability that each model gives each target, shape (n_models, n_rows)."""
    entry_log_p: FloatArray
    """Log-probability that each model gives each recalled token, shape (n_models, n_entries)."""


def _look_up(piece: NDArray[np.int32], log_p: FloatArray, first_target: int) -> Iterator[_Found]:
    """Look up a piece's known targets, block by block; ``log_p`` has the shape (n_models, n_targets, vocab_size)."""
    begin = 0
    for block in recall_piece(piece, first_target, log_p.shape[2]):
        rows = slice(begin, begin + block.n_rows)
        begin += block.n_rows
        targets = piece[first_target:][rows]
        known = targets != UNKNOWN_ID
        recalled, targets, of_models = block.only(known), targets[known], log_p[:, rows][:, known]
        yield _Found(
            recalled,
            targets,
            of_models[:, np.arange(len(targets)), targets],
            of_models[:, recalled.row, recalled.token_id],
        )


def _fit_shares(target_log_p: FloatArray) -> FloatArray:
    """Fit the shares that make the targets likeliest, by expectation-maximisation; there is no other optimum.

    Parameters
    ----------
    target_log_p : float64 array, shape (n_models, n_targets)
    """
    p = np.exp(target_log_p - target_log_p.max(axis=0))
    shares = np.full(len(p), 1.0 / len(p))
    for _ in range(_ROUNDS):
        weighted = shares[:, None] * p
        shares = (weighted / weighted.sum(axis=0)).mean(axis=1)
    return shares


def _join(found: Sequence[_Found], shares: FloatArray) -> Evidence:
    """Join all targets found into the gate's evidence, for models mixed in these shares."""
    recalled = join_recalled([one.recalled for one in found])
    targets = np.concatenate([one.targets for one in found])
    log_p = mix_models(shares, np.concatenate([one.entry_log_p for one in found], axis=1))
    target_entry = np.full(len(targets), -1)
    is_target = recalled.token_id == targets[recalled.row]
    target_entry[recalled.row[is_target]] = np.flatnonzero(is_target)
    return Evidence(
        row=recalled.row,
        class_of=classes(recalled),
        features=features(recalled, log_p),
        log_p=log_p,
        target_entry=target_entry,
        target_log_p=mix_models(
            shares, np.concatenate([one.target_log_p for one in found], axis=1)
        ),
    )
