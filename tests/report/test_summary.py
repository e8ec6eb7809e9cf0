"""What a run's exit code means is said as it is."""

from __future__ import annotations

import pytest

from converter.model.result import StageResult
from converter.report.summary import verdict
from tests.report.report_builders import compiled, failed, model, run


def _without_atc() -> StageResult:
    return failed("compile", "atc not found", "source set_env.sh", 2, facts=compiled().facts)


def _no_shape() -> StageResult:
    return failed("compile", "no static shape", "give --shape", 2)


def _occupied() -> StageResult:
    return failed("publish", "the output is occupied", "use --force", 2)


@pytest.mark.parametrize(
    ("stages", "meaning"),
    [
        ([_without_atc()], "atc cannot be run"),
        ([_no_shape()], "the input is wrong"),
        ([_without_atc(), _no_shape()], "the input is wrong"),
        ([failed("inspect", "no program", "copy it", 2)], "the input is wrong"),
        ([_occupied()], "an output cannot be written"),
        ([_occupied(), _no_shape()], "the input is wrong"),
    ],
)
def test_what_is_wrong_beside_the_input(stages: list[StageResult], meaning: str) -> None:
    told = verdict(run([model(str(number), stage) for number, stage in enumerate(stages)]))
    assert (told.exit_code, told.exit_meaning) == (2, meaning)
