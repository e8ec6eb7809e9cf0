"""Complex numbers as pairs of real tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Complex, Operation
from converter.bridge.lowering.registry import lowering
from converter.bridge.lowering.rules.arithmetic import angle_of
from converter.bridge.lowering.rules.layouts import flipped, rolled
from converter.bridge.lowering.rules.reductions import axes_of, keeps_axes


def _each(function: Callable[..., Tensor], *values: Complex) -> Complex:
    """A function of the real parts, and the same of the imaginary parts."""
    return Complex(
        function(*(value.real for value in values)), function(*(value.imag for value in values))
    )


@lowering("complex")
def make_complex(op: Operation, graph: Graph) -> Complex:
    """real + i * imag, in one shape."""
    real, imag = op[0], op[1]
    if op.type(0).shape == op.type(1).shape and min(op.type(0).shape, default=0) >= 0:
        return Complex(real, imag)
    # Adding zeros broadcasts; infinities would make NaN of a product with 0.
    zeros = [
        graph.emit("ConstantOfShape", graph.shape(part), dtype="float32", rank=part.rank)
        for part in (real, imag)
    ]
    first, second = (graph.cast(zero, real.dtype) for zero in zeros)
    return Complex(real + second, imag + first)


@lowering("as_complex")
def as_complex(op: Operation, graph: Graph) -> Complex:
    """The last axis holds the real and the imaginary part."""
    x = op[0]
    last = op.rank() - 1
    parts = [graph.gather(x, graph.constant(index, "int64"), axis=last) for index in (0, 1)]
    return Complex(*parts)


@lowering("as_real")
def as_real(op: Operation, graph: Graph) -> Tensor:
    """Real and imaginary part side by side on a new last axis."""
    x = op.complex(0)
    rank = op.rank()
    parts = [graph.unsqueeze(part, [rank]) for part in (x.real, x.imag)]
    return graph.concat(parts, axis=rank)


@lowering("real")
def real(op: Operation, graph: Graph) -> Tensor:
    """The real part."""
    return graph.emit("Identity", op.complex(0).real)


@lowering("imag")
def imag(op: Operation, graph: Graph) -> Tensor:
    """The imaginary part."""
    return graph.emit("Identity", op.complex(0).imag)


@lowering("conj")
def conj(op: Operation, graph: Graph) -> Tensor | Complex:
    """a - ib; a real number is its own."""
    if not op.is_complex:
        return graph.emit("Identity", op[0])
    x = op.complex(0)
    return Complex(x.real, -x.imag)


@lowering("angle")
def angle(op: Operation, graph: Graph) -> Tensor:
    """The angle in the plane; 0 or pi for a real number."""
    graph.since(9, "Where")
    if op.is_complex:
        x = op.complex(0)
        return angle_of(graph, x.imag, x.real)
    number = op[0]
    turned = graph.where(number < 0.0, graph.constant(3.141592653589793, number.dtype), 0.0)
    return turned + number * 0.0 if number.is_float else turned


@lowering("abs")
def magnitude(op: Operation, graph: Graph) -> Tensor:
    """The length, scaled by the larger part so that its square does not overflow."""
    x = op.complex(0)
    return _length(graph, x)


def _length(graph: Graph, x: Complex) -> Tensor:
    first, second = graph.abs(x.real), graph.abs(x.imag)
    larger, smaller = graph.maximum(first, second), graph.minimum(first, second)
    safe = graph.where(larger > 0.0, larger, graph.constant(1.0, larger.dtype))
    ratio = smaller / safe
    return larger * graph.sqrt(1.0 + ratio * ratio)


@lowering("add", "subtract")
def add(op: Operation, graph: Graph) -> Complex:
    """Part by part."""
    kind = "Add" if op.name.endswith("add") else "Sub"
    return _each(lambda a, b: graph.emit(kind, a, b), op.complex(0), op.complex(1))


def product(x: Complex, y: Complex) -> Complex:
    """(a + ib) * (c + id) = (ac - bd) + i(ad + bc)."""
    return Complex(
        x.real * y.real - x.imag * y.imag,
        x.real * y.imag + x.imag * y.real,
    )


@lowering("multiply")
def multiply(op: Operation, graph: Graph) -> Complex:
    """The product of complex numbers."""
    return product(op.complex(0), op.complex(1))


@lowering("divide")
def divide(op: Operation, graph: Graph) -> Complex:
    """x * conj(y) / |y| ** 2."""
    return _quotient(op.complex(0), op.complex(1))


def _quotient(x: Complex, y: Complex) -> Complex:
    square = y.real * y.real + y.imag * y.imag
    numerator = product(x, Complex(y.real, -y.imag))
    return Complex(numerator.real / square, numerator.imag / square)


@lowering("reciprocal")
def reciprocal(op: Operation, graph: Graph) -> Complex:
    """conj(x) / |x| ** 2."""
    x = op.complex(0)
    square = x.real * x.real + x.imag * x.imag
    return Complex(x.real / square, -x.imag / square)


@lowering("square")
def square(op: Operation, graph: Graph) -> Complex:
    """x * x."""
    x = op.complex(0)
    return product(x, x)


@lowering("scale")
def scale(op: Operation, graph: Graph) -> Complex:
    """scale * x + bias, or scale * (x + bias); the bias is real."""
    x, bias = op.complex(0), float(op.attr("bias", 0.0))
    given = op.constant(1)
    factor = float(given.reshape(-1)[0]) if given is not None else float(op.attr("scale", 1.0))
    before = bias if op.attr("bias_after_scale", True) else bias * factor
    return Complex(x.real * factor + before, x.imag * factor)


@lowering("exp")
def exp(op: Operation, graph: Graph) -> Complex:
    """exp(a) * (cos(b) + i sin(b))."""
    x = op.complex(0)
    size = graph.exp(x.real)
    return Complex(size * graph.emit("Cos", x.imag), size * graph.emit("Sin", x.imag))


@lowering("log")
def log(op: Operation, graph: Graph) -> Complex:
    """log|x| + i angle(x)."""
    x = op.complex(0)
    return Complex(graph.log(_length(graph, x)), angle_of(graph, x.imag, x.real))


@lowering("sin", "cos")
def sine(op: Operation, graph: Graph) -> Complex:
    """sin(a)cosh(b) + i cos(a)sinh(b), or cos(a)cosh(b) - i sin(a)sinh(b)."""
    graph.since(9, "Sinh")
    x = op.complex(0)
    sin, cos = graph.emit("Sin", x.real), graph.emit("Cos", x.real)
    sinh, cosh = graph.emit("Sinh", x.imag), graph.emit("Cosh", x.imag)
    if op.name.endswith("sin"):
        return Complex(sin * cosh, cos * sinh)
    return Complex(cos * cosh, -(sin * sinh))


@lowering("matmul", "bmm")
def matmul(op: Operation, graph: Graph) -> Complex:
    """Four real products."""
    x, y = op.complex(0), op.complex(1)

    def swapped(value: Tensor, index: int) -> Tensor:
        rank = op.rank(index)
        return graph.transpose(value, [*range(rank - 2), rank - 1, rank - 2])

    if op.attr("transpose_x", False) and op.rank(0) > 1:
        x = _each(lambda part: swapped(part, 0), x)
    if op.attr("transpose_y", False) and op.rank(1) > 1:
        y = _each(lambda part: swapped(part, 1), y)
    return Complex(
        x.real @ y.real - x.imag @ y.imag,
        x.real @ y.imag + x.imag @ y.real,
    )


@lowering("reshape")
def reshape(op: Operation, graph: Graph) -> Complex:
    """The same of both parts."""
    rank = len(op.result_type().shape)
    shape = op.constant(1)
    items = op.program.list_items(op.operands[1]) if op.has(1) else None
    if shape is not None:
        target = graph.constant(shape.reshape(-1), "int64")
    elif items is not None:
        parts = [graph.reshape(graph.cast(item, "int64"), [1]) for item in op.tensors(1)]
        target = graph.join(*parts)
    else:
        target = graph.cast(op[1], "int64")
    return _each(lambda part: graph.reshape(part, target, rank=rank), op.complex(0))


@lowering("flatten")
def flatten(op: Operation, graph: Graph) -> Complex:
    """Neighbouring axes become one."""
    first, last = op.axis(int(op.attr("start_axis", 1))), op.axis(int(op.attr("stop_axis", 1)))
    extents = op.extents()
    shape = graph.join(*extents[:first], -1, *extents[last + 1 :])
    rank = len(op.result_type().shape)
    return _each(lambda part: graph.reshape(part, shape, rank=rank), op.complex(0))


@lowering("transpose")
def transpose(op: Operation, graph: Graph) -> Complex:
    """The same of both parts."""
    order = [op.axis(int(axis)) for axis in op.attr("perm")]
    return _each(lambda part: graph.transpose(part, order), op.complex(0))


@lowering("slice")
def slice_(op: Operation, graph: Graph) -> Complex:
    """The same of both parts, with constant bounds."""
    axes = [op.axis(int(axis)) for axis in op.attr("axes")]
    starts, ends = (op.known(i, "bounds").reshape(-1).tolist() for i in (1, 2))
    dropped = [op.axis(int(axis)) for axis in op.attr("decrease_axis", [])]

    def part_of(part: Tensor) -> Tensor:
        return graph.squeeze(graph.slice(part, starts, ends, axes), dropped)

    return _each(part_of, op.complex(0))


@lowering("strided_slice")
def strided_slice(op: Operation, graph: Graph) -> Complex:
    """The same of both parts, with constant bounds."""
    axes = [op.axis(int(axis)) for axis in op.attr("axes")]
    starts, ends, steps = (op.known(i, "bounds").reshape(-1).tolist() for i in (1, 2, 3))
    return _each(lambda part: graph.slice(part, starts, ends, axes, steps), op.complex(0))


@lowering("concat", "stack")
def concat(op: Operation, graph: Graph) -> Complex:
    """The same of both parts."""
    items = op.complex_items(0)
    types = op.item_types(0)
    rank = len(types[0].shape)
    stacks = op.name.endswith("stack")
    given = int(op.known(1, "axis").reshape(-1)[0]) if op.has(1) else int(op.attr("axis", 0))
    axis = given % (rank + 1 if stacks else rank)

    def joined(parts: Sequence[Tensor]) -> Tensor:
        if stacks:
            parts = [graph.unsqueeze(part, [axis]) for part in parts]
        return graph.concat(parts, axis=axis)

    return Complex(joined([item.real for item in items]), joined([item.imag for item in items]))


@lowering("split", "split_with_num")
def split(op: Operation, graph: Graph) -> list[list[Complex]]:
    """The same of both parts."""
    axis = op.axis(int(op.known(len(op.operands) - 1, "axis").reshape(-1)[0]))
    extent = op.type(0).shape[axis]
    if op.name.endswith("num"):
        count = int(op.attr("num"))
        sizes = [extent // count] * count
    else:
        sizes = [int(size) for size in op.known(1, "sections").reshape(-1)]
    if extent < 0:
        raise CannotLower("the extent of its axis is not known")
    sizes = [size if size >= 0 else extent - sum(sizes) - 1 for size in sizes]
    x = op.complex(0)
    pairs = zip(graph.split(x.real, sizes, axis), graph.split(x.imag, sizes, axis), strict=True)
    return [[Complex(*pair) for pair in pairs]]


@lowering("sum", "mean")
def reduce(op: Operation, graph: Graph) -> Complex:
    """The same of both parts."""
    kind = "Sum" if op.name.endswith("sum") else "Mean"
    axes, keep = axes_of(op), keeps_axes(op)
    return _each(lambda part: graph.reduce(kind, part, axes, keep), op.complex(0))


@lowering("mean_all")
def mean_all(op: Operation, graph: Graph) -> Complex:
    """The same of both parts."""
    return _each(lambda part: graph.mean(part), op.complex(0))


@lowering("unsqueeze", "squeeze")
def squeeze(op: Operation, graph: Graph) -> Complex:
    """The same of both parts."""
    rank = max(op.rank(), len(op.result_type().shape))
    axes = sorted(int(axis) % rank for axis in op.known(1, "axes").reshape(-1))
    if op.name.endswith("unsqueeze"):
        return _each(lambda part: graph.unsqueeze(part, axes), op.complex(0))
    ones = [axis for axis in axes if op.type(0).shape[axis] in (1, -1)]
    return _each(lambda part: graph.squeeze(part, ones), op.complex(0))


@lowering("flip")
def flip(op: Operation, graph: Graph) -> Complex:
    """The same of both parts."""
    axes = [op.axis(int(axis)) for axis in op.attr("axis")]
    return _each(lambda part: flipped(graph, part, axes), op.complex(0))


@lowering("roll")
def roll(op: Operation, graph: Graph) -> Complex:
    """The same of both parts."""
    return _each(lambda part: rolled(op, graph, part), op.complex(0))


@lowering("expand", "expand_as")
def expand(op: Operation, graph: Graph) -> Complex:
    """The same of both parts, to a known shape."""
    shape = op.result_type().shape
    if min(shape, default=0) < 0:
        raise CannotLower("its target shape is dynamic")
    return _each(lambda part: graph.expand(part, list(shape)), op.complex(0))


@lowering("gather", "index_select")
def gather(op: Operation, graph: Graph) -> Complex:
    """The same of both parts."""
    axis = int(op.known(2, "axis").reshape(-1)[0]) if op.has(2) else int(op.attr("axis", 0))
    return _each(lambda part: graph.gather(part, op[1], axis=op.axis(axis)), op.complex(0))


@lowering("where")
def where(op: Operation, graph: Graph) -> Complex:
    """The same of both parts."""
    condition = op[0]
    return _each(lambda a, b: graph.where(condition, a, b), op.complex(1), op.complex(2))


@lowering("equal", "not_equal")
def equal(op: Operation, graph: Graph) -> Tensor:
    """Whether both parts are equal."""
    x, y = op.complex(0), op.complex(1)
    same = graph.equal(x.real, y.real) & graph.equal(x.imag, y.imag)
    return ~same if op.name.endswith("not_equal") else same


@lowering("isnan", "isinf", "isfinite")
def is_special(op: Operation, graph: Graph) -> Tensor:
    """Whether a part is NaN or infinite, or none is."""
    x = op.complex(0)
    if op.name.endswith("isnan"):
        return graph.is_nan(x.real) | graph.is_nan(x.imag)
    graph.since(10, "IsInf")
    infinite = [graph.emit("IsInf", part, dtype="bool") for part in (x.real, x.imag)]
    either = infinite[0] | infinite[1]
    if op.name.endswith("isinf"):
        return either
    return ~(either | graph.is_nan(x.real) | graph.is_nan(x.imag))


@lowering("full_like")
def full_like(op: Operation, graph: Graph) -> Complex:
    """A real number in the shape of x."""
    x = op.complex(0)
    given = op.constant(1)
    value = float(given.reshape(-1)[0]) if given is not None else float(op.attr("value", 0.0))
    zeros = graph.expand(graph.constant(0.0, x.real.dtype), graph.shape(x.real), rank=x.real.rank)
    return Complex(zeros + value, zeros)


@lowering("cast")
def cast(op: Operation, graph: Graph) -> Tensor | Complex:
    """To complex with a zero imaginary part, or to the real part alone."""
    x, dtype = op.complex(0), op.result_type().dtype
    if not dtype.startswith("complex"):
        return graph.cast(x.real, dtype)
    part = "float64" if dtype == "complex128" else "float32"
    return Complex(graph.cast(x.real, part), graph.cast(x.imag, part))


@lowering("assign")
def assign(op: Operation, graph: Graph) -> Complex:
    """The same value."""
    return op.complex(0)
