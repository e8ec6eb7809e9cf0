"""Converts the blocks of ``if`` and ``while`` as programs of their own.

A block becomes a program whose inputs are the block's arguments and what it reads from outside,
and whose outputs are what it yields. That program is lowered and converted like any other. Its
graph is the body of an ONNX If or Loop once its own names are made unique: values from outside
keep their names and are seen from within.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import COMBINE, Body, Program, Value
from converter.bridge.lowering.program_json import (
    block_arguments,
    data,
    document_of,
    fetch,
    largest_value,
    read_from_outside,
    renumbered,
)
from converter.model.pir_document import JsonObject, operand_ids, operation_name, result_types
from converter.model.pir_types import read_type

if TYPE_CHECKING:
    import onnx

#: Makes an ONNX model of a program at the asked opset; its lowered values' names begin as told.
Convert = Callable[[JsonObject, str], "onnx.ModelProto"]

_YIELD = "cf.yield"


def convert_body(
    block: JsonObject,
    extra: Sequence[int],
    *,
    document: JsonObject,
    outer: Program,
    resolve: Callable[[int], Value],
    graph: Graph,
    convert: Convert,
) -> Body:
    """Convert ``block`` of ``document``; ``extra`` are values to yield after its own.

    ``resolve`` gives the ONNX value of what is read from outside. Raises ``CannotLower``.
    """
    # Paddle numbers a block's arguments -1, -2, ...; the result of an operator must not be that.
    fresh = largest_value(block["ops"]) + 1
    own = {value: fresh + index for index, value in enumerate(block_arguments(block))}
    fresh += len(own)
    content = renumbered(block["ops"], own)
    inside = [json for json in content if operation_name(json) != _YIELD]
    (end,) = [json for json in content if operation_name(json) == _YIELD]
    yields = [*operand_ids(end), *(own.get(value, value) for value in extra)]
    prefix = graph.name("body")

    operations: list[JsonObject] = []
    known: dict[str, str] = {}  # names of the body's program that are not its own -> ours
    types = dict(outer.types)
    arguments: list[Tensor] = []
    for value, result in block_arguments(block).items():
        kind = read_type(result["TT"])
        if kind is None:
            raise CannotLower("a value carried through the loop is not a tensor")
        types[own[value]] = kind
        name = f"{prefix}.argument.{len(arguments)}"
        known[name] = name
        arguments.append(Tensor(name, kind.dtype, len(kind.shape), graph))
        operations.append(data(name, kind, {"%": own[value], "TT": result["TT"]}))
    wanted = [value for value in read_from_outside([*inside, end]) if value not in own.values()]
    operations += _from_outside(wanted, outer, resolve, known, set())
    operations += inside
    for json in inside:
        types.update(result_types(json))
    for column, value in enumerate(yields):
        if types.get(value) is None:
            raise CannotLower("a block yields what is not a tensor")
        name = f"{prefix}.yield.{column}"
        known[name] = name
        operations.append(fetch(name, column, value, fresh + column, _pir_type(value, operations)))

    model = convert(document_of(document, operations), f"{prefix}.")
    rename(model.graph, known, prefix)
    yielded = [
        Tensor(f"{prefix}.yield.{column}", types[value].dtype, len(types[value].shape), graph)  # type: ignore[union-attr]
        for column, value in enumerate(yields)
    ]
    return Body(list(model.graph.node), list(model.graph.initializer), arguments, yielded)


def _from_outside(
    values: Sequence[int],
    outer: Program,
    resolve: Callable[[int], Value],
    known: dict[str, str],
    done: set[int],
) -> list[JsonObject]:
    """Operators that bring values from outside into a body's program."""
    operations: list[JsonObject] = []
    for value in values:
        if value in done:
            continue
        done.add(value)
        producer = outer.producers.get(value)
        if producer is not None and operation_name(producer) == COMBINE:
            operations += _from_outside(operand_ids(producer), outer, resolve, known, done)
            operations.append(producer)
            continue
        # ``assign_value_`` is a constant with an operand, which the body's program does not have.
        alone = producer is not None and not operand_ids(producer)
        if producer is not None and alone and outer.constant(value) is not None:
            operations.append(producer)  # stays a constant for paddle2onnx
            continue
        made = resolve(value)
        kind = outer.types.get(value)
        if not isinstance(made, Tensor) or kind is None:
            raise CannotLower("its block reads a complex value or a tensor array from outside")
        # Two values may be one tensor: each gets an input of its own.
        name = f"outside.{len(known)}"
        known[name] = made.name
        operations.append(data(name, kind, {"%": value, "TT": outer.pir_type(value)}))
    return operations


def _pir_type(value: int, operations: Sequence[JsonObject]) -> object:
    for json in operations:
        results = json["O"] if isinstance(json["O"], list) else [json["O"]]
        for result in results:
            if result.get("%", result.get("#")) == value:
                return result["TT"]
    raise CannotLower("a block yields a value that it does not have")


def rename(graph: onnx.GraphProto, known: Mapping[str, str], prefix: str) -> None:
    """Make every name of ``graph`` and its bodies its own, but for those in ``known``.

    ``known`` maps names to what they are outside.
    """
    from onnx import AttributeProto

    def new(name: str) -> str:
        return known.get(name, f"{prefix}/{name}") if name else ""

    def visit(inner: onnx.GraphProto) -> None:
        for value in (*inner.input, *inner.output, *inner.initializer, *inner.value_info):
            value.name = new(value.name)
        for node in inner.node:
            for names in (node.input, node.output):
                names[:] = [new(name) for name in names]
            node.name = new(node.name)
            for attribute in node.attribute:
                if attribute.type == AttributeProto.GRAPH:
                    visit(attribute.g)

    visit(graph)
