"""N-gram models and memories of the piece: the kinds ``baselines`` and ``memories``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import pyarrow as pa

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.models.bar_habits import BarHabits
from pipeline_lib.models.memory.mixture import MemoryMixture
from pipeline_lib.models.ngrams.counts import NgramCounts
from pipeline_lib.models.ngrams.smoothed import SMOOTHINGS, NgramModel, witten_bell
from pipeline_lib.stores import file_names
from pipeline_lib.tokens.vocabulary import Vocabulary


class OrderChoice(TypedDict):
    """How long the n-grams of one smoothing are: the order that predicts the valid split best.

    ``valid_loss_nat`` has the losses of all orders, ``best_loss_nat`` that of the best.
    """

    best_order: int
    best_loss_nat: float
    valid_loss_nat: dict[int, float]


@dataclass(frozen=True, eq=False)
class Baselines:
    """The models that stand beside the networks.

    Parameters
    ----------
    ngrams : dict of NgramModel
        "unigram", and one for each smoothing at its best order.
    long_term_name : str
        The name of the one that predicts the valid split best.
    mixture : MemoryMixture
        Of that one, with the memory.
    """

    ngrams: dict[str, NgramModel]
    long_term_name: str
    mixture: MemoryMixture

    @property
    def long_term(self) -> NgramModel:
        """The n-gram model that predicts the valid split best."""
        return self.ngrams[self.long_term_name]


def write_baselines(
    draft: Draft, counts: NgramCounts, orders: Mapping[str, OrderChoice], mixture: MemoryMixture
) -> None:
    """Write counts, the order of each smoothing, and how the best of these models is mixed with a memory."""
    draft.write_table(file_names.NGRAMS, counts.to_table())
    draft.write_json(file_names.ORDERS, orders)
    write_memory(draft, mixture)


def read_baselines(store: ArtifactStore, baselines: Artifact, vocab_size: int) -> Baselines:
    """The models of `write_baselines`, made from their counts."""
    counts = NgramCounts.from_table(store.read_table(baselines, file_names.NGRAMS), vocab_size)
    orders = store.read_json(baselines, file_names.ORDERS)
    ngrams = {name: make(counts, orders[name]["best_order"]) for name, make in SMOOTHINGS.items()}
    return Baselines(
        ngrams={"unigram": witten_bell(counts, 1), **ngrams},
        long_term_name=best_smoothing(orders),
        mixture=read_memory(store, baselines),
    )


def best_smoothing(orders: Mapping[str, OrderChoice]) -> str:
    """The smoothing whose best order has the lowest loss on valid."""
    return min(SMOOTHINGS, key=lambda name: orders[name]["best_loss_nat"])


def write_memory(draft: Draft, mixture: MemoryMixture) -> None:
    """Write how models and a memory of the piece are mixed."""
    draft.write_json(file_names.MEMORY, mixture.to_json())


def read_memory(store: ArtifactStore, memory: Artifact) -> MemoryMixture:
    """How models and a memory of the piece are mixed; of the kind ``memories`` or ``baselines``."""
    return MemoryMixture.from_json(store.read_json(memory, file_names.MEMORY))


def write_habits(draft: Draft, counts: pa.Table) -> None:
    """Write what is usual in the bars of a corpus, a table with `models.bar_habits.HABIT_SCHEMA`."""
    draft.write_table(file_names.BAR_HABITS, counts)


def read_habits(store: ArtifactStore, memory: Artifact, vocabulary: Vocabulary) -> BarHabits:
    """What is usual in the bars of a corpus, for the tokens of its vocabulary; of the kind ``memories``."""
    counts = store.read_table(memory, file_names.BAR_HABITS)
    return BarHabits(counts, vocabulary.features.advance_step)
