"""Checks an atc command against the names and shapes of the ONNX model."""

from __future__ import annotations

from collections.abc import Mapping

from converter.atc.flags import refusal
from converter.atc.model_facts import ModelFacts
from converter.atc.shape_text import PROFILE_FLAGS, Axis, parse_input_shape
from converter.model.tensor import Dim


def check_against_model(values: Mapping[str, str], model: ModelFacts) -> None:
    """Names of inputs and outputs exist, dynamic inputs have a shape, fixed extents stay."""
    names = [spec.name for spec in model.inputs]
    text = values.get("input_shape", "")
    shapes = parse_input_shape(text) if text else {}
    for name in shapes:
        if name not in names:
            raise refusal(
                f"--input_shape names {name!r}, which is not an input",
                hint=f"inputs: {', '.join(names)}",
                code="E10016",
            )
    ranges = "input_shape_range" in values
    dynamic = [spec for spec in model.inputs if spec.is_dynamic]
    if dynamic and not shapes and not ranges:
        raise refusal(
            f"--input_shape is missing, and the model has the dynamic input {dynamic[0]}",
            hint="give the shape to compile for",
            code="E10001",
        )
    _check_out_nodes(values.get("out_nodes", ""), model)
    for spec in dynamic:
        if spec.name not in shapes and not ranges:
            raise refusal(
                f"--input_shape does not name the dynamic input {spec}",
                hint="give it a shape too; a dynamic input makes the OM file dynamic",
            )
    for name, shape in shapes.items():
        wanted = model.input(name)
        if wanted is not None and not _fits(wanted.shape, shape):
            raise refusal(
                f"--input_shape does not fit input {wanted}",
                hint="as many axes as the input has, and its fixed extents as they are",
            )
    unlisted = [name for name in names if name not in shapes]
    if unlisted and any(name in values for name in PROFILE_FLAGS):
        raise refusal(
            f"with shape profiles --input_shape must name every input, and {unlisted[0]!r} is not",
            hint="list the static inputs too; a scalar is written as name:",
        )


def _fits(declared: tuple[Dim, ...], given: tuple[Axis, ...]) -> bool:
    return len(declared) == len(given) and all(
        isinstance(dim, str) or dim == axis for dim, axis in zip(declared, given, strict=True)
    )


def _check_out_nodes(text: str, model: ModelFacts) -> None:
    entries = [entry.strip() for entry in text.split(";") if entry.strip()]
    by_node = [":" in entry and entry not in model.outputs for entry in entries]
    if any(by_node) and not all(by_node):
        raise refusal(
            "--out_nodes mixes node:index with names of graph outputs",
            hint="use one of the two forms",
            code="E10001",
        )
    for entry, is_node in zip(entries, by_node, strict=True):
        node, _, index = entry.rpartition(":")
        if is_node and not index.isdecimal():
            raise refusal(
                f"--out_nodes: {index!r} is not an index", hint="write node:0", code="E10014"
            )
        if (node not in model.operators) if is_node else (entry not in model.outputs):
            raise refusal(
                f"--out_nodes names {entry!r}, which the model does not have",
                hint=f"graph outputs: {', '.join(model.outputs)}",
                code="E10016",
            )
