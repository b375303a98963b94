"""Fit the models that stand beside the networks: n-grams, and n-grams with a memory of the piece."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import BaselineConfig
from pipeline_lib.evaluation.likelihood import mean_loss_nat
from pipeline_lib.models.memory.mixture import fit_mixture
from pipeline_lib.models.ngrams.counts import NgramCounts, count_ngrams
from pipeline_lib.models.ngrams.smoothed import SMOOTHINGS
from pipeline_lib.notes.table import Split
from pipeline_lib.stores.baselines import OrderChoice, best_smoothing, write_baselines
from pipeline_lib.stores.tokens import read_grid, read_tokens
from pipeline_lib.tokens.corpus import TokenCorpus, pieces_at
from pipeline_lib.tokens.windows import count_targets
from tasks.progress import report, reporter
from tasks.stages import stage


@stage(kind="baselines", schema_version=3)
def fit_baselines(draft: Draft, tokens: Artifact, n_context: int, config: BaselineConfig) -> None:
    """Write ``ngrams.parquet``, ``orders.json`` and ``memory.json``.

    The first holds counts, the second the order of each smoothing that predicts the valid split best, the last how the
    better of these two models is mixed with a memory of the piece, from its beginning on. Orders are chosen by targets
    with ``n_context`` tokens before them, as networks are scored.
    """
    corpus = read_tokens(draft.store, tokens)
    for split in (Split.VALID, Split.TEST):
        count_targets(corpus, split, n_context)  # refuse now what could not be scored later
    counts = count_ngrams(
        corpus.token_ids, corpus.spans(Split.TRAIN), len(corpus.vocabulary), config.max_order
    )
    orders = {name: _best_order(corpus, counts, name, n_context) for name in SMOOTHINGS}
    pieces = pieces_at(corpus.token_ids, corpus.spans(Split.VALID))
    best = best_smoothing(orders)
    long_term = SMOOTHINGS[best](counts, orders[best]["best_order"])
    mixture = fit_mixture(
        [long_term.log_probabilities(pieces, first_target=1)],
        pieces,
        corpus.metres(Split.VALID, read_grid(draft.store, tokens)),
        1,
        config.memory_targets,
        reporter("fit_baselines/memory"),
    )
    write_baselines(draft, counts, orders, mixture)


def _best_order(
    corpus: TokenCorpus, counts: NgramCounts, smoothing: str, n_context: int
) -> OrderChoice:
    """The order with the lowest loss on valid, that loss, and the losses of all orders."""
    losses: dict[int, float] = {}
    for order in range(1, len(counts.orders) + 1):
        model = SMOOTHINGS[smoothing](counts, order)
        losses[order] = mean_loss_nat(model, corpus.token_ids, corpus.spans(Split.VALID), n_context)
        report(f"fit_baselines/{smoothing}", order, len(counts.orders))
    best = min(losses, key=losses.__getitem__)
    return {"best_order": best, "best_loss_nat": losses[best], "valid_loss_nat": losses}
