"""Learn how far a network may trust a memory of what the piece has already played."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.models.protocols import Predictor
from pipeline_lib.notes.table import Split
from pipeline_lib.tokens.corpus import pieces_at
from tasks.encode import load_corpus
from tasks.fit_baselines import MEMORY_NAME, load_baselines
from tasks.progress import reporter
from tasks.stages import stage


@stage(kind="memories")
def fit_memory(
    draft: Draft,
    tokens: Artifact,
    run: Artifact,
    baselines: Artifact,
    n_context: int,
    max_targets: int,
) -> None:
    """Write ``memory.json``: how the network, the best n-gram model and the memory are mixed.

    Fitted on valid pieces, whose tokens the network predicts with ``n_context`` others before them, until there are
    ``max_targets`` of these.
    """
    from pipeline_lib.models.memory.mixture import fit_mixture
    from pipeline_lib.models.networks.saved import load_network
    from pipeline_lib.models.scoring import make_predictor

    corpus = load_corpus(draft.store, tokens)
    network, config = load_network(draft.store.path(run))
    known = load_baselines(draft.store, baselines, len(corpus.vocabulary))
    models: list[Predictor] = [
        make_predictor(network, config),
        known.ngrams[known.long_term],
    ]
    pieces = pieces_at(corpus.token_ids, corpus.spans(Split.VALID))
    mixture = fit_mixture(
        [each.log_probabilities(pieces, n_context) for each in models],
        pieces,
        n_context,
        max_targets,
        reporter(f"fit_memory/{config.name}"),
    )
    draft.write_json(MEMORY_NAME, mixture.to_json())
