"""Models that write music, read from what a run left: the kinds ``runs``, ``baselines`` and ``memories`` together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline_lib.artifacts import Artifact, ArtifactStore
from pipeline_lib.config import ComposerKind
from pipeline_lib.stores.baselines import read_baselines, read_habits, read_memory
from pipeline_lib.stores.runs import read_network
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.vocabulary import Vocabulary

if TYPE_CHECKING:
    from pipeline_lib.generation.composers import ExplainingComposer


@dataclass(frozen=True)
class RunModels:
    """The models of a run, of which a composer needs some.

    Parameters
    ----------
    run : Artifact
        The network's.
    baselines : Artifact or None
        The n-gram models'; needed for all composers but the network.
    memory : Artifact or None
        How both are mixed with a memory of the piece; needed for the mixture.
    """

    run: Artifact
    baselines: Artifact | None = None
    memory: Artifact | None = None

    def needed_by(self, composer: ComposerKind) -> RunModels:
        """The same run with only those of the others that a composer reads."""
        return RunModels(
            self.run,
            baselines=None if composer == "network" else self.baselines,
            memory=self.memory if composer == "mixture" else None,
        )


def read_composer(
    store: ArtifactStore,
    composer: ComposerKind,
    models: RunModels,
    vocabulary: Vocabulary,
    prompts: Sequence[Prompt],
    steps_per_quarter: int,
) -> ExplainingComposer:
    """Read the models that a composer needs, and put them together.

    Parameters
    ----------
    store : ArtifactStore
    composer : {"mixture", "network", "ngram"}
    models : RunModels
        With all that the composer needs.
    vocabulary : Vocabulary
        The models'.
    prompts : sequence of Prompt
        What will be continued, all at once and in this order.
    steps_per_quarter : int
        Of the grid that tokens are on.
    """
    from pipeline_lib.generation.composers import (
        compose_with_mixture,
        compose_with_network,
        compose_with_ngrams,
    )

    if composer == "network":
        return compose_with_network(read_network(store, models.run)[0])
    if models.baselines is None:
        raise ValueError(f"{composer} without n-gram models")
    ngram = read_baselines(store, models.baselines, len(vocabulary)).long_term
    if composer == "ngram":
        return compose_with_ngrams(ngram)
    if models.memory is None:
        raise ValueError("a mixture without a memory")
    network, _ = read_network(store, models.run)
    mixture = read_memory(store, models.memory)
    habits = read_habits(store, models.memory, vocabulary)
    return compose_with_mixture(
        network, ngram, mixture, habits, vocabulary, prompts, steps_per_quarter
    )
