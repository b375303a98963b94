"""Which tokens are drawn, and how often."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline_lib.config import SamplingConfig
from pipeline_lib.models.sampling.logit_filters import filter_logits, sample_token
from pipeline_lib.models.training.checkpoints import to_numpy

P = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
LOGITS = np.log(P).astype(np.float32)
ALL = np.ones((1, 5), dtype=bool)


def shares(
    is_allowed: NDArray[np.bool_] = ALL, recent: list[int] | None = None, **settings: object
) -> NDArray[np.float64]:
    """How often each token is drawn: one draw per uniform of a fine grid, so that no chance is in it."""
    n = 100_000
    config = SamplingConfig.model_validate(settings)
    is_recent = None if recent is None else np.isin(np.arange(5), recent)[None]
    log_p = to_numpy(
        filter_logits(LOGITS[None], config, is_allowed=is_allowed, is_recent=is_recent)
    )
    uniforms = ((np.arange(n) + 0.5) / n).astype(np.float32)
    chosen = to_numpy(sample_token(np.repeat(log_p, n, axis=0), uniforms))
    return np.bincount(chosen, minlength=5) / n


def normalised(*weights: float) -> object:
    return pytest.approx(np.array(weights) / sum(weights), abs=1e-4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax_at_the_temperature(temperature: float) -> None:
    assert shares(temperature=temperature) == normalised(*(P ** (1 / temperature)))


def test_temperature_zero_takes_the_likeliest() -> None:
    assert shares(temperature=0.0).tolist() == [1, 0, 0, 0, 0]


def test_top_k_keeps_the_k_likeliest() -> None:
    assert shares(top_k=2) == normalised(0.4, 0.3, 0, 0, 0)
    assert shares(top_k=50) == normalised(*P)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.3, 1), (0.5, 2), (0.69, 2), (0.72, 3), (0.99, 5), (1.0, 5)]
)
def test_top_p_keeps_the_fewest_that_reach_it(top_p: float, kept: int) -> None:
    assert shares(top_p=top_p) == normalised(*P[:kept], *[0] * (5 - kept))


def test_min_p_keeps_those_with_that_share_of_the_likeliest() -> None:
    assert shares(min_p=0.3) == normalised(0.4, 0.3, 0.15, 0, 0)


def test_top_p_is_of_what_the_temperature_and_top_k_leave() -> None:
    # Squared: 0.16, 0.09, 0.0225, ...; of the first three 0.587, 0.33, 0.08.
    assert shares(temperature=0.5, top_k=3, top_p=0.9) == normalised(0.16, 0.09, 0, 0, 0)


def test_what_is_not_allowed_is_not_drawn_and_counts_for_nothing() -> None:
    allowed = np.array([[False, True, False, True, True]])
    assert shares(allowed) == normalised(0, 0.3, 0, 0.1, 0.05)
    assert shares(allowed, top_k=1).tolist() == [0, 1, 0, 0, 0]
    assert shares(allowed, temperature=0.0).tolist() == [0, 1, 0, 0, 0]


def test_the_penalty_multiplies_the_log_probability_of_recent_tokens() -> None:
    assert shares(recent=[0, 4], repetition_penalty=2.0) == normalised(
        0.4**2, 0.3, 0.15, 0.1, 0.05**2
    )


def test_the_largest_uniform_still_draws_a_token_that_can_be_drawn() -> None:
    allowed = np.array([[True, True, True, False, False]])
    log_p = filter_logits(LOGITS[None], SamplingConfig(), is_allowed=allowed)
    last = np.array([np.nextafter(np.float32(1), np.float32(0))])
    assert to_numpy(sample_token(log_p, last)).tolist() == [2]
