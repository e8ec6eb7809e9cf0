"""Part of the atc simulator: checks of the ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.simulators.atc_checks import PROFILES, invalid, read_shapes
from tests.simulators.atc_screen import TABLES, AtcFailure

#: Operators whose output shapes depend on data, so that the whole graph becomes dynamic.
_DATA_DEPENDENT = {"NonZero", "Unique"}


def check_model(values: dict[str, str], cann: str) -> bool:
    """Whether the OM file would have dynamic shapes; raises for a model that atc refuses."""
    import onnx

    path = Path(values["model"])
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise AtcFailure("E10041", parameter=path) from error
    if not model.HasField("graph"):
        raise AtcFailure("E16004")
    graph = model.graph
    if not graph.node or not graph.output:
        raise AtcFailure("E16001", value="output")
    if len(model.opset_import) > 1:
        raise AtcFailure("E16005", domain_version_size=len(model.opset_import))
    opset = model.opset_import[0].version
    for node in graph.node:
        if not _is_registered(node.op_type, opset):
            kind = f"ai.onnx::{opset}::{node.op_type}"
            if int(cann.split(".")[0]) < 7:
                raise AtcFailure("E19010", opname=node.name, optype=kind)
            raise AtcFailure("E16002", optype=kind)
    weights = {tensor.name for tensor in graph.initializer}
    inputs = {value.name: _dims(value) for value in graph.input if value.name not in weights}
    text = values.get("input_shape", "")
    shapes = read_shapes(text) if text and "input_shape_range" not in values else {}
    for name in shapes:
        if name not in inputs:
            everything = {node.name for node in graph.node}
            code = "E10017" if name in everything else "E10016"
            raise AtcFailure(code, opname=name, parameter="--input_shape")
    open_inputs = [name for name, dims in inputs.items() if -1 in dims and name not in shapes]
    if open_inputs and not text and "input_shape_range" not in values:
        raise invalid("input_shape", "NULL", "maybe you should set input_shape")
    _check_out_nodes(values.get("out_nodes", ""), graph)
    if any(flag in values for flag in PROFILES):
        return False
    given = [axis for axes in shapes.values() for axis in axes]
    return (
        bool(open_inputs)
        or any(axis == "-1" or "~" in axis for axis in given)
        or "input_shape_range" in values
        or any(node.op_type in _DATA_DEPENDENT for node in graph.node)
    )


def _is_registered(kind: str, opset: int) -> bool:
    for span in TABLES["operators"].get(kind, "").split(","):
        low, _, high = span.partition("-")
        if low and int(low) <= opset <= int(high or low):
            return True
    return False


def _dims(value: Any) -> list[int]:
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims]


def _check_out_nodes(text: str, graph: Any) -> None:
    outputs = {value.name for value in graph.output}
    nodes = {node.name for node in graph.node}
    for entry in filter(None, text.split(";")):
        if entry not in outputs and entry.rpartition(":")[0] not in nodes:
            raise AtcFailure("E10016", opname=entry, parameter="--out_nodes")
