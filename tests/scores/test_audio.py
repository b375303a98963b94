from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile

from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.scores import audio
from tests.conftest import MakeMelody

SCALE = (60, 62, 64, 65, 67, 69, 71, 72)
NOTE_SEC = 0.5
SUBTYPES = {".mp3": "MPEG_LAYER_III", ".wav": "PCM_16", ".ogg": "VORBIS"}


@pytest.fixture
def scale(make_melody: MakeMelody) -> GridNotes:
    return make_melody([(pitch, 24) for pitch in SCALE])


@pytest.fixture(params=["fluidsynth", "sine"])
def backend(request: pytest.FixtureRequest) -> audio.Backend:
    if request.param == "fluidsynth" and audio.available_backend() != "fluidsynth":
        pytest.skip("the FluidSynth library is not installed")
    chosen: audio.Backend = request.param
    return chosen


@pytest.fixture(params=SUBTYPES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"scale{request.param}"


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
    scale: GridNotes, backend: audio.Backend, path: Path
) -> None:
    info = audio.render_audio(scale, path, backend)
    file = soundfile.info(path)
    assert (info.backend, file.samplerate) == (backend, audio.SAMPLE_RATE_HZ)
    assert (file.channels, file.subtype) == (1, SUBTYPES[path.suffix])
    assert file.duration == pytest.approx(info.duration_sec, abs=0.1)
    assert info.duration_sec == pytest.approx(len(SCALE) * NOTE_SEC + 1, abs=0.01)
    assert info.font == ("TimGM6mb.sf2" if backend == "fluidsynth" else None)


def test_sound_is_even_and_not_clipped(
    scale: GridNotes, backend: audio.Backend, path: Path
) -> None:
    info = audio.render_audio(scale, path, backend)
    sound, rate_hz = soundfile.read(path)
    assert info.loudness_lufs == pytest.approx(audio.TARGET_LUFS, abs=0.1)
    heard_lufs = pyloudnorm.Meter(rate_hz).integrated_loudness(sound)
    assert heard_lufs == pytest.approx(audio.TARGET_LUFS, abs=0.5)
    assert 0.05 < np.abs(sound).max() < 1
    for number in range(len(SCALE)):
        start = round(number * NOTE_SEC * audio.SAMPLE_RATE_HZ)
        assert np.abs(sound[start : start + 10_000]).max() > 0.02


def test_pitches_are_right(scale: GridNotes, backend: audio.Backend, path: Path) -> None:
    """A "not silent" check once passed a synthesiser that got every pitch wrong."""
    audio.render_audio(scale, path, backend)
    sound, _ = soundfile.read(path)
    for number, pitch in enumerate(SCALE):
        heard = heard_pitch(sound, number)
        # On a piano the second partial may be the strongest, never one of another pitch class.
        assert heard - pitch == pytest.approx(12 * round((heard - pitch) / 12), abs=0.2)
        fundamental = level_db(sound, number, pitch)
        assert all(
            fundamental > level_db(sound, number, pitch + other) + 6 for other in (-12, -1, 1)
        )


def test_same_notes_same_bytes(scale: GridNotes, backend: audio.Backend, path: Path) -> None:
    audio.render_audio(scale, path, backend)
    first = path.read_bytes()
    audio.render_audio(scale, path, backend)
    assert path.read_bytes() == first


@pytest.mark.slow
def test_minutes_of_sound_can_be_written(make_melody: MakeMelody, path: Path) -> None:
    # libsndfile crashes when it is given minutes of Vorbis at once.
    notes = make_melody([(60, 24), (None, 24 * 600), (60, 24)], tempo_qpm=300.0)
    info = audio.render_audio(notes, path, "sine")
    assert soundfile.info(path).duration == pytest.approx(info.duration_sec, abs=0.1)


@pytest.mark.parametrize("name", ["scale.flac", "scale"])
def test_other_formats_are_refused(scale: GridNotes, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"\.mp3, \.wav, \.ogg"):
        audio.render_audio(scale, tmp_path / name, "sine")
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("line", [[], [(60, 1)]], ids=["silence", "one short note"])
def test_next_to_nothing_can_be_played(
    make_melody: MakeMelody, backend: audio.Backend, tmp_path: Path, line: list[tuple[int, int]]
) -> None:
    info = audio.render_audio(make_melody(line), tmp_path / "short.mp3", backend)
    assert info.loudness_lufs == (pytest.approx(-18, abs=12) if line else -math.inf)
    assert (tmp_path / "short.mp3").stat().st_size > 0
