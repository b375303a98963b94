"""Names of runs, cut to what tells them apart."""

from __future__ import annotations

import pytest

from pipeline_lib.config import LstmConfig, RunConfig
from pipeline_lib.reports.content import ReportContent
from pipeline_lib.reports.run_names import (
    shared_parts,
    short_names,
    with_short_names,
    without_length,
    without_seed,
)


@pytest.mark.parametrize(
    ("names", "short", "shared"),
    [
        (["a-L1-s0", "a-L2-s0"], ["L1", "L2"], "a-s0"),
        (["a-lr4e-05-s0", "a-lr0.005-s0"], ["lr4e-05", "lr0.005"], "a-s0"),
        (["a-L1", "b-L2"], ["a-L1", "b-L2"], ""),
        (["a-L1", "a"], ["a-L1", "a"], ""),  # the second would have nothing left
        (["a-L1"], ["a-L1"], ""),
        ([], [], ""),
    ],
)
def test_names_lose_what_all_have_in_common(
    names: list[str], short: list[str], shared: str
) -> None:
    assert short_names(names) == dict(zip(names, short, strict=True))
    assert shared_parts(names) == shared


def test_a_run_without_its_seed_and_its_length() -> None:
    run = RunConfig(
        model=LstmConfig(layers=1, dropout=0.0),
        seq_length=50,
        batch_size=8,
        learning_rate=4e-5,
        seed=3,
    )
    assert without_seed(run.name) == "lstm1x128-dropout0.0-L50-b8-lr4e-05"
    assert without_length(run.name) == "lstm1x128-dropout0.0-b8-lr4e-05"


def test_runs_in_detail_are_called_by_their_short_names_everywhere(content: ReportContent) -> None:
    short = with_short_names(content)
    names = ["L25", "L50", "L100"]
    assert [run.name for run in short.detailed_runs] == names
    for column in (short.metrics["run"], short.copying.copied["run"].dropna()):
        assert list(column.unique()) == names
    assert list(short.discrepancies["set"]) == [*names, "train", "control"]
    assert list(short.leaps["set"].unique()) == ["corpus", *names]
