"""Attributes become float where Paddle 3.3 made them double, and nowhere else."""

from __future__ import annotations

from converter.bridge.double_attributes import DoubleAttributes


def program(*operations: dict) -> dict:
    return {"program": {"regions": [{"blocks": [{"args": [], "ops": list(operations)}]}]}}


def operation(name: str, **attributes: dict) -> dict:
    return {
        "#": name,
        "A": [{"AT": value, "N": key} for key, value in attributes.items()],
        "I": [],
        "O": [],
    }


def double(value: float) -> dict:
    return {"#": "0.a_f64", "D": value}


def test_a_listed_attribute_becomes_float_and_keeps_its_value():
    relu = operation("1.leaky_relu", negative_slope=double(0.1))

    assert DoubleAttributes().apply(program(relu)) == 1
    assert relu["A"][0]["AT"] == {"#": "0.a_f32", "D": 0.1}


def test_an_array_counts_once():
    scale = {"#": "0.a_array", "D": [double(2.0), double(0.5)]}
    interpolate = operation("1.nearest_interp", scale=scale)

    assert DoubleAttributes().apply(program(interpolate)) == 1
    assert [item["#"] for item in scale["D"]] == ["0.a_f32", "0.a_f32"]
    assert [item["D"] for item in scale["D"]] == [2.0, 0.5]


def test_doubles_that_paddle2onnx_knows_stay():
    full = operation("1.full", value=double(0.25))
    other = operation("1.leaky_relu", something=double(1.0))

    assert DoubleAttributes().apply(program(full, other)) == 0
    assert full["A"][0]["AT"]["#"] == "0.a_f64"
    assert other["A"][0]["AT"]["#"] == "0.a_f64"


def test_a_program_of_paddle_3_2_stays():
    relu = operation("1.leaky_relu", negative_slope={"#": "0.a_f32", "D": 0.1})
    empty = operation("1.nearest_interp", scale={"#": "0.a_array", "D": []})

    assert DoubleAttributes().apply(program(relu, empty)) == 0


def test_bodies_of_control_flow_are_repaired_too():
    relu = operation("1.leaky_relu", negative_slope=double(0.1))
    branch = operation("1.if") | {"regions": [{"blocks": [{"args": [], "ops": [relu]}]}]}

    assert DoubleAttributes().apply(program(branch)) == 1


def test_applying_twice_changes_nothing_more():
    whole = program(operation("1.pad3d", pad_value=double(3.0)))

    assert DoubleAttributes().apply(whole) == 1
    assert DoubleAttributes().apply(whole) == 0
