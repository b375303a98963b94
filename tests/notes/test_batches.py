"""Many pieces at once: each as if it were alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import symusic

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.batches import batch_of, sorted_pieces
from pipeline_lib.notes.changes import Kind
from pipeline_lib.notes.corpus.snapshot import SourceFile
from pipeline_lib.notes.midi.files import read_midi, read_unsorted
from pipeline_lib.notes.midi.packed import KEY, METRE, NOTE, TEMPO, packed
from pipeline_lib.notes.parsing import parse_files, read_pieces
from tests.notes.tiny_files import TUNE_ABC, TWO_NOTES, midi_file, rising_line

CONFIG = ParseConfig()
TEMPO_100 = b"\xff\x51\x03\x09\x27\xc0"
TEMPO_60 = b"\xff\x51\x03\x0f\x42\x40"
METRE_6_8 = b"\xff\x58\x04\x06\x03\x18\x08"
G_MAJOR = b"\xff\x59\x02\x01\x00"
ZERO_LENGTH = b"\x00\x90\x3c\x40\x00\x80\x3c\x00"

FILES = [
    midi_file(b"\x00" + TEMPO_100 + b"\x00" + TEMPO_60 + b"\x60" + TEMPO_60 + TWO_NOTES),
    midi_file(rising_line(60), b"\x00" + G_MAJOR + rising_line(50)),
    midi_file(b"\x00" + METRE_6_8 + ZERO_LENGTH),
    midi_file(ZERO_LENGTH + b"\x00" + METRE_6_8 + TWO_NOTES, ticks_per_quarter=0xE705),
    midi_file(TWO_NOTES + b"\x00" + TEMPO_100),
]


def test_lists_are_packed_as_symusic_unpacks_them() -> None:
    data = midi_file(b"\x00" + TEMPO_100 + b"\x00" + METRE_6_8 + b"\x00" + G_MAJOR + rising_line())
    score = symusic.Score.from_midi(data)
    for events, record in (
        (score.tracks[0].notes, NOTE),
        (score.tempos, TEMPO),
        (score.time_signatures, METRE),
        (score.key_signatures, KEY),
    ):
        columns = np.frombuffer(packed(events), record)
        expected = events.numpy()
        assert len(columns) > 0
        for name in record.names or ():
            assert columns[name].tolist() == expected[name].tolist()


def test_pieces_together_are_what_each_is_alone() -> None:
    together = sorted_pieces([piece for data in FILES for piece in read_unsorted(data, CONFIG)])
    assert len(together) == len(FILES)
    for piece, data in zip(together, FILES, strict=True):
        (alone,) = read_midi(data, CONFIG)
        for name in ("track", "pitch", "velocity", "onset_tick", "duration_tick"):
            assert getattr(piece, name).tolist() == getattr(alone, name).tolist()
        for name in ("tracks", "time_signatures", "key_signatures", "n_zero_length"):
            assert getattr(piece, name) == getattr(alone, name)
        assert piece.tempos.pairs() == alone.tempos.pairs()
        assert (piece.tempo_qpm, piece.duration_sec) == (alone.tempo_qpm, alone.duration_sec)


def test_a_score_among_midi_keeps_its_place() -> None:
    (tune,) = read_pieces(TUNE_ABC, ".abc", CONFIG)
    (first,), (last,) = (read_unsorted(data, CONFIG) for data in FILES[:2])
    _, piece, _ = sorted_pieces([first, tune, last])
    assert piece.pitch.tolist() == tune.pitch.tolist()
    assert piece.onset_tick.tolist() == tune.onset_tick.tolist()
    assert piece.time_signatures == tune.time_signatures
    assert piece.key_signatures == tune.key_signatures
    assert piece.tempos.pairs() == tune.tempos.pairs()


def test_seconds_and_ends_of_a_table_are_those_of_each_piece() -> None:
    sources = [
        (SourceFile("a.mid", hashlib.sha256(data).hexdigest(), ".mid", len(data)), data)
        for data in FILES
    ]
    (tables,) = parse_files(sources, CONFIG)
    for row, data in zip(tables.pieces.to_pylist(), FILES, strict=True):
        (piece,) = read_midi(data, CONFIG)
        if row["status"] == "accepted":
            assert row["duration_sec"] == pytest.approx(piece.duration_sec, rel=1e-12)
            assert row["duration_quarter"] == piece.duration_quarter
            assert row["tempo_qpm"] == piece.tempo_qpm
            assert row["time_signature"] == piece.time_signature
    assert tables.pieces["n_zero_length"].to_pylist() == [0, 0, None, 1, 0]


def test_a_metre_later_than_ticks_can_count_is_not_believed() -> None:
    # Under SMPTE time of 25 frames of 5 ticks all ticks are doubled.
    late = b"\xff\xff\xff\x7f\xff\x01\x00" * 5 + b"\x00" + METRE_6_8
    data = midi_file(TWO_NOTES + late, ticks_per_quarter=0xE705)
    changes = batch_of(read_unsorted(data, CONFIG)).changes
    assert changes.only(Kind.METRE).onset_tick.tolist() == []
