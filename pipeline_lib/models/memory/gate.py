"""The gate: a small log-linear model of how far to trust the memory of a piece, fitted on held-out pieces.

It raises or lowers the probability that a model gives to the tokens that the memory recalls:

    P(w) is proportional to P_model(w) * exp(bonus(w)),
    bonus(w) = weights[b] . (1, log share, log distance, log P_model(w)),

where ``b`` is the class of the longest context that recalls ``w`` (`CLASS_STARTS`); all other tokens have no
bonus. With weights of zero the model stays as it is. With a last weight of -1 the bonus cancels what the model gives
the token: the memory alone decides.

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
"""Length, in tokens, of the shortest context of each class; a class reaches up to the next one's."""

N_FEATURES = 4
"""Number of features of a recalled token: 1, log share, log distance, log probability under the model."""

_PRIOR = 0.2
"""Inverse variance of the weights' Gaussian prior: with little evidence they stay near zero."""

_LEAST_REST = 1e-12
"""Least probability that is left for tokens that are not recalled, so that its logarithm exists."""
_ENOUGH_NAT = 1e-7
"""Gain of a Newton step, in nats per target, below which the fit ends."""
_MOST_STEPS = 50
_MOST_HALVINGS = 20


def features(recalled: Recalled, log_p: FloatArray) -> FloatArray:
    """Features of each recalled token, on which its bonus depends; shape (n_entries, N_FEATURES).

    Parameters
    ----------
    recalled : Recalled
    log_p : float64 array, shape (n_entries,)
        Log-probability that the model beside the memory gives each recalled token.
    """
    columns = [np.ones(len(log_p)), np.log(recalled.share), np.log(recalled.distance), log_p]
    return np.stack(columns, axis=1)  # (n_entries, N_FEATURES)


def classes(recalled: Recalled) -> IntArray:
    """Class of each recalled token's context, by its length (`CLASS_STARTS`); shape (n_entries,)."""
    return np.searchsorted(CLASS_STARTS, recalled.length, side="right") - 1


def apply_gate(weights: FloatArray, log_p: FloatArray, recalled: Recalled) -> FloatArray:
    """Give recalled tokens their bonus in the distributions of a model.

    Parameters
    ----------
    weights : float64 array, shape (n_classes, N_FEATURES)
    log_p : float64 array, shape (n_rows, vocab_size)
        Distributions of the model beside the memory, natural logarithms.
    recalled : Recalled
        What the memory recalls for the same rows.

    Returns
    -------
    float64 array, shape (n_rows, vocab_size)
        The distributions with the memory, natural logarithms.

    Examples
    --------
    A model holds four tokens equally likely. Token 3 was played and gets a bonus of log 2, so 2 parts of 5:

    >>> from pipeline_lib.models.memory.recall import recall_piece
    >>> (recalled,) = recall_piece(np.array([0, 3, 2], np.int32), first_target=2, vocab_size=4)
    >>> weights = np.zeros((len(CLASS_STARTS), N_FEATURES))
    >>> weights[0, 0] = np.log(2)
    >>> np.exp(apply_gate(weights, np.log(np.full((1, 4), 0.25)), recalled)).round(3)
    array([[0.2, 0.2, 0.2, 0.4]])
    """
    place = recalled.row, recalled.token_id
    mixed = log_p.copy()
    mixed[place] += (features(recalled, log_p[place]) * weights[classes(recalled)]).sum(axis=1)
    mixed -= mixed.max(axis=1, keepdims=True)
    return mixed - np.log(np.exp(mixed).sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence that the gate is fitted on: rows with a known target, and the tokens recalled for each.

    Parameters
    ----------
    row, class_of : int64 arrays, shape (n_entries,)
        The row of each recalled token, and the class of its context.
    features : float64 array, shape (n_entries, N_FEATURES)
    log_p : float64 array, shape (n_entries,)
        Log-probability that the model beside the memory gives each recalled token.
    target_entry : int64 array, shape (n_rows,)
        Number of the entry that is the row's target; -1 where the target was not recalled.
    target_log_p : float64 array, shape (n_rows,)
        Log-probability that the model beside the memory gives each target.
    """

    row: IntArray
    class_of: IntArray
    features: FloatArray
    log_p: FloatArray
    target_entry: IntArray
    target_log_p: FloatArray

    @property
    def n_rows(self) -> int:
        """Number of rows: targets that the gate is fitted on."""
        return len(self.target_log_p)


def fit_gate(evidence: Evidence) -> FloatArray:
    """Fit the weights that predict the targets best, shape (n_classes, N_FEATURES).

    By Newton's method from zero. A step is halved until it lowers the loss; the fit ends where none does.
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
    """Loss in nats, summed over all targets, prior included; and the gated probability of each entry, (n_entries,)."""
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
    """Newton step: the inverse of the second derivatives times the first derivatives, in the shape of the weights.

    `posterior` is the gated probability of each entry, shape (n_entries,).
    """
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
        expected[:, :, i] = sums.reshape(-1, n_classes)  # (n_rows, n_classes)
        for j in range(N_FEATURES):
            products = posterior * x[:, i] * x[:, j]
            second[own, i, own, j] = np.bincount(class_of, products, minlength=n_classes)
    flat = expected.reshape(evidence.n_rows, weights.size)  # (n_rows, n_classes * N_FEATURES)
    # (n_classes * N_FEATURES, n_classes * N_FEATURES)
    hessian = second.reshape(weights.size, weights.size) - flat.T @ flat
    hessian += _PRIOR * np.eye(weights.size)
    step = np.linalg.solve(hessian, gradient.reshape(-1, 1)).astype(np.float64)
    return step.reshape(-1, N_FEATURES)  # (n_classes, N_FEATURES)
