"""``if``, ``while`` and the tensor arrays that loops fill.

paddle2onnx converts plain forms of both. Ours are used when a block holds an operator that has to
be lowered, or when a loop fills a tensor array, which paddle2onnx writes as a graph that ONNX
Runtime refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import ONNX_TYPES, Graph, Tensor
from converter.bridge.lowering.operation import Array, Body, Operation
from converter.bridge.lowering.program_json import block_arguments, blocks_of
from converter.bridge.lowering.registry import lowering
from converter.model.pir_document import JsonObject, operand_ids, operation_name, result_ids

if TYPE_CHECKING:
    import onnx

_WHY_ARRAY = "paddle2onnx writes tensor arrays as a graph that ONNX Runtime refuses"
_WHY_LOOP = (
    "an operator in its block has to be lowered, or paddle2onnx would declare its 0-D condition "
    "with another rank than it has"
)
_WHY_BLOCK = "an operator in its block has to be lowered"


def _block_is_lowered(op: Operation, opset: int) -> bool:
    """Whether an operator in one of the blocks is lowered, or writes a tensor array."""
    return any(op.context.is_lowered(block) for block in blocks_of(op.json))


def _always(op: Operation, opset: int) -> bool:
    return True


@lowering("if", when=_block_is_lowered, why=_WHY_BLOCK)
def if_(op: Operation, graph: Graph) -> Sequence[Tensor]:
    """ONNX If; a branch sees the values around it."""
    branches = [op.context.body(block, (), graph) for block in blocks_of(op.json)]
    kinds = [op.result_type(index) for index in range(len(op.results))]
    if not kinds:
        raise CannotLower("it has no results, only side effects")
    then_branch, else_branch = (
        _graph_of(body, body.yielded, f"{graph.prefix}.branch{index}")
        for index, body in enumerate(branches)
    )
    return graph.emit_all(
        "If",
        (_scalar(graph, op[0]),),
        [kind.dtype for kind in kinds],
        [len(kind.shape) for kind in kinds],
        then_branch=then_branch,
        else_branch=else_branch,
    )


def _loop_is_ours(op: Operation, opset: int) -> bool:
    """Also when the condition is 0-D: paddle2onnx makes it [1] inside and declares it 0-D."""
    return op.rank(0) == 0 or _block_is_lowered(op, opset)


@lowering("while", when=_loop_is_ours, why=_WHY_LOOP)
def while_(op: Operation, graph: Graph) -> Sequence[Tensor]:
    """ONNX Loop. A tensor array that each iteration appends to once is a scan output."""
    (block,) = blocks_of(op.json)
    operations, appended = _appends(block["ops"])
    carried = len(block_arguments(block))
    body = op.context.body({**block, "ops": operations}, list(appended.values()), graph)
    condition, values, scans = (
        body.yielded[0],
        body.yielded[1 : 1 + carried],
        body.yielded[1 + carried :],
    )
    inner = Graph(graph.opset, graph.name("loop"))
    again = _really_scalar(inner, condition)
    values = [_really_scalar(inner, value) if value.rank == 0 else value for value in values]
    count = Tensor(inner.name("iteration"), "int64", 0, inner)
    going_on = Tensor(inner.name("condition"), "bool", 0, inner)
    body = Body(
        [*body.nodes, *inner.nodes],
        body.initializers,
        [count, going_on, *body.arguments],
        body.yielded,
    )
    loop = _graph_of(body, [again, *values, *scans], f"{graph.prefix}.body")
    kinds = [op.result_type(index) for index in range(len(op.results))]
    initial = [op[1 + index] for index in range(carried)]
    initial = [_really_scalar(graph, value) if value.rank == 0 else value for value in initial]
    results = graph.emit_all(
        "Loop",
        (None, _really_scalar(graph, op[0]), *initial),
        [*(kind.dtype for kind in kinds), *(scan.dtype for scan in scans)],
        [*(len(kind.shape) for kind in kinds), *(_stacked_rank(scan) for scan in scans)],
        body=loop,
    )
    for array, scan in zip(appended, results[carried:], strict=True):
        before = op.context.array(array)
        parts = [scan] if before.stacked is None else [before.stacked, scan]
        op.context.assign(array, Array(graph.concat(parts, axis=0) if parts[1:] else scan))
    return results[:carried]


def _appends(operations: Sequence[JsonObject]) -> tuple[list[JsonObject], dict[int, int]]:
    """Take ``array.append(x)`` out of a loop's operators; return the rest and array -> x.

    An append is ``array_write_(array, x, array_length(array))``. Raises ``CannotLower`` for
    arrays used in another way, or appended to twice.
    """
    lengths = {
        next(iter(_results(json))): operand_ids(json)[0]
        for json in operations
        if operation_name(json) == "pd_op.array_length"
    }
    appended: dict[int, int] = {}
    used: set[int] = set()
    rest = []
    for json in operations:
        if operation_name(json) != "pd_op.array_write_":
            rest.append(json)
            continue
        array, item, index = operand_ids(json)
        if lengths.get(index) != array or array in appended:
            raise CannotLower("its loop writes to a tensor array in another way than one append")
        appended[array] = item
        used.add(index)
    return [json for json in rest if not used & set(_results(json))], appended


def _results(json: JsonObject) -> list[int]:
    return result_ids(json)


@lowering("create_array", when=_always, why=_WHY_ARRAY)
def create_array(op: Operation, graph: Graph) -> Array:
    """An empty tensor array."""
    return Array(None)


@lowering("array_length", when=_always, why=_WHY_ARRAY)
def array_length(op: Operation, graph: Graph) -> Tensor:
    """The number of items, int64 of shape [1]."""
    stacked = op.array(0).stacked
    return graph.ints(0) if stacked is None else graph.extent(stacked, 0)


@lowering("array_read", when=_always, why=_WHY_ARRAY)
def array_read(op: Operation, graph: Graph) -> Tensor:
    """One item; the index has one element."""
    stacked = op.array(0).stacked
    if stacked is None:
        raise CannotLower("it reads from an empty tensor array")
    index = graph.cast(_scalar(graph, op[1]), "int64")
    return graph.gather(stacked, index, axis=0)


@lowering("array_write_", when=_always, why=_WHY_ARRAY)
def array_write(op: Operation, graph: Graph) -> Array:
    """Append outside of a loop: the index has to be the constant length."""
    before = op.array(0)
    item = graph.unsqueeze(op[1], [0])
    index = op.constant(2)
    if before.stacked is not None or index is None or int(index.reshape(-1)[0]) != 0:
        raise CannotLower("it writes to a tensor array that is not empty")
    op.context.assign(op.operands[0], Array(item))
    return Array(item)


@lowering("array_to_tensor", when=_always, why=_WHY_ARRAY)
def array_to_tensor(op: Operation, graph: Graph) -> Sequence[Tensor]:
    """All items stacked or joined along ``axis``, and each one's extent there (int32)."""
    stacked = op.array(0).stacked
    if stacked is None:
        raise CannotLower("it joins the items of an empty tensor array")
    kind = op.result_type()
    use_stack, axis = bool(op.attr("use_stack", False)), int(op.attr("axis", 0))
    item_rank = len(kind.shape) - use_stack
    axis %= len(kind.shape)
    order = list(range(1, item_rank + 1))
    order.insert(axis, 0)
    moved = graph.transpose(Tensor(stacked.name, kind.dtype, item_rank + 1, graph), order)
    count = graph.extent(stacked, 0)
    if use_stack:
        each = graph.constant([1], "int64")
        result = moved
    else:
        each = graph.extent(stacked, axis + 1)
        shape = [graph.extent(stacked, dim + 1) for dim in range(item_rank)]
        shape[axis] = count * each
        result = graph.reshape(moved, graph.concat(shape, axis=0), rank=item_rank)
    lengths = graph.cast(graph.expand(each, count, rank=1), "int32")
    return [graph.emit("Identity", result), lengths]


def _scalar(graph: Graph, x: Tensor) -> Tensor:
    """``x``, of one element, as a 0-D tensor."""
    return x if x.rank == 0 else graph.reshape(x, ())


def _really_scalar(graph: Graph, x: Tensor) -> Tensor:
    """``x`` as 0-D whatever its declared rank: paddle2onnx may have made it [1]."""
    return graph.reshape(Tensor(x.name, x.dtype, None, graph), ())


def _stacked_rank(tensor: Tensor) -> int | None:
    return None if tensor.rank is None else tensor.rank + 1


def _graph_of(body: Body, outputs: Sequence[Tensor], name: str) -> onnx.GraphProto:
    """The body as a graph attribute; extents are left open, since a loop may change them."""
    from onnx import helper

    def info(tensor: Tensor) -> onnx.ValueInfoProto:
        dims = None if tensor.rank is None else [None] * tensor.rank
        value: onnx.ValueInfoProto = helper.make_tensor_value_info(
            tensor.name, ONNX_TYPES[tensor.dtype], dims
        )
        return value

    graph: onnx.GraphProto = helper.make_graph(
        list(body.nodes),
        name,
        [info(tensor) for tensor in body.arguments],
        [info(tensor) for tensor in outputs],
        list(body.initializers),
    )
    return graph
