"""Corpora of any size, made of real files: each is moved to another key and cut to a stretch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import symusic

_SHIFTS = range(-5, 7)
_STRETCH_QUARTER = 32
"""Length of a stretch; about ten bars."""
_LEAST_NOTES = 8
_MAX_PITCH = 127


def write_variations(sources: Sequence[Path], folder: Path, n_files: int) -> None:
    """Write `n_files` MIDI files, in subfolders of a thousand.

    Parameters
    ----------
    sources : sequence of Path
        MIDI files, read again and again until there are enough variations.
    folder : Path
    n_files : int

    Raises
    ------
    ValueError
        The sources do not yield as many different ones.
    """
    written = 0
    for written, content in enumerate(itertools.islice(_variations(sources), n_files), start=1):
        part = folder / f"{written // 1000:03d}"
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{written:06d}.mid").write_bytes(content)
    if written < n_files:
        raise ValueError(f"only {written} variations of {len(sources)} files, not {n_files}")


def _variations(sources: Sequence[Path]) -> Iterator[bytes]:
    """All first stretches in all keys, then all second ones, and so on."""
    scores = [symusic.Score(str(path)) for path in sources]
    longest = max(score.end() / score.ticks_per_quarter for score in scores)
    for start_quarter in range(0, int(longest), _STRETCH_QUARTER):
        for shift, score in itertools.product(_SHIFTS, scores):
            start_tick = start_quarter * score.ticks_per_quarter
            end_tick = start_tick + _STRETCH_QUARTER * score.ticks_per_quarter
            stretch = score.clip(start_tick, end_tick, clip_end=True).shift_time(-start_tick)
            if stretch.note_num() >= _LEAST_NOTES and _fits(stretch, shift):
                yield stretch.shift_pitch(shift).dumps_midi()


def _fits(score: symusic.Score, shift: int) -> bool:
    pitches = [pitch for track in score.tracks for pitch in track.notes.numpy()["pitch"]]
    return min(pitches) + shift >= 0 and max(pitches) + shift <= _MAX_PITCH
