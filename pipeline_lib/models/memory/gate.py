"""How far to trust what a piece has already played: a small log-linear model, fitted on held-out pieces.

Tokens that the memory recalls are made more or less likely than the model beside it holds them:

    P(w) is proportional to P_model(w) * exp(bonus(w)),
    bonus(w) = weights[b] . (1, log share, log distance, log P_model(w)),

where ``b`` is the class of the longest context that recalls ``w`` (`CLASS_STARTS`); all other tokens have no
bonus. With weights of zero it is the model alone. With -1 for the last of them it does not matter what the model
thinks of the token: the memory decides.

Choosing between a long-term and a short-term model for each token, by how sure each is, is due to Conklin and
Witten (1995) and Pearce (2005); mixing in the logistic domain with weights chosen by the length of the match, to
Mahoney (2005). Here the loss is convex in the weights, so that Newton's method finds its one minimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.models.memory.recall import IntArray, Recalled

FloatArray = NDArray[np.float64]

CLASS_STARTS = np.array([0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 25, 40, 64])
"""Shortest context of each class, in tokens."""

N_FEATURES = 4

_PRIOR = 0.2
"""Inverse variance of the weights' Gaussian prior: with little evidence they stay near zero."""

_LEAST_REST = 1e-12
_ENOUGH_NAT = 1e-7
_MOST_STEPS = 50
_MOST_HALVINGS = 20


def features(recalled: Recalled, log_p: FloatArray) -> FloatArray:
    """What the bonus of each recalled token depends on, shape (n, N_FEATURES).

    Parameters
    ----------
    recalled : Recalled
    log_p : float64 array, shape (n,)
        Of each entry, what the model beside the memory gives it.
    """
    columns = [np.ones(len(log_p)), np.log(recalled.share), np.log(recalled.distance), log_p]
    return np.stack(columns, axis=1)


def classes(recalled: Recalled) -> IntArray:
    """The class of each recalled token's context, shape (n,)."""
    return np.searchsorted(CLASS_STARTS, recalled.length, side="right") - 1


def apply_gate(weights: FloatArray, log_p: FloatArray, recalled: Recalled) -> FloatArray:
    """The distributions with the memory in them.

    Parameters
    ----------
    weights : float64 array, shape (n_classes, N_FEATURES)
    log_p : float64 array, shape (n_rows, vocab_size)
        Of the model beside the memory, natural logarithms.
    recalled : Recalled
        For the same rows.

    Returns
    -------
    float64 array, shape (n_rows, vocab_size)
        Natural logarithms.
    """
    place = recalled.row, recalled.token_id
    mixed = log_p.copy()
    mixed[place] += (features(recalled, log_p[place]) * weights[classes(recalled)]).sum(axis=1)
    mixed -= mixed.max(axis=1, keepdims=True)
    return mixed - np.log(np.exp(mixed).sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the gate is fitted on: recalled tokens (n of them) at places with a target (n_rows of them).

    Parameters
    ----------
    row, class_of : int64 arrays, shape (n,)
    features : float64 array, shape (n, N_FEATURES)
    log_p : float64 array, shape (n,)
        What the model beside the memory gives the token.
    target_entry : int64 array, shape (n_rows,)
        Which of the n entries is the target; -1 where it was not recalled.
    target_log_p : float64 array, shape (n_rows,)
    """

    row: IntArray
    class_of: IntArray
    features: FloatArray
    log_p: FloatArray
    target_entry: IntArray
    target_log_p: FloatArray

    @property
    def n_rows(self) -> int:
        """Places with a target."""
        return len(self.target_log_p)


def fit_gate(evidence: Evidence) -> FloatArray:
    """The weights that predict the targets best, shape (n_classes, N_FEATURES).

    Newton's method from zero; a step is halved until it lowers the loss, and none that no longer does is taken.
    """
    weights = np.zeros((len(CLASS_STARTS), N_FEATURES))
    loss, posterior = _loss(weights, evidence)
    for _ in range(_MOST_STEPS):
        step = _newton_step(weights, posterior, evidence)
        tried = [weights - step * 0.5**halvings for halvings in range(_MOST_HALVINGS)]
        better = ((w, *_loss(w, evidence)) for w in tried)
        found = next((point for point in better if point[1] < loss), None)
        if found is None:
            break
        gain = loss - found[1]
        weights, loss, posterior = found
        if gain < _ENOUGH_NAT * evidence.n_rows:
            break
    return weights


def _loss(weights: FloatArray, evidence: Evidence) -> tuple[float, FloatArray]:
    """Loss in nats over all targets, prior included; and the probability of each entry, shape (n,)."""
    row, n_rows = evidence.row, evidence.n_rows
    scores = evidence.log_p + (evidence.features * weights[evidence.class_of]).sum(axis=1)
    # Tokens that are not recalled share what the recalled ones leave of the model's probability.
    recalled_mass = np.bincount(row, np.exp(evidence.log_p), minlength=n_rows)
    highest = np.zeros(n_rows)
    np.maximum.at(highest, row, scores)
    rest = np.maximum(1.0 - recalled_mass, _LEAST_REST) * np.exp(-highest)
    shares = np.exp(scores - highest[row])
    total = rest + np.bincount(row, shares, minlength=n_rows)
    is_recalled = evidence.target_entry >= 0
    of_target = np.where(is_recalled, 0.0, evidence.target_log_p)
    of_target[is_recalled] = scores[evidence.target_entry[is_recalled]]
    loss = (np.log(total) + highest - of_target).sum() + _PRIOR / 2 * (weights**2).sum()
    return float(loss), shares / total[row]


def _newton_step(weights: FloatArray, posterior: FloatArray, evidence: Evidence) -> FloatArray:
    """The second derivatives' inverse times the first derivatives, in the shape of the weights."""
    n_classes = len(CLASS_STARTS)
    x, class_of = evidence.features, evidence.class_of
    surprise = posterior.copy()
    surprise[evidence.target_entry[evidence.target_entry >= 0]] -= 1.0
    gradient = _PRIOR * weights
    second = np.zeros((n_classes, N_FEATURES, n_classes, N_FEATURES))
    expected = np.empty((evidence.n_rows, n_classes, N_FEATURES))
    cells = evidence.row * n_classes + class_of
    own = np.arange(n_classes)
    for i in range(N_FEATURES):
        gradient[:, i] += np.bincount(class_of, surprise * x[:, i], minlength=n_classes)
        sums = np.bincount(cells, posterior * x[:, i], minlength=evidence.n_rows * n_classes)
        expected[:, :, i] = sums.reshape(-1, n_classes)
        for j in range(N_FEATURES):
            products = posterior * x[:, i] * x[:, j]
            second[own, i, own, j] = np.bincount(class_of, products, minlength=n_classes)
    flat = expected.reshape(evidence.n_rows, weights.size)
    hessian = second.reshape(weights.size, weights.size) - flat.T @ flat
    hessian += _PRIOR * np.eye(weights.size)
    step = np.linalg.solve(hessian, gradient.reshape(-1, 1)).astype(np.float64)
    return step.reshape(-1, N_FEATURES)
