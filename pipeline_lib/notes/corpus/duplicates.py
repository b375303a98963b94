"""Pieces that are the same music under another name.

A collection often holds a tune twice: in another key, at another tempo, exported by another program, or as
another player has it. If one copy is trained on and the other tested on, the test measures memory. So pieces
that are the same in one of these senses form a group, and `pipeline_lib.notes.corpus.splits` divides groups:

- **same notes**: equal `notes_digest`, the notes as rational numbers of quarters with the first onset at 0;
- **transposed**: equal digest with the lowest pitch at 0 as well;
- **near-duplicate**: `similarity` of the sketches by `minhash`, the share of phrases in common.

All of it looks at the notes that are learnt from (`pipeline_lib.notes.selection`), before we transpose them.
Velocities, programs, metre and key do not count.

**Phrases** are n-grams of `PHRASE_EVENTS` events; an event is an interval in semitones and whether the time
to the next onset is much shorter, shorter, the same, longer or much longer than the time since the last one
(the limits, 7/5 and 14/5, lie between the simple ratios 1, 2 and 4). So neither key, tempo, resolution nor
writing it in double note values changes a phrase, and a phrase written out twice counts once. Each track has
its own phrases, so that a tune is still found under another accompaniment; notes of a track that begin within
the same eighth of a quarter are one chord, of which the highest counts.

Where these choices come from (Jaccard similarities, without sketches): of 1,034 Nottingham tunes, all pairs
that share 0.19 of their phrases or more are variants or share a long passage, hardly any that share less are,
and even at 0.2 no group has more than three tunes. Onsets moved at random by 0.02 quarters (standard
deviation) leave 0.62 of the phrases of 60 pop songs alike if chords are told by eighths of a quarter, 0.20 if
by 24ths. Without its piano, such a song shares 0.45 of its phrases with the whole song if every track has its
own, 0.05 if the highest notes of all tracks make one melody. What is not found: a tune inside a medley several
times as long, and variants that divide their notes into tracks in another way.

**MinHash** (Broder, "On the resemblance and containment of documents", 1997): of each of 128 random orders of
all phrases, the sketch keeps the piece's first phrase. Two sketches agree in as many places as the pieces
share phrases, with a standard error of at most 0.044.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.notes.selection import PieceNotes
from pipeline_lib.notes.table import DuplicateKind

PHRASE_EVENTS = 5
"""Number of events in a phrase; each needs its own note and two more, so a phrase spans seven notes."""
SKETCH_SIZE = 128
"""Number of 32-bit hashes in a sketch."""

_STEPS_PER_QUARTER = 8
_MAX_PITCH = 127
_RATIO_CLASSES = 5
_EVENT_BITS = 11
_EVENT_WEIGHTS = 1 << _EVENT_BITS * np.arange(PHRASE_EVENTS)
_PHRASES_AT_ONCE = 4096

_MIN_RECALL = 0.95
_MAX_NEIGHBOURS = 64
_PAIRS_AT_ONCE = 65_536

# The raw stream of a bit generator is the same in every version of NumPy.
_random = np.random.PCG64(1997)
_FACTORS = _random.random_raw(SKETCH_SIZE) | np.uint64(1)
_OFFSETS = _random.random_raw(SKETCH_SIZE)

IntArray = NDArray[np.int64]


def notes_digest(notes: PieceNotes, *, transposable: bool) -> str:
    """Digest of a piece's notes up to tempo and resolution.

    Parameters
    ----------
    notes : PieceNotes
        Notes of the piece, at least one.
    transposable : bool
        Whether the same notes in another key get the same digest.

    Returns
    -------
    str
        SHA-256 in hexadecimal. The order of notes and how they are divided into tracks do not count.

    Examples
    --------
    A tune, and the same a tone higher in another resolution:

    >>> import numpy as np
    >>> from dataclasses import replace
    >>> tune = PieceNotes(
    ...     track=np.zeros(9, dtype=int),
    ...     is_drum=np.zeros(9, dtype=bool),
    ...     pitch=np.array([60, 62, 64, 65, 67, 65, 64, 62, 60]),
    ...     onset_tick=np.arange(9) * 480,
    ...     duration_tick=np.full(9, 480),
    ...     ticks_per_quarter=480,
    ... )
    >>> other = replace(
    ...     tune,
    ...     pitch=tune.pitch + 2,
    ...     onset_tick=np.arange(9) * 96,
    ...     duration_tick=np.full(9, 96),
    ...     ticks_per_quarter=96,
    ... )
    >>> notes_digest(tune, transposable=True) == notes_digest(other, transposable=True)
    True
    >>> notes_digest(tune, transposable=False) == notes_digest(other, transposable=False)
    False
    """
    onset_tick = _ticks_from_first_onset(notes)
    duration_tick = notes.duration_tick.astype(np.int64)
    # Dividing all times and the resolution by what they share makes the same rationals the same integers.
    shared = np.gcd.reduce(np.concatenate([onset_tick, duration_tick, [notes.ticks_per_quarter]]))
    pitch = notes.pitch.astype(np.int64)
    if transposable:
        pitch -= pitch.min()
    columns = np.stack([onset_tick // shared, pitch, duration_tick // shared])
    rows = columns[:, np.lexsort(columns)].T.astype("<i8")  # shape (n_notes, 3)
    resolution = notes.ticks_per_quarter // int(shared)
    return hashlib.sha256(f"{resolution}:".encode() + rows.tobytes()).hexdigest()


def minhash(notes: PieceNotes) -> bytes:
    """Sketch a piece's phrases, to be compared by `similarity`.

    Parameters
    ----------
    notes : PieceNotes
        Notes of the piece, at least one.

    Returns
    -------
    bytes
        `SKETCH_SIZE` little-endian numbers of 32 bits. A piece that is shorter than a phrase is one phrase.

    Examples
    --------
    A tune of three phrases, the same a tone higher, and one whose last two notes differ, so that only the first
    phrase is the tune's:

    >>> import numpy as np
    >>> from dataclasses import replace
    >>> tune = PieceNotes(
    ...     track=np.zeros(9, dtype=int),
    ...     is_drum=np.zeros(9, dtype=bool),
    ...     pitch=np.array([60, 62, 64, 65, 67, 65, 64, 62, 60]),
    ...     onset_tick=np.arange(9) * 480,
    ...     duration_tick=np.full(9, 480),
    ...     ticks_per_quarter=480,
    ... )
    >>> higher = replace(tune, pitch=tune.pitch + 2)
    >>> similarity(minhash(tune), minhash(higher))
    1.0
    >>> ending = replace(tune, pitch=np.array([60, 62, 64, 65, 67, 65, 64, 72, 48]))
    >>> 0 < similarity(minhash(tune), minhash(ending)) < 1
    True
    """
    hashes = _mixed(np.unique(_phrases(notes)))
    smallest = np.full(SKETCH_SIZE, 2**64 - 1, np.uint64)
    for start in range(0, len(hashes), _PHRASES_AT_ONCE):
        part = hashes[start : start + _PHRASES_AT_ONCE, np.newaxis]
        ranks = part * _FACTORS + _OFFSETS  # shape (n_phrases, SKETCH_SIZE), modulo 2^64
        np.minimum(smallest, ranks.min(axis=0), out=smallest)
    return (smallest >> np.uint64(32)).astype("<u4").tobytes()


def similarity(a: bytes, b: bytes) -> float:
    """Estimate the Jaccard similarity of two pieces' phrases, 0–1, from their sketches by `minhash`."""
    return float(np.mean(np.frombuffer(a, "<u4") == np.frombuffer(b, "<u4")))


def find_near_duplicates(sketches: Sequence[bytes], min_similarity: float) -> IntArray:
    """Link pieces whose sketches are alike.

    Locality-sensitive hashing: sketches are compared if they agree in a band of neighbouring numbers. Bands
    are as wide as is possible if at least 95 of 100 pairs at the limit shall be found; in a bucket of more
    than 64 sketches, each is compared with the 64 after it. Time and memory grow with the number of sketches,
    not with that of pairs, unless most of a collection is alike.

    Parameters
    ----------
    sketches : sequence of bytes
        From `minhash`.
    min_similarity : float
        Least similarity of a pair, 0–1.

    Returns
    -------
    int64 array, shape (n_links, 2)
        Indices of similar pairs: not all of them, but enough to connect all that are connected.
    """
    first = _first_of_equals(sketches)
    rows = np.arange(len(first))
    links = [np.stack([first, rows], axis=1)[first != rows]]

    distinct = np.flatnonzero(first == rows)
    joined = b"".join(sketches[row] for row in distinct.tolist())
    values = np.frombuffer(joined, "<u4").reshape(-1, SKETCH_SIZE)
    groups = np.arange(len(values))
    n_bands, width = _bands(min_similarity)
    for band in range(n_bands):
        for pairs in _pairs_in_buckets(values[:, band * width : (band + 1) * width]):
            apart = pairs[groups[pairs[:, 0]] != groups[pairs[:, 1]]]
            alike = apart[_are_alike(values, apart, min_similarity)]
            if len(alike):
                links.append(distinct[alike])
                groups = _join(groups, alike)
    return np.concatenate(links)


def group_duplicates(
    piece_ids: Sequence[str],
    notes_sha256: Sequence[str],
    melody_sha256: Sequence[str],
    sketches: Sequence[bytes],
    min_similarity: float,
) -> tuple[NDArray[np.int32], list[DuplicateKind | None]]:
    """Group the pieces of a corpus that are the same music.

    Groups are as large as links reach: two pieces of a group may have little in common but a third one.

    Parameters
    ----------
    piece_ids, notes_sha256, melody_sha256 : sequences of str
        Each piece's name, and its `notes_digest` that is not, and that is, the same in every key.
    sketches : sequence of bytes
        Each piece's sketch by `minhash`.
    min_similarity : float
        Least similarity of near-duplicates, 0–1; 1 looks for none.

    Returns
    -------
    groups : int32 array, shape (n_pieces,)
        Number of each piece's group: from 0 in the order of the groups' smallest `melody_sha256`, whatever the
        order of the pieces.
    kinds : list of DuplicateKind or None
        The strictest sense in which each piece repeats one before it; None for the first of each group.

    Examples
    --------
    The third piece has the notes of the first in another key:

    >>> groups, kinds = group_duplicates(
    ...     piece_ids=["a", "b", "c"],
    ...     notes_sha256=["n1", "n2", "n3"],
    ...     melody_sha256=["m1", "m2", "m1"],
    ...     sketches=[b""] * 3,
    ...     min_similarity=1,
    ... )
    >>> groups.tolist(), [kind and kind.value for kind in kinds]
    ([0, 1, 0], [None, None, 'transposed'])
    """
    firsts = [_first_of_equals(column) for column in (piece_ids, notes_sha256, melody_sha256)]
    rows = np.arange(len(piece_ids))
    links = [np.stack([first, rows], axis=1) for first in firsts]
    if min_similarity < 1:
        links.append(find_near_duplicates(sketches, min_similarity))
    joined = _join(rows, np.concatenate(links))

    kinds: list[DuplicateKind | None] = []
    # Strictest first, as `DuplicateKind` is; a group is known by its first piece.
    for row, *first_by_kind in zip(*(a.tolist() for a in (rows, *firsts, joined)), strict=True):
        senses = zip(DuplicateKind, first_by_kind, strict=True)
        kinds.append(next((kind for kind, first in senses if first < row), None))

    smallest: dict[int, str] = {}
    for group, digest in zip(joined.tolist(), melody_sha256, strict=True):
        smallest[group] = min(digest, smallest.get(group, digest))
    number = {group: i for i, group in enumerate(sorted(smallest, key=smallest.__getitem__))}
    return np.array([number[group] for group in joined.tolist()], np.int32), kinds


def _ticks_from_first_onset(notes: PieceNotes) -> IntArray:
    return notes.onset_tick.astype(np.int64) - int(notes.onset_tick.min())


def _phrases(notes: PieceNotes) -> IntArray:
    """Every phrase as a number, shape (n_phrases,); at least one."""
    track, onset_tick, pitch = _melodies(notes)
    ioi_tick = np.diff(onset_tick)
    next_ioi_tick = np.append(ioi_tick[1:], ioi_tick[-1:])
    events = (np.diff(pitch) + _MAX_PITCH) * _RATIO_CLASSES + _ratio_class(ioi_tick, next_ioi_tick)
    # From the first note of a phrase to its last.
    is_in_one_track = track[: -PHRASE_EVENTS - 1] == track[PHRASE_EVENTS + 1 :]
    if not is_in_one_track.any():
        only = events[:PHRASE_EVENTS]
        return np.array([only @ _EVENT_WEIGHTS[: len(only)]])
    return np.correlate(events[:-1], _EVENT_WEIGHTS)[is_in_one_track]


def _melodies(notes: PieceNotes) -> tuple[IntArray, IntArray, IntArray]:
    """Track, onset and pitch of the highest notes of each track's chords, sorted by track and onset."""
    onset_tick = _ticks_from_first_onset(notes)
    doubled = onset_tick * (2 * _STEPS_PER_QUARTER)
    onset_step = (doubled + notes.ticks_per_quarter) // (2 * notes.ticks_per_quarter)
    order = np.lexsort((onset_tick, notes.pitch, onset_step, notes.track))
    track, onset_step = notes.track[order].astype(np.int64), onset_step[order]
    is_highest = np.ones(len(order), bool)
    is_highest[:-1] = (track[1:] != track[:-1]) | (onset_step[1:] != onset_step[:-1])
    highest = order[is_highest]
    return track[is_highest], onset_tick[highest], notes.pitch[highest].astype(np.int64)


def _ratio_class(ioi_tick: IntArray, next_ioi_tick: IntArray) -> IntArray:
    """Ratio class of each inter-onset interval and the next: 0 (the next is much shorter) to 4 (much longer)."""
    longer = 5 * next_ioi_tick >= np.multiply.outer((7, 14), ioi_tick)
    shorter = 5 * ioi_tick >= np.multiply.outer((7, 14), next_ioi_tick)
    return 2 + longer.sum(axis=0) - shorter.sum(axis=0)


def _mixed(numbers: IntArray) -> NDArray[np.uint64]:
    """Mix the bits of numbers (by the finaliser of SplitMix64), since phrases differ in few of them."""
    mixed = numbers.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _bands(min_similarity: float) -> tuple[int, int]:
    """Number and width of the bands: the widest, and so the most selective, that find `_MIN_RECALL` of the pairs."""
    for width in range(SKETCH_SIZE, 1, -1):
        n_bands = SKETCH_SIZE // width
        if 1 - (1 - min_similarity**width) ** n_bands >= _MIN_RECALL:
            return n_bands, width
    return SKETCH_SIZE, 1


def _pairs_in_buckets(band: NDArray[np.uint32]) -> Iterator[IntArray]:
    """Pairs of rows that are equal in a band, and a few others by chance; shapes (n_pairs, 2)."""
    buckets = band.astype(np.uint64) @ _FACTORS[: band.shape[1]]
    order = np.argsort(buckets, kind="stable")
    buckets = buckets[order]
    for distance in range(1, min(_MAX_NEIGHBOURS, len(order) - 1) + 1):
        is_same = buckets[distance:] == buckets[:-distance]
        if not is_same.any():
            return
        yield np.stack([order[:-distance][is_same], order[distance:][is_same]], axis=1)


def _are_alike(
    values: NDArray[np.uint32], pairs: IntArray, min_similarity: float
) -> NDArray[np.bool_]:
    alike = np.empty(len(pairs), bool)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        agree = values[pairs[part, 0]] == values[pairs[part, 1]]
        alike[part] = np.count_nonzero(agree, axis=1) >= min_similarity * SKETCH_SIZE
    return alike


def _join(groups: IntArray, links: IntArray) -> IntArray:
    """Merge groups that are linked; a group is known by its smallest member.

    Parameters
    ----------
    groups : int64 array, shape (n,)
        The smallest member of each element's group.
    links : int64 array, shape (n_links, 2)
        Pairs of elements.

    Returns
    -------
    int64 array, shape (n,)
    """
    while True:
        low, high = np.sort(groups[links], axis=1).T
        apart = low != high
        if not apart.any():
            return groups
        groups = groups.copy()
        np.minimum.at(groups, high[apart], low[apart])
        while (groups != groups[groups]).any():
            groups = groups[groups]
        links = links[apart]


def _first_of_equals(values: Sequence[Hashable]) -> IntArray:
    """For each value the index of the first one equal to it."""
    first: dict[Hashable, int] = {}
    return np.array([first.setdefault(value, i) for i, value in enumerate(values)], np.int64)
