"""What ingestion costs, beside bare parsing and beside what people usually do.

    python -m benchmarks.ingest FOLDER_OF_MIDI

Every figure is a ratio of two measurements of this run, on the same files. Costs are processor seconds of this
process and the processes that it starts; only the speed-up of two processes is in seconds of the clock. The
usual ways are measured on `N_COMPARED` of the files, since some of them take minutes for that.

MusPy is needed: ``pip install -e '.[benchmarks]'``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import psutil
import pyarrow.parquet as pq
import symusic

from benchmarks.contest import Claim, print_claims
from benchmarks.variations import write_variations
from pipeline_lib.artifacts import ArtifactStore
from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.corpus.scanning import scan_corpus
from pipeline_lib.notes.corpus.snapshot import CorpusSnapshot
from tasks.ingest import ingest

N_COMPARED = 300
N_RESCANNED = 10_000
N_REPEATS = 5
FILES_PER_SHARD = 300
_SETTLED_SEC = 2.5
"""Files younger than two seconds are not indexed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="MIDI files, such as those that the tests use")
    paths = sorted(parser.parse_args().folder.rglob("*.mid"))
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        print_claims(
            f"{len(paths)} files, {os.cpu_count()} cores, medians of {N_REPEATS}",
            _claims(paths, Path(scratch)),
        )


def _claims(paths: list[Path], scratch: Path) -> Iterator[Claim]:
    corpus = _linked(paths, scratch / "all")
    _ingest(corpus, scratch / "warm")  # starts the process, and imports
    n_notes, n_bytes = _notes_and_bytes(scratch / "warm")

    # In turn, so that a machine that slows down for a while slows both.
    costs = [
        (
            _cost(lambda: [symusic.Score(path) for path in paths]),
            _cost(lambda: _ingest(corpus, scratch / "whole")),
        )
        for _ in range(N_REPEATS)
    ]
    ratio = statistics.median(whole / bare for bare, whole in costs)
    whole = statistics.median(whole for _, whole in costs)
    yield Claim("whole ingest / bare symusic.Score", ratio, "x processor", "<= 5", ratio <= 5)
    yield Claim("", len(paths) / whole, "files per processor second")
    yield Claim("", n_notes / whole / 1e6, "million notes per processor second")
    per_note = n_bytes / n_notes
    yield Claim("on disk", per_note, "bytes per note", "<= 4", per_note <= 4)

    step = len(paths) / min(N_COMPARED, len(paths))
    compared = [paths[int(n * step)] for n in range(min(N_COMPARED, len(paths)))]
    few = _linked(compared, scratch / "few")
    ours = statistics.median(
        _cost(lambda: _ingest(few, scratch / "ours")) for _ in range(N_REPEATS)
    )
    for name, read, bound in (
        ("pretty_midi", _read_pretty_midi, 25),
        ("MusPy", _read_muspy, 25),
        ("music21", _read_music21, 500),
    ):
        ratio = _cost(lambda read=read: _usual_way(compared, read, scratch)) / ours
        what = f"{name} -> pandas -> a Parquet file each, {len(compared)} files"
        yield Claim(what, ratio, "x our processor", f">= {bound}", ratio >= bound)

    many = scratch / "many"
    write_variations(paths, many, N_RESCANNED)
    ratio = _speed_up(many, scratch)
    yield Claim("two processes", ratio, "x as fast", ">= 1.6", ratio >= 1.6)
    seconds = _rescan_seconds(many, scratch)
    yield Claim(f"rescan of {N_RESCANNED:,} files", seconds, "seconds", "< 1", seconds < 1)


def _linked(paths: list[Path], folder: Path) -> CorpusSnapshot:
    """A corpus of some files, without copying them."""
    folder.mkdir()
    for n, path in enumerate(paths):
        (folder / f"{n:05d}.mid").symlink_to(path.resolve())
    return scan_corpus(folder)


def _ingest(corpus: CorpusSnapshot, artifacts: Path, processes: int = 1) -> None:
    """Read, hash, parse, sort, write: everything from a folder to shards."""
    snapshot = scan_corpus(Path(corpus.root))
    # A new folder each time: what is there already would be verified, not moved into place.
    artifacts.mkdir(exist_ok=True)
    store = ArtifactStore(Path(tempfile.mkdtemp(dir=artifacts)))
    with ThreadPoolExecutor(processes) as threads:
        buckets = snapshot.buckets(max(2, len(snapshot.files) // FILES_PER_SHARD))
        list(threads.map(lambda bucket: ingest(store, bucket, ParseConfig()), buckets))


def _notes_and_bytes(artifacts: Path) -> tuple[int, int]:
    """Notes of all shards, and the size of all their tables."""
    tables = list(artifacts.rglob("*.parquet"))
    n_notes = sum(pq.read_metadata(p).num_rows for p in tables if p.stem == "notes")
    return n_notes, sum(path.stat().st_size for path in tables)


def _cost(work: Callable[[], object]) -> float:
    """Processor seconds."""
    before = _processor_sec()
    work()
    return _processor_sec() - before


def _processor_sec() -> float:
    """Of this process, to the microsecond, and of all that it has started, to ten milliseconds."""
    total = time.process_time()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            total += used.user + used.system
    return total


def _speed_up(folder: Path, scratch: Path) -> float:
    """How much faster two processes are; in turn, so that a machine that slows down slows both."""
    corpus = scan_corpus(folder)
    _ingest(corpus, scratch / "both", 2)  # starts the second process
    ratios = []
    for _ in range(N_REPEATS):
        alone, together = (_seconds(corpus, scratch / "both", n) for n in (1, 2))
        ratios.append(alone / together)
    return statistics.median(ratios)


def _seconds(corpus: CorpusSnapshot, artifacts: Path, processes: int) -> float:
    started = time.perf_counter()
    _ingest(corpus, artifacts, processes)
    return time.perf_counter() - started


def _rescan_seconds(folder: Path, scratch: Path) -> float:
    time.sleep(_SETTLED_SEC)
    index = scratch / "index.parquet"
    scan_corpus(folder, index=index)
    started = time.perf_counter()
    scan_corpus(folder, index=index)
    return time.perf_counter() - started


def _usual_way(paths: list[Path], read: Callable[[Path], pd.DataFrame], scratch: Path) -> None:
    for path in paths:
        read(path).to_parquet(scratch / "one.parquet")


def _read_pretty_midi(path: Path) -> pd.DataFrame:
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(str(path))
    return pd.DataFrame(
        [
            (n, instrument.program, note.pitch, note.velocity, note.start, note.end)
            for n, instrument in enumerate(midi.instruments)
            for note in instrument.notes
        ]
    ).rename(columns=str)


def _read_muspy(path: Path) -> pd.DataFrame:
    import muspy

    music = muspy.read_midi(path)
    return pd.DataFrame(
        [
            (n, track.program, note.pitch, note.velocity, note.time, note.duration)
            for n, track in enumerate(music.tracks)
            for note in track.notes
        ]
    ).rename(columns=str)


def _read_music21(path: Path) -> pd.DataFrame:
    from music21 import converter

    score = converter.parse(path, forceSource=True, storePickle=False)
    return pd.DataFrame(
        [
            (n, pitch.midi, float(note.offset), float(note.quarterLength))
            for n, part in enumerate(score.parts)
            for note in part.flatten().notes
            for pitch in note.pitches
        ]
    ).rename(columns=str)


if __name__ == "__main__":
    main()
