"""The gate: a small log-linear model of how far to trust the memory of a piece, fitted on held-out pieces.

It raises or lowers the probability that a model gives to the tokens that the memory recalls:

    P(w) is proportional to P_model(w) * exp(bonus(w)),
    bonus(w) = anywhere[b] . (1, log share, log distance, log P_model(w))
             + aligned[c]  . (1, log share, log bars, log P_model(w)),

where ``b`` is the class of the longest context that recalls ``w`` from anywhere in the piece, and ``c`` that of the
longest one at the same position in the metre (`CLASS_STARTS`); what was never played there has no second part, and
all tokens that were never played have no bonus. With weights of zero the model stays as it is. With a last weight of
-1 the bonus cancels what the model gives the token: the memory alone decides.

Choosing between a long-term and a short-term model for each token, by how sure each is, is due to Conklin and
Witten (1995) and Pearce (2005); mixing in the logistic domain with weights chosen by the length of the match, to
Mahoney (2005). Here the loss is convex in the weights, so that Newton's method finds its one minimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline_lib.models.memory.recall import IntArray, Recalled

FloatArray = NDArray[np.float64]

CLASS_STARTS = np.array([0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 25, 40, 64])
"""Length, in tokens, of the shortest context of each class; a class reaches up to the next one's."""

N_FEATURES = 4
"""Number of features of a recalled token: 1, log share, log distance, log probability under the model."""

N_WEIGHTS = 2 * len(CLASS_STARTS) * N_FEATURES
"""Number of weights: those of contexts from anywhere, class by class, then those of aligned ones."""

_PRIOR = 0.2
"""Inverse variance of the weights' Gaussian prior: with little evidence they stay near zero."""

_LEAST_REST = 1e-12
"""Least probability that is left for tokens that are not recalled, so that its logarithm exists."""
_ENOUGH_NAT = 1e-7
"""Gain of a Newton step, in nats per target, below which the fit ends."""
_MOST_STEPS = 50
_MOST_HALVINGS = 20


def design(recalled: Recalled, log_p: FloatArray) -> csr_matrix:
    """What the bonus of each recalled token depends on, shape (n_entries, N_WEIGHTS).

    Parameters
    ----------
    recalled : Recalled
    log_p : float64 array, shape (n_entries,)
        Log-probability that the model beside the memory gives each recalled token.
    """
    n_entries, columns, values, rows = len(log_p), [], [], []
    for block, contexts in enumerate((recalled.anywhere, recalled.aligned)):
        entry = np.flatnonzero(contexts.length >= 0)
        found = contexts.take(contexts.length >= 0)
        class_of = np.searchsorted(CLASS_STARTS, found.length, side="right") - 1
        first = (block * len(CLASS_STARTS) + class_of) * N_FEATURES
        of_entry = [np.ones(len(entry)), np.log(found.share), np.log(found.distance), log_p[entry]]
        for n, feature in enumerate(of_entry):
            rows.append(entry)
            columns.append(first + n)
            values.append(feature)
    place = np.concatenate(rows), np.concatenate(columns)
    return csr_matrix((np.concatenate(values), place), shape=(n_entries, N_WEIGHTS))


def apply_gate(weights: FloatArray, log_p: FloatArray, recalled: Recalled) -> FloatArray:
    """Give recalled tokens their bonus in the distributions of a model.

    Parameters
    ----------
    weights : float64 array, shape (N_WEIGHTS,)
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
    >>> from pipeline_lib.tokens.metre import PieceMetre
    >>> metre = PieceMetre(onset_step=np.array([0, 0, 1]), bar_step=4)
    >>> piece = np.array([0, 3, 2], np.int32)
    >>> (recalled,) = recall_piece(piece, metre, first_target=2, vocab_size=4)
    >>> weights = np.zeros(N_WEIGHTS)
    >>> weights[0] = np.log(2)
    >>> np.exp(apply_gate(weights, np.log(np.full((1, 4), 0.25)), recalled)).round(3)
    array([[0.2, 0.2, 0.2, 0.4]])
    """
    place = recalled.row, recalled.token_id
    mixed = log_p.copy()
    mixed[place] += design(recalled, log_p[place]) @ weights
    mixed -= mixed.max(axis=1, keepdims=True)
    return mixed - np.log(np.exp(mixed).sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence that the gate is fitted on: rows with a known target, and the tokens recalled for each.

    Parameters
    ----------
    row : int64 array, shape (n_entries,)
        The row of each recalled token.
    design : sparse matrix, shape (n_entries, N_WEIGHTS)
        From `design`.
    log_p : float64 array, shape (n_entries,)
        Log-probability that the model beside the memory gives each recalled token.
    target_entry : int64 array, shape (n_rows,)
        Number of the entry that is the row's target; -1 where the target was not recalled.
    target_log_p : float64 array, shape (n_rows,)
        Log-probability that the model beside the memory gives each target.
    """

    row: IntArray
    design: csr_matrix
    log_p: FloatArray
    target_entry: IntArray
    target_log_p: FloatArray

    @property
    def n_rows(self) -> int:
        """Number of rows: targets that the gate is fitted on."""
        return len(self.target_log_p)


def fit_gate(evidence: Evidence) -> FloatArray:
    """Fit the weights that predict the targets best, shape (N_WEIGHTS,).

    By Newton's method from zero. A step is halved until it lowers the loss; the fit ends where none does.
    """
    weights = np.zeros(N_WEIGHTS)
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
    scores = evidence.log_p + evidence.design @ weights
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
    loss = (np.log(total) + highest - of_target).sum() + _PRIOR / 2 * (weights @ weights)
    return float(loss), shares / total[row]


def _newton_step(weights: FloatArray, posterior: FloatArray, evidence: Evidence) -> FloatArray:
    """Newton step: the inverse of the second derivatives times the first derivatives, in the shape of the weights.

    `posterior` is the gated probability of each entry, shape (n_entries,).
    """
    x, n_entries = evidence.design, len(posterior)
    surprise = posterior.copy()
    surprise[evidence.target_entry[evidence.target_entry >= 0]] -= 1.0
    gradient = _PRIOR * weights + x.T @ surprise
    of_rows = csr_matrix(
        (posterior, (evidence.row, np.arange(n_entries))), shape=(evidence.n_rows, n_entries)
    )
    expected = of_rows @ x  # (n_rows, N_WEIGHTS)
    hessian = (x.T @ x.multiply(posterior[:, None]) - expected.T @ expected).toarray()
    step: FloatArray = np.linalg.solve(hessian + _PRIOR * np.eye(N_WEIGHTS), gradient)
    return step
