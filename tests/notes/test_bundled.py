"""The corpus for a first run."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tomllib
from pathlib import Path

import pytest

from pipeline_lib.config import ParseConfig
from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus import bundled
from pipeline_lib.notes.corpus.bundled import BUNDLED_CORPORA, CORPORA_TOML, prepare_bundled_corpus
from pipeline_lib.notes.corpus.scanning import scan_corpus
from pipeline_lib.notes.midi.files import read_midi


@pytest.fixture
def five_tunes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(bundled._music21_corpus("ryansMammoth").iterdir())[:5]:
        shutil.copy(path, few)
    monkeypatch.setattr(bundled, "_music21_corpus", lambda name: few)


def test_the_collection_is_found_without_importing_music21() -> None:
    assert len(list(bundled._music21_corpus("ryansMammoth").glob("*.abc"))) == 1059


@pytest.mark.usefixtures("five_tunes")
def test_five_tunes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[tuple[int, int]] = []
    target = tmp_path / "raw" / "ryans-mammoth"
    with caplog.at_level(logging.WARNING):
        prepare_bundled_corpus("ryans-mammoth", target, progress=lambda *call: calls.append(call))
    assert calls == [(i, 5) for i in range(1, 6)]
    assert "differs from the recorded one" in caplog.text
    record = json.loads((target / "prepared.json").read_text(encoding="utf-8"))
    assert (record["files"], record["skipped"]) == (5, {})
    assert record["snapshot_sha256"] == scan_corpus(target).sha256
    assert os.listdir(target.parent) == ["ryans-mammoth"]
    (reel,) = read_midi((target / "7thRegimentReel.mid").read_bytes(), ParseConfig())
    assert [track.name for track in reel.tracks] == ["7th Regiment -- Reel"]
    assert b"7th Regiment" in (target / "7thRegimentReel.mid").read_bytes()

    before = (target / "prepared.json").stat().st_mtime_ns
    prepare_bundled_corpus("ryans-mammoth", target)
    assert (target / "prepared.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("content", [b"no tune", b"X:1\nT:T\nM:2/4\nL:1/4\nK:C\nz2 | z2 |]\n"])
def test_a_tune_that_cannot_be_written_is_named_with_its_reason(
    tmp_path: Path, content: bytes
) -> None:
    source = tmp_path / "silent.abc"
    source.write_bytes(content)
    assert bundled._write_tune(tmp_path, source)
    assert list(tmp_path.iterdir()) == [source]


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bundled, "_write_corpus", fail)
    with pytest.raises(KeyboardInterrupt):
        prepare_bundled_corpus("ryans-mammoth", tmp_path / "ryans-mammoth")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="ryans-mammoth"):
        prepare_bundled_corpus("ryan", tmp_path / "ryan")


def test_what_is_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.mid").write_bytes(b"precious")
    with pytest.raises(CorpusError, match="in the way"):
        prepare_bundled_corpus("ryans-mammoth", tmp_path)
    assert (tmp_path / "mine.mid").read_bytes() == b"precious"


def test_every_bundled_corpus_is_described() -> None:
    described = tomllib.loads(CORPORA_TOML.read_text(encoding="utf-8"))
    for name in BUNDLED_CORPORA:
        assert set(described[name]) == {
            *("title", "source", "origin", "licence", "files", "snapshot_sha256")
        }
