"""Pieces that are the same music under another name.

A collection often holds a tune twice: in another key, at another tempo, exported by another program. If
one copy is trained on and the other tested on, the test measures memory. `notes_digest` is equal for such
copies, and `pipeline_lib.notes.splits` keeps pieces with equal digests on one side.

What makes the digest is the set of notes as rational numbers of quarter notes, with the first onset at 0
and the lowest pitch at 0. Velocities, programs, tracks, metre and key do not count. Drums do not
transpose. Music that differs in a single note differs: variants are not recognised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.notes.piece import ParsedPiece


def notes_digest(piece: ParsedPiece) -> str:
    """Digest of a piece's notes up to transposition, tempo and resolution.

    Parameters
    ----------
    piece : ParsedPiece
        With at least one note.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    onset_tick = piece.onset_tick - piece.onset_tick.min()
    # Dividing all times and the resolution by what they share makes the same rationals the same integers.
    times = np.concatenate([onset_tick, piece.duration_tick, [piece.ticks_per_quarter]])
    shared = np.gcd.reduce(times)
    lowest_pitch = piece.pitch[~piece.is_drum].min(initial=127)
    columns = (
        piece.is_drum,
        onset_tick // shared,
        piece.pitch - np.where(piece.is_drum, 0, lowest_pitch),
        piece.duration_tick // shared,
    )
    notes = np.stack(columns, axis=1).astype("<i8")  # shape (n_notes, 4)
    notes = notes[np.lexsort(notes.T)]
    resolution = int(piece.ticks_per_quarter // shared)
    return hashlib.sha256(f"{resolution}:".encode() + notes.tobytes()).hexdigest()


def duplicate_groups(digests: Sequence[str]) -> NDArray[np.int32]:
    """Number the distinct digests.

    Parameters
    ----------
    digests : sequence of str
        One per piece, from `notes_digest`.

    Returns
    -------
    int32 array, shape (n_pieces,)
        Equal for equal digests; counts from 0 in the order of the digests, not of the pieces.
    """
    _, groups = np.unique(np.asarray(digests, dtype=str), return_inverse=True)
    return groups.astype(np.int32)
