"""Fit the models that stand beside the networks: n-grams, and n-grams with a memory of the piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import BaselineConfig
from pipeline_lib.evaluation.likelihood import mean_loss_nat
from pipeline_lib.models.memory.mixture import MemoryMixture, fit_mixture
from pipeline_lib.models.ngrams.counts import NgramCounts, count_ngrams
from pipeline_lib.models.ngrams.smoothed import NgramModel, kneser_ney, witten_bell
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import TokenCorpus, pieces_at
from pipeline_lib.tokens.windows import count_targets
from tasks.encode import load_corpus
from tasks.progress import report, reporter
from tasks.stages import stage

MEMORY_NAME = "memory.json"
_SMOOTHINGS = {"witten_bell": witten_bell, "kneser_ney": kneser_ney}


@stage(kind="baselines", schema_version=2)
def fit_baselines(draft: Draft, tokens: Artifact, n_context: int, config: BaselineConfig) -> None:
    """Write ``ngrams.parquet``, ``orders.json`` and ``memory.json``.

    The first holds counts, the second the order of each smoothing that predicts the valid split best, the last how the
    better of these two models is mixed with a memory of the piece. ``n_context`` tokens stand before each valid
    target, as for the networks.
    """
    corpus = load_corpus(draft.store, tokens)
    for split in (Split.VALID, Split.TEST):
        count_targets(corpus, split, n_context)  # refuse now what could not be scored later
    counts = count_ngrams(
        corpus.token_ids, corpus.spans(Split.TRAIN), len(corpus.vocabulary), config.max_order
    )
    orders = {name: _best_order(corpus, counts, name, n_context) for name in _SMOOTHINGS}
    draft.write_table("ngrams.parquet", counts.to_table())
    draft.write_json("orders.json", orders)
    pieces = pieces_at(corpus.token_ids, corpus.spans(Split.VALID))
    best = _best_smoothing(orders)
    long_term = _SMOOTHINGS[best](counts, orders[best]["best_order"])
    mixture = fit_mixture(
        [long_term.log_probabilities(pieces, n_context)],
        pieces,
        n_context,
        config.memory_targets,
        reporter("fit_baselines/memory"),
    )
    draft.write_json(MEMORY_NAME, mixture.to_json())


def _best_order(
    corpus: TokenCorpus, counts: NgramCounts, smoothing: str, n_context: int
) -> dict[str, Any]:
    """The order with the lowest loss on valid, that loss, and the losses of all orders."""
    losses: dict[int, float] = {}
    for order in range(1, len(counts.orders) + 1):
        model = _SMOOTHINGS[smoothing](counts, order)
        losses[order] = mean_loss_nat(model, corpus.token_ids, corpus.spans(Split.VALID), n_context)
        report(f"fit_baselines/{smoothing}", order, len(counts.orders))
    best = min(losses, key=losses.__getitem__)
    return {"best_order": best, "best_loss_nat": losses[best], "valid_loss_nat": losses}


@dataclass(frozen=True, eq=False)
class Baselines:
    """What `fit_baselines` made.

    Parameters
    ----------
    ngrams : dict of NgramModel
        "unigram", and one for each smoothing at its best order.
    long_term : str
        The name of the one that predicts the valid split best.
    mixture : MemoryMixture
        Of that one, with the memory.
    """

    ngrams: dict[str, NgramModel]
    long_term: str
    mixture: MemoryMixture


def load_baselines(store: ArtifactStore, baselines: Artifact, vocab_size: int) -> Baselines:
    """The models that `fit_baselines` wrote."""
    counts = NgramCounts.from_table(store.read_table(baselines, "ngrams.parquet"), vocab_size)
    orders = store.read_json(baselines, "orders.json")
    ngrams = {name: _SMOOTHINGS[name](counts, orders[name]["best_order"]) for name in _SMOOTHINGS}
    return Baselines(
        ngrams={"unigram": witten_bell(counts, 1), **ngrams},
        long_term=_best_smoothing(orders),
        mixture=MemoryMixture.from_json(store.read_json(baselines, MEMORY_NAME)),
    )


def _best_smoothing(orders: dict[str, Any]) -> str:
    return min(_SMOOTHINGS, key=lambda name: orders[name]["best_loss_nat"])
