"""`music-pipeline ingest`: every file is accounted for, for people and for programs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flows.running import Ingestion
from flows.summaries import print_ingestion
from pipeline_lib.notes.corpus.catalogue import CorpusCounts
from pipeline_lib.stores import file_names
from tests.flows.conftest import write_bad_files, write_tune

COMMAND = Path(sys.executable).with_name("music-pipeline")


def ingest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), "ingest", "corpus", "--json", "--set", "ingest.n_shards=4", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def write_mixed_corpus(folder: Path) -> None:
    """Three tunes, three bad files, a copy, two more tunes in an archive, and something else."""
    folder.mkdir()
    for n in range(3):
        write_tune(folder / f"tune-{n:02d}.mid", seed=n)
    write_bad_files(folder)
    (folder / "copy.mid").write_bytes((folder / "tune-01.mid").read_bytes())
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for n in (3, 4):
            write_tune(folder.parent / "member.mid", seed=n)
            archive.write(folder.parent / "member.mid", f"folder/tune-{n:02d}.mid")
    (folder / "notes.txt").write_text("no music")


@pytest.mark.slow
@pytest.mark.integration
def test_every_file_is_accounted_for(tmp_path: Path) -> None:
    write_mixed_corpus(tmp_path / "corpus")
    done = ingest(tmp_path)
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    counts = outcome["counts"]
    assert counts["n_files"] == 9
    assert counts["n_accepted"] + counts["n_rejected"] + counts["n_copies"] == counts["n_pieces"]
    assert (counts["n_accepted"], counts["n_rejected"], counts["n_copies"]) == (5, 3, 1)
    assert {r["path"]: r["reason"] for r in outcome["rejected"]} == {
        "x.mid": "not_music",
        "empty.mid": "empty_file",
        "half.mid": "truncated",
    }
    assert outcome["ignored"] == {".txt": 1}

    too_many = ingest(tmp_path, "--max-rejected-fraction", "0.1")
    assert too_many.returncode == 1
    assert "3 of 9 files cannot be used, more than the share of 0.1" in too_many.stderr
    assert "Traceback" not in too_many.stderr


def test_the_summary_names_what_was_found() -> None:
    counts = CorpusCounts(
        n_files=1_000,
        n_pieces=1_010,
        n_accepted=950,
        n_rejected=40,
        n_copies=20,
        rejected_by_reason={"truncated": 30, "no_notes": 10},
        duplicates_by_kind={"exact": 20, "near": 7, "transposed": 2},
        n_groups=941,
        n_repaired=3,
        n_doubtful=2,
        n_unended=12,
        n_zero_length=0,
        n_notes=345_678,
        hours=12.34,
    )
    rejects = [
        {"path": f"{n}.mid", "tune": None, "reason": "truncated", "detail": "d"} for n in range(40)
    ]
    outcome = Ingestion("/c", counts, {".txt": 5}, rejects, file_names.PIECES, 1.5, 3, 4)
    stream = io.StringIO()
    print_ingestion(Console(file=stream, width=100), outcome)
    text = stream.getvalue()
    for part in (
        "1,000  files  ignored: 5 .txt",
        "1,010  pieces in them",
        "40  rejected  30 truncated, 10 no_notes",
        "9  accepted that repeat another piece  7 near, 2 transposed",
        "345,678  notes  left out: 12 that never end",
        "12.3  hours of music",
        "2  read with warnings",
        "rejected: 0.mid: truncated: d",
        "and 20 more in the table of pieces",
    ):
        assert part in text
