"""How an experiment names its calls, whoever carries them out."""

from __future__ import annotations

from collections.abc import Sequence

from flows.execution import Executor
from pipeline_lib.artifacts import Artifact, Draft
from tasks.stages import Call, stage


@stage(kind="numbers")
def write(draft: Draft, number: int) -> None:
    """Write a number."""


class Recorder(Executor):
    """Runs nothing, and remembers what was asked for at once."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def all(self, calls: Sequence[Call]) -> list[Artifact]:
        self.asked.append([call.label for call in calls])
        return [Artifact(call.stage.kind, str(call.inputs["number"]), "", "", 1) for call in calls]


def test_calls_by_name_are_made_at_once_and_labelled_with_stage_and_name() -> None:
    run = Recorder()
    made = run.each({"one": write.call(1), "two": write.call(2)})
    assert run.asked == [["write/one", "write/two"]]
    assert {name: artifact.relpath for name, artifact in made.items()} == {"one": "1", "two": "2"}


def test_a_single_call_has_the_stages_name_unless_another_is_given() -> None:
    run = Recorder()
    assert run(write.call(3)).relpath == "3"
    run(write.call(4).labelled("write/last"))
    assert run.asked == [["write"], ["write/last"]]
