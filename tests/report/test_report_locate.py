"""Views of a search: text for people, and a page with a plot."""

from __future__ import annotations

import math

import pytest

from converter.model.located import (
    Culprit,
    GrowthPoint,
    LocatedNode,
    LocateFacts,
    OutputError,
    TensorStatistics,
)
from converter.model.result import ErrorInfo, ModelReport, RunReport, StageResult, Status
from converter.report.locate_html import render_locate_html
from converter.report.locate_text import around, locate_lines, located

TENSOR = TensorStatistics(
    dtype="float32", shape=(1, 4), minimum=-1, maximum=2, mean=0.5, std=1, nan=0, inf=0
)


def facts(*, place: int | None = 5, error: float = 0.02) -> LocateFacts:
    growth = tuple(
        GrowthPoint(
            index=i,
            operator="pd_op.conv2d",
            value=f"%{i}",
            tensor=f"<t{i}>",
            error=1e-7 if place is None or i < place else error,
            own=error if i == place else None,
        )
        for i in range(12)
    )
    node = LocatedNode(
        name="Conv.5",
        op_type="Conv",
        inputs=("x", ""),
        outputs=("<t5>",),
        attributes={"group": "1"},
    )
    culprit = Culprit(
        operator="pd_op.conv2d",
        place=77,
        location="/Net/Conv/",
        value="%5",
        parameters=("conv.w",),
        tensor=f"<t{place}>",
        node=node,
        region=(node, node),
        reference=TENSOR,
        candidate=TENSOR if math.isfinite(error) else None,
        error_before=1e-7,
        error=error,
        own_error=error,
        why="" if math.isfinite(error) else "shape [2] instead of [4]",
        causes=("weights: <w> differs",),
    )
    failed = OutputError(name="out", error=0.9, passed=False, reason="max_abs 0.9")
    return LocateFacts(
        reference="model",
        candidate="model.onnx",
        opset=11,
        input_shapes={"x": (1, 3)},
        case="text, seed 0",
        outputs=(failed if place is not None else OutputError(name="out", error=0, passed=True),),
        pairs=12,
        measured=12,
        tensors=20,
        method="scan",
        growth=growth,
        culprit=culprit if place is not None else None,
        bundle="repro" if place is not None else None,
    )


def report(told: LocateFacts) -> RunReport:
    error = ErrorInfo(message="differs", hint="look", exit_code=3) if told.diverges else None
    stage = StageResult(
        stage="locate",
        status=Status.FAILED if told.diverges else Status.OK,
        facts=told,
        error=error,
        peak_memory=1,
    )
    return RunReport(
        version="1",
        command="paddle2om locate a b",
        started="2025-01-01T00:00:00+00:00",
        seconds=1,
        platform="here",
        versions={},
        out_dir="",
        models=(ModelReport(name="model", source="model", stages=(stage,)),),
    )


def test_text_names_place_and_cause():
    text = "\n".join(locate_lines(facts()))
    assert "first divergence: pd_op.conv2d" in text
    assert "operator 77 of the reference, value %5, in /Net/Conv/" in text
    assert "Conv Conv.5 -> <t5>" in text
    assert "x, (none)" in text
    assert "1.0e-07 before, 2.0e-02 after, 2.0e-02 by itself" in text
    assert "weights: <w> differs" in text
    here = [line for line in text.splitlines() if "<- here" in line]
    assert len(here) == 1
    assert "<t5>" in here[0]


def test_text_of_agreement_has_no_place():
    text = "\n".join(locate_lines(facts(place=None)))
    assert "no divergence" in text
    assert "first divergence" not in text


def test_what_is_no_number_is_said():
    text = "\n".join(locate_lines(facts(error=math.inf)))
    assert "infinite by itself" in text
    assert "shape [2] instead of [4]" in text


def test_the_table_is_around_the_place():
    assert [point.index for point in around(facts())] == list(range(9))
    assert [point.index for point in around(facts(place=11))] == list(range(6, 12))


@pytest.mark.parametrize(
    "told", [facts(), facts(place=None), facts(error=math.inf), facts(place=0)]
)
def test_page_is_whole_and_escaped(told):
    page = render_locate_html(report(told))
    assert page.count("<svg") == page.count("</svg>") == 1
    assert page.count("<circle") >= len(told.growth)
    assert "<t5>" not in page  # names are the user's
    assert "<w>" not in page
    assert "nan" not in page.partition("<svg")[2].partition("</svg>")[0].lower()
    assert ('class="here"' in page) == (told.culprit is not None)
    assert "http" not in page.replace("http-equiv", "")


def test_facts_survive_json():
    told = report(facts(error=math.inf))
    again = RunReport.model_validate_json(told.model_dump_json())
    assert located(again) == located(told)
    assert again.exit_code == 3
