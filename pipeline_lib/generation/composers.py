"""Models that write music and can say what they thought: a network, an n-gram model, or all of them with a memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline_lib.models.bar_habits import BarHabits
from pipeline_lib.models.memory.mixture import MemoryMixture, MemoryPredictor
from pipeline_lib.models.memory.stepper import MixtureStepper
from pipeline_lib.models.networks.architectures import Network
from pipeline_lib.models.networks.stepper import NetworkStepper
from pipeline_lib.models.ngrams.smoothed import NgramModel, NgramStepper
from pipeline_lib.models.protocols import Composer, Predictor, Stepper
from pipeline_lib.models.sampling.composers import NetworkComposer, StepperComposer
from pipeline_lib.models.scoring import PiecePredictor
from pipeline_lib.notes.grid import bar_step
from pipeline_lib.tokens.prompts import Prompt
from pipeline_lib.tokens.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class ExplainingComposer:
    """A model in both of its roles.

    Parameters
    ----------
    composer : Composer
        The model as it continues prompts.
    predictor : Predictor
        The same model as it judges the outcome. Like the composer it reads each piece from its start.
    """

    composer: Composer
    predictor: Predictor


def compose_with_network(network: Network) -> ExplainingComposer:
    """Make the composer that is a network alone."""
    return ExplainingComposer(NetworkComposer(network), PiecePredictor(network))


def compose_with_ngrams(ngram: NgramModel) -> ExplainingComposer:
    """Make the composer that is an n-gram model alone."""
    return ExplainingComposer(StepperComposer(NgramStepper(ngram)), ngram)


def compose_with_mixture(
    network: Network,
    ngram: NgramModel,
    mixture: MemoryMixture,
    habits: BarHabits,
    vocabulary: Vocabulary,
    prompts: Sequence[Prompt],
    steps_per_quarter: int,
) -> ExplainingComposer:
    """Make the composer that is a network, an n-gram model and the memory of the piece together.

    Parameters
    ----------
    network : Network
    ngram : NgramModel
    mixture : MemoryMixture
        Weights that were fitted for these two models, in this order.
    habits : BarHabits
        What is usual in the bars of the corpus; it binds what is written, not what is thought of it.
    vocabulary : Vocabulary
    prompts : sequence of Prompt
        What will be continued, all at once and in this order: their time signatures say where the bar lines are.
    steps_per_quarter : int
        Of the grid that tokens are on.
    """
    advance_step = vocabulary.features.advance_step
    bars = [bar_step(prompt.time_signature, steps_per_quarter) for prompt in prompts]
    steppers: list[Stepper] = [NetworkStepper(network), NgramStepper(ngram)]
    stepper = MixtureStepper(steppers, mixture, habits, advance_step, np.array(bars, np.int64))
    return ExplainingComposer(
        StepperComposer(stepper),
        MemoryPredictor([PiecePredictor(network), ngram], mixture, advance_step, bars),
    )
