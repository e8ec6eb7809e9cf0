"""Loss functions; formulas are those of Paddle's documentation of ``paddle.nn.functional``."""

from __future__ import annotations

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Operation
from converter.bridge.lowering.registry import lowering


@lowering("huber_loss")
def huber_loss(op: Operation, graph: Graph) -> tuple[Tensor, Tensor]:
    """r * r / 2 up to delta, delta * (|r| - delta / 2) above, with r = label - input."""
    delta = float(op.attr("delta"))
    residual = op[1] - op[0]
    size = graph.abs(residual)
    inner = graph.minimum(size, delta)
    # One formula for both parts: inner is |r| below delta and delta above.
    return inner * (size - 0.5 * inner), residual


@lowering("kldiv_loss")
def kldiv_loss(op: Operation, graph: Graph) -> Tensor:
    """label * (log(label) - x), 0 where the label is not positive."""
    x, label = op[0], op[1]
    if op.attr("log_target", False):
        loss = graph.exp(label) * (label - x)
    else:
        graph.since(9, "Where")
        positive = label > 0.0
        safe = graph.where(positive, label, 1.0)
        loss = graph.where(positive, label * (graph.log(safe) - x), 0.0)
    reduction = op.attr("reduction", "mean")
    if reduction == "none":
        return loss
    if reduction == "batchmean":
        batch = graph.cast(graph.scalar(graph.extent(x, 0)), x.dtype)
        return graph.sum(loss) / batch
    return graph.mean(loss) if reduction == "mean" else graph.sum(loss)


@lowering("bce_loss")
def bce_loss(op: Operation, graph: Graph) -> Tensor:
    """-label * log(x) - (1 - label) * log(1 - x), logarithms no lower than -100."""
    x, label = op[0], op[1]
    chosen = graph.maximum(graph.log(x), -100.0)
    other = graph.maximum(graph.log(1.0 - x), -100.0)
    return -(label * chosen + (1.0 - label) * other)


@lowering("log_loss")
def log_loss(op: Operation, graph: Graph) -> Tensor:
    """-label * log(x + epsilon) - (1 - label) * log(1 - x + epsilon)."""
    x, label, epsilon = op[0], op[1], float(op.attr("epsilon"))
    return -(label * graph.log(x + epsilon)) - (1.0 - label) * graph.log(1.0 - x + epsilon)


@lowering("hinge_loss")
def hinge_loss(op: Operation, graph: Graph) -> Tensor:
    """max(0, 1 - x * (2 * label - 1))."""
    return graph.maximum(1.0 - op[0] * (2.0 * op[1] - 1.0), 0.0)


@lowering("identity_loss")
def identity_loss(op: Operation, graph: Graph) -> Tensor:
    """The input, its sum or its mean."""
    reduction = int(op.attr("reduction", 1))
    if reduction == 2:
        return graph.emit("Identity", op[0])
    return graph.sum(op[0]) if reduction == 0 else graph.mean(op[0])


@lowering("sigmoid_cross_entropy_with_logits")
def sigmoid_cross_entropy(op: Operation, graph: Graph) -> Tensor:
    """max(x, 0) - x * label + log(1 + exp(-|x|)).

    With weights (1 + (pos_weight - 1) * label, which the program computes before):
    (1 - label) * x + weight * (log(1 + exp(-|x|)) + max(-x, 0)).
    """
    x, label = op[0], op[1]
    tail = graph.emit("Softplus", -graph.abs(x))
    if op.has(2):
        loss = (1.0 - label) * x + op[2] * (tail + graph.emit("Relu", -x))
    else:
        loss = graph.emit("Relu", x) - x * label + tail
    ignored = graph.equal(label, float(op.attr("ignore_index", -100)))
    graph.since(9, "Where")
    loss = graph.where(ignored, graph.constant(0.0, x.dtype), loss)
    if not op.attr("normalize", False):
        return loss
    counted = graph.cast(~ignored, x.dtype)
    return loss / graph.maximum(graph.sum(counted), 1.0)


@lowering("nll_loss")
def nll_loss(op: Operation, graph: Graph) -> tuple[Tensor, Tensor]:
    """-weight[label] * x[label] over the classes of axis 1, 0 for the label to ignore."""
    graph.since(11, "GatherElements")
    x, label = op[0], graph.cast(op[1], "int64")
    kept = ~graph.equal(label, int(op.attr("ignore_index", -100)))
    safe = graph.where(kept, label, graph.constant(0, "int64"))
    picked = graph.squeeze(graph.gather_elements(x, graph.unsqueeze(safe, [1]), 1), [1])
    weight = graph.cast(kept, x.dtype)
    if op.has(2):
        weight = graph.gather(op[2], safe) * weight
    loss = -(picked * weight)
    total = graph.sum(weight)
    reduction = op.attr("reduction", "mean")
    if reduction == "none":
        return loss, total
    summed = graph.sum(loss)
    return (summed / total if reduction == "mean" else summed), total


def _option(op: Operation, opset: int) -> bool:
    return opset < 13 or bool(op.attr("soft_label", False)) or not op.attr("use_softmax", True)


@lowering(
    "cross_entropy_with_softmax",
    when=_option,
    why="paddle2onnx asks for opset 12, ignores use_softmax and aborts on soft labels",
)
def cross_entropy(op: Operation, graph: Graph) -> tuple[Tensor, Tensor]:
    """-log_softmax(x)[label], or the sum of -label * log_softmax(x); also the softmax."""
    x, axis = op[0], op.axis(int(op.attr("axis", -1)))
    if op.attr("use_softmax", True):
        shifted = x - graph.reduce("Max", x, [axis], keepdims=True)
        exponents = graph.exp(shifted)
        total = graph.sum(exponents, [axis], keepdims=True)
        logs, softmax = shifted - graph.log(total), exponents / total
    else:
        logs, softmax = graph.log(x), graph.emit("Identity", x)
    if op.attr("soft_label", False):
        return softmax, -graph.sum(op[1] * logs, [axis], keepdims=True)
    graph.since(11, "GatherElements")
    if op.rank(1) != op.rank(0):
        raise CannotLower("its label has another rank than its input")
    label = graph.cast(op[1], "int64")
    kept = ~graph.equal(label, int(op.attr("ignore_index", -100)))
    safe = graph.where(kept, label, graph.constant(0, "int64"))
    loss = -graph.gather_elements(logs, safe, axis)
    return softmax, graph.where(kept, loss, graph.constant(0.0, x.dtype))
