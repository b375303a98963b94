from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.reports import audio
from tests.reports.conftest import MakeMelody

SCALE = (60, 62, 64, 65, 67, 69, 71, 72)
NOTE_SEC = 0.5


@pytest.fixture
def scale(make_melody: MakeMelody) -> GridNotes:
    return make_melody([(pitch, 24) for pitch in SCALE])


@pytest.fixture(params=["fluidsynth", "sine"])
def backend(request: pytest.FixtureRequest) -> audio.Backend:
    if request.param == "fluidsynth" and audio.available_backend() != "fluidsynth":
        pytest.skip("the FluidSynth library is not installed")
    chosen: audio.Backend = request.param
    return chosen


def heard_pitch(sound: np.ndarray, number: int) -> float:
    """MIDI pitch of the strongest partial of a note, moved into the scale's octave from B3 to C5."""
    start = round((number + 0.1) * NOTE_SEC * audio.SAMPLE_RATE_HZ)
    stretch = sound[start : start + round(0.7 * NOTE_SEC * audio.SAMPLE_RATE_HZ)]
    size = 1 << 18
    spectrum = np.abs(np.fft.rfft(stretch * np.hanning(len(stretch)), size))
    frequency_hz = np.argmax(spectrum) * audio.SAMPLE_RATE_HZ / size
    return 69 + 12 * math.log2(frequency_hz / 440)


def level_db(sound: np.ndarray, number: int, pitch: float) -> float:
    start = round((number + 0.1) * NOTE_SEC * audio.SAMPLE_RATE_HZ)
    stretch = sound[start : start + round(0.7 * NOTE_SEC * audio.SAMPLE_RATE_HZ)]
    time_sec = np.arange(len(stretch)) / audio.SAMPLE_RATE_HZ
    tone = np.exp(-2j * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_sec)
    return 20 * math.log10(abs(np.mean(stretch * np.hanning(len(stretch)) * tone)))


def test_sound_is_as_long_as_the_notes(
    scale: GridNotes, backend: audio.Backend, tmp_path: Path
) -> None:
    info = audio.render_audio(scale, tmp_path / "scale.mp3", backend)
    sound, rate_hz = soundfile.read(tmp_path / "scale.mp3")
    assert (info.backend, rate_hz) == (backend, audio.SAMPLE_RATE_HZ)
    assert sound.ndim == 1
    assert len(sound) / rate_hz == pytest.approx(info.duration_sec, abs=0.1)
    assert info.duration_sec == pytest.approx(len(SCALE) * NOTE_SEC + 1, abs=0.01)
    assert info.font == ("TimGM6mb.sf2" if backend == "fluidsynth" else None)


def test_sound_is_even_and_not_clipped(
    scale: GridNotes, backend: audio.Backend, tmp_path: Path
) -> None:
    info = audio.render_audio(scale, tmp_path / "scale.mp3", backend)
    sound, _ = soundfile.read(tmp_path / "scale.mp3")
    assert info.loudness_lufs == pytest.approx(audio.TARGET_LUFS, abs=0.1)
    assert 0.05 < np.abs(sound).max() < 1
    for number in range(len(SCALE)):
        start = round(number * NOTE_SEC * audio.SAMPLE_RATE_HZ)
        assert np.abs(sound[start : start + 10_000]).max() > 0.02


def test_pitches_are_right(scale: GridNotes, backend: audio.Backend, tmp_path: Path) -> None:
    """A "not silent" check once passed a synthesiser that got every pitch wrong."""
    audio.render_audio(scale, tmp_path / "scale.mp3", backend)
    sound, _ = soundfile.read(tmp_path / "scale.mp3")
    for number, pitch in enumerate(SCALE):
        heard = heard_pitch(sound, number)
        # On a piano the second partial may be the strongest, never one of another pitch class.
        assert heard - pitch == pytest.approx(12 * round((heard - pitch) / 12), abs=0.2)
        fundamental = level_db(sound, number, pitch)
        assert all(
            fundamental > level_db(sound, number, pitch + other) + 6 for other in (-12, -1, 1)
        )


def test_same_notes_same_bytes(scale: GridNotes, backend: audio.Backend, tmp_path: Path) -> None:
    for name in ("a.mp3", "b.mp3"):
        audio.render_audio(scale, tmp_path / name, backend)
    assert (tmp_path / "a.mp3").read_bytes() == (tmp_path / "b.mp3").read_bytes()


@pytest.mark.parametrize("line", [[], [(60, 1)]], ids=["silence", "one short note"])
def test_next_to_nothing_can_be_played(
    make_melody: MakeMelody, backend: audio.Backend, tmp_path: Path, line: list[tuple[int, int]]
) -> None:
    info = audio.render_audio(make_melody(line), tmp_path / "short.mp3", backend)
    assert info.loudness_lufs == (pytest.approx(-18, abs=12) if line else -math.inf)
    assert (tmp_path / "short.mp3").stat().st_size > 0
