"""Score a trained network on held-out notes."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.evaluation.likelihood import score_targets, summarise_scores
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.windows import count_targets
from tasks.encode import load_corpus
from tasks.progress import reporter
from tasks.stages import stage


@stage(kind="scores")
def score(draft: Draft, tokens: Artifact, run: Artifact, n_context: int) -> None:
    """Write ``scores.parquet``, a row per test target, and ``summary.json``.

    The targets are the known tokens with ``n_context`` tokens before them, whatever the network's own
    seq_length.
    """
    from pipeline_lib.models.reading import make_predictor
    from pipeline_lib.models.saved import load_network

    corpus = load_corpus(draft.store, tokens)
    network, config = load_network(draft.store.path(run))
    n_asked = count_targets(corpus, Split.TEST, n_context)
    scores = score_targets(
        make_predictor(network, config),
        corpus.token_ids,
        corpus.spans(Split.TEST),
        n_context,
        reporter(f"score/{config.name}"),
    )
    draft.write_table("scores.parquet", scores)
    draft.write_json("summary.json", summarise_scores(scores, n_asked))


@stage(kind="scores")
def score_ngram(draft: Draft, tokens: Artifact, ngram: Artifact, n_context: int) -> None:
    """Write the same as `score`, for the n-gram model."""
    from pipeline_lib.models.ngram import NgramModel

    corpus = load_corpus(draft.store, tokens)
    table = draft.store.read_table(ngram, "ngrams.parquet")
    model = NgramModel.from_table(table, len(corpus.vocabulary))
    n_asked = count_targets(corpus, Split.TEST, n_context)
    test = corpus.spans(Split.TEST)
    scores = score_targets(model, corpus.token_ids, test, n_context, reporter("score/ngram"))
    draft.write_table("scores.parquet", scores)
    draft.write_json("summary.json", {**summarise_scores(scores, n_asked), "order": model.order})
