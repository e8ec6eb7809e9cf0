"""An ONNX model whose operators round to float16, each as it is told to when the model runs.

What is emulated: a tensor is stored in float16 between operators, weights too, and an operator
computes from its rounded inputs in float32 and rounds what it gives out. That is how the matrix
units of Ascend chips work (float16 products, float32 sums); vector units may round inside of an
operator too, which this does not show. Numbers beyond float16's become infinite.

One model serves every choice of operators: whether an operator rounds is an input of the model.
Building a session for each choice would take most of the time. What is not rounded costs nothing
but a copy: most runs of a search round little.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import StageError
from converter.model import onnx_file
from converter.model.wording import first_line

if TYPE_CHECKING:
    import onnx
    import onnxruntime
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

#: Operators that make no float numbers of their own, or whose floats are no data.
_NOT_ROUNDED = frozenset({"Constant", "Shape", "Size", "NonZero", "ArgMax", "ArgMin"})

#: Float inputs that are no data but say how to compute; they stay as they are.
_PARAMETERS = {"Resize": {1, 2, 3}, "Upsample": {1}, "Clip": {1, 2}, "Pad": {2}, "Range": {0, 1, 2}}

#: From IR version 4 on, initializers need not be graph inputs too: the rounded weights are not.
_IR_VERSION = 4

#: Largest model that is held in one piece.
_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class _Switch:
    """An input of the model that rounds one tensor: what ``consumer`` reads, or what it makes.

    ``producer`` is the operator whose output is read; that has rounded it already unless it is
    kept. None for weights and the model's inputs.
    """

    name: str
    consumer: int
    producer: int | None = None
    is_output: bool = False

    def rounds(self, kept: Collection[int]) -> bool:
        """Whether it rounds when the operators ``kept`` do not."""
        if self.consumer in kept:
            return False
        return self.is_output or self.producer is None or self.producer in kept


@dataclass(frozen=True)
class Rounded:
    """An operator that can be rounded: its place among the nodes, name, type and float outputs."""

    index: int
    name: str
    op_type: str
    outputs: tuple[str, ...]


class Emulation:
    """Runs a model with any set of its operators kept in float32."""

    def __init__(self, path: Path, work_dir: Path, *, threads: int = 1) -> None:
        """Load ``path`` and rewrite it; raises ``StageError`` when it cannot be."""
        import onnx

        try:
            model = onnx.load_model(str(path))
            inferred = onnx.shape_inference.infer_shapes(model)
        except Exception as error:
            raise StageError(
                f"{path.name} cannot be emulated: {first_line(str(error))}",
                hint="models above 2 GB are not forecast",
            ) from error
        floats = _float_tensors(inferred)
        if unknown := _of_unknown_type(inferred):
            floats |= _runtimes_floats(model, unknown, work_dir / "types.onnx")
        self.operators, self._switches = _rewrite(model, floats)
        model.ir_version = max(model.ir_version, _IR_VERSION)
        if model.ByteSize() > _LARGEST:
            raise StageError(
                f"{path.name} is too large for a forecast",
                hint="models above 2 GB are not forecast",
            )
        target = work_dir / "float16.onnx"
        onnx.save_model(model, str(target))
        self._session: onnxruntime.InferenceSession = onnx_file.open_session(
            target, threads=threads
        )
        self.evaluations = 0

    def run(self, inputs: Mapping[str, NDArray[Any]], keep: Collection[int]) -> Arrays:
        """The outputs with the operators at these places of ``operators`` in float32."""
        import numpy as np

        kept = set(keep)
        flags = {switch.name: np.array(switch.rounds(kept)) for switch in self._switches}
        self.evaluations += 1
        return onnx_file.run(self._session, {**inputs, **flags})


def _float_tensors(model: onnx.ModelProto) -> set[str]:
    """Names of the main graph's float32 tensors."""
    from onnx import TensorProto

    graph = model.graph
    found = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            found.add(value.name)
    for node in graph.node:
        for attribute in node.attribute:
            is_tensor = node.op_type == "Constant" and attribute.name == "value"
            if is_tensor and attribute.t.data_type == TensorProto.FLOAT:
                found.add(node.output[0])
    return found


def _of_unknown_type(model: onnx.ModelProto) -> list[str]:
    """What nodes make and ONNX's inference has no dtype of, as behind an operator it has not."""
    graph = model.graph
    known = {
        value.name
        for value in (*graph.output, *graph.value_info)
        if value.type.WhichOneof("value") not in (None, "tensor_type")
        or value.type.tensor_type.elem_type
    }
    made = dict.fromkeys(
        name for node in graph.node if node.op_type != "Constant" for name in node.output if name
    )
    return [name for name in made if name not in known]


def _runtimes_floats(model: onnx.ModelProto, names: Collection[str], path: Path) -> set[str]:
    """Those of ``names`` that are float32 to ONNX Runtime, which runs operators of its own too.

    Raises ``StageError`` when it does not load the model.
    """
    import onnx

    declared = len(model.graph.output)
    there = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in there)
    onnx.save_model(model, str(path))
    del model.graph.output[declared:]
    session = onnx_file.open_session(path, optimise=False)
    path.unlink()
    types = {value.name: value.type for value in session.get_outputs()}
    return {name for name in names if types[name] == "tensor(float)"}


def _rewrite(
    model: onnx.ModelProto, floats: set[str]
) -> tuple[tuple[Rounded, ...], tuple[_Switch, ...]]:
    """Put the rounding into ``model``; the operators that can be rounded, in order."""
    from onnx import TensorProto, helper

    graph = model.graph
    nodes: list[onnx.NodeProto] = []
    operators: list[Rounded] = []
    switches: list[_Switch] = []
    producers: dict[str, int] = {}
    weights = {tensor.name: tensor for tensor in graph.initializer if tensor.name in floats}

    def rounding(source: str, target: str, switch: _Switch) -> None:
        switches.append(switch)
        if source in weights and not switch.is_output:
            half = _rounded_weight(graph, weights[source])
            branch = [helper.make_node("Identity", [half], [f"{target}:rounded"])]
        else:
            narrow = helper.make_node("Cast", [source], [f"{target}:half"], to=TensorProto.FLOAT16)
            wide = helper.make_node(
                "Cast", [f"{target}:half"], [f"{target}:rounded"], to=TensorProto.FLOAT
            )
            branch = [narrow, wide]
        exact = helper.make_node("Identity", [source], [f"{target}:exact"])
        nodes.append(
            helper.make_node(
                "If",
                [switch.name],
                [target],
                then_branch=_branch(branch, f"{target}:rounded"),
                else_branch=_branch([exact], f"{target}:exact"),
            )
        )

    for index, node in enumerate(list(graph.node)):
        outputs = tuple(name for name in node.output if name in floats)
        reads = any(name in floats for name in node.input)
        if node.op_type in _NOT_ROUNDED or not (outputs or reads):
            nodes.append(node)
            continue
        place = len(operators)
        operators.append(Rounded(index, node.name, node.op_type, outputs))
        copy = type(node).FromString(node.SerializeToString())
        left_out = _PARAMETERS.get(node.op_type, set())
        read: dict[str, str] = {}
        for position, name in enumerate(node.input):
            if name not in floats or position in left_out:
                continue
            if name not in read:
                read[name] = f"{name}:in:{place}"
                switch = _Switch(f"round:{place}:{position}", place, producers.get(name))
                rounding(name, read[name], switch)
            copy.input[position] = read[name]
        for position, name in enumerate(node.output):
            if name in outputs:
                copy.output[position] = f"{name}:out"
        nodes.append(copy)
        for position, name in enumerate(outputs):
            switch = _Switch(f"round:{place}:out:{position}", place, is_output=True)
            rounding(f"{name}:out", name, switch)
            producers[name] = place
    del graph.node[:]
    graph.node.extend(nodes)
    for switch in switches:
        graph.input.append(helper.make_tensor_value_info(switch.name, TensorProto.BOOL, []))
    del graph.value_info[:]
    return tuple(operators), tuple(switches)


def _branch(nodes: list[onnx.NodeProto], output: str) -> onnx.GraphProto:
    """The body of an If that gives out one float32 tensor of any shape."""
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    body: onnx.GraphProto = helper.make_graph(nodes, output, [], [value])
    return body


def _rounded_weight(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> str:
    """The name of an initializer with the rounded values of another."""
    import numpy as np
    from onnx import numpy_helper

    name = f"{tensor.name}:half"
    if all(other.name != name for other in graph.initializer):
        with np.errstate(over="ignore"):
            half = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(half, name))
    return name
