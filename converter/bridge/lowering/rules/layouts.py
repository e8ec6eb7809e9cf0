"""Moving, repeating and joining elements without computing on them."""

from __future__ import annotations

from collections.abc import Sequence

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering
from converter.model.pir_document import operation_name


def _dynamic_axes(op: Operation, opset: int) -> bool:
    axes = op.attr("axis", [])
    return any(op.type(0).shape[axis] < 0 for axis in axes)


@lowering("flip", when=_dynamic_axes, why="paddle2onnx aborts on dynamic extents")
def flip(op: Operation, graph: Graph) -> Tensor:
    """Slices with steps of -1."""
    return flipped(graph, op[0], [op.axis(int(axis)) for axis in op.attr("axis")])


@lowering("reverse")
def reverse(op: Operation, graph: Graph) -> Tensor:
    """The same as flip, by its older name."""
    axes = op.attr("axis") or op.known(1, "axis").tolist()
    return flipped(graph, op[0], [op.axis(int(axis)) for axis in axes])


def flipped(graph: Graph, x: Tensor, axes: Sequence[int]) -> Tensor:
    """``x`` back to front along ``axes``."""
    count = len(axes)
    if x.dtype == "bool":  # ONNX Runtime slices bools, but not backwards at every version
        return graph.cast(flipped(graph, graph.cast(x, "int32"), axes), "bool")
    return graph.slice(x, [-1] * count, [-(1 << 31)] * count, list(axes), [-1] * count)


def _roll_form(op: Operation, opset: int) -> bool:
    shifts, axes = op.constant(1), op.attr("axis", [])
    given = op.attr("shifts") if shifts is None else shifts.reshape(-1).tolist()
    if given is None:
        return True
    shape = op.type(0).shape
    return not axes or any(
        shape[axis] < 0 or abs(shift) >= shape[axis]
        for axis, shift in zip(axes, given, strict=False)
    )


@lowering("roll", when=_roll_form, why="paddle2onnx gets this shift or missing axis wrong")
def roll(op: Operation, graph: Graph) -> Tensor:
    """Elements move along an axis and come in again at its other end."""
    return rolled(op, graph, op[0])


def rolled(op: Operation, graph: Graph, whole: Tensor) -> Tensor:
    """``whole``, of the shape of operand 0, rolled as ``op`` says."""
    graph.since(10, "Slice with computed bounds")
    axes = [op.axis(int(axis)) for axis in op.attr("axis", [])]
    given = op.attr("shifts") if not op.has(1) else None
    known = op.constant(1)
    if known is not None:
        given = known.reshape(-1).tolist()
    shifts: list[Tensor]
    if given is not None:
        shifts = [graph.ints(int(shift)) for shift in given]
    elif op.program.list_items(op.operands[1]) is not None:
        shifts = [graph.reshape(graph.cast(item, "int64"), [1]) for item in op.tensors(1)]
    else:
        numbers = graph.reshape(graph.cast(op[1], "int64"), [-1])
        shifts = [
            graph.slice(numbers, [place], [place + 1], [0]) for place in range(len(axes) or 1)
        ]
    x = whole if axes else graph.reshape(whole, [-1])
    for axis, shift in zip(axes or [0], shifts, strict=True):
        start = graph.emit("Mod", -shift, graph.extent(x, axis))
        tail = graph.slice_to(x, start, graph.ints(1 << 31), axis)
        x = graph.concat([tail, graph.slice_to(x, graph.ints(0), start, axis)], axis=axis)
    return x if axes else graph.reshape(x, graph.shape(whole), rank=op.rank())


@lowering("kron")
def kron(op: Operation, graph: Graph) -> Tensor:
    """Every element of x times the whole of y: axes side by side, then merged."""
    rank = max(op.rank(0), op.rank(1))
    parts, extents = [], []
    for index in (0, 1):
        missing = rank - op.rank(index)
        own = [1] * missing + op.extents(index)
        extents.append(own)
        shape: list[int | Tensor] = []
        for extent in own:
            shape += [extent, 1] if index == 0 else [1, extent]
        parts.append(graph.reshape(op[index], graph.join(*shape), rank=2 * rank))
    merged = graph.join(*(a * b for a, b in zip(*extents, strict=True)))
    return graph.reshape(parts[0] * parts[1], merged, rank=rank)


@lowering("cross")
def cross(op: Operation, graph: Graph) -> Tensor:
    """The vector product along an axis of 3."""
    axis = int(op.attr("axis", 9))
    if axis == 9:  # the first axis of extent 3
        if 3 not in op.type(0).shape:
            raise CannotLower("no axis is known to have 3 elements")
        axis = op.type(0).shape.index(3)
    axis = op.axis(axis)

    def turned(index: int, *places: int) -> Tensor:
        return graph.gather(op[index], graph.ints(*places), axis=axis)

    return turned(0, 1, 2, 0) * turned(1, 2, 0, 1) - turned(0, 2, 0, 1) * turned(1, 1, 2, 0)


def _dynamic_target(op: Operation, opset: int) -> bool:
    return min(op.result_type().shape, default=0) < 0 or min(op.type(0).shape, default=0) < 0


@lowering("expand_as", when=_dynamic_target, why="paddle2onnx expands to -1 where it is dynamic")
def expand_as(op: Operation, graph: Graph) -> Tensor:
    """x broadcast to the shape of y."""
    if not op.has(1):
        raise CannotLower("its target is not given")
    return graph.expand(op[0], graph.shape(op[1]), rank=op.rank(1))


@lowering("broadcast_tensors")
def broadcast_tensors(op: Operation, graph: Graph) -> list[list[Tensor]]:
    """Every tensor in the shape of all together."""
    tensors = op.tensors(0)
    whole: Tensor | None = None
    for tensor in tensors:  # zeros of everyone's shape, broadcast by adding
        zeros = graph.emit(
            "ConstantOfShape", graph.shape(tensor), dtype="float32", rank=tensor.rank
        )
        whole = zeros if whole is None else whole + zeros
    assert whole is not None
    shape = graph.shape(whole)
    return [[graph.expand(tensor, shape, rank=whole.rank) for tensor in tensors]]


def _unknown_parts(op: Operation, opset: int) -> bool:
    shape = op.type(0).shape
    axis = op.constant(len(op.operands) - 1)
    value = int(axis.reshape(-1)[0]) if axis is not None else int(op.attr("axis", 0))
    return shape[value] < 0


@lowering("split_with_num", when=_unknown_parts, why="paddle2onnx splits a dynamic extent wrong")
def split_with_num(op: Operation, graph: Graph) -> list[list[Tensor]]:
    """Equal parts of a dynamic extent."""
    graph.since(10, "Slice with computed bounds")
    x, count = op[0], int(op.attr("num"))
    axis = op.axis(int(op.known(1, "axis").reshape(-1)[0]) if op.has(1) else int(op.attr("axis")))
    part = graph.extent(x, axis) / count
    return [[graph.slice_to(x, part * place, part * (place + 1), axis) for place in range(count)]]


@lowering("split", when=_unknown_parts, why="paddle2onnx aborts on a dynamic extent")
def split(op: Operation, graph: Graph) -> list[list[Tensor]]:
    """Parts of given sizes, one of which may be what is left."""
    graph.since(10, "Slice with computed bounds")
    x = op[0]
    sizes = [int(size) for size in op.known(1, "sections").reshape(-1)]
    axis = op.axis(int(op.known(2, "axis").reshape(-1)[0]))
    rest = sizes.index(-1) if -1 in sizes else len(sizes)
    parts, start = [], 0
    for size in sizes[:rest]:
        parts.append(graph.slice(x, [start], [start + size], [axis]))
        start += size
    if rest < len(sizes):
        after = sum(sizes[rest + 1 :])
        parts.append(graph.slice(x, [start], [-after if after else 1 << 31], [axis]))
        for place in range(rest + 1, len(sizes)):
            left = sum(sizes[place + 1 :])
            end = -left if left else 1 << 31
            parts.append(graph.slice(x, [-left - sizes[place]], [end], [axis]))
    return [parts]


def _more_axes(op: Operation, opset: int) -> bool:
    return len(op.result_type().shape) != op.rank()


@lowering("tile", when=_more_axes, why="paddle2onnx makes a Tile of the wrong rank")
def tile(op: Operation, graph: Graph) -> Tensor:
    """Repeated along each axis, new axes in front."""
    rank = len(op.result_type().shape)
    x = graph.unsqueeze(op[0], list(range(rank - op.rank())))
    if op.has(1):
        repeats = graph.cast(op[1], "int64")
        count = op.type(1).shape[0] if op.rank(1) == 1 else -1
    else:
        repeats = graph.ints(*op.attr("repeat_times"))
        count = len(op.attr("repeat_times"))
    if count != rank:  # fewer would make a result of the operand's rank, which is left alone
        raise CannotLower("how many axes it repeats is not known")
    (result,) = graph.emit_all("Tile", (x, repeats), [x.dtype], [rank])
    return result


def _negative_order(op: Operation, opset: int) -> bool:
    return any(axis < 0 for axis in op.attr("perm", []))


@lowering("transpose", when=_negative_order, why="paddle2onnx leaves negative axes")
def transpose(op: Operation, graph: Graph) -> Tensor:
    """Axes in another order."""
    order = [op.axis(int(axis)) for axis in op.attr("perm")]
    return graph.emit("Transpose", op[0], perm=order)


@lowering("squeeze", when=lambda op, opset: _keeps_long(op), why="an axis it names is not 1")
def squeeze(op: Operation, graph: Graph) -> Tensor:
    """Axes of extent 1 are dropped, longer ones stay."""
    axes = {op.axis(int(axis)) for axis in op.known(1, "axes").reshape(-1)}
    return graph.squeeze(op[0], [axis for axis in sorted(axes) if op.type(0).shape[axis] == 1])


def _keeps_long(op: Operation) -> bool:
    axes = op.constant(1)
    shape = op.type(0).shape
    return axes is not None and any(shape[int(axis)] > 1 for axis in axes.reshape(-1))


@lowering("crop")
def crop(op: Operation, graph: Graph) -> Tensor:
    """A part of known size from known offsets; -1 is all that is left."""
    shape = op.known(1, "shape").tolist() if op.has(1) else op.attr("shape")
    offsets = op.known(2, "offsets").tolist() if op.has(2) else op.attr("offsets")
    ends = [1 << 31 if size < 0 else at + size for at, size in zip(offsets, shape, strict=True)]
    return graph.slice(op[0], offsets, ends, list(range(op.rank())))


@lowering("fold")
def fold(op: Operation, graph: Graph) -> Tensor:
    """Columns added up where their windows lie: one matrix of ones from columns to pixels."""
    import numpy as np

    (height, width), (high, wide) = op.attr("output_sizes"), op.attr("kernel_sizes")
    strides, dilations, pads = op.attr("strides"), op.attr("dilations"), op.attr("paddings")
    top, left, bottom, right = pads if len(pads) == 4 else (*pads, *pads)
    across = (height + top + bottom - dilations[0] * (high - 1) - 1) // strides[0] + 1
    along = (width + left + right - dilations[1] * (wide - 1) - 1) // strides[1] + 1
    numbers = np.full((high * wide, across * along), height * width)
    for y in range(high):
        for place in range(wide):
            rows = np.arange(across) * strides[0] - top + y * dilations[0]
            columns = np.arange(along) * strides[1] - left + place * dilations[1]
            inside = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
            pixel = np.where(inside, rows[:, None] * width + columns, height * width)
            numbers[y * wide + place] = pixel.reshape(-1)
    places = high * wide * across * along
    if places * height * width > 1 << 24:
        raise CannotLower("its output is too large for one matrix")
    matrix = np.zeros((places, height * width + 1))
    matrix[np.arange(places), numbers.reshape(-1)] = 1
    x = op[0]
    channels = op.type(0).shape[1]
    if channels < 0:
        raise CannotLower("the number of its channels is not known")
    flat = graph.reshape(x, graph.join(op.extents()[0], channels // (high * wide), -1), rank=3)
    summed = flat @ graph.constant(matrix[:, :-1], x.dtype)
    shape = graph.join(op.extents()[0], channels // (high * wide), height, width)
    return graph.reshape(summed, shape, rank=4)


def _odd_axes(op: Operation, opset: int) -> bool:
    if opset >= 13 or not op.has(1):
        return False
    axes = op.constant(1)
    producer = op.program.producers[op.operands[1]]
    return axes is not None and (
        axes.size == 0 or operation_name(producer) != "pd_op.full_int_array"
    )


@lowering("unsqueeze", when=_odd_axes, why="paddle2onnx aborts on these axes")
def unsqueeze(op: Operation, graph: Graph) -> Tensor:
    """New axes of extent 1."""
    rank = len(op.result_type().shape)
    axes = [int(axis) % rank for axis in op.known(1, "axes").reshape(-1)]
    return graph.unsqueeze(op[0], sorted(axes))


def _channels_last(op: Operation, opset: int) -> bool:
    return bool(op.attr("data_format") == "NHWC")
