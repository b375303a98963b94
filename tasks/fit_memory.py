"""Learn how far a network may trust a memory of what the piece has already played."""

from __future__ import annotations

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.models.protocols import Predictor
from pipeline_lib.notes.table import Split
from pipeline_lib.stores.baselines import read_baselines, write_habits, write_memory
from pipeline_lib.stores.runs import read_network
from pipeline_lib.stores.tokens import read_grid, read_tokens
from pipeline_lib.tokens.corpus import pieces_at
from tasks.progress import reporter
from tasks.stages import stage


@stage(kind="memories", schema_version=3)
def fit_memory(
    draft: Draft,
    tokens: Artifact,
    run: Artifact,
    baselines: Artifact,
    max_targets: int,
) -> None:
    """Write ``memory.json``: how the network, the best n-gram model and the memory are mixed; and ``bar_habits.parquet``.

    The former is fitted on valid pieces, whose tokens all models predict from their piece's beginning on, as when they
    write, until there are ``max_targets`` of these. The latter says what train pieces do at each place of their bars.
    """
    from pipeline_lib.models.bar_habits import count_habits
    from pipeline_lib.models.memory.mixture import fit_mixture
    from pipeline_lib.models.scoring import PiecePredictor

    corpus = read_tokens(draft.store, tokens)
    network, config = read_network(draft.store, run)
    known = read_baselines(draft.store, baselines, len(corpus.vocabulary))
    models: list[Predictor] = [PiecePredictor(network), known.long_term]
    steps_per_quarter = read_grid(draft.store, tokens)
    pieces = pieces_at(corpus.token_ids, corpus.spans(Split.VALID))
    mixture = fit_mixture(
        [each.log_probabilities(pieces, first_target=1) for each in models],
        pieces,
        corpus.metres(Split.VALID, steps_per_quarter),
        1,
        max_targets,
        reporter(f"fit_memory/{config.name}"),
    )
    write_memory(draft, mixture)
    train = pieces_at(corpus.token_ids, corpus.spans(Split.TRAIN))
    metres = corpus.metres(Split.TRAIN, steps_per_quarter)
    write_habits(draft, count_habits(train, metres, corpus.vocabulary.features.advance_step))
