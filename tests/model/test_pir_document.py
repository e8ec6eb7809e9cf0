from __future__ import annotations

from typing import Any

import pytest

from converter.errors import InputError
from converter.model.pir_document import (
    attribute,
    attribute_entry,
    load_pir,
    operand_ids,
    operation_name,
    parameter_name,
    result_types,
    value_types,
    walk_operations,
)
from converter.model.pir_types import TensorType
from tests.model.builders import TINY_PIR, attr, document, operation, parameter, tensor_type

F32 = tensor_type("0.t_f32", [2])


def test_walk_is_in_program_order_with_bodies_after_their_owner() -> None:
    inner = operation("1.if", bodies=[[operation("1.a")], [operation("1.b")]])
    outer = operation("1.while", bodies=[[operation("1.c"), inner, operation("1.d")]])
    walked = walk_operations(document([operation("1.e"), outer, operation("1.f")]))
    names = [operation_name(found) for found in walked]
    assert [name.removeprefix("pd_op.") for name in names] == [
        *("e", "while", "c", "if", "a", "b", "d", "f")
    ]


def test_walk_takes_the_program_alone_as_well() -> None:
    whole = document([operation("1.e")])
    assert list(walk_operations(whole["program"])) == list(walk_operations(whole))


def test_walk_survives_any_depth() -> None:
    nested = operation("1.leaf")
    for _ in range(5000):
        nested = operation("1.if", bodies=[[nested]])
    assert sum(1 for _ in walk_operations(document([nested]))) == 5001


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        ("p", "builtin.parameter"),
        ("0.combine", "builtin.combine"),
        ("1.conv2d", "pd_op.conv2d"),
        ("2.yield", "cf.yield"),
        ("3.my.op", "custom_op.my.op"),
        ("4.shard_tensor", "dist.shard_tensor"),
        ("onednn_op.conv2d", "onednn_op.conv2d"),
    ],
)
def test_operation_names(stored: str, name: str) -> None:
    assert operation_name({"#": stored}) == name


def test_attributes_of_a_real_program() -> None:
    found: dict[str, Any] = {
        operation_name(item): item
        for item in walk_operations(load_pir(TINY_PIR / "inference.json"))
    }
    assert attribute(found["pd_op.leaky_relu"], "negative_slope") == pytest.approx(0.1)
    assert attribute(found["pd_op.conv2d"], "strides") == [1, 1]
    assert attribute(found["pd_op.conv2d"], "no_such") is None
    assert attribute(found["builtin.parameter"], "name") is None
    entry = attribute_entry(found["pd_op.bilinear_interp"], "scale")
    assert entry is not None
    assert [item["#"] for item in entry["D"]] == ["0.a_f64", "0.a_f64"]


def test_values_and_their_types() -> None:
    vector = {"#": "0.t_vec", "D": [F32]}
    made = operation("1.split", [], [7, 0], {8: vector, 9: F32, 10: {"#": "NULL"}})
    assert operand_ids(made) == [7, 0]
    assert result_types(made) == {8: None, 9: TensorType("float32", (2,)), 10: None}
    types = value_types(document([parameter("w", 1, F32), made]))
    assert types[1] == TensorType("float32", (2,))
    assert types[8] is None


def test_values_of_beta_files_are_numbered_with_a_hash() -> None:
    assert operand_ids({"I": [{"#": 4}]}) == [4]


def test_parameter_names_of_both_forms() -> None:
    assert parameter_name(parameter("w", 1, F32)) == "w"
    written_out = operation("0.parameter", [attr("parameter_name", "0.a_str", "v")])
    assert parameter_name(written_out) == "v"


@pytest.mark.parametrize(
    "broken",
    [
        lambda: list(walk_operations({})),
        lambda: list(walk_operations({"program": 3})),
        lambda: operation_name({}),
        lambda: parameter_name({"#": "p", "A": [0]}),
        lambda: attribute({"#": "1.x", "A": 3}, "y"),
        lambda: attribute({"#": "1.x", "A": [{"N": "y", "AT": []}]}, "y"),
        lambda: attribute({"#": "1.x", "A": [attr("y", "0.a_array", [1])]}, "y"),
        lambda: operand_ids({"I": [{"%": True}]}),
        lambda: operand_ids({"I": [{"%": 2**70}]}),
        lambda: result_types({"O": [{"%": 1}]}),
        lambda: result_types({"O": [3]}),
    ],
)
def test_broken_parts_are_input_errors(broken: Any) -> None:
    with pytest.raises(InputError) as caught:
        broken()
    assert "not a well-formed PIR program" in caught.value.message
    assert caught.value.hint
