"""Count the n-gram model that stands beside the networks."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.config import NgramConfig
from pipeline_lib.evaluation.likelihood import score_targets, summarise_scores
from pipeline_lib.models.ngram import count_ngrams
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.windows import count_targets
from tasks.encode import load_corpus
from tasks.progress import report
from tasks.stages import stage


@stage(kind="baselines")
def fit_ngram(draft: Draft, tokens: Artifact, n_context: int, config: NgramConfig) -> None:
    """Write ``ngrams.parquet`` for the order that predicts the valid split best, and ``orders.json``.

    ``n_context`` tokens stand before each target that the orders are compared on, as for the networks.
    """
    corpus = load_corpus(draft.store, tokens)
    counted = count_ngrams(
        corpus.token_ids, corpus.spans(Split.TRAIN), len(corpus.vocabulary), config.max_order
    )
    n_asked = count_targets(corpus, Split.VALID, n_context)
    count_targets(corpus, Split.TEST, n_context)  # refuse now what could not be scored later
    valid = corpus.spans(Split.VALID)
    losses: dict[int, float] = {}
    for order in range(1, config.max_order + 1):
        scores = score_targets(counted.truncated(order), corpus.token_ids, valid, n_context)
        losses[order] = summarise_scores(scores, n_asked)["loss_nat"]
        report("fit_ngram", order, config.max_order)
    best = min(losses, key=losses.__getitem__)
    draft.write_table("ngrams.parquet", counted.truncated(best).to_table())
    draft.write_json("orders.json", {"best_order": best, "valid_loss_nat": losses})
