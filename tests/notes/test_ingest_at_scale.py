"""Many files at once: damaged in every way, or simply many. Real processes, real files."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.random import Generator

from benchmarks.variations import write_variations
from pipeline_lib.artifacts import ArtifactStore
from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.corpus.scanning import scan_corpus
from pipeline_lib.notes.table import RejectReason, Status
from pipeline_lib.stores.notes import read_shard_pieces
from tasks.ingest import ingest

_SOURCES = ("nottingham-melody", "pop909", "piano-midi-de", "js-fakes")
_MOST_BYTES = 20_000
"""Longer files add time, and no other damage."""


def damaged(content: bytes, random: Generator) -> bytes:
    """A few bytes changed, put in or taken out; sometimes the end is missing."""
    data = bytearray(content)
    for _ in range(random.integers(1, 5)):
        # Much of the damage goes to the first bytes: lengths, counts and divisions.
        place = int(random.integers(min(64, len(data)) if random.random() < 0.3 else len(data)))
        kind = random.integers(4)
        if kind == 0:
            data[place] = random.integers(256)
        elif kind == 1:
            data[place] = random.choice([0x00, 0x7F, 0x80, 0xFF, 0xF0, 0xF7])
        elif kind == 2:
            data[place:place] = random.bytes(int(random.integers(1, 5)))
        elif len(data) > 32:
            del data[place : place + int(random.integers(1, 5))]
    return bytes(data[: random.integers(1, len(data))] if random.random() < 0.1 else data)


def write_damaged(folder: Path, test_data: Path, n_files: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    sources = [
        path.read_bytes()
        for name in _SOURCES
        for path in sorted((test_data / "midi" / name).glob("*.mid"))[:60]
        if path.stat().st_size < _MOST_BYTES
    ]
    for n in range(n_files):
        part = folder / f"{n // 1000:02d}"
        part.mkdir(parents=True, exist_ok=True)
        source = sources[random.integers(len(sources))]
        (part / f"{n:05d}.mid").write_bytes(damaged(source, random))


def ingested(folder: Path, artifacts: Path, n_shards: int, **settings: object) -> pa.Table:
    store = ArtifactStore(artifacts)
    config = ParseConfig.model_validate(settings)
    shards = [ingest(store, b, config) for b in scan_corpus(folder).buckets(n_shards)]
    return pa.concat_tables(read_shard_pieces(store, shard) for shard in shards)


def check_every_file_has_a_row(folder: Path, pieces: pa.Table) -> Counter[str]:
    snapshot = scan_corpus(folder)
    contents = {file.sha256 for file in snapshot.files}
    assert set(pieces["sha256"].to_pylist()) == contents
    reasons = Counter(pieces["reject_reason"].to_pylist())
    assert set(reasons) <= {None, *(reason.value for reason in RejectReason)}
    for row in pieces.to_pylist():
        assert (row["status"] == Status.ACCEPTED) == (row["reject_reason"] is None)
        assert row["reject_reason"] is None or row["reject_detail"]
    return reasons


@pytest.mark.parametrize("repair", [False, True])
def test_damaged_files_are_rows(test_data: Path, tmp_path: Path, repair: bool) -> None:
    write_damaged(tmp_path / "corpus", test_data, 200, seed=1)
    pieces = ingested(tmp_path / "corpus", tmp_path / "artifacts", 2, repair=repair)
    reasons = check_every_file_has_a_row(tmp_path / "corpus", pieces)
    assert len(reasons) > 2  # damage that does no damage would test nothing


@pytest.mark.slow
def test_20_000_damaged_files_cost_no_file_and_no_run(test_data: Path, tmp_path: Path) -> None:
    write_damaged(tmp_path / "corpus", test_data, 20_000, seed=0)
    pieces = ingested(tmp_path / "corpus", tmp_path / "artifacts", 16)
    reasons = check_every_file_has_a_row(tmp_path / "corpus", pieces)
    print(dict(reasons))
    assert reasons[None] > 1_000
    assert sum(n for reason, n in reasons.items() if reason) > 1_000


_INGEST_AND_TELL_PEAK = """
    import re, sys
    from pathlib import Path
    from concurrent.futures import ThreadPoolExecutor
    from pipeline_lib.artifacts import ArtifactStore
    from pipeline_lib.config import ParseConfig, PipelineConfig
    from pipeline_lib.notes.corpus.catalogue import count_corpus
    from pipeline_lib.notes.corpus.snapshot import CorpusSnapshot
    from pipeline_lib.stores.pieces import pieces_path
    from tasks.catalogue import catalogue
    from tasks.ingest import ingest
    from tasks.scan import scan, take_snapshot
    from tasks.select import select
    from tasks.split import split
    from tasks.encode import encode
    from tasks.tokenise import tokenise

    if __name__ == "__main__":
        corpus, artifacts = map(Path, sys.argv[1:])
        store, config = ArtifactStore(artifacts), PipelineConfig()
        snapshot = take_snapshot(store, corpus)
        files = scan(store, snapshot)
        with ThreadPoolExecutor(2) as threads:
            shards = list(threads.map(
                lambda b: ingest(store, b, config.parse), snapshot.buckets(64)))
            selections = list(threads.map(
                lambda s: select(store, s, config.select, 24), shards))
            lines = list(threads.map(
                lambda s: tokenise(store, s, config.select, config.tokens), shards))
        pieces = catalogue(store, files, shards, selections, config.duplicates, 0.75)
        encode(store, split(store, pieces, config.split), lines, config.tokens)
        # Not getrusage: its maximum begins with that of the process that started this one.
        peak = re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1]
        print(peak, pieces_path(store, pieces))
"""


@pytest.mark.slow
def test_50_000_files_need_little_memory(test_data: Path, tmp_path: Path) -> None:
    sources = sorted((test_data / "midi").rglob("*.mid"))
    write_variations(sources, tmp_path / "corpus", 50_000)
    script = tmp_path / "ingest.py"
    script.write_text(textwrap.dedent(_INGEST_AND_TELL_PEAK))
    told = subprocess.run(
        [sys.executable, script, tmp_path / "corpus", tmp_path / "artifacts"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    peak_kib, table = told.stdout.split()
    print(f"peak {int(peak_kib) / 2**20:.2f} GiB")
    assert int(peak_kib) < 2 * 2**20
    assert pq.read_metadata(table).num_rows == 50_000
