"""Deformable convolution below opset 19, where ONNX has no DeformConv."""

from __future__ import annotations

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.sampling import (
    image_extents,
    image_numbers,
    pixel_rows,
    sample_linear,
)
from converter.bridge.lowering.spatial import paddings

_MASK = 3


@lowering(
    "deformable_conv",
    when=lambda op, opset: opset < 19 or not op.has(_MASK),
    why="ONNX has no deformable convolution before opset 19, and paddle2onnx 2.1.0 wants a mask",
)
def deformable_convolution(op: Operation, graph: Graph) -> Tensor:
    """Convolve x read at shifted places (Dai et al. 2017; with a mask Zhu et al. 2018).

    Offsets are [N, groups * kernel * (y, x), H, W]; what lies outside counts as zero.
    """
    kernel = op.type(2).shape[2:]
    strides = [int(s) for s in op.attr("strides")]
    dilations = [int(d) for d in op.attr("dilations")]
    pads = paddings("EXPLICIT", op.attr("paddings"), op.type(0).shape[2:], kernel, strides)
    groups, parts = int(op.attr("groups")), int(op.attr("deformable_groups"))
    if graph.opset >= 19:
        return graph.emit(
            "DeformConv",
            op[0],
            op[2],
            op[1],
            kernel_shape=list(kernel),
            strides=strides,
            dilations=dilations,
            group=groups,
            offset_group=parts,
            **pads.attributes,
        )
    x, offset = op[0], op[1]
    batch, channels, *declared = op.type(0).shape
    if channels < 0:
        raise CannotLower("its number of channels is dynamic")
    outputs, taps = op.type(2).shape[0], kernel[0] * kernel[1]
    height, width = image_extents(graph, offset, op.type(1).shape)
    rows_at, columns_at = _places(graph, height, width, strides)
    # [1, 1, taps, 1, 1] + [H, 1] and [1, W]
    taps_y = [i * dilations[0] - pads.before[0] for i in range(kernel[0]) for _ in range(kernel[1])]
    taps_x = [j * dilations[1] - pads.before[1] for _ in range(kernel[0]) for j in range(kernel[1])]
    dtype = x.dtype
    where = [
        graph.constant([[[[t]] for t in taps_y]], dtype) + graph.cast(rows_at, dtype),
        graph.constant([[[[t]] for t in taps_x]], dtype) + graph.cast(columns_at, dtype),
    ]
    # One image per deformable group: [N * parts, taps, 2, H, W]
    shape = graph.concat(
        [graph.ints(-1, taps, 2), graph.slice(graph.shape(offset), [2], [4], [0])], 0
    )
    shifts = graph.reshape(offset, shape, rank=5)
    flat = graph.ints(0, -1)
    places = [
        graph.reshape(graph.gather(shifts, graph.constant(i, "int64"), 2) + where[i], flat, rank=2)
        for i in range(2)
    ]
    extents = image_extents(graph, x, op.type(0).shape)
    images, images_count = x, batch
    if parts > 1:
        size = graph.slice(graph.shape(x), [2], [4], [0])
        grouped = graph.concat([graph.ints(-1, channels // parts), size], 0)
        images = graph.reshape(x, grouped, rank=4)
        images_count = batch * parts if batch > 0 else -1
    rows = pixel_rows(graph, images, [images_count, channels // parts, *declared])
    numbers = image_numbers(graph, images, images_count)
    read = sample_linear(graph, rows, places, extents, numbers, zeros=True)
    if op.has(_MASK):
        read = read * graph.unsqueeze(_rows_of_mask(graph, op[_MASK], taps), [2])
    read = graph.transpose(read, [0, 2, 1])  # [N * parts, C / parts, taps * H * W]
    columns = graph.reshape(
        read,
        graph.concat(
            [graph.ints(-1, groups, channels // groups * taps), _product(graph, height, width)], 0
        ),
        rank=4,
    )
    weights = graph.reshape(op[2], [groups, outputs // groups, channels // groups * taps])
    result = weights @ columns
    size = graph.slice(graph.shape(offset), [2], [4], [0])
    return graph.reshape(result, graph.concat([graph.ints(-1, outputs), size], 0), rank=4)


def _rows_of_mask(graph: Graph, mask: Tensor, taps: int) -> Tensor:
    """[N, parts * taps, H, W] as [N * parts, taps * H * W]."""
    size = graph.slice(graph.shape(mask), [2], [4], [0])
    split = graph.reshape(mask, graph.concat([graph.ints(-1, taps), size], 0), rank=4)
    return graph.reshape(split, [0, -1])


def _places(
    graph: Graph, height: int | Tensor, width: int | Tensor, strides: list[int]
) -> tuple[Tensor, Tensor]:
    """Where the windows begin: [H, 1] and [1, W], int64."""
    rows = graph.unsqueeze(_count(graph, height), [1]) * strides[0]
    return rows, graph.unsqueeze(_count(graph, width), [0]) * strides[1]


def _count(graph: Graph, extent: int | Tensor) -> Tensor:
    if isinstance(extent, Tensor):
        return graph.range(0, extent)
    return graph.ints(*range(extent))


def _product(graph: Graph, height: int | Tensor, width: int | Tensor) -> Tensor:
    if isinstance(width, Tensor):
        return graph.reshape(width * height, [1])
    if isinstance(height, Tensor):
        return graph.reshape(height * width, [1])
    return graph.ints(height * width)
