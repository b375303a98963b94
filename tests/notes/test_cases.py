"""Small files from public bug reports and from the formats' standards: the notes of each, as they have to be.

`cases/expected.json` has, for each file, what it is about, the report or standard, and its notes as
``pitch:onset+duration`` in quarter notes: grace notes dropped, ties joined, repeats played.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_lib.config import ParseConfig
from pipeline_lib.notes.parsing import read_pieces
from tests.notes.tiny_scores import as_text, in_order

CASES = Path(__file__).parent / "cases"
EXPECTED = json.loads((CASES / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "case"), EXPECTED.items(), ids=list(EXPECTED))
def test_the_notes_of_a_public_case(name: str, case: dict[str, Any]) -> None:
    path = CASES / name
    (piece,) = read_pieces(path.read_bytes(), path.suffix, ParseConfig())
    assert as_text(piece) == in_order(case["notes"]), case["kind"]
    assert piece.time_signature == case.get("metre", piece.time_signature)
    assert piece.tempo_qpm == float(case.get("tempo", piece.tempo_qpm))
    assert piece.duration_sec == float(case.get("seconds", piece.duration_sec))


def test_every_file_is_a_case() -> None:
    assert {path.name for path in CASES.iterdir()} == {*EXPECTED, "expected.json"}
