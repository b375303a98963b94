"""Filters of logits, and sampling of a token: from a model's scores to the next token.

In this order, as is usual: repetition penalty, temperature, top-k, top-p, min-p; then a token is looked up at a
uniform number in the cumulative distribution of what is left. All of it is made of operations that a backend
compiles into the loop that samples.

- *Repetition penalty* after Keskar et al. (2019), but of log-probabilities, which are negative: scores, which
  they divide or multiply by sign, mean nothing on their own.
- *top-k* after Fan et al. (2018); tokens as likely as the k-th are kept, too.
- *top-p* after Holtzman et al. (2020): the fewest tokens that together reach p; ties are kept, too.
- *min-p* after Nguyen et al. (2024).
- *Temperature* 0 stands for its limit: the likeliest token, the first where several are.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from pipeline_lib.config import SamplingConfig

IMPOSSIBLE = -1e30
"""Logit of a token that must not be sampled; with minus infinity, differences would not be numbers."""
_LARGEST_UNIFORM = 1.0 - 2.0**-22
"""Bound of uniform numbers: with it, a float32 threshold stays below the sum that it is a share of."""


def filter_logits(
    logits: Any, config: SamplingConfig, *, is_allowed: Any, is_recent: Any = None
) -> Any:
    """Filter logits: the log-probabilities to sample from, up to a constant in each row.

    Parameters
    ----------
    logits : float32 tensor, shape (batch, vocab_size)
    config : SamplingConfig
    is_allowed : bool tensor, broadcast to the same shape
        Tokens that may be sampled at all; at least one in each row.
    is_recent : bool tensor, shape (batch, vocab_size), optional
        Tokens that the repetition penalty is applied to.

    Returns
    -------
    float32 tensor, shape (batch, vocab_size)
        At most 0, which the likeliest token has; `IMPOSSIBLE` for tokens that cannot be sampled.

    Examples
    --------
    Of three tokens, top-k keeps the two likeliest, here relative to the first:

    >>> import numpy as np
    >>> logits = np.log(np.array([[0.5, 0.3, 0.2]], np.float32))
    >>> kept = filter_logits(logits, SamplingConfig(top_k=2), is_allowed=np.array([[True] * 3]))
    >>> np.exp(np.asarray(kept)).round(2)
    array([[1. , 0.6, 0. ]], dtype=float32)
    """
    if is_recent is not None:
        log_p = ops.log_softmax(logits, axis=-1)
        logits = ops.where(is_recent, log_p * config.repetition_penalty, log_p)
    logits = ops.where(is_allowed, logits, IMPOSSIBLE)
    logits = logits - ops.max(logits, axis=-1, keepdims=True)
    if config.temperature == 0:
        return ops.where(logits < 0, IMPOSSIBLE, logits)
    logits = ops.where(is_allowed, logits / config.temperature, IMPOSSIBLE)
    if config.top_k is not None and config.top_k < logits.shape[-1]:
        least = ops.top_k(logits, config.top_k)[0][:, -1:]  # (batch, 1)
        logits = ops.where(logits < least, IMPOSSIBLE, logits)
    if config.top_p < 1:
        logits = ops.where(logits < _least_of_nucleus(logits, config.top_p), IMPOSSIBLE, logits)
    if config.min_p > 0:
        logits = ops.where(ops.exp(logits) < config.min_p, IMPOSSIBLE, logits)
    return logits


def sample_token(log_p: Any, uniforms: Any) -> Any:
    """Sample one token of each row: the first whose cumulative probability exceeds a uniform number.

    Parameters
    ----------
    log_p : float32 tensor, shape (batch, vocab_size)
        Log-probabilities, up to a constant, as `filter_logits` gives them.
    uniforms : float32 tensor, shape (batch,)
        Random numbers in [0, 1).

    Returns
    -------
    int32 tensor, shape (batch,)
        Token ids.

    Examples
    --------
    >>> import numpy as np
    >>> log_p = np.log(np.array([[0.5, 0.3, 0.2]] * 3, np.float32))  # cumulative: 0.5, 0.8, 1
    >>> np.asarray(sample_token(log_p, np.array([0.4, 0.6, 0.9], np.float32))).tolist()
    [0, 1, 2]
    """
    weights = ops.exp(log_p)
    cumulative = ops.cumsum(weights, axis=-1)
    threshold = ops.minimum(uniforms, _LARGEST_UNIFORM)[:, None] * cumulative[:, -1:]  # (batch, 1)
    # Sums may be rounded down where a weight is 0: such a token must not be taken for the first beyond.
    is_beyond = ops.logical_and(cumulative > threshold, weights > 0)
    # (batch, vocab_size) -> (batch,)
    return ops.cast(ops.argmax(ops.cast(is_beyond, "int32"), axis=-1), "int32")


def _least_of_nucleus(logits: Any, top_p: float) -> Any:
    """Logit of the least likely token that top-p keeps, shape (batch, 1)."""
    falling = -ops.sort(-logits, axis=-1)
    p = ops.softmax(falling, axis=-1)
    before = ops.cumsum(p, axis=-1) - p
    return ops.min(ops.where(before < top_p, falling, 0.0), axis=-1, keepdims=True)
