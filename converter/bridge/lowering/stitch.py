"""Puts the nodes of lowered operators into the graph that paddle2onnx made without them."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from converter.bridge.lowering.graph import ONNX_TYPES
from converter.errors import StageError
from converter.model.onnx_graph import names_read
from converter.model.pir_types import TensorType

if TYPE_CHECKING:
    import onnx

    from converter.bridge.lowering.plan import Plan


def empty_model(plan: Plan, opset: int) -> onnx.ModelProto:
    """A model with the program's inputs alone, for when paddle2onnx has nothing to do."""
    from onnx import helper

    inputs = [_value_info(name, kind) for name, kind in plan.inputs.items()]
    graph = helper.make_graph([], "PaddlePaddle Graph", inputs, [])
    model: onnx.ModelProto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=helper.find_min_ir_version_for([helper.make_opsetid("", opset)]),
    )
    return model


def stitch(model: onnx.ModelProto, plan: Plan) -> None:
    """Replace the cut's inputs and outputs in ``model`` by the nodes of ``plan``."""
    from onnx import helper

    graph = model.graph
    placeholders = set(plan.placeholders.values())
    replace(graph.input, [value for value in graph.input if value.name not in placeholders])
    graph.node.extend(plan.nodes)
    made = {value.name: value for value in graph.output}
    outputs = []
    for output in plan.outputs:
        if output.made is None:
            if output.name not in made:
                raise StageError(
                    f"the ONNX graph has no output {output.name}",
                    hint="report this model: paddle2onnx dropped an output",
                )
            outputs.append(made[output.name])
            continue
        if output.made.name != output.name:  # else an input that is given out as it is
            graph.node.append(helper.make_node("Identity", [output.made.name], [output.name]))
        outputs.append(_value_info(output.name, output.type))
    replace(graph.output, outputs)
    sort_nodes(graph)


def _value_info(name: str, kind: TensorType) -> onnx.ValueInfoProto:
    from onnx import helper

    if kind.dtype not in ONNX_TYPES:
        raise StageError(
            f"{name} is {kind.dtype}, which ONNX has no dtype for",
            hint="save the model with inputs and outputs of real numbers",
        )
    dims = [extent if extent >= 0 else None for extent in kind.shape]
    value: onnx.ValueInfoProto = helper.make_tensor_value_info(name, ONNX_TYPES[kind.dtype], dims)
    return value


def sort_nodes(graph: onnx.GraphProto) -> None:
    """Order the nodes so that each comes after what it reads; otherwise the order stays."""
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    waiting: list[int] = []
    readers: dict[int, list[int]] = {}
    for index, node in enumerate(graph.node):
        sources = {makers[name] for name in names_read(node) if name in makers} - {index}
        waiting.append(len(sources))
        for source in sources:
            readers.setdefault(source, []).append(index)
    ready = [index for index, count in enumerate(waiting) if count == 0]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers.get(index, ()):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heapq.heappush(ready, reader)
    nodes = [graph.node[index] for index in order]
    assert len(nodes) == len(graph.node), "the lowered graph has a cycle"
    if order != sorted(order):
        replace(graph.node, nodes)


def replace(values: Any, kept: Sequence[Any]) -> None:
    """Make ``kept`` (elements of ``values`` among them) the whole repeated field."""
    copies = [type(value).FromString(value.SerializeToString()) for value in kept]
    del values[:]
    values.extend(copies)
