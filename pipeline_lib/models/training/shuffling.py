"""Random orders that take no memory: a number's new place is computed from the number alone.

A Feistel network [Luby & Rackoff 1988] over pairs (l, r) of digits to the base ``ceil(sqrt(n))``: each round is
``(l, r) -> (r, l + f(r))``, which can be undone whatever f is, so that every number goes somewhere else. What
falls outside ``0 ... n - 1`` is sent on until it falls inside [Black & Rogaway 2002, *cycle walking*]; with this
base few do. f is the finaliser of SplitMix64 [Steele et al. 2014], keyed anew in every round.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_N_ROUNDS = 6


def shuffled(numbers: NDArray[np.int64], n: int, seed: int, order: int) -> NDArray[np.int64]:
    """Map numbers to their places in one of many random orders of ``0 ... n - 1``.

    Parameters
    ----------
    numbers : int64 array
        Numbers in ``0 ... n - 1``, in an array of any shape.
    n : int
        Number of places, which is the length of the order.
    seed, order : int
        Name of the order: the same pair always gives the same one.

    Returns
    -------
    int64 array
        Places, in the shape of `numbers`; different numbers have different places.

    Examples
    --------
    >>> places = shuffled(np.arange(6), 6, seed=0, order=0)
    >>> sorted(places.tolist())
    [0, 1, 2, 3, 4, 5]
    >>> bool((shuffled(np.array([4]), 6, seed=0, order=0) == places[4]).all())
    True
    """
    base = np.uint64(math.isqrt(n - 1) + 1)
    keys = (
        np.random.SeedSequence([seed, order]).generate_state(_N_ROUNDS, np.uint64).astype(np.uint64)
    )
    places = numbers.astype(np.uint64)
    outside = np.ones(places.shape, dtype=bool)
    while outside.any():
        places[outside] = _through_all_rounds(places[outside], base, keys)
        outside = places >= n
    return places.astype(np.int64)


def _through_all_rounds(
    numbers: NDArray[np.uint64], base: np.uint64, keys: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    left, right = np.divmod(numbers, base)
    for key in keys:
        left, right = right, (left + _mixed(right + key)) % base
    mapped: NDArray[np.uint64] = left * base + right
    return mapped


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix bits so that every bit of the outcome depends on every bit of the input; products wrap around."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (bits ^ (bits >> np.uint64(31))) >> np.uint64(1)
