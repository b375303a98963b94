"""Real melodies as they are and as an n-gram model imitates them, measured."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import symusic

from pipeline_lib.config import EvaluateConfig
from pipeline_lib.evaluation.metrics import build_reference, measure_set
from pipeline_lib.models.ngrams.counts import count_ngrams
from pipeline_lib.models.ngrams.smoothed import NgramStepper, witten_bell
from pipeline_lib.notes.grid import GridNotes
from tests.tokenisers import note_events

_DATA = Path(__file__).parents[2] / os.environ.get("MUSIC_PIPELINE_TEST_DATA", "../shared/data")
MELODIES = _DATA / "midi" / "nottingham-melody"
STEPS, LENGTH = 24, 100
TOKENISER = note_events(STEPS, longest_quarter=4)


def melody_tokens(n: int) -> list[list[str]]:
    """The first tokens of so many melodies that have enough, drawn at random."""
    paths = sorted(MELODIES.glob("*.mid"))
    drawn = np.random.default_rng(0).permutation(len(paths))
    tokens = (_tokens(paths[number]) for number in drawn)
    long_enough = (line[:LENGTH] for line in tokens if len(line) >= LENGTH)
    return [line for line, _ in zip(long_enough, range(n), strict=False)]


def _tokens(path: Path) -> list[str]:
    score = symusic.Score(path)
    scale = STEPS / score.ticks_per_quarter
    notes = sorted((n.time, n.duration, n.pitch) for track in score.tracks for n in track.notes)
    onset, duration, pitch = np.array(notes).T
    onset_step, end_step = (np.rint(t * scale).astype(np.int64) for t in (onset, onset + duration))
    return TOKENISER.encode(GridNotes(onset_step, end_step - onset_step, pitch, STEPS))


def ngram_tokens(lines: Sequence[Sequence[str]], n: int, order: int = 3) -> list[list[str]]:
    """As many tokens, from an n-gram model of the lines."""
    names = ["<start>", *sorted({token for line in lines for token in line})]
    ids = [np.array([0, *map(names.index, line)], dtype=np.int32) for line in lines]
    starts = np.cumsum([0, *map(len, ids[:-1])])
    spans = np.column_stack([starts, [len(line) for line in ids]])
    counts = count_ngrams(np.concatenate(ids), spans, len(names), order)
    stepper, rng = NgramStepper(witten_bell(counts, order)), np.random.default_rng(0)
    stepper.reset(n)
    sampled = [np.zeros(n, dtype=np.int32)]
    for _ in range(LENGTH):
        noisy = stepper.step(sampled[-1]) + rng.gumbel(size=(n, len(names)))
        noisy[:, 0] = -np.inf
        sampled.append(noisy.argmax(axis=1).astype(np.int32))
    return [[names[token] for token in piece] for piece in np.stack(sampled[1:], axis=1)]


def measured(lines: Sequence[Sequence[str]], reference: Sequence[Sequence[str]]) -> pd.DataFrame:
    """All metrics of each line, beside the onset intervals of the reference."""
    pieces, real = ([TOKENISER.decode(line) for line in each] for each in (lines, reference))
    return measure_set(pieces, EvaluateConfig(), build_reference(real))
