"""Sound: notes on the grid -> a mono MP3, WAV or OGG file of even loudness.

FluidSynth plays the piano of TimGM6mb, the font that pretty_midi ships. Where the FluidSynth library is
not installed, pretty_midi's sine waves stand in; `AudioInfo` records which it was, since a listener would
judge the sine and not the music. All files come at -18 LUFS (ITU-R BS.1770-4), so that nobody prefers a
sample for being loud. The same notes give the same bytes.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.scores.ogg import with_fixed_stream_number

Backend = Literal["fluidsynth", "sine"]
"""Ways to make sound: FluidSynth plays a piano; sine waves need nothing but pretty_midi."""

SAMPLE_RATE_HZ = 44_100
TARGET_LUFS = -18.0
_PEAK_LIMIT = 0.89
"""Largest sample, about -1 dBFS: MP3 and Vorbis may overshoot what was encoded."""
_FORMATS = {
    ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".wav": ("WAV", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
}
"""Names that soundfile has for the format and encoding of files, by suffix."""
_RELEASE_SEC = 1.0
_SHORTEST_SEC = 0.5
"""Length of the shortest sound: loudness is measured in blocks of 0.4 s."""
_VELOCITY = 90
_FONT = "TimGM6mb.sf2"


@dataclass(frozen=True)
class AudioInfo:
    """Record of how a sound was made.

    Parameters
    ----------
    backend : {"fluidsynth", "sine"}
        What made the sound.
    font : str or None
        File name of the SoundFont that was played; None for sine waves.
    duration_sec : float
        Length of the file, with the last note's release.
    loudness_lufs : float
        Integrated loudness; below the target where peaks would have clipped, -inf for silence.
    """

    backend: Backend
    font: str | None
    duration_sec: float
    loudness_lufs: float


def render_audio(notes: GridNotes, path: Path, backend: Backend) -> AudioInfo:
    """Render a piece as sound, into a file of the format that its suffix says.

    Parameters
    ----------
    notes : GridNotes
        The notes to play, timed by their ``tempo_qpm``.
    path : Path
        The ``.mp3``, ``.wav`` (16 bits) or ``.ogg`` (Vorbis) file to write: mono, 44.1 kHz.
    backend : {"fluidsynth", "sine"}
        What makes the sound: see `available_backend`.

    Returns
    -------
    AudioInfo
        How the sound was made, its length and its loudness.

    Raises
    ------
    ConfigError
        The suffix is none of these.

    Examples
    --------
    A note of half a second, and a second in which it fades:

    >>> import tempfile
    >>> import numpy as np
    >>> note = GridNotes(np.array([0]), np.array([4]), np.array([69]), steps_per_quarter=4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     info = render_audio(note, Path(folder) / "a4.wav", "sine")
    >>> info.backend, info.duration_sec, round(info.loudness_lufs)
    ('sine', 1.5, -18)
    """
    if path.suffix.lower() not in _FORMATS:
        raise ConfigError(
            f"sound cannot be written as {path.suffix!r}",
            path=path,
            remedy=f"choose a name that ends in one of {', '.join(_FORMATS)}",
        )
    sound, loudness_lufs = _at_target_loudness(_synthesise(notes, backend))
    _write(sound, path)
    return AudioInfo(
        backend=backend,
        font=_FONT if backend == "fluidsynth" else None,
        duration_sec=len(sound) / SAMPLE_RATE_HZ,
        loudness_lufs=loudness_lufs,
    )


def _write(sound: NDArray[np.float64], path: Path) -> None:
    import soundfile

    kind, encoding = _FORMATS[path.suffix.lower()]
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1, encoding, format=kind) as file:
        # A second at a time: libsndfile crashes when it encodes minutes of Vorbis in one call.
        for start in range(0, len(sound), SAMPLE_RATE_HZ):
            file.write(sound[start : start + SAMPLE_RATE_HZ])
    if kind == "OGG":
        path.write_bytes(with_fixed_stream_number(path.read_bytes()))


def available_backend() -> Backend:
    """Find the best backend of this machine: pyfluidsynth loads the FluidSynth library as it is imported."""
    try:
        importlib.import_module("fluidsynth")
    except ImportError:
        return "sine"
    return "fluidsynth"


def _synthesise(notes: GridNotes, backend: Backend) -> NDArray[np.float64]:
    """Samples of the notes and of the last one's release, -1 to 1, shape (n_samples,)."""
    import pretty_midi

    sec_per_step = 60.0 / notes.tempo_qpm / notes.steps_per_quarter
    piano = pretty_midi.Instrument(program=0)
    columns = (notes.onset_step, notes.duration_step, notes.pitch)
    for onset, duration, pitch in zip(*(column.tolist() for column in columns), strict=True):
        start_sec, end_sec = onset * sec_per_step, (onset + duration) * sec_per_step
        piano.notes.append(pretty_midi.Note(_VELOCITY, pitch, start_sec, end_sec))
    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(piano)
    length_sec = max(_SHORTEST_SEC, notes.duration_sec + _RELEASE_SEC)
    sound = np.zeros(round(length_sec * SAMPLE_RATE_HZ))
    if len(notes):
        _seed_dither()
        play = midi.fluidsynth if backend == "fluidsynth" else midi.synthesize
        played = play(fs=SAMPLE_RATE_HZ)[: len(sound)]
        sound[: len(played)] = played
    return sound


def _seed_dither() -> None:
    """Seed C's `rand`, from which FluidSynth draws its dither: TensorFlow seeds it with the time."""
    libc = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
    libc.srand(1)


def _at_target_loudness(sound: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Bring a sound to the target loudness, or as near as its peaks allow; returns its loudness in LUFS, too."""
    import pyloudnorm

    if not sound.any():
        return sound, float("-inf")
    loudness_lufs = pyloudnorm.Meter(SAMPLE_RATE_HZ).integrated_loudness(sound)
    gain_db = min(
        TARGET_LUFS - loudness_lufs, 20 * float(np.log10(_PEAK_LIMIT / np.abs(sound).max()))
    )
    return sound * 10 ** (gain_db / 20), float(loudness_lufs + gain_db)
