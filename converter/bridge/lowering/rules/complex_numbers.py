"""Complex numbers as pairs of real tensors: making them and taking them apart."""

from __future__ import annotations

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Complex, Operation
from converter.bridge.lowering.registry import lowering


@lowering("complex")
def make_complex(op: Operation, graph: Graph) -> Complex:
    """real + i * imag; the two broadcast against each other when the value is used."""
    return Complex(op[0], op[1])


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


@lowering("multiply")
def multiply(op: Operation, graph: Graph) -> Complex:
    """(a + ib) * (c + id) = (ac - bd) + i(ad + bc)."""
    x, y = op.complex(0), op.complex(1)
    return Complex(
        x.real * y.real - x.imag * y.imag,
        x.real * y.imag + x.imag * y.real,
    )
