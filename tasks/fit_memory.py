"""Learn how far a network may trust a memory of what the piece has already played."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.models.protocols import Predictor
from pipeline_lib.notes.table import Split
from pipeline_lib.stores.baselines import read_baselines, write_memory
from pipeline_lib.stores.runs import read_network
from pipeline_lib.stores.tokens import read_tokens
from pipeline_lib.tokens.corpus import pieces_at
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
    from pipeline_lib.models.scoring import make_predictor

    corpus = read_tokens(draft.store, tokens)
    network, config = read_network(draft.store, run)
    known = read_baselines(draft.store, baselines, len(corpus.vocabulary))
    models: list[Predictor] = [
        make_predictor(network, config),
        known.long_term,
    ]
    pieces = pieces_at(corpus.token_ids, corpus.spans(Split.VALID))
    mixture = fit_mixture(
        [each.log_probabilities(pieces, n_context) for each in models],
        pieces,
        n_context,
        max_targets,
        reporter(f"fit_memory/{config.name}"),
    )
    write_memory(draft, mixture)
