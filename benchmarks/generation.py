"""What a note costs, beside the usual tutorial's loop and beside a loop written by hand for PyTorch.

    python -m benchmarks.generation

Contestants take turns (see `benchmarks.contest`); every figure is a ratio of measurements of this run, in seconds of
the clock, with all the machine's cores for each. The tutorial predicts a whole window for each note. The loop by
hand has the same weights, reads one note at a time, and draws with ``torch.multinomial``. None of them ends a
piece early. Compiling is not counted: it is stated by itself.

PyTorch is needed: ``pip install -e '.[benchmarks]'``.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.contest import Benchmark, Claim, Cost, Work

UNITS, LAYERS, SEQ_LENGTH = 256, 3, 100
LENGTH = 255
"""New notes of each sequence; the start token makes it 256 steps."""
TUTORIAL_LENGTH = 10
_DURATIONS = ("1/2", "1", "3/2", "2")
TOKENS = (
    "<start>",
    "<end>",
    "<unknown>",
    *(f"Pitch_{pitch}:{duration}" for pitch in range(40, 89) for duration in _DURATIONS),
)
CPU = {"CUDA_VISIBLE_DEVICES": "-1"}


@dataclass(frozen=True)
class Size:
    """Sequences written at once."""

    n_sequences: int


def _claims() -> Iterator[Claim]:
    for n_sequences, wanted in ((1, 50), (64, 1000)):
        size = Size(n_sequences)
        ours, torch, tutorial = BENCHMARK.turns(("ours", "torch", "tutorial"), size, CPU)
        of_ours, of_torch, of_tutorial = (
            _notes_per_sec(ours, n_sequences * LENGTH),
            _notes_per_sec(torch, n_sequences * LENGTH),
            # The tutorial has no batches: it writes one sequence.
            _notes_per_sec(tutorial, TUTORIAL_LENGTH),
        )
        yield Claim(f"{n_sequences} at once: ours", statistics.median(of_ours), "notes per second")
        ratio = _median_ratio(of_ours, of_tutorial)
        yield Claim("  beside the tutorial's loop", ratio, "x", f">= {wanted}", ratio >= wanted)
        ratio = _median_ratio(of_ours, of_torch)
        yield Claim("  beside a loop for PyTorch", ratio, "x", ">= 0.8", ratio >= 0.8)
    ((first,),) = BENCHMARK.turns(("first",), Size(1), CPU, once=True)
    yield Claim("compiling", first.wall_sec, "seconds")


def _notes_per_sec(costs: list[Cost], n_notes: int) -> list[float]:
    return [n_notes / cost.wall_sec for cost in costs]


def _median_ratio(fast: list[float], slow: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(fast, slow, strict=True))


def _network() -> Any:
    from pipeline_lib.config import LstmConfig, RunConfig
    from pipeline_lib.models.networks.architectures import Network

    model = LstmConfig(layers=LAYERS, units=UNITS, embedding_size=UNITS, residual=False)
    return Network(
        RunConfig(model=model, seq_length=SEQ_LENGTH, learning_rate=1e-3, seed=0), _vocabulary()
    )


def _vocabulary() -> Any:
    from pipeline_lib.config import NoteEventConfig
    from pipeline_lib.tokens.tokenisers import make_tokeniser
    from pipeline_lib.tokens.vocabulary import Vocabulary

    return Vocabulary.of(TOKENS, make_tokeniser(NoteEventConfig()))


def _ours(size: Size) -> Work:
    return Work(_sampling(size), n_warm_up=2)


def _first(size: Size) -> Work:
    """Compiling, and one sequence."""
    return Work(_sampling(size))


def _sampling(size: Size) -> Any:
    from pipeline_lib.config import ComposeConfig, NoteEventConfig
    from pipeline_lib.models.sampling.network_loop import Sampler
    from pipeline_lib.tokens.constraints import constrain
    from pipeline_lib.tokens.prompts import Prompt
    from pipeline_lib.tokens.tokenisers import make_tokeniser
    from pipeline_lib.tokens.vocabulary import END_ID

    prompts = [Prompt("none", (), "4/4", 120.0, None)] * size.n_sequences
    constraints = constrain(
        ComposeConfig(), prompts, _vocabulary(), make_tokeniser(NoteEventConfig())
    )
    constraints.is_allowed[:, END_ID] = False
    sampler = Sampler(_network(), ComposeConfig())
    given = [np.empty(0, np.int32)] * size.n_sequences
    return lambda: sampler.sample(given, constraints, length=LENGTH, seed=0)


def _torch(size: Size) -> Work:
    """One note at a time, the state carried."""
    import torch
    from torch import nn

    embedding = nn.Embedding(len(TOKENS), UNITS)
    cells = nn.ModuleList([nn.LSTMCell(UNITS, UNITS) for _ in range(LAYERS)])
    head = nn.Linear(UNITS, len(TOKENS))
    _copy_weights(embedding, cells, head)

    @torch.inference_mode()
    def sample() -> Any:
        token_ids = torch.zeros(size.n_sequences, dtype=torch.long)
        zeros = torch.zeros(size.n_sequences, UNITS)
        states = [(zeros, zeros)] * LAYERS
        notes = []
        for _ in range(LENGTH):
            x = embedding(token_ids)
            for n, cell in enumerate(cells):
                states[n] = cell(x, states[n])
                x = states[n][0]
            logits = head(x)
            logits[:, :3] = -torch.inf
            token_ids = torch.multinomial(torch.softmax(logits, -1), 1)[:, 0]
            notes.append(token_ids)
        return torch.stack(notes, 1)

    return Work(sample, n_warm_up=2)


def _copy_weights(embedding: Any, cells: Any, head: Any) -> None:
    """Ours, which have one bias where PyTorch has two."""
    import torch

    from pipeline_lib.models.training.checkpoints import to_numpy

    network = _network()
    ours = {
        variable.path: torch.from_numpy(to_numpy(variable.value)) for variable in network.weights
    }
    of = lambda part: next(value for path, value in ours.items() if path.endswith(part))  # noqa: E731
    with torch.no_grad():
        embedding.weight.copy_(of("tokens/embeddings"))
        head.weight.copy_(of("logits/kernel").T)
        head.bias.copy_(of("logits/bias"))
        for n, cell in enumerate(cells, start=1):
            layer = f"recurrent_{n}/lstm/lstm_cell/"
            cell.weight_ih.copy_(of(layer + "kernel").T)
            cell.weight_hh.copy_(of(layer + "recurrent_kernel").T)
            cell.bias_ih.copy_(of(layer + "bias"))
            cell.bias_hh.zero_()


def _tutorial(size: Size) -> Work:
    """What most tutorials do: `predict` a whole window, one-hot, for each note."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((SEQ_LENGTH, len(TOKENS))),
            *(keras.layers.LSTM(UNITS, return_sequences=n < LAYERS) for n in range(1, LAYERS + 1)),
            keras.layers.Dense(len(TOKENS), activation="softmax"),
        ]
    )
    one_hot = np.eye(len(TOKENS), dtype=np.float32)
    draw = np.random.default_rng(0)

    def write() -> None:
        window = draw.integers(3, len(TOKENS), SEQ_LENGTH)
        for _ in range(TUTORIAL_LENGTH):
            p = model.predict(one_hot[window][None], verbose=0)[0].astype(np.float64)
            window = np.append(window[1:], draw.choice(len(TOKENS), p=p / p.sum()))

    return Work(write, n_warm_up=1)


BENCHMARK = Benchmark(
    "benchmarks.generation",
    {"ours": _ours, "first": _first, "torch": _torch, "tutorial": _tutorial},
    Size,
    n_repeats=5,
)


if __name__ == "__main__":
    BENCHMARK.main(_claims)
