"""Any models, mixed with the memory of what the piece has already played.

The models' distributions are mixed with one weight each, and the gate then makes what the memory recalls more or less
likely. Both are fitted on pieces that no model was trained on. With an n-gram model alone this is a long-term
model with a short-term model beside it; with a network, that network with a memory.
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
"""Of one model, what `Predictor.log_probabilities` yields."""


@dataclass(frozen=True, eq=False)
class MemoryMixture:
    """What was fitted.

    Parameters
    ----------
    shares : float64 array, shape (n_models,)
        Of each model in the mixture; they sum to one.
    gate : float64 array, shape (n_classes, N_FEATURES)
        See `pipeline_lib.models.memory.gate`.
    """

    shares: FloatArray
    gate: FloatArray

    def mix(
        self, predicted: Sequence[Rows], pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[FloatArray]:
        """The mixture's distributions, as `Predictor.log_probabilities` yields them.

        Parameters
        ----------
        predicted : sequence of iterables
            What each model yields for the same pieces and `first_target`.
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
        """The numbers, as JSON values."""
        return {"shares": self.shares.tolist(), "gate": self.gate.tolist()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> MemoryMixture:
        """The mixture that was saved so."""
        return cls(np.array(values["shares"]), np.array(values["gate"]))


def mix_models(shares: FloatArray, log_p: Iterable[FloatArray]) -> FloatArray:
    """Logarithms of the weighted mean of the models' probabilities, in the shape of each."""
    weighted = np.stack(
        [np.log(share) + of_model for share, of_model in zip(shares, log_p, strict=True)]
    )
    return np.logaddexp.reduce(weighted, axis=0)


class MemoryPredictor:
    """Models with the memory, to be scored like any other model."""

    def __init__(self, models: Sequence[Predictor], mixture: MemoryMixture) -> None:
        self._models = models
        self._mixture = mixture

    def log_probabilities(
        self, pieces: Sequence[NDArray[np.int32]], first_target: int
    ) -> Iterator[FloatArray]:
        """As `pipeline_lib.models.protocols.Predictor` says; the whole piece so far is read."""
        predicted = [model.log_probabilities(pieces, first_target) for model in self._models]
        return self._mixture.mix(predicted, pieces, first_target)


def fit_mixture(
    predicted: Sequence[Rows],
    pieces: Sequence[NDArray[np.int32]],
    first_target: int,
    max_targets: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> MemoryMixture:
    """Fit the models' shares, then the gate, on known targets.

    Parameters
    ----------
    predicted : sequence of iterables
        Of each model, what its `Predictor.log_probabilities` yields for the pieces.
    pieces : sequence of int32 arrays
        Held out from the training of every model.
    first_target : int
    max_targets : int
        Pieces are read until there are this many.
    progress : callable
        Told the targets found and how many it takes at most.
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
    """What is known of some targets: one row for each, and entries of what is recalled there."""

    recalled: Recalled
    targets: NDArray[np.int32]
    target_log_p: FloatArray
    """Shape (n_models, n_rows)."""
    entry_log_p: FloatArray
    """Shape (n_models, n_entries)."""


def _look_up(piece: NDArray[np.int32], log_p: FloatArray, first_target: int) -> Iterator[_Found]:
    """Of a piece's known targets; ``log_p`` has the shape (n_models, n_targets, vocab_size)."""
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
    """The shares that make the targets likeliest, by expectation-maximisation; no other optimum exists.

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
    """All that was found, for models mixed in these shares."""
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
