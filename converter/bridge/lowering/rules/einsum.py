"""Einsum before opset 12, through MatMul where it is one, else a product and a sum."""

from __future__ import annotations

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


def _early(op: Operation, opset: int) -> bool:
    return opset < 12


@lowering("einsum", when=_early, why="paddle2onnx asks for opset 12")
def einsum(op: Operation, graph: Graph) -> list[Tensor | None]:
    """Labels of axes; those that the output lacks are summed over."""
    equation = str(op.attr("equation")).replace(" ", "")
    tensors = op.tensors(0)
    inputs, output = _labels(equation, [tensor.rank or 0 for tensor in tensors])
    if any(len(set(labels)) < len(labels) for labels in [*inputs, output]):
        raise CannotLower("a label that occurs twice in one operand needs opset 12")
    x, labels = tensors[0], inputs[0]
    for place, (y, others) in enumerate(zip(tensors[1:], inputs[1:], strict=True), 1):
        needed = output + "".join(inputs[place + 1 :])
        x, labels = _pair(graph, x, labels, y, others, needed)
    x = graph.sum(x, [place for place, label in enumerate(labels) if label not in output])
    labels = "".join(label for label in labels if label in output)
    x = graph.transpose(x, [labels.index(label) for label in output])
    if not tensors[1:]:
        x = graph.emit("Identity", x)
    return [x] + [None] * (len(op.results) - 1)


def _labels(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """Each operand's labels and the output's, with letters for what ... stands for."""
    left, arrow, output = equation.partition("->")
    operands = left.split(",")
    letters = [chr(code) for code in range(0x3B1, 0x3C9)]
    most = ""
    inputs = []
    for labels, rank in zip(operands, ranks, strict=True):
        hidden = rank - len(labels.replace("...", ""))
        dots = "".join(letters[24 - hidden : 24]) if "..." in labels else ""
        most = max(most, dots, key=len)
        inputs.append(labels.replace("...", dots))
    if not arrow:
        joined = "".join(inputs)
        output = most + "".join(
            sorted(label for label in set(joined) if joined.count(label) == 1 and label not in most)
        )
    return inputs, output.replace("...", most)


def _pair(
    graph: Graph, x: Tensor, first: str, y: Tensor, second: str, needed: str
) -> tuple[Tensor, str]:
    """The product of two operands, summed over what nothing else needs."""
    both = [label for label in first if label in second]
    batch = [label for label in both if label in needed]
    summed = [label for label in both if label not in needed]
    rows = [label for label in first if label not in second]
    columns = [label for label in second if label not in first]
    if len(summed) == len(rows) == len(columns) == 1:
        order = [first.index(label) for label in (*batch, *rows, *summed)]
        x = graph.transpose(x, order)
        y = graph.transpose(y, [second.index(label) for label in (*batch, *summed, *columns)])
        return x @ y, "".join((*batch, *rows, *columns))
    whole = [*first, *columns]
    x = graph.unsqueeze(x, list(range(len(first), len(whole))))
    present = [label for label in whole if label in second]
    y = graph.transpose(y, [second.index(label) for label in present])
    y = graph.unsqueeze(y, [place for place, label in enumerate(whole) if label not in second])
    product = graph.sum(x * y, [place for place, label in enumerate(whole) if label in summed])
    return product, "".join(label for label in whole if label not in summed)
