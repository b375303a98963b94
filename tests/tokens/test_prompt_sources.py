"""What a setting names as the prompt: nothing, typed notes, files of every kind, broken ones among them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline_lib.config import ParseConfig, PromptConfig, SelectConfig
from pipeline_lib.errors import ConfigError
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.midi.files import write_midi
from pipeline_lib.tokens.corpus import TokenCorpus, build_corpus
from pipeline_lib.tokens.prompt_sources import (
    Given,
    Signatures,
    choose,
    common_signatures,
    read_prompt,
)
from pipeline_lib.tokens.vocabulary import build_vocabulary
from tests.notes.tiny_files import TUNE_ABC, TWO_NOTES, midi_file
from tests.tokenisers import NOTES
from tests.tokens.conftest import A, B, row, token_lines

LINE = midi_file(TWO_NOTES)


def read(source: str | Path, **settings: Any) -> Given | None:
    config = PromptConfig(source=str(source), **settings)
    return read_prompt(config, ParseConfig(), SelectConfig(), NOTES)


def chosen(corpus: TokenCorpus, source: str, n_prompts: int = 1, **settings: Any) -> Any:
    config = PromptConfig(source=source, **settings)
    return choose(config, read(source, **settings), corpus, NOTES, n_prompts)


def corpus_of(*signatures: tuple[str, float, str | None]) -> TokenCorpus:
    """Train pieces with these metres, tempos and keys, and a valid one."""
    rows = [
        row(f"t{n}", "train")
        | {"time_signature": metre, "tempo_qpm": tempo_qpm, "key_signature": key}
        for n, (metre, tempo_qpm, key) in enumerate(signatures)
    ]
    rows.append(row("v", "valid"))
    lines = token_lines(**{r["piece_id"]: [A, B] for r in rows})
    vocabulary, _ = build_vocabulary(lines.count([rows[0]["piece_id"]]), 1, 1, NOTES)
    return build_corpus(rows, lines, vocabulary)


def test_drawn_prompts_are_not_given(corpus: TokenCorpus) -> None:
    assert read("random") is None
    assert read("window") is None
    assert [p.tokens for p in chosen(corpus, "random", 2, length=2)] == [(B, A), (B, A)]
    assert {p.tokens for p in chosen(corpus, "window", 2, length=2)} == {(B, A), (A, B)}


def test_without_a_prompt_there_are_no_tokens_but_the_signatures_of_the_corpus() -> None:
    corpus = corpus_of(("6/8", 100.0, "G major"), ("6/8", 90.0, "D major"), ("4/4", 90.0, None))
    first, second = chosen(corpus, "none", 2)
    assert first == second
    assert (first.source, first.tokens) == ("none", ())
    assert (first.time_signature, first.tempo_qpm) == ("6/8", 90.0)


def test_signatures_are_the_most_common_each_by_itself() -> None:
    corpus = corpus_of(("6/8", 100.0, "G major"), ("6/8", 90.0, None), ("4/4", 90.0, "G major"))
    assert common_signatures(corpus) == Signatures("6/8", 90.0, "G major")


def test_of_equally_common_signatures_the_first_in_their_order_is_taken() -> None:
    one, other = ("6/8", 100.0, "G major"), ("4/4", 90.0, None)
    expected = Signatures("4/4", 90.0, None)
    assert common_signatures(corpus_of(one, other)) == expected
    assert common_signatures(corpus_of(other, one)) == expected


def test_pieces_in_other_keys_and_of_other_splits_do_not_count(corpus: TokenCorpus) -> None:
    rows = [
        row("t", "train"),
        *(row("t", "train") | {"augmented_semitones": n, "tempo_qpm": 50.0} for n in (1, 2)),
        *(row(name, name) | {"time_signature": "2/4"} for name in ("valid", "test")),
    ]
    lines = token_lines(t=[A], valid=[A], test=[A])
    assert common_signatures(build_corpus(rows, lines, corpus.vocabulary))[:2] == ("3/4", 90.0)


def test_typed_notes_are_all_taken_with_the_signatures_of_the_corpus(corpus: TokenCorpus) -> None:
    (prompt,) = chosen(corpus, "C4:1 D4:1 C4:1", length=2)
    assert (prompt.source, prompt.tokens) == ("C4:1 D4:1 C4:1", (A, B, A))
    assert (prompt.time_signature, prompt.tempo_qpm) == ("3/4", 90.0)


def test_unknown_notes_are_refused_or_replaced(corpus: TokenCorpus) -> None:
    with pytest.raises(ConfigError, match=r"never seen in training: E4:1 \(nearest: D4:1, C4:1\)"):
        chosen(corpus, "C4:1 E4:1")
    (prompt,) = chosen(corpus, "C4:1 E4:1", nearest=True)
    assert (prompt.tokens, prompt.replaced) == ((A, B), ("E4:1 -> D4:1",))


def test_long_typed_notes_are_no_file_name() -> None:
    given = read("C4:1 " * 1000)
    assert given is not None
    assert given.tokens == (A,) * 1000


def test_a_file_that_is_named_like_notes_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "C4:1").write_bytes(LINE)
    monkeypatch.chdir(tmp_path)
    assert read("C4:1") == Given(
        "C4:1", ("Pitch_60:1", "Pitch_64:1/2"), Signatures("4/4", 120.0, None)
    )


def test_the_opening_of_a_file_brings_its_own_signatures(tmp_path: Path) -> None:
    (tmp_path / "tune.abc").write_bytes(TUNE_ABC)
    assert read(tmp_path / "tune.abc", length=3) == Given(
        "tune.abc", ("Pitch_70:1", "Pitch_69:1", "Pitch_70:1"), Signatures("2/4", 90.0, "Bb major")
    )


def test_the_notes_of_a_file_are_chosen_as_in_the_corpus_however_few(tmp_path: Path) -> None:
    path = tmp_path / "two.mid"
    path.write_bytes(LINE)
    selection = SelectConfig(min_pitch=61, min_notes=100)
    given = read_prompt(PromptConfig(source=str(path)), ParseConfig(), selection, NOTES)
    assert given is not None
    assert given.tokens == ("Rest:1", "Pitch_64:1/2")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.mid", b"", "0 bytes.*empty_file"),
        ("text.mid", b"This is not music.\n", "not_music"),
        ("text.pdf", b"This is not music.\n", "not_music"),
        ("half.mid", LINE[:-9], "truncated"),
        ("silent.mid", midi_file(b""), "no_notes"),
        ("drums.mid", midi_file(b"\x00\x99\x24\x40\x60\x89\x24\x00"), "only_drums"),
        ("half.musicxml", b"<score-partwise><part-list>", "malformed"),
        ("half.mxl", b"PK\x03\x04", "malformed"),
        ("text.krn", b"no spine", "not_music"),
        ("silent.abc", b"X:1\nK:C\n", "no_notes|malformed|not_music"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"the prompt cannot be read: .*({reason})") as caught:
        read(path)
    assert caught.value.path == path
    assert "'C4:1 E4:0.5', 'random', 'window' or 'none'" in caught.value.remedy


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        read(tmp_path / "missing.mid")
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        read("C4 E4 G4")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_broken_files_of_every_kind_are_refused_or_read(test_data: Path) -> None:
    refused = []
    paths = sorted((test_data / "malformed").glob("*/*.*"))
    for path in paths:
        try:
            given = read(path)
        except ConfigError as error:
            refused.append(error)
        else:
            assert given is not None
            assert given.tokens, path
    assert 0 < len(refused) < len(paths)
    assert all(error.problem.startswith("the prompt cannot be read: ") for error in refused)


def test_of_three_hours_of_music_the_opening_is_taken_in_no_time(tmp_path: Path) -> None:
    n_notes = 60_000  # five and a half a second
    onset_step = np.arange(n_notes) * 12
    pitch = 60 + np.arange(n_notes) % 12
    notes = GridNotes(onset_step, np.full(n_notes, 12), pitch, 24, tempo_qpm=166.0)
    assert notes.duration_sec > 3 * 3600
    write_midi(notes, tmp_path / "long.mid", track_name="long")
    read("C4:1")  # whatever has to be imported
    started = time.perf_counter()
    given = read(tmp_path / "long.mid", length=3)
    assert time.perf_counter() - started < 10
    assert given is not None
    assert given.tokens == ("Pitch_60:1/2", "Pitch_61:1/2", "Pitch_62:1/2")


def test_a_path_does_not_decide_what_is_generated_but_the_notes_do(tmp_path: Path) -> None:
    keys = []
    for folder, content in (("a", LINE), ("b", LINE), ("c", midi_file(TWO_NOTES + TWO_NOTES))):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "tune.mid"
        path.write_bytes(content)
        given = read(path)
        assert given is not None
        keys.append((PromptConfig(source=str(path)).cache_value(), given.cache_value()))
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]
    assert PromptConfig().cache_value() != PromptConfig(source="window").cache_value()
