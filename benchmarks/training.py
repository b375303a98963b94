"""What training costs, beside plain PyTorch, beside Keras's own layers, and beside the usual tutorial.

    python -m benchmarks.training

Contestants take turns (see `benchmarks.contest`); every figure is a ratio of measurements of this run. Processor
seconds are measured with one thread each, since threads of a pool spin while they wait: on a busy machine that
would count as work. Tokens and targets are random: what they are does not change the cost.

PyTorch is needed: ``pip install -e '.[benchmarks]'``.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contest import Benchmark, Claim, Cost, Work, median_ratio

VOCAB_SIZE = 200
EMBEDDING_SIZE = 256
N_CORPUS_TOKENS = 5_000_000
N_GATHERED_BATCHES = 500
PEAK_TFLOPS = {"H100": 494.7, "H200": 494.7, "A100": 156.0}
"""TF32 on tensor cores, dense, as NVIDIA's data sheets of the SXM models have it."""

NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    **NO_GPU,
}


@dataclass(frozen=True)
class Size:
    """Of a network, of a batch, and of an epoch where a contestant trains for one."""

    layers: int
    units: int
    seq_length: int
    batch_size: int
    n_windows: int = 0

    @property
    def n_tokens(self) -> int:
        """Targets of a step."""
        return self.seq_length * self.batch_size

    @property
    def flops_per_token(self) -> int:
        """Of training: two for each weight forward, four backward."""
        widths = [EMBEDDING_SIZE] + [self.units] * (self.layers - 1)
        return 6 * (sum(4 * (n + self.units) for n in widths) + VOCAB_SIZE) * self.units

    def __str__(self) -> str:
        return f"{self.layers}x{self.units}, seq_length {self.seq_length}, batch {self.batch_size}"


PROCESSOR_SIZES = {Size(3, 512, 50, 64): 1.0, Size(1, 256, 100, 16): 0.9}
"""With how many times PyTorch's tokens per processor second are wanted."""
GPU_SIZES = (Size(3, 1024, 100, 64), Size(3, 1024, 100, 512))
TUTORIAL_FOR_TIME = Size(3, 512, 50, 64, n_windows=1_280)
TUTORIAL_FOR_MEMORY = Size(1, 128, 50, 64, n_windows=20_000)


def _claims() -> Iterator[Claim]:
    for size, wanted in PROCESSOR_SIZES.items():
        yield from _beside_others(size, wanted)
    yield from _beside_tutorial()
    yield from _memory_of_feed()
    gpu = _gpu_name()
    if gpu is None:
        print("GPU: skipped, nvidia-smi finds none on this machine", file=sys.stderr)
        return
    for size in GPU_SIZES:
        yield from _on_gpu(size, gpu)


def _beside_others(size: Size, wanted: float) -> Iterator[Claim]:
    """Tokens per processor second, and what the input pipeline takes of them."""
    ours, torch, stock, feed = BENCHMARK.turns(("ours", "torch", "stock", "feed"), size, ONE_THREAD)
    ratio = median_ratio(torch, ours)
    rate = size.n_tokens / statistics.median(cost.processor_sec for cost in ours)
    yield Claim(f"{size}: ours", rate, "tokens per processor second")
    yield Claim("  beside PyTorch's nn.LSTM", ratio, "x", f">= {wanted}", ratio >= wanted)
    yield Claim("  beside Keras's LSTM", median_ratio(stock, ours), "x")
    ratio = median_ratio(ours, feed)
    yield Claim("  batches, beside the step", ratio, "x as fast", ">= 20", ratio >= 20)


def _beside_tutorial() -> Iterator[Claim]:
    """Both see the same windows once; the tutorial learns from their last notes only."""
    size = TUTORIAL_FOR_TIME
    ours, theirs = _epochs(size)
    ratio = theirs.wall_sec / ours.wall_sec
    yield Claim(
        f"`fit` on {size.n_windows:,} one-hot windows, {size}: time",
        ratio,
        "x ours",
        ">= 2",
        ratio >= 2,
    )
    size = TUTORIAL_FOR_MEMORY
    ours, theirs = _epochs(size)
    ratio = theirs.peak_mib / ours.peak_mib
    yield Claim(
        f"`fit` on {size.n_windows:,} one-hot windows, {size}: memory",
        ratio,
        "x ours",
        ">= 10",
        ratio >= 10,
    )
    yield Claim("  ours", ours.peak_mib, "MiB")


def _epochs(size: Size) -> tuple[Cost, Cost]:
    """An epoch of ours and of the tutorial, one after the other, with building and compiling."""
    (ours,), (theirs,) = BENCHMARK.turns(("epoch", "tutorial"), size, NO_GPU, once=True)
    return ours, theirs


def _memory_of_feed() -> Iterator[Claim]:
    """Windows of a large corpus at every token and at every tenth, short ones and long ones."""
    sizes = {length: Size(1, 128, length, 64) for length in (25, 100)}
    dense, long, sparse = (
        BENCHMARK.turns((name,), size, NO_GPU, once=True)[0][0].peak_mib
        for name, size in (("dense", sizes[25]), ("dense", sizes[100]), ("sparse", sizes[25]))
    )
    for what, ratio in (
        ("seq_length 100 beside 25", long / dense),
        ("stride 1 beside 10", dense / sparse),
    ):
        yield Claim(f"memory of batches: {what}", ratio, "x", "<= 1.2", ratio <= 1.2)
    yield Claim(f"  {N_CORPUS_TOKENS:,} tokens at stride 1", dense, "MiB")


def _on_gpu(size: Size, gpu: str) -> Iterator[Claim]:
    ours, torch = BENCHMARK.turns(("ours", "torch"), size, {"TF_FORCE_GPU_ALLOW_GROWTH": "true"})
    ratio = statistics.median(b.wall_sec / a.wall_sec for a, b in zip(ours, torch, strict=True))
    rate = size.n_tokens / statistics.median(cost.wall_sec for cost in ours)
    yield Claim(f"{gpu}, {size}: ours", rate, "tokens per second")
    yield Claim("  beside PyTorch's nn.LSTM (cuDNN), TF32", ratio, "x", ">= 0.95", ratio >= 0.95)
    peak = next((peak for name, peak in PEAK_TFLOPS.items() if name in gpu), None)
    if peak is not None:
        yield Claim("  of its peak", 100 * rate * size.flops_per_token / (peak * 1e12), "%")


def _gpu_name() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    names = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    return names[0] if names else None


def _ours(size: Size) -> Work:
    """A training step of the pipeline; without dropout, since the others have none."""
    tokens = _random_tokens(200_000)
    starts, step = _starts(size, tokens, stride=1), _training_step(size, tokens, dropout=0.0)
    return Work(lambda: step(starts()), n_warm_up=3)


def _stock(size: Size) -> Work:
    """The same with Keras's LSTM layer, and with TensorFlow as it comes (no setting of `pipeline_lib.models`)."""
    with _keras_layers():
        return _ours(size)


def _torch(size: Size) -> Work:
    """PyTorch's layers and nothing else: no residual connections, no clipping."""
    import torch
    from torch import nn

    torch.backends.cuda.matmul.allow_tf32 = True  # as TensorFlow does
    device = "cuda" if torch.cuda.is_available() else "cpu"
    embedding = nn.Embedding(VOCAB_SIZE, EMBEDDING_SIZE).to(device)
    lstm = nn.LSTM(EMBEDDING_SIZE, size.units, size.layers, batch_first=True).to(device)
    head = nn.Linear(size.units, VOCAB_SIZE).to(device)
    network = nn.ModuleList([embedding, lstm, head])
    optimiser = torch.optim.Adam(network.parameters())
    tokens = _random_tokens(size.batch_size, size.seq_length + 1)

    def step() -> float:
        ids = torch.from_numpy(tokens).long().to(device)
        logits = head(lstm(embedding(ids[:, :-1]))[0])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return Work(step, n_warm_up=3)


def _feed(size: Size) -> Work:
    """Batches alone."""
    batch = _batches(size, _random_tokens(200_000), stride=1)
    return Work(batch, n_warm_up=3, times=N_GATHERED_BATCHES)


def _memory_at(stride: int) -> Callable[[Size], Work]:
    """Batches of a large corpus."""

    def work(size: Size) -> Work:
        import pipeline_lib.models.training.loop  # noqa: F401  (not to be counted)

        def feed() -> None:
            batch = _batches(size, _random_tokens(N_CORPUS_TOKENS), stride)
            for _ in range(N_GATHERED_BATCHES):
                batch()

        return Work(feed)

    return work


def _epoch(size: Size) -> Work:
    """Every window once."""
    import pipeline_lib.models.training.loop  # noqa: F401  (not to be counted)

    def epoch() -> None:
        tokens = _tutorial_tokens(size)
        starts = _starts(size, tokens, stride=1)
        step = _training_step(size, tokens, token_input="one_hot")
        for _ in range(size.n_windows // size.batch_size):
            step(starts())

    return Work(epoch)


def _tutorial(size: Size) -> Work:
    """What most tutorials do: one-hot windows in memory, the next note as target, `fit`."""
    import keras

    def fit() -> None:
        windows = np.lib.stride_tricks.sliding_window_view(
            _tutorial_tokens(size), size.seq_length + 1
        )
        one_hot = np.eye(VOCAB_SIZE, dtype=np.float32)
        model = keras.Sequential(
            [
                keras.Input((size.seq_length, VOCAB_SIZE)),
                *(
                    keras.layers.LSTM(size.units, return_sequences=n < size.layers)
                    for n in range(1, size.layers + 1)
                ),
                keras.layers.Dropout(0.3),
                keras.layers.Dense(VOCAB_SIZE, activation="softmax"),
            ]
        )
        model.compile("adam", "categorical_crossentropy")
        inputs, targets = one_hot[windows[:, :-1]], one_hot[windows[:, -1]]
        model.fit(inputs, targets, batch_size=size.batch_size, epochs=1, verbose=0)

    return Work(fit)


def _training_step(
    size: Size, tokens: NDArray[np.int32], **changes: Any
) -> Callable[[NDArray[np.int32]], float]:
    """The pipeline's own update, given where its windows start."""
    from pipeline_lib.config import NoteEventConfig
    from pipeline_lib.models.devices import use_deterministic_operations
    from pipeline_lib.models.networks.architectures import Network
    from pipeline_lib.models.training.optimisation import learning_rates, make_optimizer
    from pipeline_lib.models.training.updates import make_updates
    from pipeline_lib.tokens.tokenisers import make_tokeniser
    from pipeline_lib.tokens.vocabulary import Vocabulary

    use_deterministic_operations()
    config = _run_config(size, **changes)
    tokens = [f"<{n}>" for n in range(VOCAB_SIZE)]
    network = Network(config, Vocabulary.of(tokens, make_tokeniser(NoteEventConfig())))
    rates = learning_rates(config, n_steps=1000)
    optimizer = make_optimizer(config, rates, network.trainable_variables)
    updates = make_updates(network, optimizer, config, carries_state=False)
    updates.load(tokens)
    state = network.initial_state(size.batch_size)
    return lambda starts: float(updates.run(starts, state).losses[0])


def _starts(size: Size, tokens: NDArray[np.int32], stride: int) -> Callable[[], NDArray[np.int32]]:
    """Where the windows of batch after batch start."""
    from pipeline_lib.models.training.batches import WindowBatches
    from pipeline_lib.tokens.windows import WindowIndex

    windows = WindowIndex.of(np.array([[0, len(tokens)]]), size.seq_length, stride)
    feed = WindowBatches(tokens, windows, len(tokens), _run_config(size))
    steps = count()

    def starts() -> NDArray[np.int32]:
        step = next(steps)
        return feed.starts(range(step, step + 1))

    return starts


def _batches(size: Size, tokens: NDArray[np.int32], stride: int) -> Callable[[], Any]:
    """Inputs and targets, batch after batch, gathered here rather than on the device."""
    starts = _starts(size, tokens, stride)
    windows = np.lib.stride_tricks.sliding_window_view(tokens, size.seq_length + 1)

    def batch() -> Any:
        rows = windows[starts()[0]]
        return rows[:, :-1], rows[:, 1:]

    return batch


def _run_config(size: Size, **changes: Any) -> Any:
    from pipeline_lib.config import LstmConfig, RunConfig

    return RunConfig(
        model=LstmConfig(
            layers=size.layers, units=size.units, embedding_size=EMBEDDING_SIZE, **changes
        ),
        seq_length=size.seq_length,
        learning_rate=1e-3,
        seed=0,
        batch_tokens=size.n_tokens,
    )


@contextlib.contextmanager
def _keras_layers() -> Iterator[None]:
    """Networks are built with the LSTM layer that Keras has."""
    import keras

    from pipeline_lib.models.networks import blocks

    ours, blocks.LSTM = blocks.LSTM, keras.layers.LSTM  # type: ignore[misc]
    try:
        yield
    finally:
        blocks.LSTM = ours  # type: ignore[misc]


def _random_tokens(*shape: int) -> NDArray[np.int32]:
    return np.random.default_rng(0).integers(0, VOCAB_SIZE, shape, dtype=np.int32)


def _tutorial_tokens(size: Size) -> NDArray[np.int32]:
    return _random_tokens(size.n_windows + size.seq_length)


BENCHMARK = Benchmark(
    "benchmarks.training",
    {
        "ours": _ours,
        "stock": _stock,
        "torch": _torch,
        "feed": _feed,
        "dense": _memory_at(stride=1),
        "sparse": _memory_at(stride=10),
        "epoch": _epoch,
        "tutorial": _tutorial,
    },
    Size,
    n_repeats=5,
)


if __name__ == "__main__":
    BENCHMARK.main(_claims)
