"""Decides which operators of a program are lowered, lowers them, and cuts them out.

paddle2onnx then sees a program without them: where one stood, its results are inputs of the
program (``data`` operators), and what it read is fetched. ``stitch`` puts our nodes in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from converter.bridge.lowering.bodies import convert_body
from converter.bridge.lowering.errors import CannotLower, NeedsOpset
from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import (
    LIST_ITEM,
    SPLIT,
    Array,
    Body,
    Complex,
    Operation,
    Program,
    Value,
)
from converter.bridge.lowering.outer_writes import outer_writes
from converter.bridge.lowering.program_json import (
    block_arguments,
    block_operations,
    data,
    fetch,
    largest_value,
    typed_results,
    with_operations,
    without_dead,
)
from converter.bridge.lowering.registry import Lowering, all_lowerings
from converter.bridge.supported import supported_operators
from converter.model.pir_document import (
    JsonObject,
    attribute,
    operand_ids,
    operation_name,
    parameter_name,
    result_ids,
    result_types,
)
from converter.model.pir_types import TensorType, read_type
from converter.model.result import RepairApplied

if TYPE_CHECKING:
    import onnx

#: The first opset in which an operator of ONNX takes bfloat16.
BFLOAT16_SINCE = 13


@dataclass(frozen=True)
class Problem:
    """An operator that has no right form at the opset asked for; ``opset`` is one that has."""

    operator: str
    why: str
    opset: int | None = None


class BlockProblems(CannotLower):
    """The problems of a block's own operators."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("an operator in its block has no form")
        self.problems = problems


@dataclass(frozen=True)
class Output:
    """An output of the program: ``made`` is the value to give out, ``None`` if paddle2onnx does.

    paddle2onnx renames what makes an output to the output's name. That fails where the value is
    an input, ours, or given out twice.
    """

    name: str
    type: TensorType
    made: Tensor | None


@dataclass
class Plan:
    """What was lowered. ``probes`` are values fetched for it, ``placeholders`` its results.

    ``parameters`` are those that lowered operators read; ``made`` are the tensors that stand for
    values which lowered operators make.
    """

    inputs: dict[str, TensorType] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    parameters: set[str] = field(default_factory=set)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    left: bool = True  # whether anything is left for paddle2onnx
    probes: dict[int, str] = field(default_factory=dict)
    made: dict[int, str] = field(default_factory=dict)
    placeholders: dict[int, str] = field(default_factory=dict)
    applied: list[Lowering] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether paddle2onnx is not to see the program as it is."""
        return bool(self.applied) or any(output.made for output in self.outputs)

    @property
    def repairs(self) -> tuple[RepairApplied, ...]:
        """One entry per operator and reason, for the report."""
        counts = Counter((entry.operator, entry.why) for entry in self.applied)
        return tuple(
            RepairApplied(name=f"lower-{name.removeprefix('pd_op.')}", count=count, reason=why)
            for (name, why), count in counts.items()
        )


#: Makes an ONNX model of a program, with the plan that was followed.
ConvertBlock: TypeAlias = Callable[[JsonObject, str], "tuple[onnx.ModelProto, Plan]"]


def plan(
    document: JsonObject, opset: int, convert: ConvertBlock, scope: str = ""
) -> tuple[Plan, JsonObject]:
    """Lower what must be; also return ``document`` with that cut out (itself when nothing is).

    ``convert`` makes an ONNX model of a program, for the blocks of ``if`` and ``while``; names
    begin with ``scope`` there.
    """
    made = _Planner(document, opset, convert, scope)
    made.plan.problems += [
        Problem(name, "it writes into a value from outside of its branch or loop, which is read")
        for name in dict.fromkeys(outer_writes(block_operations(document)))
    ]
    made.run()
    if not made.plan.problems:
        made.find_outputs()
        if made.plan.changes:
            return made.plan, with_operations(document, made.cut())
    return made.plan, document


class _Planner:
    """Walks one program; it is the ``Context`` of the program's operators."""

    def __init__(self, document: JsonObject, opset: int, convert: ConvertBlock, scope: str) -> None:
        operations = block_operations(document)
        self.document = document
        self.convert = convert
        self.scope = scope
        self.program = Program(operations)
        self.opset = opset
        self.plan = Plan()
        self.values: dict[int, Value] = {}
        self.lists: dict[int, list[Value]] = {}
        self.removed: set[int] = set()  # indices of operators that we replace
        self.names: dict[int, str] = {}  # values that have a name in paddle2onnx's graph
        for json in operations:
            self._name(json)

    def _name(self, json: JsonObject) -> None:
        """Note the names of inputs, parameters and outputs: paddle2onnx keeps them."""
        kind = operation_name(json)
        if kind in ("pd_op.data", "pd_op.feed"):
            for value, type_ in result_types(json).items():
                self.names[value] = attribute(json, "name")
                if type_ is not None:
                    self.plan.inputs[self.names[value]] = type_
        elif kind == "builtin.parameter":
            self.names.update(dict.fromkeys(result_ids(json), parameter_name(json)))
        elif kind == "pd_op.fetch":
            self.names.setdefault(operand_ids(json)[0], attribute(json, "name"))

    def run(self) -> None:
        """Visit every operator once, in program order."""
        for index, json in enumerate(self.program.operations):
            name = operation_name(json)
            if name in (SPLIT, LIST_ITEM):
                self._take_apart(index, json)
            elif name.partition(".")[0] in ("builtin", "cf"):
                continue
            else:
                self._visit(index, json)

    def _visit(self, index: int, json: JsonObject) -> None:
        graph = Graph(self.opset, f"{self.scope}lowered.{len(self.plan.applied)}")
        operation = Operation(json, self.program, lambda value: self._resolve(value, graph), self)
        try:
            chosen = self._choose(operation)
            if chosen is None:
                return
            lowered = chosen.function(operation, graph)
        except BlockProblems as reason:
            self.plan.problems.extend(reason.problems)
            return
        except CannotLower as reason:
            opset = reason.opset if isinstance(reason, NeedsOpset) else None
            self.plan.problems.append(Problem(operation.name, str(reason), opset))
            return
        self._keep(operation, graph, lowered)
        self.plan.nodes.extend(graph.nodes)
        self.plan.applied.append(chosen)
        self.removed.add(index)

    # What operators with blocks need

    def is_lowered(self, block: JsonObject) -> bool:
        """Whether an operator of ``block`` (or of its blocks) is not left to paddle2onnx."""
        program = Program(block["ops"], self.program)
        for value, result in block_arguments(block).items():
            program.types[value] = read_type(result["TT"])
        graph = Graph(self.opset, "unused")
        for json in block["ops"]:
            operation = Operation(json, program, lambda value: self._resolve(value, graph), self)
            if operation.name.partition(".")[0] in ("builtin", "cf"):
                continue
            try:
                if self._choose(operation) is not None:
                    return True
            except CannotLower:
                return True
        return False

    def body(self, json: JsonObject, extra: Sequence[int], graph: Graph) -> Body:
        """Convert a block of an operator of this program."""

        def convert(document: JsonObject, scope: str) -> onnx.ModelProto:
            model, inner = self.convert(document, scope)
            if inner.problems:
                raise BlockProblems(inner.problems)
            self.plan.applied.extend(inner.applied)
            return model

        return convert_body(
            json,
            extra,
            document=self.document,
            outer=self.program,
            resolve=lambda value: self._resolve(value, graph, as_constant=False),
            graph=graph,
            convert=convert,
        )

    def array(self, value: int) -> Array:
        """What the tensor array ``value`` is now."""
        made = self.values.get(value)
        if not isinstance(made, Array):
            raise CannotLower("a tensor array comes from an operator without a lowering")
        return made

    def assign(self, value: int, made: Value) -> None:
        """Tensor arrays change in place."""
        self.values[value] = made

    def _choose(self, operation: Operation) -> Lowering | None:
        """The lowering to use, ``None`` to leave the operator to paddle2onnx."""
        entries = all_lowerings().get(operation.name, ())
        if self.opset < BFLOAT16_SINCE and "bfloat16" in operation.dtypes:
            raise NeedsOpset(BFLOAT16_SINCE, "bfloat16")
        for entry in entries:  # what has a condition is about real numbers
            if entry.when is None or operation.is_complex:
                continue
            if entry.when(operation, self.opset):
                return entry
        known = operation.name in supported_operators()
        if known and not operation.is_complex:
            if "int16" in operation.dtypes:
                raise CannotLower("paddle2onnx 2.1.0 has no int16")
            return None
        for entry in entries:
            if entry.when is None:
                return entry
        what = "on complex numbers" if known else "neither paddle2onnx 2.1.0 nor paddle2om has it"
        raise CannotLower(what)

    def _keep(self, operation: Operation, graph: Graph, lowered: Any) -> None:
        """Remember what the operator's results are now."""
        single = isinstance(lowered, Tensor | Complex | Array)
        results = [lowered] if single else list(lowered)
        assert len(results) == len(operation.results), operation.name
        kept: set[str] = set()
        for value, result in zip(operation.results, results, strict=True):
            if isinstance(result, list | tuple):
                self.lists[value] = list(result)
            elif result is not None:
                kind = self.program.types.get(value)
                if isinstance(result, Tensor) and kind is not None:
                    result = graph.cast(result, kind.dtype)
                    # The result gets a name of its own in the cut: not that of an operand, nor
                    # that of another result.
                    made = {name for node in graph.nodes for name in node.output}
                    if result.name not in made or result.name in kept:
                        result = graph.emit("Identity", result, rank=result.rank)
                    kept.add(result.name)
                self.values[value] = result

    def _take_apart(self, index: int, json: JsonObject) -> None:
        """``builtin.split`` and ``builtin.slice`` of a list that we made."""
        items = self.lists.get(operand_ids(json)[0])
        if items is None:
            return
        results = result_ids(json)
        if operation_name(json) == LIST_ITEM:
            items = [items[attribute(json, "index")]]
        self.values.update(zip(results, items, strict=True))
        self.removed.add(index)

    def _resolve(self, value: int, graph: Graph, as_constant: bool = True) -> Value:
        """The ONNX value of a value number; what paddle2onnx makes is fetched."""
        made = self.values.get(value)
        if isinstance(made, Array):
            stacked = made.stacked
            return Array(None if stacked is None else _in(stacked, graph))
        if isinstance(made, Complex):
            return Complex(_in(made.real, graph), _in(made.imag, graph))
        if made is not None:
            return _in(made, graph)
        kind = self.program.types.get(value)
        if kind is None:
            raise CannotLower("an operand is not a dense tensor of a known dtype")
        constant = self.program.constant(value) if as_constant else None
        if constant is not None:
            return graph.constant(constant, kind.dtype)
        if kind.dtype.startswith("complex"):
            raise CannotLower("a complex operand comes from an operator without a lowering")
        name = self.names.get(value)
        if name is None:
            name = self.plan.probes.setdefault(value, f"lowered.in.{value}")
        elif operation_name(self.program.producers[value]) == "builtin.parameter":
            self.plan.parameters.add(name)
        return Tensor(name, kind.dtype, len(kind.shape), graph)

    def find_outputs(self) -> None:
        """List the program's outputs in order, with what we must give out ourselves."""
        fetches = [json for json in self.program.operations if _is_fetch(json)]
        given: set[int] = set()
        for json in sorted(fetches, key=lambda json: attribute(json, "col") or 0):
            (value,) = operand_ids(json)
            kind = self.program.types.get(value)
            name = attribute(json, "name")
            made = self.values.get(value)
            if isinstance(made, Complex | Array) or kind is None:
                why = "an output of the model is complex or a tensor array"
                self.plan.problems.append(Problem("fetch", why))
                return
            source = self.names[value]
            is_input = source in self.plan.inputs
            if operation_name(self.program.producers[value]) == "builtin.parameter":
                self.plan.parameters.add(source)
            if made is None and (source != name or value in given or is_input):
                graph = Graph(self.opset, "lowered.out")
                made = Tensor(source, kind.dtype, len(kind.shape), graph)
            given.add(value)
            self.plan.outputs.append(Output(name, kind, made))

    def cut(self) -> list[JsonObject]:
        """The program's operators, inputs in place of what was lowered; what it reads fetched."""
        operations: list[JsonObject] = []
        for index, json in enumerate(self.program.operations):
            if index not in self.removed:
                operations.append(json)
                continue
            for result in json["O"]:
                (value,) = result_ids({**json, "O": [result]})
                made = self.values.get(value)
                kind = self.program.types.get(value)
                if isinstance(made, Tensor) and kind is not None:
                    self.plan.placeholders[value] = made.name
                    operations.append(data(made.name, kind, result))
        self.plan.made = {v: t.name for v, t in self.values.items() if isinstance(t, Tensor)}
        ours = {output.name for output in self.plan.outputs if output.made is not None}
        operations = [
            json for json in operations if not (_is_fetch(json) and attribute(json, "name") in ours)
        ]
        column = sum(map(_is_fetch, operations))
        fresh = largest_value(self.program.operations) + 1
        types = {
            value: result
            for json in self.program.operations
            for value, result in typed_results(json)
        }
        for count, (value, name) in enumerate(self.plan.probes.items()):
            operations.append(fetch(name, column + count, value, fresh + count, types[value]))
        operations = without_dead(operations)
        self.plan.left = any(map(_is_fetch, operations))
        kept = {value for json in operations for value in result_ids(json)}
        self.plan.placeholders = {
            value: name for value, name in self.plan.placeholders.items() if value in kept
        }
        return operations


def _is_fetch(json: JsonObject) -> bool:
    return operation_name(json) == "pd_op.fetch"


def _in(tensor: Tensor, graph: Graph) -> Tensor:
    return Tensor(tensor.name, tensor.dtype, tensor.rank, graph)
