"""Selection: which notes of a piece are learnt from.

`select_notes` applies the settings of `pipeline_lib.config.SelectConfig` in this order: drums dropped, tracks
chosen, pitches outside the range dropped, short notes dropped, skyline, limits of length, transposition. The
note table stays as the file has it, so other settings need no parsing.

**Skyline**: of the notes that begin together the highest is kept, and it ends where the next kept one begins,
if not before. It is the simplest of the melody extractions in Uitdenbogerd and Zobel, "Melodic matching
techniques for large music databases" (1999). What it costs: below a long high note every onset of the
accompaniment is taken for melody, and cuts the long note short. Where the melody has a track of its own,
choose that instead.

**Transposition** moves a piece by the smaller way to C major or A minor, at most six semitones (see
`pipeline_lib.notes.keys`). If a pitch would leave 0–127, the piece goes the other way round the octave; if
that does not fit either, as for a piece of more than nine octaves, it stays where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.config import SelectConfig
from pipeline_lib.notes.keys import estimate_key
from pipeline_lib.notes.piece import RejectedFile
from pipeline_lib.notes.table import RejectReason

_MAX_PITCH = 127
_OCTAVE = 12

IntArray = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class PieceNotes:
    """Notes of one piece as columns of the note table, sorted by onset, track, pitch.

    Parameters
    ----------
    track, pitch, onset_tick, duration_tick : integer arrays, shape (n_notes,)
        Of each note: number of its track, pitch (0–127), onset and duration in ticks; integers of any width.
    is_drum : bool array, shape (n_notes,)
        Whether each note is percussion.
    ticks_per_quarter : int
        Ticks in a quarter note.
    """

    track: IntArray
    is_drum: NDArray[np.bool_]
    pitch: IntArray
    onset_tick: IntArray
    duration_tick: IntArray
    ticks_per_quarter: int

    def __len__(self) -> int:
        return len(self.pitch)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> PieceNotes:
        """Select notes by a mask or by row numbers."""
        return PieceNotes(
            self.track[rows],
            self.is_drum[rows],
            self.pitch[rows],
            self.onset_tick[rows],
            self.duration_tick[rows],
            self.ticks_per_quarter,
        )


@dataclass(frozen=True, eq=False)
class Selected:
    """The notes of a piece that are learnt from, and how they came to be.

    Parameters
    ----------
    notes : PieceNotes
        The notes kept, transposed.
    before_transposition : PieceNotes
        The same notes in the key of the file: what duplicates are recognised by.
    tracks : tuple of int
        Numbers of the tracks chosen, of those that have pitched notes.
    estimated_key : str or None
        Key that the piece was transposed from, such as "G major"; None where transposition is off.
    transposed_semitones : int
        How far up the piece was moved.
    """

    notes: PieceNotes
    before_transposition: PieceNotes
    tracks: tuple[int, ...]
    estimated_key: str | None
    transposed_semitones: int


def select_notes(
    notes: PieceNotes, track_names: Sequence[str | None], config: SelectConfig
) -> Selected:
    """Choose the notes of a piece that are learnt from.

    Parameters
    ----------
    notes : PieceNotes
        All notes of the piece.
    track_names : sequence of str or None
        The name of each track.
    config : SelectConfig
        Which notes to keep, and whether to transpose them.

    Returns
    -------
    Selected

    Raises
    ------
    RejectedFile
        No track has the name asked for, or too few or too many notes are left.

    Examples
    --------
    A melody above a bass in a track of its own, in D major:

    >>> import numpy as np
    >>> from pipeline_lib.config import SelectConfig
    >>> notes = PieceNotes(
    ...     track=np.array([0, 1, 0, 0]),
    ...     is_drum=np.zeros(4, dtype=bool),
    ...     pitch=np.array([74, 50, 78, 81]),
    ...     onset_tick=np.array([0, 0, 480, 960]),
    ...     duration_tick=np.array([480, 1440, 480, 480]),
    ...     ticks_per_quarter=480,
    ... )
    >>> config = SelectConfig(
    ...     tracks="highest_mean_pitch", min_notes=3, transpose="c_major_a_minor"
    ... )
    >>> selected = select_notes(notes, ["Flute", "Cello"], config)
    >>> selected.tracks, selected.notes.pitch.tolist()
    ((0,), [72, 76, 79])
    >>> selected.estimated_key, selected.transposed_semitones
    ('D major', -2)
    """
    pitched = notes.take(~notes.is_drum)
    tracks = _choose_tracks(pitched, track_names, config)
    kept = pitched.take(_is_wanted(pitched, tracks, config))
    if config.skyline:
        kept = skyline(kept)
    _check_length(len(kept), config)
    if config.transpose == "none":
        return Selected(kept, kept, tracks, None, 0)
    key = estimate_key(kept.pitch, kept.duration_tick)
    semitones = _within_range(key.semitones_to_c, kept.pitch)
    moved = replace(kept, pitch=(kept.pitch + np.int64(semitones)).astype(kept.pitch.dtype))
    return Selected(moved, kept, tracks, key.name, semitones)


def skyline(notes: PieceNotes) -> PieceNotes:
    """Melody of a piece: no two notes of the result sound together.

    Of notes with the same onset the highest is kept, of equal pitches the longest, until the next onset.

    Examples
    --------
    A chord of a half note, above which the next note begins after a quarter:

    >>> import numpy as np
    >>> melody = skyline(
    ...     PieceNotes(
    ...         track=np.array([0, 0, 0]),
    ...         is_drum=np.zeros(3, dtype=bool),
    ...         pitch=np.array([60, 64, 67]),
    ...         onset_tick=np.array([0, 0, 480]),
    ...         duration_tick=np.array([960, 960, 480]),
    ...         ticks_per_quarter=480,
    ...     )
    ... )
    >>> melody.pitch.tolist(), melody.duration_tick.tolist()
    ([64, 67], [480, 480])
    """
    # The last note of each onset, once they are sorted by onset, pitch and duration.
    order = np.lexsort((notes.duration_tick, notes.pitch, notes.onset_tick))
    onset_tick = notes.onset_tick[order]
    highest = notes.take(order[np.diff(onset_tick, append=-1) != 0])
    until_next = np.diff(
        highest.onset_tick, append=highest.onset_tick[-1:] + highest.duration_tick[-1:]
    )
    return replace(highest, duration_tick=np.minimum(highest.duration_tick, until_next))


def rounding_errors(
    onset_tick: IntArray, ticks_per_quarter: int, steps_per_quarter: int
) -> tuple[float, float]:
    """Measure how far onsets are moved to reach the nearest step of a grid.

    Parameters
    ----------
    onset_tick : integer array, shape (n_notes,)
        Onsets from the start of the piece, at least one.
    ticks_per_quarter, steps_per_quarter : int
        Ticks, and steps of the grid, in a quarter note.

    Returns
    -------
    mean, largest : float
        Distances in quarter notes.

    Examples
    --------
    The second of two onsets is 10 of 100 ticks from a quarter:

    >>> import numpy as np
    >>> rounding_errors(np.array([0, 110]), ticks_per_quarter=100, steps_per_quarter=1)
    (0.05, 0.1)
    """
    # In units of 1 / (ticks_per_quarter * steps_per_quarter), where both ticks and steps are integers.
    past_step = onset_tick.astype(np.int64) * steps_per_quarter % ticks_per_quarter
    distance = np.minimum(past_step, ticks_per_quarter - past_step)
    unit_quarter = 1 / (ticks_per_quarter * steps_per_quarter)
    return float(distance.mean()) * unit_quarter, int(distance.max()) * unit_quarter


def _choose_tracks(
    pitched: PieceNotes, track_names: Sequence[str | None], config: SelectConfig
) -> tuple[int, ...]:
    n_notes = np.bincount(pitched.track)
    with_notes: list[int] = np.flatnonzero(n_notes).tolist()
    if config.tracks == "named":
        named = _named_tracks(track_names, config.track_name)
        return tuple(track for track in with_notes if track in named)
    if config.tracks == "all" or not with_notes:
        return tuple(with_notes)
    if config.tracks == "most_notes":
        return (int(n_notes.argmax()),)  # argmax takes the first of equals
    pitch_sum = np.bincount(pitched.track, pitched.pitch)
    return (int((pitch_sum / np.maximum(n_notes, 1)).argmax()),)


def _named_tracks(track_names: Sequence[str | None], wanted: str) -> set[int]:
    """Numbers of the tracks that have a name; raises `RejectedFile` where none has."""
    comparable = [(name or "").strip().casefold() for name in track_names]
    named = {track for track, name in enumerate(comparable) if name == wanted.strip().casefold()}
    if not named:
        others = ", ".join(repr(name) for name in track_names if name) or "none has a name"
        raise RejectedFile(
            RejectReason.NO_SUCH_TRACK, f"no track is named {wanted!r}; tracks: {others}"
        )
    return named


def _is_wanted(
    pitched: PieceNotes, tracks: tuple[int, ...], config: SelectConfig
) -> NDArray[np.bool_]:
    wanted = (pitched.pitch >= config.min_pitch) & (pitched.pitch <= config.max_pitch)
    # Divided, not multiplied: 0.1 as a float is the nearest to 48 / 480, but 0.1 * 480 need not be 48.
    wanted &= pitched.duration_tick / pitched.ticks_per_quarter >= config.min_duration_quarter
    if config.tracks != "all":
        wanted &= np.isin(pitched.track, tracks)
    return wanted


def _check_length(n_notes: int, config: SelectConfig) -> None:
    if n_notes < config.min_notes:
        raise RejectedFile(
            RejectReason.TOO_FEW_NOTES,
            f"{n_notes} notes are left; min_notes is {config.min_notes}",
        )
    if config.max_notes is not None and n_notes > config.max_notes:
        raise RejectedFile(
            RejectReason.TOO_MANY_NOTES,
            f"{n_notes} notes are left; max_notes is {config.max_notes}",
        )


def _within_range(semitones: int, pitch: IntArray) -> int:
    """The first transposition that keeps pitches in 0–127: this one, the other way round the octave, or none."""
    lowest, highest = int(pitch.min()), int(pitch.max())
    other_way = semitones - _OCTAVE if semitones > 0 else semitones + _OCTAVE
    fitting = (
        move
        for move in (semitones, other_way)
        if lowest + move >= 0 and highest + move <= _MAX_PITCH
    )
    return next(fitting, 0)
