"""``decrease_axis`` goes only where the declared result still has the axis."""

from __future__ import annotations

import pytest

from converter.bridge.kept_slice_axes import KeptSliceAxes
from converter.model.pir_document import attribute


def tensor(value: int, *shape: int) -> dict:
    kind = {"#": "0.t_dtensor", "D": [{"#": "0.t_i32"}, list(shape), "NCHW", [], 0]}
    return {"%": value, "TT": kind}


def sliced(source: tuple[int, ...], result: tuple[int, ...], dropped: list[int]) -> dict:
    """A program that slices a tensor of shape ``source`` into one of shape ``result``."""
    axes = {"#": "0.a_array", "D": [{"#": "0.a_i64", "D": axis} for axis in dropped]}
    shape_of = {"#": "1.shape", "A": [], "I": [], "O": [tensor(1, *source)]}
    slice_of = {
        "#": "1.slice",
        "A": [{"AT": axes, "N": "decrease_axis"}],
        "I": [{"%": 1}],
        "O": [tensor(2, *result)],
    }
    return {"program": {"regions": [{"blocks": [{"args": [], "ops": [shape_of, slice_of]}]}]}}


def dropped_axes(program: dict) -> list[int]:
    return attribute(program["program"]["regions"][0]["blocks"][0]["ops"][1], "decrease_axis")


@pytest.mark.parametrize(
    ("source", "result", "dropped"),
    [((4,), (1,), [0]), ((2, 3), (1, 3), [0]), ((2, 3), (1,), [0, 1])],
)
def test_a_kept_axis_is_no_longer_dropped(source, result, dropped):
    program = sliced(source, result, dropped)

    assert KeptSliceAxes().apply(program) == 1
    assert dropped_axes(program) == []
    assert KeptSliceAxes().apply(program) == 0


@pytest.mark.parametrize(
    ("source", "result", "dropped"), [((4,), (), [0]), ((2, 3), (3,), [0]), ((4,), (1,), [])]
)
def test_a_slice_that_means_it_stays(source, result, dropped):
    program = sliced(source, result, dropped)

    assert KeptSliceAxes().apply(program) == 0
    assert dropped_axes(program) == dropped
