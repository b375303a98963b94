"""A random order that is computed, number by number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.models.training.shuffling import shuffled


@given(n=st.integers(1, 2000), seed=st.integers(0, 2**31), order=st.integers(0, 1000))
def test_every_number_goes_to_a_place_of_its_own(n: int, seed: int, order: int) -> None:
    places = shuffled(np.arange(n), n, seed, order)
    assert sorted(places.tolist()) == list(range(n))


def test_where_one_number_goes_does_not_depend_on_the_others() -> None:
    together = shuffled(np.arange(1000), 1000, seed=5, order=2)
    assert [int(shuffled(np.array([n]), 1000, 5, 2)[0]) for n in (0, 1, 999)] == [
        together[n] for n in (0, 1, 999)
    ]


def test_every_number_goes_everywhere_equally_often() -> None:
    n, n_orders = 10, 1000
    counts = np.zeros((n, n))
    for order in range(n_orders):
        counts[np.arange(n), shuffled(np.arange(n), n, 0, order)] += 1
    expected = n_orders / n
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    # 81 degrees of freedom: mean 81, standard deviation 12.7.
    assert chi_square < 81 + 4 * 12.7


def test_neighbours_are_parted() -> None:
    n = 100_000
    places = shuffled(np.arange(n), n, seed=1, order=0).astype(float)
    for lag in (1, 2, 316, 317):  # the base, too
        correlation = np.corrcoef(places[:-lag], places[lag:])[0, 1]
        assert abs(correlation) < 4 / np.sqrt(n)


@pytest.mark.parametrize("changed", [{"seed": 1}, {"order": 1}])
def test_another_seed_or_number_is_another_order(changed: dict[str, int]) -> None:
    first = {"seed": 0, "order": 0}
    orders = [shuffled(np.arange(100), 100, **names) for names in (first, first | changed)]
    assert (orders[0] == orders[1]).sum() < 10
