"""One sample in the formats that people ask for: to play, to read, to hear, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.midi.files import write_midi
from pipeline_lib.scores.abc import write_abc
from pipeline_lib.scores.audio import AudioInfo, Backend, render_audio
from pipeline_lib.scores.notation import write_musicxml

if TYPE_CHECKING:
    from pipeline_lib.scores.piano_roll import Surprise

Format = Literal["mid", "musicxml", "abc", "mp3", "wav", "ogg", "png"]
"""MIDI, two kinds of score, three of sound, and a piano roll."""

FORMATS: tuple[Format, ...] = get_args(Format)


def render(
    notes: GridNotes,
    stem: Path,
    formats: Sequence[Format],
    *,
    title: str,
    audio_backend: Backend,
    prompt_end_step: int = 0,
    surprise: Surprise | None = None,
) -> AudioInfo | None:
    """Write a piece in some formats.

    Parameters
    ----------
    notes : GridNotes
    stem : Path
        Path of the files without their suffixes.
    formats : sequence of str
    title : str
        Of the score, the track and the picture.
    audio_backend : {"fluidsynth", "sine"}
    prompt_end_step : int
        Notes that begin before it are shown as given.
    surprise : Surprise, optional
        Drawn under the piano roll.

    Returns
    -------
    AudioInfo or None
        How the sound was made, if any was.
    """
    sound = None
    for suffix in formats:
        path = stem.with_name(f"{stem.name}.{suffix}")
        match suffix:
            case "mid":
                write_midi(notes, path, track_name=title)
            case "musicxml":
                write_musicxml(notes, path, title=title)
            case "abc":
                write_abc(notes, path, title=title)
            case "png":
                from pipeline_lib.scores.piano_roll import draw_piano_roll

                draw_piano_roll(
                    notes, path, title=title, prompt_end_step=prompt_end_step, surprise=surprise
                )
            case "mp3" | "wav" | "ogg":
                sound = render_audio(notes, path, audio_backend)
    return sound
