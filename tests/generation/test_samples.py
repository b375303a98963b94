"""Samples as rows: nothing that decided one is lost."""

from __future__ import annotations

from pipeline_lib.config import ComposeConfig
from pipeline_lib.generation.samples import (
    SAMPLE_SCHEMA,
    Sample,
    sample_row,
    sample_table,
    samples_from_table,
)
from tests.generation.tiny_music import TOKENISER, prompt

SAMPLES = [
    Sample(0.7, 0, prompt("Pitch_60:1", "Rest:1/2"), ("Chord_60.64.67:2", "Pitch_62:1/2"), "model"),
    Sample(0.7, 3, prompt(key_signature=None, source="none"), (), "limit"),
    Sample(0.7, 4, prompt("Pitch_60:1", replaced=("C#4:1 -> C4:1",)), ("Pitch_62:1",), "asked"),
]
CONFIG = ComposeConfig(
    repetition_penalty=1.2,
    repetition_window=8,
    temperature=0.7,
    top_k=5,
    top_p=0.9,
    min_p=0.05,
    bars=4,
    key="G major",
    min_pitch=48,
    max_pitch=84,
    end_on_tonic=True,
    composer="network",
    beam_width=4,
    length=99,
    seed=17,
)


def test_saved_samples_come_back() -> None:
    assert list(samples_from_table(sample_table(SAMPLES, "lstm", CONFIG))) == SAMPLES


def test_a_table_has_every_setting_in_every_row() -> None:
    table = sample_table(SAMPLES, "lstm", CONFIG)
    assert table.schema.equals(SAMPLE_SCHEMA, check_metadata=True)
    for row in table.to_pylist():
        assert row["run"] == "lstm"
        assert {name: row[name] for name in ComposeConfig.model_fields} == CONFIG.model_dump()


def test_every_setting_that_decides_a_sample_is_in_its_manifest() -> None:
    row = sample_row(SAMPLES[2], "lstm", CONFIG)
    assert {name: row[name] for name in ComposeConfig.model_fields} == CONFIG.model_dump()
    assert (row["temperature"], row["beam_width"], row["length"], row["seed"]) == (0.7, 4, 99, 17)
    assert not {"n_samples", "n_rendered"} & set(row)  # how many others there are decides nothing


def test_files_are_named_by_temperature_and_number_from_1() -> None:
    assert [sample.name for sample in SAMPLES] == ["t0.7-01", "t0.7-04", "t0.7-05"]
    assert Sample(1.0, 99, prompt(), (), "model").name == "t1-100"


def test_a_manifest_says_what_was_given_and_added() -> None:
    row = sample_row(SAMPLES[2], "lstm", CONFIG)
    assert (row["sample"], row["run"], row["ended_by"]) == (4, "lstm", "asked")
    assert row["prompt_source"] == "tune.mid"
    assert row["prompt_tokens"] == ["Pitch_60:1"]
    assert row["prompt_replaced"] == ["C#4:1 -> C4:1"]
    assert row["tokens"] == ["Pitch_62:1"]
    assert (row["time_signature"], row["tempo_qpm"]) == ("6/8", 90.0)
    assert row["key_signature"] == "G major"
    assert set(row) == set(SAMPLE_SCHEMA.names)


def test_the_notes_are_those_of_the_prompt_and_the_new_ones() -> None:
    notes = SAMPLES[0].notes(TOKENISER)
    assert notes.onset_step.tolist() == [0, 6, 6, 6, 14]
    assert notes.duration_step.tolist() == [4, 8, 8, 8, 2]
    assert notes.pitch.tolist() == [60, 60, 64, 67, 62]
    assert (notes.time_signature, notes.tempo_qpm) == ("6/8", 90.0)
    assert notes.key_signature == "G major"


def test_the_prompt_ends_behind_its_last_rest() -> None:
    assert SAMPLES[0].prompt_end_step(TOKENISER) == 6
    assert SAMPLES[1].prompt_end_step(TOKENISER) == 0
