"""Convolutions in the forms that paddle2onnx aborts on or gets wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.spatial import (
    channels_last,
    from_channels_first,
    paddings,
    spatial_extents,
    to_channels_first,
)


def _layout(op: Operation) -> str:
    layout = str(op.attr("data_format", "NCHW"))
    if op.rank() == 5:  # conv3d_transpose says NCHW, some operators NHWC, for five axes too
        return "NDHWC" if channels_last(layout) else "NCDHW"
    return layout


def _same_dilated(op: Operation) -> bool:
    dilated = any(int(d) != 1 for d in op.attr("dilations"))
    return op.attr("padding_algorithm") == "SAME" and dilated


def _wrong(op: Operation, opset: int) -> bool:
    return channels_last(_layout(op)) or _same_dilated(op)


@lowering(
    "conv2d",
    "depthwise_conv2d",
    "conv3d",
    when=_wrong,
    why="paddle2onnx 2.1.0 aborts on channels-last convolutions and on SAME padding with dilations",
)
def convolution(op: Operation, graph: Graph) -> Tensor:
    """Convolution; SAME and VALID padding make Paddle ignore the dilations of SAME ones."""
    layout = _layout(op)
    x = to_channels_first(graph, op[0], layout)
    kernel = op.type(1).shape[2:]
    strides = [int(s) for s in op.attr("strides")]
    algorithm = op.attr("padding_algorithm")
    extents = spatial_extents(op.type(0).shape, layout)
    pads = paddings(algorithm, op.attr("paddings"), extents, kernel, strides)
    dilations = [1] * len(kernel) if algorithm == "SAME" else list(op.attr("dilations"))
    result = graph.emit(
        "Conv",
        x,
        op[1],
        rank=op.rank(),
        kernel_shape=list(kernel),
        strides=strides,
        dilations=dilations,
        group=int(op.attr("groups")),
        **pads.attributes,
    )
    return from_channels_first(graph, result, layout)


def _output_size(op: Operation) -> list[int] | None:
    """The output size asked for, [] when none is, ``None`` when it is computed."""
    if op.has(2):
        array = op.constant(2)
        return None if array is None else [int(size) for size in array.reshape(-1)]
    return [int(size) for size in op.attr("output_size", [])]


def _wrong_transposed(op: Operation, opset: int) -> bool:
    same = op.attr("padding_algorithm") == "SAME"
    return channels_last(_layout(op)) or same or _output_size(op) != []


@lowering(
    "conv2d_transpose",
    "depthwise_conv2d_transpose",
    "conv3d_transpose",
    when=_wrong_transposed,
    why="paddle2onnx 2.1.0 aborts on channels-last transposed convolutions, and gets their size "
    "wrong with SAME padding or an output size",
)
def transposed_convolution(op: Operation, graph: Graph) -> Tensor:
    """Transposed convolution of size (L - 1) * s + d * (k - 1) + 1 - padding + output padding."""
    layout = _layout(op)
    x = to_channels_first(graph, op[0], layout)
    kernel = op.type(1).shape[2:]
    strides = [int(s) for s in op.attr("strides")]
    algorithm = op.attr("padding_algorithm")
    extents = spatial_extents(op.type(0).shape, layout)
    pads = paddings(algorithm, op.attr("paddings"), extents, kernel, strides)
    dilations = [1] * len(kernel) if algorithm == "SAME" else [int(d) for d in op.attr("dilations")]
    extra = [int(e) for e in op.attr("output_padding")] or [0] * len(kernel)
    size = _output_size(op)
    common: dict[str, Any] = {
        "kernel_shape": list(kernel),
        "strides": strides,
        "dilations": dilations,
        "group": int(op.attr("groups")),
    }
    weights, rank = op[1], op.rank()
    if pads.same:
        if size != []:
            raise CannotLower("SAME padding of a dynamic extent with an output size")
        return from_channels_first(
            graph, _same_transposed(graph, x, weights, kernel, strides, extra, common), layout
        )
    if size is None or (size and min(extents) < 0):
        # Compute as much as any output size can ask for, then cut.
        extra = [max(s, d) - 1 for s, d in zip(strides, dilations, strict=True)]
        whole = graph.emit(
            "ConvTranspose",
            x,
            weights,
            rank=rank,
            output_padding=extra,
            **pads.attributes,
            **common,
        )
        wanted = graph.cast(op[2], "int64") if size is None else graph.ints(*size)
        graph.since(10, "an output size of dynamic extents")
        axes = list(range(2, rank))
        inputs = (whole, graph.ints(*[0] * len(axes)), wanted, graph.ints(*axes))
        (result,) = graph.emit_all("Slice", inputs, [x.dtype], [rank])
        return from_channels_first(graph, result, layout)
    if size:
        least = [
            (extent - 1) * s + d * (k - 1) + 1 - begin - end
            for extent, s, d, k, begin, end in zip(
                extents, strides, dilations, kernel, pads.before, pads.after, strict=True
            )
        ]
        extra = [want - low for want, low in zip(size, least, strict=True)]
    result = graph.emit(
        "ConvTranspose", x, weights, rank=rank, output_padding=extra, **pads.attributes, **common
    )
    return from_channels_first(graph, result, layout)


def _same_transposed(
    graph: Graph,
    x: Tensor,
    weights: Tensor,
    kernel: Sequence[int],
    strides: Sequence[int],
    extra: Sequence[int],
    common: dict[str, Any],
) -> Tensor:
    """SAME padding follows from the input's extents: compute all of it, then cut it off."""
    rank = 2 + len(kernel)
    whole = graph.emit("ConvTranspose", x, weights, rank=rank, output_padding=list(extra), **common)
    graph.since(10, "SAME padding of dynamic extents")
    axes = list(range(2, rank))
    length = graph.slice(graph.shape(x), [2], [rank], [0])
    stride = graph.ints(*strides)
    steps = (length + (stride - 1)) / stride
    total = (steps - 1) * stride + graph.ints(*kernel) - length
    total = graph.cast(graph.maximum(graph.cast(total, "float32"), 0.0), "int64")
    begin = total / 2
    end = graph.slice(graph.shape(whole), [2], [rank], [0]) - (total - begin)
    inputs = (whole, begin, end, graph.ints(*axes))
    (result,) = graph.emit_all("Slice", inputs, [x.dtype], [rank])
    return result
