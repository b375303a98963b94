"""Distances between two sets of pieces, metric by metric and over all metrics together.

Metric by metric
    Yang & Lerch (2018), "On the evaluation of generative models in music": the distances between any two
    pieces of the corpus (intra-set) beside those between generated pieces and pieces of the corpus
    (inter-set). If the sets are alike, so are the two densities: their *overlapped area* (OA) is near 1, the
    Kullback-Leibler divergence (KL) near 0. The densities are Gaussian kernel estimates with Scott's
    bandwidth, both on one grid that reaches well beyond all distances. The authors' mgeval differs on purpose:
    its KL takes each density on a grid of its own, so that KL(A, A + 10) = 0, and its OA ends at the smallest
    and largest distance, so that OA(A, A) = 0.84.
All metrics
    Maximum mean discrepancy, with its p-value by permutation (Gretton et al. 2012, "A kernel two-sample test").

No such figure means much alone: how near 1 an OA comes depends on the metric and the number of pieces. Compare it with
that of a second set of real pieces. Of large sets, `MOST_PIECES` drawn at random are taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline_lib.evaluation.resampling import dealt_out, p_value
from pipeline_lib.evaluation.statistics import FloatArray, known_values

MOST_PIECES = 500
"""Number of pieces taken of each set at most: the number of distances grows with its square, and a few hundred pieces
say as much."""

N_DISCREPANCY_PERMUTATIONS = 1_000
"""Number of permutations behind the p-value of `discrepancy`: each takes time by the square of the pieces."""

N_GRID_POINTS = 1_000
"""Number of points at which densities are estimated."""
PADDING_BANDWIDTHS = 5.0
"""Bandwidths by which the grid reaches beyond the distances: a kernel's tail further out holds 3e-7."""


@dataclass(frozen=True)
class Discrepancy:
    """Maximum mean discrepancy (MMD) of two sets.

    Parameters
    ----------
    mmd_squared : float
        Unbiased estimate of MMD², which varies around 0, below it too, if the sets are alike. At most 2. NaN with
        fewer than two pieces on a side.
    p : float
        p-value of the hypothesis that both sets come from one distribution: how often pieces dealt out to the sides at
        random are as far apart.
    n_a, n_b : int
        Number of pieces of each set that it is over.
    """

    mmd_squared: float
    p: float
    n_a: int
    n_b: int


def set_distances(generated: pd.DataFrame, corpus: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Overlapped area and Kullback-Leibler divergence of two sets, metric by metric.

    Parameters
    ----------
    generated, corpus : DataFrame
        A column per metric, the same in both; see `metrics.measure_set`. NaN are left out, metric by metric.
    seed : int
        Seed of the choice of pieces, if there are too many.

    Returns
    -------
    DataFrame
        One row per metric, in the order of columns: ``metric``, ``overlapped_area`` (0 to 1), ``kl_nat`` (of the
        intra-set distances from the inter-set ones, as in mgeval), ``n_generated``, ``n_corpus`` (pieces used).
        Both figures are NaN where distances are all alike, as in a corpus of melodies, whose polyphony is 1.

    Examples
    --------
    Pieces far from the corpus, whose distances from it overlap with none within it:

    >>> corpus = pd.DataFrame({"pitch_range": [10.0, 11.0, 12.0, 14.0]})
    >>> distances = set_distances(corpus + 1_000, corpus, seed=0)
    >>> distances[["metric", "overlapped_area", "n_generated"]].round(3)
            metric  overlapped_area  n_generated
    0  pitch_range              0.0            4
    """
    generated, corpus = _chosen(generated, seed), _chosen(corpus, seed)
    rows = []
    for name in corpus.columns:
        new, real = known_values(generated[name]), known_values(corpus[name])
        area, divergence = _area_and_divergence(intra_distances(real), inter_distances(new, real))
        rows.append((name, area, divergence, len(new), len(real)))
    columns = ["metric", "overlapped_area", "kl_nat", "n_generated", "n_corpus"]
    return pd.DataFrame(rows, columns=columns)


def intra_distances(values: FloatArray) -> FloatArray:
    """Distances between any two values of a set, shape (n (n − 1) / 2,).

    Examples
    --------
    >>> intra_distances(np.array([1.0, 2.0, 4.0]))
    array([1., 3., 2.])
    """
    first, second = np.triu_indices(len(values), k=1)
    return np.abs(values[first] - values[second])


def inter_distances(values: FloatArray, others: FloatArray) -> FloatArray:
    """Distances of each value of one set from each of another, shape (n_values × n_others,).

    Examples
    --------
    >>> inter_distances(np.array([1.0, 2.0]), np.array([5.0, 7.0]))
    array([4., 6., 3., 5.])
    """
    return np.abs(np.subtract.outer(values, others)).ravel()


def _area_and_divergence(a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """Overlapped area and KL divergence of the densities of two sets of distances; NaN where one does not vary."""
    if not (_varies(a) and _varies(b)):
        return float("nan"), float("nan")
    grid = common_grid(a, b)
    p, q = density(a, grid), density(b, grid)
    return overlapped_area(p, q, grid), kl_divergence(p, q)


def _varies(values: FloatArray) -> bool:
    """Whether values differ by more than rounding."""
    return len(values) > 1 and bool(np.ptp(values) > 1e-9 * np.abs(values).max())


def common_grid(
    a: FloatArray, b: FloatArray, padding_bandwidths: float = PADDING_BANDWIDTHS
) -> FloatArray:
    """Grid of points from the smallest to the largest of all values, and `padding_bandwidths` beyond on both sides.

    The bandwidth is the wider one of both sets.

    Returns
    -------
    float64 array, shape (N_GRID_POINTS,)
        Evenly spaced.
    """
    padding = padding_bandwidths * max(_bandwidth(a), _bandwidth(b))
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    return np.linspace(low - padding, high + padding, N_GRID_POINTS)


def density(values: FloatArray, grid: FloatArray) -> FloatArray:
    """Gaussian kernel density estimate at the points of a grid.

    Values are first shared out between the two grid points beside them (linear binning, Wand 1994), so that
    the time grows with their number alone; against the exact sum the error is some (step / bandwidth)².

    Parameters
    ----------
    values : float64 array, shape (n,)
        Values within the grid, not all alike.
    grid : float64 array, shape (n_points,)
        Evenly spaced.

    Returns
    -------
    float64 array, shape (n_points,)
        Integrates to 1 where the grid reaches far enough beyond the values.
    """
    step = grid[1] - grid[0]
    place = (values - grid[0]) / step
    left = np.clip(place.astype(np.int64), 0, len(grid) - 2)
    share = place - left
    weights = np.bincount(left, weights=1 - share, minlength=len(grid))
    weights += np.bincount(left + 1, weights=share, minlength=len(grid))
    offset = np.arange(1 - len(grid), len(grid)) * step / _bandwidth(values)
    kernel = np.exp(-(offset**2) / 2)
    kernel /= kernel.sum() * step
    return np.convolve(weights, kernel, mode="valid") / len(values)


def _bandwidth(values: FloatArray) -> float:
    """Bandwidth of the kernel by Scott's rule (1992) in one dimension: ``sd × n^(−1/5)``."""
    return float(values.std(ddof=1) * len(values) ** -0.2)


def overlapped_area(p: FloatArray, q: FloatArray, grid: FloatArray) -> float:
    """Area under both of two densities, ``∫ min(p, q)``: 1 if they are the same, 0 if they are disjoint.

    Examples
    --------
    >>> grid = np.linspace(0.0, 2.0, 3)
    >>> overlapped_area(np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.5, 1.0]), grid)
    0.5
    """
    return float(np.trapezoid(np.minimum(p, q), grid))


def kl_divergence(p: FloatArray, q: FloatArray) -> float:
    """Kullback-Leibler divergence ``Σ p log(p / q)`` of densities on one grid, in nats.

    It is 0 if they are the same. Densities below the smallest positive number count as this number, so divergences
    above some 700 are not told apart.

    Examples
    --------
    >>> p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    >>> round(kl_divergence(p, q), 4)  # (log 2 + log 2/3) / 2
    0.1438
    """
    p, q = (np.maximum(each / each.sum(), np.finfo(np.float64).tiny) for each in (p, q))
    return float((p * np.log(p / q)).sum())


def discrepancy(generated: pd.DataFrame, corpus: pd.DataFrame, seed: int) -> Discrepancy:
    """Maximum mean discrepancy (MMD²) of two sets over all metrics together, and its p-value.

    ``mean k(a, a′) + mean k(b, b′) − 2 mean k(a, b)``, over different pieces, k being a Gaussian kernel as wide as
    the median distance of unlike pieces of both sets. Metrics are standardised over both sets; those that do not
    vary are left out. Where a piece is too short for a metric, it counts as average.

    Parameters
    ----------
    generated, corpus : DataFrame
        A column per metric, the same in both.
    seed : int
        Seed of the permutations, and of the choice of pieces.

    Examples
    --------
    >>> corpus = pd.DataFrame({"pitch_range": np.arange(20.0)})
    >>> discrepancy(corpus + 100, corpus, seed=0).p < 0.01
    True
    """
    generated, corpus = _chosen(generated, seed), _chosen(corpus, seed)
    n_a, n_b = len(generated), len(corpus)
    features = standardised(pd.concat([generated, corpus]).to_numpy())
    if min(n_a, n_b) < 2 or not features.any():
        return Discrepancy(float("nan"), float("nan"), n_a, n_b)
    kernel = kernel_matrix(features)
    of_piece = kernel.sum(axis=1)
    as_seen = np.arange(n_a + n_b)[None] < n_a
    observed = float(_mmd_squared(kernel, of_piece, as_seen)[0])
    ways = dealt_out(N_DISCREPANCY_PERMUTATIONS, n_a, n_b, seed)
    by_chance = np.concatenate([_mmd_squared(kernel, of_piece, is_a) for is_a in ways])
    return Discrepancy(observed, p_value(by_chance, observed, rounding=1e-12), n_a, n_b)


def standardised(features: FloatArray) -> FloatArray:
    """Standardise columns to mean 0 and standard deviation 1; unknown values become 0.

    Parameters
    ----------
    features : float64 array, shape (n_pieces, n_metrics)

    Returns
    -------
    float64 array, shape (n_pieces, n_varying)
        Without the columns that do not vary.

    Examples
    --------
    >>> standardised(np.array([[1.0, 7.0], [3.0, 7.0], [np.nan, 7.0]]))
    array([[-1.],
           [ 1.],
           [ 0.]])
    """
    varying = features[:, [_varies(known_values(column)) for column in features.T]]
    scaled = (varying - np.nanmean(varying, axis=0)) / np.nanstd(varying, axis=0)
    return np.nan_to_num(scaled)


def kernel_matrix(features: FloatArray) -> FloatArray:
    """Kernel matrix of pieces: the similarity of any two, by a Gaussian as wide as the median distance that is not 0.

    Parameters
    ----------
    features : float64 array, shape (n_pieces, n_features)

    Returns
    -------
    float64 array, shape (n_pieces, n_pieces)
        Similarities from 0 to 1; 0 of a piece with itself, since MMD² is over different pieces.
    """
    squares = (features**2).sum(axis=1)
    squared = np.maximum(squares[:, None] + squares - 2 * features @ features.T, 0)
    distances = np.sqrt(squared[np.triu_indices(len(squared), k=1)])
    # Rounding leaves equal pieces some 1e-8 apart.
    width = np.median(distances[distances > 1e-6 * distances.max(initial=0.0)])
    kernel: FloatArray = np.exp(-squared / (2 * width**2))
    np.fill_diagonal(kernel, 0)
    return kernel


def _mmd_squared(kernel: FloatArray, of_piece: FloatArray, is_a: NDArray[np.bool_]) -> FloatArray:
    """MMD² of the pieces on side a from the rest, for each row of `is_a`, shape (n_rows, n_pieces).

    `of_piece` is the kernel summed over its rows, shape (n_pieces,).
    """
    n_a = int(is_a[0].sum())
    n_b = len(kernel) - n_a
    within_a = (is_a @ kernel * is_a).sum(axis=1)
    across = is_a @ of_piece - within_a
    within_b = of_piece.sum() - within_a - 2 * across
    return np.asarray(
        within_a / (n_a * (n_a - 1)) + within_b / (n_b * (n_b - 1)) - 2 * across / (n_a * n_b)
    )


def _chosen(pieces: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Choose `MOST_PIECES` of the pieces at random; all in random order if there are fewer."""
    return pieces.sample(min(len(pieces), MOST_PIECES), random_state=seed)
