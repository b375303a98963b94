"""What a network reads at each update is a function of the seed and the update's number."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pipeline_lib.errors import TrainingError
from pipeline_lib.models.training.batches import StreamBatches, WindowBatches
from pipeline_lib.tokens.windows import NO_WINDOWS, WindowIndex
from tests.models.tiny_corpus import run_config

TWELVE = WindowIndex.of(np.array([[0, 20]]), 8, 1)
TOKEN_IDS = np.arange(100, dtype=np.int32)
SPANS = np.array([[0, 30], [30, 20], [50, 50]])


def windows(**changes: object) -> WindowBatches:
    return WindowBatches(TOKEN_IDS, TWELVE, 100, run_config(batch_size=4, **changes))


def streams(**changes: object) -> StreamBatches:
    return StreamBatches(TOKEN_IDS, SPANS, run_config(regime="streams", batch_size=3, **changes))


def test_each_pass_deals_out_every_window_once_in_a_new_order() -> None:
    batches = windows()
    passes = [batches.starts(range(step, step + 3)).ravel().tolist() for step in (0, 3)]
    assert all(sorted(starts) == list(range(12)) for starts in passes)
    assert passes[0] != passes[1]


@pytest.mark.parametrize("make", [windows, streams])
def test_an_update_reads_the_same_whatever_was_read_before(make: type) -> None:
    forwards, resumed = make(), make()
    for step in range(7):
        forwards.tokens(step // forwards.steps_per_epoch)
    assert np.array_equal(forwards.starts(range(9))[7], resumed.starts(range(7, 8))[0])
    epoch = 7 // forwards.steps_per_epoch
    assert np.array_equal(forwards.tokens(epoch), resumed.tokens(epoch))


def test_an_epoch_of_windows_reads_as_many_tokens_as_there_are() -> None:
    # 100 tokens at 4 windows of 8: 3.125 updates.
    assert windows().steps_per_epoch == 4


def test_streams_lay_whole_pieces_end_to_end_in_a_new_order() -> None:
    batches = streams()
    whole = {tuple(TOKEN_IDS[s : s + n].tolist()) for s, n in SPANS}
    orders = set()
    for epoch in range(6):
        tokens = batches.tokens(epoch).tolist()
        assert sorted(tokens) == TOKEN_IDS.tolist()
        starts = [tokens.index(s) for s in SPANS[:, 0]]
        assert {tuple(tokens[a : a + n]) for a, n in zip(starts, SPANS[:, 1], strict=True)} == whole
        orders.add(tuple(tokens))
    assert len(orders) > 1


def test_each_stream_goes_on_where_it_stopped_and_none_reads_what_another_reads() -> None:
    batches = streams()
    # 99 targets in 3 streams: 33 each, of which 4 windows of 8 are read.
    assert (batches.batch_size, batches.steps_per_epoch) == (3, 4)
    rows = batches.starts(range(4))
    assert rows.tolist() == [[8 * s, 32 + 8 * s, 64 + 8 * s] for s in range(4)]
    assert np.array_equal(batches.starts(range(4, 5))[0], rows[0])
    assert rows.max() + 8 < len(batches.tokens(0))


def test_fewer_streams_where_there_is_too_little_for_all() -> None:
    batches = StreamBatches(TOKEN_IDS, SPANS[1:2], run_config(regime="streams", batch_size=64))
    assert (batches.batch_size, batches.steps_per_epoch) == (2, 1)


def test_no_passage_at_all_is_refused() -> None:
    config = run_config(regime="streams", seq_length=40)
    with pytest.raises(TrainingError, match="not one window of seq_length 40 fits"):
        StreamBatches(TOKEN_IDS, SPANS[1:2], config)
    with pytest.raises(TrainingError, match="not one window of seq_length 8 fits"):
        WindowBatches(TOKEN_IDS, NO_WINDOWS, 100, run_config())


def test_windows_and_their_order_take_no_memory() -> None:
    tokens = np.zeros(1_000_000, dtype=np.int32)
    spans = np.array([[0, len(tokens)]])
    windows = WindowIndex.of(spans, 100, 1)
    tracemalloc.start()
    batches = WindowBatches(tokens, windows, len(tokens), run_config(seq_length=100, batch_size=64))
    for step in range(0, 1000, 10):
        batches.starts(range(step, step + 10))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.1 * tokens.nbytes
