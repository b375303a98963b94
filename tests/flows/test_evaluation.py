"""Folders of music measured without a run: what is read, what is compared, what is printed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from flows.cli import app
from flows.evaluation import evaluate_music
from pipeline_lib.errors import CorpusError
from pipeline_lib.evaluation.metrics import METRICS
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.midi.files import write_midi
from pipeline_lib.scores.notation import write_musicxml


def write_random_pieces(folder: Path, n: int, seed: int = 0) -> Path:
    """Pitches, durations and onsets that nobody chose."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for number in range(n):
        onset = np.sort(rng.integers(0, 2_400, size=100))
        notes = GridNotes(onset, rng.integers(1, 96, size=100), rng.integers(30, 100, size=100), 24)
        order = np.lexsort((notes.pitch, notes.onset_step))
        notes = GridNotes(
            notes.onset_step[order], notes.duration_step[order], notes.pitch[order], 24
        )
        write_midi(notes, folder / f"random-{number:02d}.mid", track_name="random")
    return folder


@pytest.fixture
def tunes(test_data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "tunes"
    folder.mkdir()
    for path in sorted((test_data / "midi" / "nottingham-melody").rglob("*.mid"))[:30]:
        shutil.copy(path, folder)
    return folder


@pytest.mark.slow
def test_a_folder_is_at_no_distance_from_itself(tunes: Path, tmp_path: Path) -> None:
    found = evaluate_music(tunes, tunes, tmp_path)
    assert found.folder.n_pieces == 30
    assert found.mmd_squared is not None
    assert found.mmd_squared < 0.01
    assert found.copy_rate == 1.0
    assert len(found.matches) == 3
    assert all(match.path == match.source and match.semitones == 0 for match in found.matches)
    for metric in found.metrics:
        assert metric.mean == metric.against_mean
        assert metric.p_holm in (None, 1.0)


def test_random_notes_are_far_from_tunes(tunes: Path, tmp_path: Path) -> None:
    random_notes = write_random_pieces(tmp_path / "random", 20)
    found = evaluate_music(random_notes, tunes, tmp_path)
    assert found.mmd_squared is not None
    assert found.mmd_squared > 0.5
    assert found.mmd_p == pytest.approx(0.001, abs=0.001)
    assert found.copy_rate == 0.0
    apart = [m for m in found.metrics if m.p_holm is not None and m.p_holm < 0.05]
    assert len(apart) > len(METRICS) / 2


def test_alone_every_metric_has_a_mean_and_an_interval(tmp_path: Path) -> None:
    found = evaluate_music(write_random_pieces(tmp_path / "music", 3), None, tmp_path)
    assert found.against is None
    assert [metric.metric for metric in found.metrics] == list(METRICS)
    entropy = found.metrics[0]
    assert entropy.n == 3
    assert entropy.low is not None
    assert entropy.mean is not None
    assert entropy.high is not None
    assert entropy.low <= entropy.mean <= entropy.high


def test_a_piece_in_several_formats_is_measured_once(tmp_path: Path) -> None:
    folder = write_random_pieces(tmp_path / "music", 2)
    scale = np.arange(8)
    notes = GridNotes(scale * 24, np.full(8, 24), 60 + scale, 24)
    write_midi(notes, folder / "scale.mid", track_name="scale")
    write_musicxml(notes, folder / "scale.musicxml", title="scale")
    found = evaluate_music(folder, None, tmp_path)
    assert (found.folder.n_pieces, found.folder.n_other_formats) == (3, 1)


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    folder = write_random_pieces(tmp_path / "music", 2)
    (folder / "broken.mid").write_bytes(b"MThd")
    assert evaluate_music(folder, None, tmp_path).folder.n_rejected == 1


def test_a_folder_without_a_readable_piece_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / "broken.mid").write_bytes(b"MThd")
    with pytest.raises(CorpusError, match="no piece can be read: all 1 are rejected"):
        evaluate_music(folder, None, tmp_path)


def test_json_has_no_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_random_pieces(tmp_path / "music", 2)
    with pytest.raises(SystemExit) as ended:
        app(["evaluate", str(folder), "--artifacts", str(tmp_path), "--json"])
    assert ended.value.code == 0

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert found["folder"]["n_pieces"] == 2


def test_the_text_names_folders_metrics_and_passages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_random_pieces(tmp_path / "music", 3)
    with pytest.raises(SystemExit):
        app(["evaluate", str(folder), "--against", str(folder), "--artifacts", str(tmp_path)])
    text = capsys.readouterr().out
    assert "3 pieces" in text
    assert "Scale consistency" in text
    assert "Entropy in 4 bars" in text
    assert "per quarter note" in text
    assert "window_pitch" not in text
    assert "likeness of the pieces' rhythms to those of both folders together" in text
    assert "fewer than 10 pieces, the 95 % intervals" in text
    assert "MMD²" in text
    assert "100 notes of random-00.mid are in random-00.mid, +0 semitones" in text


def test_the_text_of_one_folder_says_what_its_rhythms_are_likened_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_random_pieces(tmp_path / "music", 10)
    with pytest.raises(SystemExit):
        app(["evaluate", str(folder), "--artifacts", str(tmp_path)])
    text = capsys.readouterr().out
    assert "rhythms to their own, since there is no --against" in text
    assert "Caution" not in text
