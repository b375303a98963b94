"""From a model's scores to the next token: what is drawn, and with which probability.

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
"""Score of what must not be drawn; infinity would make differences that are no numbers."""
_LARGEST_UNIFORM = 1.0 - 2.0**-22
"""So that a float32 threshold stays below the sum that it is a share of."""


def filter_logits(
    logits: Any, config: SamplingConfig, *, is_allowed: Any, is_recent: Any = None
) -> Any:
    """Log-probabilities that are drawn from, but for a constant in each row.

    Parameters
    ----------
    logits : float32 tensor, shape (n, vocab_size)
    config : SamplingConfig
    is_allowed : bool tensor, broadcast to the same shape
        What may be drawn at all; at least one token in each row.
    is_recent : bool tensor, shape (n, vocab_size), optional
        What the repetition penalty is for.

    Returns
    -------
    float32 tensor, shape (n, vocab_size)
        At most 0; `IMPOSSIBLE` for what cannot be drawn.
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
        least = ops.top_k(logits, config.top_k)[0][:, -1:]
        logits = ops.where(logits < least, IMPOSSIBLE, logits)
    if config.top_p < 1:
        logits = ops.where(logits < _least_of_nucleus(logits, config.top_p), IMPOSSIBLE, logits)
    if config.min_p > 0:
        logits = ops.where(ops.exp(logits) < config.min_p, IMPOSSIBLE, logits)
    return logits


def sample_token(log_p: Any, uniforms: Any) -> Any:
    """One token per row.

    Parameters
    ----------
    log_p : float32 tensor, shape (n, vocab_size)
        As `filter_logits` gives it.
    uniforms : float32 tensor, shape (n,)
        In [0, 1).

    Returns
    -------
    int32 tensor, shape (n,)
    """
    weights = ops.exp(log_p)
    cumulative = ops.cumsum(weights, axis=-1)
    threshold = ops.minimum(uniforms, _LARGEST_UNIFORM)[:, None] * cumulative[:, -1:]
    # Sums may be rounded down where a weight is 0: such a token must not be taken for the first beyond.
    is_beyond = ops.logical_and(cumulative > threshold, weights > 0)
    return ops.cast(ops.argmax(ops.cast(is_beyond, "int32"), axis=-1), "int32")


def _least_of_nucleus(logits: Any, top_p: float) -> Any:
    """The score of the last token of the nucleus, shape (n, 1)."""
    falling = -ops.sort(-logits, axis=-1)
    p = ops.softmax(falling, axis=-1)
    before = ops.cumsum(p, axis=-1) - p
    return ops.min(ops.where(before < top_p, falling, 0.0), axis=-1, keepdims=True)
