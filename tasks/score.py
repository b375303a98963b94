"""Score trained models on held-out notes, alone and with a memory of the piece."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.evaluation.likelihood import (
    reliability,
    score_side_by_side,
    summarise_scores,
)
from pipeline_lib.evaluation.loss_breakdown import losses_by_place
from pipeline_lib.evaluation.token_parts import TokenParts
from pipeline_lib.notes.table import Split
from pipeline_lib.stores.baselines import read_baselines, read_memory
from pipeline_lib.stores.runs import read_network
from pipeline_lib.stores.scores import (
    ALONE,
    WITH_MEMORY,
    NgramOrders,
    Scores,
    write_ngram_orders,
    write_scores,
)
from pipeline_lib.stores.tokens import read_tokens
from pipeline_lib.tokens.corpus import TokenCorpus, pieces_at
from pipeline_lib.tokens.windows import count_targets
from tasks.progress import reporter
from tasks.stages import stage

_Predicted = Iterable[NDArray[np.float64]]
"""What `Predictor.log_probabilities` yields of a model."""


@stage(kind="scores", schema_version=3)
def score(
    draft: Draft,
    tokens: Artifact,
    run: Artifact,
    baselines: Artifact,
    memory: Artifact | None,
    n_context: int,
) -> None:
    """Write ``alone.parquet`` and ``with_memory.parquet``, a row per test target, and what they come to.

    That is ``summary.json``, ``reliability.parquet`` and ``loss_by_place.parquet``, for each of the two; the second is
    left out where no memory was fitted. The targets are the known tokens with ``n_context`` tokens before them,
    whatever the network's own seq_length.
    """
    from pipeline_lib.models.scoring import make_predictor

    corpus = read_tokens(draft.store, tokens)
    network, config = read_network(draft.store, run)
    known = read_baselines(draft.store, baselines, len(corpus.vocabulary))
    pieces = pieces_at(corpus.token_ids, corpus.spans(Split.TEST))
    # The network is asked once; each piece's answers are scored as they are and mixed.
    predicted = make_predictor(network, config).log_probabilities(pieces, n_context)
    asked: dict[str, _Predicted] = {ALONE: predicted}
    if memory is not None:
        mixture = read_memory(draft.store, memory)
        asked[ALONE], mixed = itertools.tee(predicted)
        ngram = known.long_term.log_probabilities(pieces, n_context)
        asked[WITH_MEMORY] = mixture.mix([mixed, ngram], pieces, n_context)
    _score(draft, corpus, asked, n_context, f"score/{config.name}")


@stage(kind="scores", schema_version=3)
def score_baselines(draft: Draft, tokens: Artifact, baselines: Artifact, n_context: int) -> None:
    """Write the same as `score`, for each n-gram model and for the best of them with the memory."""
    corpus = read_tokens(draft.store, tokens)
    known = read_baselines(draft.store, baselines, len(corpus.vocabulary))
    pieces = pieces_at(corpus.token_ids, corpus.spans(Split.TEST))
    predicted: dict[str, _Predicted] = {
        name: model.log_probabilities(pieces, n_context) for name, model in known.ngrams.items()
    }
    long_term = known.long_term.log_probabilities(pieces, n_context)
    predicted[WITH_MEMORY] = known.mixture.mix([long_term], pieces, n_context)
    _score(draft, corpus, predicted, n_context, "score/baselines")
    orders = {name: model.order for name, model in known.ngrams.items()}
    write_ngram_orders(draft, NgramOrders(orders, known.long_term_name))


def _score(
    draft: Draft,
    corpus: TokenCorpus,
    predicted: Mapping[str, _Predicted],
    n_context: int,
    label: str,
) -> None:
    """Score what models predict of the test pieces, and write what that comes to."""
    scored = score_side_by_side(
        list(predicted.values()),
        corpus.token_ids,
        corpus.spans(Split.TEST),
        n_context,
        TokenParts.of(corpus.vocabulary.features),
        reporter(label),
    )
    tables = dict(zip(predicted, scored, strict=True))
    n_asked = count_targets(corpus, Split.TEST, n_context)
    scores = Scores(
        {name: summarise_scores(table, n_asked) for name, table in tables.items()},
        _of_each(tables, reliability),
        _of_each(tables, losses_by_place),
    )
    write_scores(draft, tables, scores)


def _of_each(
    tables: dict[str, pa.Table], break_down: Callable[[pa.Table], pd.DataFrame]
) -> pd.DataFrame:
    """A breakdown of each model's scores below the other, with the model's name in front."""
    frames = [break_down(table).assign(model=name) for name, table in tables.items()]
    frame = pd.concat(frames, ignore_index=True)
    frame.insert(0, "model", frame.pop("model"))
    return frame
