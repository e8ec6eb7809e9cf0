"""Gives the ONNX graph Paddle's own names: outputs, and readable names for dynamic dims.

paddle2onnx names outputs after the fetch operation (``fetch_name_0``) where an old program has a
real name, and dynamic dims ``DynamicDimension.7``, afresh for each axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from converter.errors import StageError
from converter.model.tensor import TensorSpec

if TYPE_CHECKING:
    import onnx


def name_signature(
    model: onnx.ModelProto, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> None:
    """Rename ``model``'s outputs and dims in place to those of the Paddle program.

    Raises ``StageError`` when the graph has another number of outputs or lacks an input.
    """
    graph = model.graph
    if len(graph.output) != len(outputs):
        raise StageError(
            f"the ONNX graph has {len(graph.output)} outputs, the Paddle program {len(outputs)}",
            hint="report this model: paddle2onnx dropped or added an output",
        )
    _rename_outputs(graph, [spec.name for spec in outputs])
    specs = {spec.name: spec for spec in (*inputs, *outputs)}
    for value in (*graph.input, *graph.output):
        spec = specs.get(value.name)
        dims = value.type.tensor_type.shape.dim
        if spec is None or len(dims) != spec.rank:
            continue  # export's post-condition says so in the user's words
        for dim, extent in zip(dims, spec.shape, strict=True):
            if isinstance(extent, str) and not dim.HasField("dim_value"):
                dim.dim_param = extent


def _rename_outputs(graph: onnx.GraphProto, names: list[str]) -> None:
    """Rename graph outputs in order, in the nodes that make and use them too."""
    renames = {
        value.name: name
        for value, name in zip(graph.output, names, strict=True)
        if value.name != name
    }
    taken = {name for node in graph.node for name in node.output}
    taken |= {value.name for value in (*graph.input, *graph.initializer)}
    if not renames or any(name in taken for name in renames.values()):
        return
    for value in graph.output:
        value.name = renames.get(value.name, value.name)
    for node in _nodes(graph):
        for names_of in (node.input, node.output):
            for index, name in enumerate(names_of):
                if name in renames:
                    names_of[index] = renames[name]


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node, those in the bodies of If and Loop included (they see outer names)."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _nodes(body)
