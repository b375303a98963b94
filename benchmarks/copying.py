"""What it costs to look for copies in a large corpus, beside sets of tuples.

    python -m benchmarks.copying FOLDER_OF_MELODIES

The check is all that the report needs of `N_SAMPLES` samples: longest exact match, longest match in any key, copy rates
for n = 3 to 16, nearest training piece; there is no index that would have been built before. The corpus is made of
the melodies, again and again, each time in another key and with other notes changed, so that samples share as much
with it as tunes of one kind do; samples are made of melodies that the corpus does not have. Sets of tuples, what one
would write down first, give the copy rates only, and are compared on `N_COMPARED_NOTES` notes.

Contestants take turns (see `benchmarks.contest`). All run on one core; costs are processor seconds.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

import numpy as np
import symusic

from benchmarks.contest import Benchmark, Claim, Work
from pipeline_lib.evaluation.novelty import NGRAM_LENGTHS, measure_novelty
from pipeline_lib.evaluation.top_lines import Lines

N_SAMPLES, SAMPLE_NOTES = 100, 160
N_COMPARED_NOTES = 200_000
LIMIT_SEC = 10
_HELD_OUT_EVERY = 10
_CHANGED_PITCHES, _CHANGED_DURATIONS = 0.05, 0.02
"""Shares of the notes."""


@dataclass(frozen=True)
class Size:
    """The melodies, and the notes of the corpus to be made of them."""

    folder: str
    n_notes: int


def _claims(folder: str) -> Iterator[Claim]:
    for n_notes in (1_000_000, 10_000_000):
        (costs,) = BENCHMARK.turns(("ours",), Size(folder, n_notes), {})
        processor_sec = statistics.median(cost.processor_sec for cost in costs)
        is_claimed = n_notes == 1_000_000
        bound = f"< {LIMIT_SEC}" if is_claimed else ""
        what = f"{N_SAMPLES} samples against {n_notes:,} notes"
        holds = processor_sec < LIMIT_SEC
        yield Claim(what, processor_sec, "processor seconds", bound, holds)
        peak_mib = max(cost.peak_mib for cost in costs)
        yield Claim("", peak_mib, "MiB above the corpus itself")
    ours, tuples = BENCHMARK.turns(("ours", "tuples"), Size(folder, N_COMPARED_NOTES), {})
    ratio = statistics.median(
        theirs.processor_sec / mine.processor_sec for mine, theirs in zip(ours, tuples, strict=True)
    )
    what = f"sets of tuples, copy rates only, {N_COMPARED_NOTES:,} notes"
    yield Claim(what, ratio, "x our processor", ">= 3", ratio >= 3)


def _ours(size: Size) -> Work:
    samples, train = _made(size)
    # A copy, so that nothing stays of the turn before.
    return Work(lambda: measure_novelty(samples, replace(train)))


def _tuples(size: Size) -> Work:
    samples, train = (_pairs(lines) for lines in _made(size))

    def rates() -> list[list[float]]:
        return [_rates(samples, train, n) for n in NGRAM_LENGTHS]

    return Work(rates)


def _rates(
    samples: list[list[tuple[int, int]]], train: list[list[tuple[int, int]]], n: int
) -> list[float]:
    known = {ngram for pairs in train for ngram in _ngrams(pairs, n)}
    return [
        sum(ngram in known for ngram in _ngrams(pairs, n)) / (len(pairs) - n + 1)
        for pairs in samples
    ]


def _ngrams(pairs: list[tuple[int, int]], n: int) -> Iterator[tuple[tuple[int, int], ...]]:
    return zip(*(pairs[start:] for start in range(n)), strict=False)


def _pairs(lines: Lines) -> list[list[tuple[int, int]]]:
    """Intervals and durations of each piece, without its first note."""
    interval = np.diff(lines.pitch, prepend=0).tolist()
    pairs = list(zip(interval, lines.duration_step.tolist(), strict=True))
    return [
        pairs[start + 1 : end] for start, end in zip(lines.starts, lines.starts[1:], strict=False)
    ]


def _made(size: Size) -> tuple[Lines, Lines]:
    """Samples and corpus."""
    melodies = [_melody(path) for path in sorted(Path(size.folder).rglob("*.mid"))]
    draw = np.random.default_rng(0)
    held_out = melodies[::_HELD_OUT_EVERY]
    known = [melody for n, melody in enumerate(melodies) if n % _HELD_OUT_EVERY]
    samples = [
        np.resize(_varied(melody, draw), (SAMPLE_NOTES, 2))
        for melody, _ in zip(cycle(held_out), range(N_SAMPLES), strict=False)
    ]
    train, n_notes = [], 0
    for melody in cycle(known):
        if n_notes >= size.n_notes:
            break
        train.append(_varied(melody, draw))
        n_notes += len(melody)
    return _lines(samples), _lines(train)


def _melody(path: Path) -> np.ndarray:
    """Pitches and durations, shape (n_notes, 2); these files have one voice."""
    score = symusic.Score(path)
    notes = sorted((n.time, n.pitch, n.duration) for track in score.tracks for n in track.notes)
    return np.array(notes, np.int64)[:, 1:]


def _varied(melody: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    pitch, duration = melody.T.copy()
    pitch += draw.integers(-5, 7)
    is_changed = draw.random(len(pitch)) < _CHANGED_PITCHES
    pitch[is_changed] += draw.integers(-2, 3, is_changed.sum())
    duration[draw.random(len(duration)) < _CHANGED_DURATIONS] *= 2
    return np.stack([pitch, duration], axis=1)


def _lines(pieces: Sequence[np.ndarray]) -> Lines:
    names = [str(number) for number in range(len(pieces))]
    starts = np.cumsum([0, *map(len, pieces)])
    pitch, duration_step = np.concatenate(pieces).T
    return Lines(names, starts, pitch, duration_step)


BENCHMARK = Benchmark("benchmarks.copying", {"ours": _ours, "tuples": _tuples}, Size, n_repeats=3)


if __name__ == "__main__":
    is_contestant = any(argument.startswith("--") for argument in sys.argv[1:])
    folder = "" if is_contestant else sys.argv.pop(1)
    BENCHMARK.main(lambda: _claims(folder))
