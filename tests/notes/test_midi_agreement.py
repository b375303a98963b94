"""Note for note against mido, a parser that has nothing in common with ours."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from pathlib import Path

import mido
import numpy as np
import pytest
import symusic

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.midi.chunks import BrokenTrack, count_note_ons, put_together, take_apart
from pipeline_lib.notes.midi.files import read_midi
from pipeline_lib.notes.midi.unended import with_late_note_offs
from pipeline_lib.notes.piece import RejectedFile

CONFIG = ParseConfig()
DRUM_CHANNEL = 9

Note = tuple[int, int, int, int, bool]
"""Onset, duration, pitch, velocity, percussion."""


def reference_notes(path: Path) -> Counter[Note]:
    """First in, first out for each track, channel and pitch, as a plain loop over mido's messages."""
    notes: Counter[Note] = Counter()
    for track in mido.MidiFile(path).tracks:
        tick, sounding = 0, defaultdict(deque)
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity > 0:
                sounding[message.channel, message.note].append((tick, message.velocity))
            elif (
                message.type in ("note_on", "note_off") and sounding[message.channel, message.note]
            ):
                onset, velocity = sounding[message.channel, message.note].popleft()
                if tick > onset:
                    drum = message.channel == DRUM_CHANNEL
                    notes[onset, tick - onset, message.note, velocity, drum] += 1
    return notes


def our_notes(path: Path, config: ParseConfig = CONFIG) -> Counter[Note]:
    (piece,) = read_midi(path.read_bytes(), config)
    columns = (piece.onset_tick, piece.duration_tick, piece.pitch, piece.velocity, piece.is_drum)
    return Counter(zip(*(column.tolist() for column in columns), strict=True))


def some_files(test_data: Path, n: int) -> list[Path]:
    """Small ones of every kind, spread over each folder."""
    paths = []
    for folder in sorted((test_data / "midi").iterdir()):
        by_size = sorted(folder.glob("*.mid"), key=lambda path: path.stat().st_size)
        paths += by_size[: len(by_size) // 2 : max(1, len(by_size) * 2 // n)]
    return paths


def test_a_sample_of_files_agrees(test_data: Path) -> None:
    for path in some_files(test_data, 60):
        assert our_notes(path) == reference_notes(path), path


@pytest.mark.slow
def test_all_files_agree(test_data: Path) -> None:
    paths = sorted((test_data / "midi").glob("*/*.mid"))
    assert len(paths) == 1250
    assert [path for path in paths if our_notes(path) != reference_notes(path)] == []


def every_readable_file(test_data: Path) -> list[tuple[Path, tuple[bytes, ...]]]:
    readable = []
    for path in sorted(test_data.glob("m*/*/*.mid")):
        try:
            readable.append((path, take_apart(path.read_bytes()).tracks))
        except RejectedFile:
            continue
    return readable


@pytest.mark.slow
def test_note_ons_that_never_end_are_counted_exactly(test_data: Path) -> None:
    """Against a walk through the events, on all files; and late note-offs change no note."""
    n_late = 0
    for path, tracks in every_readable_file(test_data):
        try:
            plain = symusic.Score.from_midi(put_together(tracks, 480))
            expected = sum(count_note_ons(track) for track in tracks) - plain.note_num()
        except (RuntimeError, BrokenTrack):
            with pytest.raises(RejectedFile):
                read_midi(path.read_bytes(), CONFIG)
            continue
        pieces = read_midi(path.read_bytes(), CONFIG)
        assert sum(piece.n_unended for piece in pieces) == expected, path
        late = [with_late_note_offs(track) for track in tracks]
        if None not in late and expected == 0:
            n_late += 1
            longer = symusic.Score.from_midi(put_together([t for t in late if t], 480))
            assert [t.notes for t in longer.tracks] == [t.notes for t in plain.tracks], path
            assert [t.name for t in longer.tracks] == [t.name for t in plain.tracks], path
    assert n_late > 1300


def reference_sustained(path: Path) -> Counter[Note]:
    """The pedal's rules as a loop over one track of ours after another, in mido's messages."""
    notes: Counter[Note] = Counter()
    for track in mido.MidiFile(path).tracks:
        tick = 0
        by_channel = defaultdict(lambda: ([], {}, defaultdict(list)))
        open_notes = defaultdict(deque)
        for message in track:
            tick += message.time
            if message.type in ("note_on", "note_off"):
                keyed, _, strikes = by_channel[message.channel]
                queue = open_notes[message.channel, message.note]
                if message.type == "note_on" and message.velocity > 0:
                    queue.append((tick, message.velocity))
                elif queue:
                    onset, velocity = queue.popleft()
                    if tick > onset:
                        keyed.append((onset, tick, message.note, velocity))
                        strikes[message.note].append(onset)
            elif message.type == "control_change" and message.control == 64:
                by_channel[message.channel][1][tick] = message.value >= 64
        for channel, (keyed, pedal, strikes) in by_channel.items():
            if not keyed:
                continue
            last = max([end for _, end, _, _ in keyed] + list(pedal))
            for onset, end, pitch, velocity in keyed:
                before = [t for t in pedal if t <= end]
                sustained = end
                if before and pedal[max(before)]:
                    ups = [t for t, is_down in pedal.items() if t > end and not is_down]
                    struck = [t for t in strikes[pitch] if t >= end]
                    sustained = min([last, *ups, *struck])
                notes[onset, sustained - onset, pitch, velocity, channel == DRUM_CHANNEL] += 1
    return notes


def test_the_pedal_agrees_on_piano_music(test_data: Path) -> None:
    folder = test_data / "midi" / "piano-midi-de"
    by_size = sorted(folder.glob("*.mid"), key=lambda path: path.stat().st_size)
    extended = 0
    for path in by_size[:6]:
        sustained = our_notes(path, ParseConfig(sustain_pedal="extend"))
        assert sustained == reference_sustained(path), path
        extended += sustained != our_notes(path)
    assert extended >= 3


def test_equal_notes_have_equal_order_in_every_batch(test_data: Path) -> None:
    """Sorting many pieces at once gives what sorting each alone gives."""
    path = some_files(test_data, 8)[-1]
    (piece,) = read_midi(path.read_bytes(), CONFIG)
    order = np.lexsort((piece.pitch, piece.track, piece.onset_tick))
    assert (order == np.arange(len(piece))).all()
