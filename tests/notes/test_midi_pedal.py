"""The sustain pedal, by hand. One quarter is 480 ticks; times below are in ticks."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.midi.files import read_midi
from pipeline_lib.notes.midi.pedal import sustained
from tests.notes.tiny_files import midi_file

Notes = list[tuple[int, int, int]]


@pytest.mark.parametrize(
    ("notes", "pedal", "expected"),
    [
        pytest.param([(0, 10, 60)], [], [10], id="no pedal"),
        pytest.param([(0, 10, 60)], [(5, 127), (30, 0)], [30], id="held until it comes up"),
        pytest.param([(0, 10, 60)], [(5, 63)], [10], id="63 is up"),
        pytest.param([(0, 10, 60)], [(5, 64), (20, 63)], [20], id="64 is down"),
        pytest.param([(0, 10, 60)], [(11, 127), (30, 0)], [10], id="pressed too late"),
        pytest.param([(0, 10, 60)], [(10, 127), (30, 0)], [30], id="pressed on release"),
        pytest.param([(0, 10, 60)], [(5, 127), (10, 0)], [10], id="up on release"),
        pytest.param([(0, 10, 60)], [(5, 127), (10, 0), (10, 127), (30, 0)], [30], id="again"),
        pytest.param([(0, 10, 60)], [(5, 127), (8, 100), (30, 0)], [30], id="pressed deeper"),
        pytest.param([(0, 10, 60), (20, 5, 60)], [(5, 127), (30, 0)], [20, 10], id="struck again"),
        pytest.param([(0, 10, 60), (10, 5, 60)], [(5, 127), (30, 0)], [10, 20], id="repeated"),
        pytest.param([(0, 10, 60), (20, 5, 61)], [(5, 127), (30, 0)], [30, 10], id="other key"),
        pytest.param([(0, 10, 60), (40, 5, 62)], [(5, 127)], [45, 5], id="never up"),
    ],
)
def test_durations(notes: Notes, pedal: list[tuple[int, int]], expected: list[int]) -> None:
    onset, duration, pitch = np.array(notes, np.int32).T
    tick, value = np.array(pedal, np.int32).reshape(-1, 2).T
    assert sustained(onset, duration, pitch.astype(np.int8), tick, value).tolist() == expected


# Pedal down; C4 for 96 ticks; pedal up another 96 ticks later: on channel 3.
PEDALLED = b"\x00\xb2\x40\x7f\x00\x92\x3c\x40\x60\x82\x3c\x00\x60\xb2\x40\x00"


@pytest.mark.parametrize(("setting", "duration"), [("ignore", 96), ("extend", 192)])
def test_the_pedal_is_ignored_unless_asked_for(setting: str, duration: int) -> None:
    config = ParseConfig.model_validate({"sustain_pedal": setting})
    (piece,) = read_midi(midi_file(PEDALLED), config)
    assert piece.duration_tick.tolist() == [duration]
