"""Interpolation with the channels last, which paddle2onnx aborts on."""

from __future__ import annotations

from collections.abc import Sequence

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.spatial import (
    channels_last,
    from_channels_first,
    to_channels_first,
)

_SIZE, _SIZES, _SCALE = 1, 2, 3


@lowering(
    "linear_interp",
    "bilinear_interp",
    "trilinear_interp",
    "nearest_interp",
    "bicubic_interp",
    when=lambda op, opset: channels_last(str(op.attr("data_format"))),
    why="paddle2onnx 2.1.0 aborts on interpolation with the channels last",
)
def interpolate(op: Operation, graph: Graph) -> Tensor:
    """ONNX's Resize; sizes asked for win over factors (phi/kernels/cpu/interpolate_kernel.cc)."""
    graph.since(11, "Resize with a choice of coordinates")
    layout = str(op.attr("data_format"))
    x = to_channels_first(graph, op[0], layout)
    rank = op.rank()
    sizes, factors = _wanted(op, graph, rank)
    names = {"nearest": "nearest", "bicubic": "cubic"}
    mode = names.get(str(op.attr("interp_method")), "linear")
    aligned = bool(op.attr("align_corners"))
    where = "half_pixel"
    if aligned:
        where = "align_corners"
    elif mode == "nearest" or (mode == "linear" and int(op.attr("align_mode")) == 1):
        where = "asymmetric"
    nearest = "round_prefer_ceil" if aligned else "floor"
    none = graph.constant([], "float32")
    channels = graph.slice(graph.shape(x), [0], [2], [0])
    if mode == "cubic":
        # ONNX Runtime moves the transposition behind Resize, whose cubic form it has for channels
        # first only. It does not move it past this.
        spatial = graph.slice(graph.shape(x), [2], [rank], [0])
        x = graph.reshape(x, graph.concat([graph.ints(-1, 1), spatial], 0), rank=rank)
    if sizes is not None:
        outer = graph.slice(graph.shape(x), [0], [2], [0])
        sizes = graph.concat([outer, sizes], 0)
    (result,) = graph.emit_all(
        "Resize",
        (x, none, none if factors is None else factors, sizes),
        [x.dtype],
        [rank],
        mode=mode,
        coordinate_transformation_mode=where,
        nearest_mode=nearest if mode == "nearest" else None,
        cubic_coeff_a=-0.75 if mode == "cubic" else None,
    )
    if mode == "cubic":
        spatial = graph.slice(graph.shape(result), [2], [rank], [0])
        result = graph.reshape(result, graph.concat([channels, spatial], 0), rank=rank)
    return from_channels_first(graph, result, layout)


def _wanted(op: Operation, graph: Graph, rank: int) -> tuple[Tensor | None, Tensor | None]:
    """Sizes of the spatial axes, or factors of all axes; the other one is ``None``."""
    if op.has(_SIZES):
        parts = [graph.reshape(graph.cast(part, "int64"), [1]) for part in op.tensors(_SIZES)]
        return graph.concat(parts, 0), None
    if op.has(_SIZE):
        return graph.cast(op[_SIZE], "int64"), None
    if op.has(_SCALE):
        raise CannotLower("its factors are computed")
    names = ("out_d", "out_h", "out_w")[-(rank - 2) :]
    sizes: Sequence[int] = [int(op.attr(name)) for name in names]
    factors = [float(factor) for factor in op.attr("scale") or []]
    if factors:
        factors = factors * (rank - 2) if len(factors) == 1 else factors
        return None, graph.constant([1.0, 1.0, *factors], "float32")
    return graph.ints(*sizes), None
