"""Every format, read again by somebody else's library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mido
import music21
import numpy as np
import pretty_midi
import pytest
import soundfile
from matplotlib.image import imread

from pipeline_lib.generation.rendering import FORMATS, render
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.scores.piano_roll import Surprise
from tests.conftest import REPOSITORY

# A bar of 3/4, C4 D4 E4, and a chord that fills another, at 90 quarters a minute: 4 seconds.
TUNE = GridNotes(
    onset_step=np.array([0, 24, 48, 72, 72, 72]),
    duration_step=np.array([24, 24, 24, 72, 72, 72]),
    pitch=np.array([60, 62, 64, 60, 64, 67]),
    steps_per_quarter=24,
    time_signature="3/4",
    tempo_qpm=90.0,
    key_signature="C major",
)
SURPRISE = Surprise(*(np.array(values) for values in ([48, 72], [24, 72], [1.0, 5.0], [2.0, 2.5])))
SOUNDS = ("mp3", "wav", "ogg")


@pytest.fixture(scope="module")
def stem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the tune's files, with a dot in its name as those of temperatures have."""
    stem = tmp_path_factory.mktemp("rendered") / "t0.8-01"
    render(
        TUNE,
        stem,
        FORMATS,
        title="A tune",
        audio_backend="sine",
        prompt_end_step=48,
        surprise=SURPRISE,
    )
    return stem


def test_every_format_is_one_file_and_there_are_no_others(stem: Path) -> None:
    written = {path.name: path.stat().st_size for path in stem.parent.iterdir()}
    assert set(written) == {f"t0.8-01.{suffix}" for suffix in FORMATS}
    assert min(written.values()) > 0


def test_the_midi_file_has_notes_tempo_metre_and_title(stem: Path) -> None:
    path = f"{stem}.mid"
    (instrument,) = pretty_midi.PrettyMIDI(path).instruments
    played = sorted((note.start, note.end, note.pitch) for note in instrument.notes)
    quarter = 60 / 90
    expected = [(n * quarter, (n + 1) * quarter, p) for n, p in enumerate((60, 62, 64))]
    expected += [(3 * quarter, 6 * quarter, p) for p in (60, 64, 67)]
    assert np.array(played) == pytest.approx(np.array(expected), abs=1e-3)
    messages = [message for track in mido.MidiFile(path).tracks for message in track]
    (metre,) = (message for message in messages if message.type == "time_signature")
    assert (metre.numerator, metre.denominator) == (3, 4)
    assert "A tune" in [message.name for message in messages if message.type == "track_name"]


@pytest.mark.parametrize("suffix", ["musicxml", "abc"])
def test_the_scores_have_its_notes_in_its_metre(stem: Path, suffix: str) -> None:
    score = music21.converter.parse(f"{stem}.{suffix}")
    sounding = score.flatten().notes
    pitches = [[pitch.midi for pitch in sound.pitches] for sound in sounding]
    assert pitches == [[60], [62], [64], [60, 64, 67]]
    assert [float(sound.quarterLength) for sound in sounding] == [1.0, 1.0, 1.0, 3.0]
    assert score.recurse().getElementsByClass(music21.meter.TimeSignature)[0].ratioString == "3/4"
    assert score.metadata.bestTitle == "A tune"


@pytest.mark.parametrize("suffix", SOUNDS)
def test_the_sound_lasts_as_long_as_the_tune_and_can_be_heard(stem: Path, suffix: str) -> None:
    samples, rate = soundfile.read(f"{stem}.{suffix}", always_2d=True)
    assert 4.0 < len(samples) / rate < 8.0  # what sounds on after the last note included
    for begin in range(4):
        second = samples[begin * rate : (begin + 1) * rate]
        assert np.sqrt((second**2).mean()) > 0.01
    assert np.abs(samples).max() <= 1.0


def test_the_picture_shows_the_surprise_under_the_notes(stem: Path, tmp_path: Path) -> None:
    picture = imread(f"{stem}.png")
    assert picture.std() > 0.05
    render(TUNE, tmp_path / "bare", ["png"], title="A tune", audio_backend="sine")
    assert picture.shape[0] > imread(tmp_path / "bare.png").shape[0]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_format_comes_out_the_same_alone(stem: Path, tmp_path: Path, suffix: str) -> None:
    render(
        TUNE,
        tmp_path / "t0.8-01",
        [suffix],  # type: ignore[list-item]
        title="A tune",
        audio_backend="sine",
        prompt_end_step=48,
        surprise=SURPRISE,
    )
    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == Path(f"{stem}.{suffix}").read_bytes()


@pytest.mark.slow
def test_sound_is_the_same_whatever_has_seeded_the_random_numbers_of_c() -> None:
    # FluidSynth draws once in a process, so it takes one for each seed.
    code = (
        "import ctypes, sys; ctypes.CDLL(None).srand(int(sys.argv[1]))\n"
        "from pipeline_lib.scores.audio import _synthesise, available_backend\n"
        "from tests.generation.test_rendering import TUNE\n"
        "print(hash(_synthesise(TUNE, available_backend()).tobytes()))"
    )
    heard = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, seed],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            cwd=REPOSITORY,
        ).stdout
        for seed in ("1", "2")
    ]
    assert heard[0] == heard[1] != ""


def test_how_sound_was_made_is_told_if_any_was(tmp_path: Path) -> None:
    sound = render(TUNE, tmp_path / "a", ["mid", "wav"], title="", audio_backend="sine")
    assert sound is not None
    assert sound.backend == "sine"
    assert render(TUNE, tmp_path / "b", ["mid"], title="", audio_backend="sine") is None


def test_a_piece_without_notes_can_be_written_in_every_format(tmp_path: Path) -> None:
    nothing = np.array([], dtype=np.int64)
    silence = GridNotes(nothing, nothing, nothing, 24)
    render(silence, tmp_path / "silence", FORMATS, title="Silence", audio_backend="sine")
    assert {path.suffix[1:] for path in tmp_path.iterdir()} == set(FORMATS)
    assert not pretty_midi.PrettyMIDI(str(tmp_path / "silence.mid")).instruments
    assert not list(music21.converter.parse(tmp_path / "silence.musicxml").flatten().notes)
