"""Closeness to a corpus: which of two sets of pieces is nearer, over all metrics together, and how sure that is.

After Bounliphone et al. (2016), "A test of relative similarity for model selection in generative models": the
difference of two maximum mean discrepancies from the same corpus, which is held fixed. With several trainings a side,
each training has a distance of its own, and these are compared as in `comparison`. With one, its pieces are resampled
by a bootstrap, in place of the authors' normal approximation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline_lib.evaluation.comparison import Comparison, compare_paired
from pipeline_lib.evaluation.distances import kernel_matrix, standardised
from pipeline_lib.evaluation.metrics import METRICS
from pipeline_lib.evaluation.statistics import FloatArray, percentile_interval

N_RESAMPLES = 2_000

Indices = NDArray[np.int64]


def compare_closeness(
    a: pd.DataFrame,
    b: pd.DataFrame,
    corpus: pd.DataFrame,
    seed: int,
    groups_a: ArrayLike,
    groups_b: ArrayLike,
) -> Comparison:
    """Compare the distances (MMD²) of two sets from a corpus; the lower one is closer.

    Parameters
    ----------
    a, b, corpus : DataFrame
        One row per piece, a column per metric; at least two pieces of each training.
    seed : int
        Seed of the resampling.
    groups_a, groups_b : array_like, shapes (n_a,), (n_b,)
        The seed of each piece's training; trainings whose seed both sides have are compared.

    Returns
    -------
    Comparison
        Its means are the two distances, averaged over trainings. Cliff's delta is NaN, for a distance belongs to no
        single piece; so is p with one training.

    Examples
    --------
    Of two sets of twenty pieces, the first has the corpus's figures and the second lies far from it:

    >>> corpus = pd.DataFrame({name: np.arange(20.0) for name in METRICS})
    >>> compared = compare_closeness(corpus, corpus + 100, corpus, 0, [0] * 20, [0] * 20)
    >>> compared.difference < 0 and compared.high < 0  # the first is closer, by the 95 % interval too
    True
    """
    in_a, in_b = np.asarray(groups_a), np.asarray(groups_b)
    distances = _Distances(a, b, corpus)
    shared = np.intersect1d(in_a, in_b)
    of_a = [distances.of(np.flatnonzero(in_a == group)) for group in shared]
    of_b = [distances.of(len(a) + np.flatnonzero(in_b == group)) for group in shared]
    compared = compare_paired(of_a, of_b, seed, shared)
    unknown = float("nan")
    if len(shared) < 2:
        low, high = _interval(distances, len(a), len(b), seed)
        compared = replace(compared, low=low, high=high, p=unknown)
    return replace(compared, delta=unknown, n_a=len(a), n_b=len(b))


class _Distances:
    """Distances (MMD²) from the corpus, of any sets of pieces drawn from a and b; b's numbers follow a's."""

    def __init__(self, a: pd.DataFrame, b: pd.DataFrame, corpus: pd.DataFrame) -> None:
        together = pd.concat([a, b, corpus])[list(METRICS)].to_numpy()
        kernel = kernel_matrix(standardised(together))
        n_made, n_corpus = len(a) + len(b), len(corpus)
        self._among = kernel[:n_made, :n_made]
        self._to_corpus: FloatArray = kernel[:n_made, n_made:].mean(axis=1)
        among_corpus = kernel[n_made:, n_made:].sum()
        self._in_corpus = float(among_corpus / (n_corpus * (n_corpus - 1)))

    def of(self, pieces: Indices) -> float:
        """Distance of one set, given by the numbers of its pieces."""
        times = np.bincount(pieces, minlength=len(self._among))
        return float(self.of_many(times[None])[0])

    def of_many(self, times: NDArray[np.integer]) -> FloatArray:
        """Distances of many sets, shape (n_sets,), given by how often each piece is in each, (n_sets, n_pieces)."""
        weights = times.astype(np.float64)
        n = weights.sum(axis=1)
        # A piece is not compared with itself, nor with a copy of itself in a resample.
        n_pairs = n**2 - (weights**2).sum(axis=1)
        among = (weights @ self._among * weights).sum(axis=1) / n_pairs
        return np.asarray(among + self._in_corpus - 2 * (weights @ self._to_corpus) / n)


def _interval(distances: _Distances, n_a: int, n_b: int, seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of the difference of the two distances, the pieces of both sides resampled."""
    rng = np.random.default_rng(seed)
    drawn_a, drawn_b = (rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLES) for n in (n_a, n_b))
    of_a = distances.of_many(np.pad(drawn_a, ((0, 0), (0, n_b))))
    of_b = distances.of_many(np.pad(drawn_b, ((0, 0), (n_a, 0))))
    return percentile_interval(of_a - of_b)
