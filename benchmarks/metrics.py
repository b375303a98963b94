"""What the musical metrics cost, beside MusPy's for those that both have.

    python -m benchmarks.metrics FOLDER_OF_MIDI

Every figure is a ratio of two measurements of this run, on the same notes, which each side holds as its own objects
before the clock starts. Costs are processor seconds; the two sides take turns.

Three of MusPy's metrics are defined otherwise (see `pipeline_lib.evaluation.rhythm`). Its functions are given what makes
them compute ours, so that values can be compared: for `empty_beat_rate` notes that end a step earlier, for
`groove_consistency` onsets on sixteenths and a piece that ends before its last bar line. `polyphony` is the same.

MusPy is needed: ``pip install -e '.[benchmarks]'``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import symusic

from benchmarks.contest import Claim, print_claims
from pipeline_lib.config import EvaluateConfig
from pipeline_lib.evaluation import pitch, rhythm
from pipeline_lib.evaluation.metrics import (
    METRICS,
    PIECES_PER_BATCH,
    build_reference,
    measure_set,
)
from pipeline_lib.evaluation.pieces import Pieces
from pipeline_lib.evaluation.statistics import FloatArray
from pipeline_lib.notes.grid import GridNotes, IntArray

N_PIECES = 1_000
N_REPEATS = 7
TIMES = 5
"""Our metrics take a millisecond or so: each turn measures as many computations of them."""
STEPS_PER_QUARTER = 24
TOLERANCE = 1e-9

Metric = Callable[[Pieces], FloatArray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="MIDI files, such as those that the tests use")
    paths = sorted(parser.parse_args().folder.rglob("*.mid"))
    step = max(1.0, len(paths) / N_PIECES)
    chosen = [paths[int(n * step)] for n in range(min(N_PIECES, len(paths)))]
    warnings.simplefilter("ignore")
    pieces = [notes for path in chosen if len(notes := _read(path))]
    n_notes = sum(map(len, pieces))
    print_claims(
        f"{len(pieces):,} pieces, {n_notes:,} notes, {os.cpu_count()} cores, medians of {N_REPEATS}",
        _claims(pieces),
    )


def _claims(pieces: list[GridNotes]) -> Iterator[Claim]:
    yield from _beside_muspy(pieces)
    reference, config = build_reference(pieces), EvaluateConfig()
    cost = statistics.median(
        _cost(lambda: measure_set(pieces, config, reference)) for _ in range(N_REPEATS)
    )
    yield Claim(f"all {len(METRICS)} metrics", cost, "processor seconds")


def _beside_muspy(pieces: list[GridNotes]) -> Iterator[Claim]:
    for ours, theirs in _pairs(pieces):
        ratios = []
        for _ in range(N_REPEATS):
            # Anew each time, for they remember what was computed.
            sets = [_batches(pieces) for _ in range(TIMES)]
            our_cost = _cost(lambda f=ours, s=sets: [_values(f, batches) for batches in s]) / TIMES
            ratios.append(_cost(theirs) / our_cost)
        ratio = statistics.median(ratios)
        yield Claim(ours.__name__, ratio, "x as fast as MusPy", ">= 10", ratio >= 10)
        difference = np.abs(_values(ours, _batches(pieces)) - np.array(theirs())).max()
        holds = difference <= TOLERANCE
        yield Claim("  largest difference", difference / 1e-9, "billionths", "<= 1", holds)


def _pairs(pieces: list[GridNotes]) -> Iterator[tuple[Metric, Callable[[], list[float]]]]:
    """Our metrics and MusPy's, ready to be computed for all pieces."""
    import muspy

    plain = [_music(p, p.onset_step, p.duration_step, p.steps_per_quarter) for p in pieces]
    for ours, theirs in (
        (pitch.pitch_entropy, muspy.pitch_entropy),
        (pitch.pitch_class_entropy, muspy.pitch_class_entropy),
        (pitch.scale_consistency, muspy.scale_consistency),
        (pitch.pitch_range, muspy.pitch_range),
        (rhythm.polyphony, muspy.polyphony),
    ):
        yield ours, lambda f=theirs: [f(music) for music in plain]
    # MusPy takes the beat on which a note ends for filled.
    ending = [_music(p, p.onset_step, p.duration_step - 1, p.steps_per_quarter) for p in pieces]
    yield rhythm.empty_beat_rate, lambda: [muspy.empty_beat_rate(music) for music in ending]
    # MusPy adds a bar to a piece that ends on a bar line, and takes positions as they are.
    bars = [_sixteenths(notes) for notes in pieces]
    yield rhythm.groove_consistency, lambda: [muspy.groove_consistency(*bar) for bar in bars]


def _batches(pieces: list[GridNotes]) -> list[Pieces]:
    """As `measure_set` has them."""
    size = PIECES_PER_BATCH
    return [Pieces.of(pieces[start : start + size]) for start in range(0, len(pieces), size)]


def _values(metric: Metric, batches: list[Pieces]) -> FloatArray:
    return np.concatenate([metric(batch) for batch in batches])


def _sixteenths(notes: GridNotes) -> tuple[Any, int]:
    per_quarter = rhythm.GROOVE_STEPS_PER_BEAT
    n_positions = max(1, round(notes.steps_per_bar * per_quarter / notes.steps_per_quarter))
    n_bars = -(-notes.end_step // notes.steps_per_bar)
    last = n_bars * n_positions - 1
    nearest = np.floor(notes.onset_step * n_positions / notes.steps_per_bar + 0.5).astype(np.int64)
    onset = np.minimum(nearest, last)
    duration = np.zeros_like(onset)
    duration[0] = last - onset[0]
    return _music(notes, onset, duration, per_quarter), n_positions


def _music(notes: GridNotes, onset: IntArray, duration: IntArray, resolution: int) -> Any:
    import muspy

    rows = zip(onset.tolist(), notes.pitch.tolist(), duration.tolist(), strict=True)
    return muspy.Music(
        resolution=resolution, tracks=[muspy.Track(notes=[muspy.Note(*row) for row in rows])]
    )


def _read(path: Path) -> GridNotes:
    """All notes of a file but percussion, on a grid."""
    score = symusic.Score(path).resample(STEPS_PER_QUARTER, min_dur=1)
    tracks = [track for track in score.tracks if not track.is_drum]
    rows = sorted((n.time, n.pitch, n.duration) for track in tracks for n in track.notes)
    onset, pitches, duration = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    metres = [f"{m.numerator}/{m.denominator}" for m in score.time_signatures]
    return GridNotes(onset, duration, pitches, STEPS_PER_QUARTER, (*metres, "4/4")[0])


def _cost(work: Callable[[], object]) -> float:
    """Processor seconds."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
