"""The part of the pre-flight that looks at attributes and edges of single nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from converter.model.result import Finding

if TYPE_CHECKING:
    import onnx

#: Operator -> inputs that decide the shape of its output.
_SHAPE_INPUTS: Mapping[str, tuple[int, ...]] = {
    "Reshape": (1,),
    "Expand": (1,),
    "Tile": (1,),
    "ConstantOfShape": (0,),
    "Range": (0, 1, 2),
    "Resize": (2, 3),
    "Pad": (1,),
    "Slice": (1, 2, 3, 4),
    "TopK": (1,),
}

#: Above this many elements a pooling window is slow.
_LARGEST_WINDOW = 255


class _Graph:
    """A graph's constants, and who reads which tensor."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.constants = {tensor.name for tensor in graph.initializer}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants.update(node.output)
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.outputs = {value.name for value in graph.output}

    def computed(self, node: onnx.NodeProto, places: tuple[int, ...]) -> bool:
        """Whether one of these inputs is there and is not a constant."""
        given = [node.input[place] for place in places if place < len(node.input)]
        return any(name and name not in self.constants for name in given)

    def is_read(self, name: str) -> bool:
        return bool(name) and (name in self.readers or name in self.outputs)


def node_findings(model: onnx.ModelProto, *, profiles: bool) -> Iterator[Finding]:
    """Findings about the nodes of the main graph; one per operator type and kind of trouble."""
    graph = _Graph(model.graph)
    for severity, atc, help_, hit in _RULES:
        by_kind: dict[str, list[str]] = {}
        for node in graph.nodes:
            if hit(graph, node):
                by_kind.setdefault(node.op_type, []).append(node.name or node.output[0])
        for kind, names in by_kind.items():
            yield Finding(
                severity=severity,
                subject=kind,
                atc=atc,
                help=help_,
                nodes=tuple(names[:3]),
                count=len(names),
            )
    shaped = [
        (node.op_type, node.name or node.output[0])
        for node in graph.nodes
        if graph.computed(node, _SHAPE_INPUTS.get(node.op_type, ()))
    ]
    for kind in dict.fromkeys(kind for kind, _ in shaped):
        names = [name for other, name in shaped if other == kind]
        yield Finding(
            # With profiles nothing was folded, so that most of these follow from static shapes.
            severity="info" if profiles else "warning",
            subject=kind,
            atc="finds the shape of its output in computed values; when they follow from the data, "
            "the OM file is dynamic and named after the host's system",
            help="give a static shape, or cut the model off before it",
            nodes=tuple(names[:3]),
            count=len(names),
        )


def _attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    import onnx

    for attribute in node.attribute:
        if attribute.name == name:
            value = onnx.helper.get_attribute_value(attribute)
            return value.decode() if isinstance(value, bytes) else value
    return default


def _topk_indices(graph: _Graph, node: onnx.NodeProto) -> bool:
    if node.op_type != "TopK" or len(node.output) < 2:
        return False
    readers = graph.readers.get(node.output[1], [])
    return node.output[1] in graph.outputs or any(r.op_type != "Cast" for r in readers)


def _kernel_shape_missing(graph: _Graph, node: onnx.NodeProto) -> bool:
    return node.op_type == "ConvTranspose" and not _attribute(node, "kernel_shape")


def _large_window(graph: _Graph, node: onnx.NodeProto) -> bool:
    window = _attribute(node, "kernel_shape", ())
    return node.op_type == "AveragePool" and bool(math.prod(window) > _LARGEST_WINDOW)


def _pool_indices(graph: _Graph, node: onnx.NodeProto) -> bool:
    second = len(node.output) > 1 and graph.is_read(node.output[1])
    columns = bool(_attribute(node, "storage_order", 0))
    return node.op_type == "MaxPool" and (second or columns)


def _last_index(graph: _Graph, node: onnx.NodeProto) -> bool:
    last = bool(_attribute(node, "select_last_index", 0))
    return node.op_type in ("ArgMax", "ArgMin") and last


def _multiplying_scatter(graph: _Graph, node: onnx.NodeProto) -> bool:
    return node.op_type == "ScatterND" and str(_attribute(node, "reduction", "none")) == "mul"


def _resize_options(graph: _Graph, node: onnx.NodeProto) -> bool:
    stretch = str(_attribute(node, "keep_aspect_ratio_policy", "stretch"))
    smooth = bool(_attribute(node, "antialias", 0))
    return node.op_type == "Resize" and (smooth or stretch != "stretch")


def _resize_rounding(graph: _Graph, node: onnx.NodeProto) -> bool:
    rounding = _attribute(node, "nearest_mode", "round_prefer_floor")
    nearest = str(_attribute(node, "mode", "nearest")) == "nearest"
    return node.op_type == "Resize" and nearest and rounding in ("ceil", "round_prefer_ceil")


_Rule = tuple[
    Literal["error", "warning", "info"],
    str,
    str,
    Callable[[_Graph, "onnx.NodeProto"], bool],
]

#: Severity, what atc does, what helps, and when it is so.
_RULES: tuple[_Rule, ...] = (
    (
        "warning",
        "gives its indices as int32 and may end with E89999 where an int64 operator reads them",
        "put a Cast to int64 behind it",
        _topk_indices,
    ),
    (
        "error",
        "wants the attribute kernel_shape, which ONNX lets out",
        "write the extents of its weights there",
        _kernel_shape_missing,
    ),
    ("warning", "is slow with windows of more than 255 elements", "use ReduceMean", _large_window),
    (
        "error",
        "has no indices and no column order in it",
        "replace the operator",
        _pool_indices,
    ),
    ("error", "has no select_last_index", "replace the operator", _last_index),
    ("error", "has no reduction=mul", "replace the operator", _multiplying_scatter),
    (
        "warning",
        "ignores antialias and keep_aspect_ratio_policy: its numbers differ",
        "resize before the model",
        _resize_options,
    ),
    (
        "warning",
        "ignores nearest_mode: its numbers may differ by a pixel",
        "compare the OM file's results with the ONNX model's",
        _resize_rounding,
    ),
)
