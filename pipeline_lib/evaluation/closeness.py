"""Which of two sets of pieces is closer to a corpus, over all metrics together, and how sure that is.

The relative test of Bounliphone et al. (2016), "A test of relative similarity for model selection in generative
models": the difference of two maximum mean discrepancies from the same corpus. In place of their normal
approximation stand a bootstrap for the interval and a permutation of pieces between the two sets for p, as in
`comparison`. The corpus is held fixed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pipeline_lib.evaluation.comparison import Comparison
from pipeline_lib.evaluation.distances import likenesses, standardised
from pipeline_lib.evaluation.metrics import METRICS
from pipeline_lib.evaluation.resampling import dealt_out, p_value, percentile_interval
from pipeline_lib.evaluation.statistics import FloatArray

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
        One row per piece, a column per metric; at least two pieces each.
    seed : int
        Of the resampling.
    groups_a, groups_b : array_like, shapes (n_a,), (n_b,)
        The seed of each piece's training. The bootstrap draws groups first where both sides have at least two.

    Returns
    -------
    Comparison
        Its means are the two distances; Cliff's delta is NaN, for a distance belongs to no single piece.
    """
    in_a, in_b = np.asarray(groups_a), np.asarray(groups_b)
    distances = _Distances(a, b, corpus)
    mean_a, mean_b = distances.of(np.arange(len(a))), distances.of(len(a) + np.arange(len(b)))
    low, high = _interval(distances, in_a, in_b, seed)
    shared = np.intersect1d(in_a, in_b)
    by_group = [
        distances.of(np.flatnonzero(in_a == group))
        - distances.of(len(a) + np.flatnonzero(in_b == group))
        for group in shared
    ]
    difference = mean_a - mean_b
    return Comparison(
        mean_a=mean_a,
        mean_b=mean_b,
        difference=difference,
        low=low,
        high=high,
        delta=float("nan"),
        p=_p(distances, difference, seed),
        n_a=len(a),
        n_b=len(b),
        n_groups_a=len(np.unique(in_a)),
        n_groups_b=len(np.unique(in_b)),
        agreeing_groups=int((np.sign(by_group) == np.sign(difference)).sum()),
        shared_groups=len(shared),
    )


class _Distances:
    """Distances from the corpus of sets drawn from a and b, numbered one after the other."""

    def __init__(self, a: pd.DataFrame, b: pd.DataFrame, corpus: pd.DataFrame) -> None:
        together = pd.concat([a, b, corpus])[list(METRICS)].to_numpy()
        likeness = likenesses(standardised(together))
        self.n_a, self.n_made = len(a), len(a) + len(b)
        n_corpus = len(corpus)
        self._among = likeness[: self.n_made, : self.n_made]
        self._to_corpus: FloatArray = likeness[: self.n_made, self.n_made :].mean(axis=1)
        self._in_corpus = float(
            likeness[self.n_made :, self.n_made :].sum() / (n_corpus * (n_corpus - 1))
        )

    def of(self, pieces: Indices) -> float:
        """Of one set, given by numbers of pieces."""
        times = np.bincount(pieces, minlength=len(self._among))
        return float(self.of_many(times[None])[0])

    def of_many(self, times: NDArray[np.integer] | NDArray[np.bool_]) -> FloatArray:
        """Of many sets, shape (n_sets,), given by how often each piece is in each, shape (n_sets, n_pieces)."""
        weights = times.astype(np.float64)
        n = weights.sum(axis=1)
        # A piece is not compared with itself, nor with a copy of itself in a resample.
        n_pairs = n**2 - (weights**2).sum(axis=1)
        among = (weights @ self._among * weights).sum(axis=1) / n_pairs
        return np.asarray(among + self._in_corpus - 2 * (weights @ self._to_corpus) / n)


def _interval(
    distances: _Distances, in_a: NDArray[np.generic], in_b: NDArray[np.generic], seed: int
) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    by_group = min(len(np.unique(in_a)), len(np.unique(in_b))) >= 2
    drawn_a, drawn_b = (_drawn(side, by_group, rng) for side in (in_a, in_b))
    of_a = distances.of_many(np.pad(drawn_a, ((0, 0), (0, len(in_b)))))
    of_b = distances.of_many(np.pad(drawn_b, ((0, 0), (len(in_a), 0))))
    return percentile_interval(of_a - of_b)


def _drawn(groups: NDArray[np.generic], by_group: bool, rng: np.random.Generator) -> Indices:
    """How often each piece is in each resample, shape (N_RESAMPLES, n_pieces)."""
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    if not by_group:
        members = [np.arange(len(groups))]
    n_drawn = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), N_RESAMPLES)
    times = np.zeros((N_RESAMPLES, len(groups)), dtype=np.int64)
    for n_times, pieces in zip(n_drawn.T, members, strict=True):
        # Drawn so often, a group gives as many pieces as it has each time.
        times[:, pieces] = rng.multinomial(
            n_times * len(pieces), np.full(len(pieces), 1 / len(pieces))
        )
    return times


def _p(distances: _Distances, observed: float, seed: int) -> float:
    n_a, n_made = distances.n_a, distances.n_made
    by_chance = np.concatenate(
        [
            distances.of_many(is_a) - distances.of_many(~is_a)
            for is_a in dealt_out(N_RESAMPLES, n_a, n_made - n_a, seed)
        ]
    )
    return p_value(np.abs(by_chance), abs(observed), rounding=1e-12)
