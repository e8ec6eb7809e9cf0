"""Evaluates values inside an ONNX graph, a group at a time, within a memory budget.

Marking every tensor as an output keeps all of them in memory at once. Here a few tensors are asked
for at a time; of the graph only the nodes that they need are run. The weights are written to a file
once and mapped into each session, so a group costs no copy of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import StageError
from converter.model.onnx_graph import names_read
from converter.model.wording import first_line

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy as np
    import onnx
    from numpy.typing import NDArray

    Arrays: TypeAlias = dict[str, NDArray[Any]]

#: Bytes of values that are held at once.
BUDGET = 24 << 20

#: Initializers of at least this many bytes go to the file; ONNX Runtime wants the shapes and axes
#: that its shape inference reads in the model itself.
_TO_FILE = 1024

#: Ends the names of the shapes that are asked for.
_SHAPE = ":shape"

#: Tensors begin at multiples of this many bytes in the file.
_ALIGNMENT = 64

#: Bytes read at a time for a digest.
_PIECE = 1 << 20

_TYPED_DATA = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")

#: From IR version 4 on, initializers need not be graph inputs too.
_IR_VERSION = 4


class OnnxValues:
    """The values inside one ONNX file's main graph.

    ``names`` are the tensors that its nodes make, in topological order, those that numpy cannot
    hold left out. ``model`` is the loaded graph, its constants as initializers and the large ones
    in a file in ``work_dir``; it must not be changed. ``optimise`` lets ONNX Runtime rewrite the
    graph as it usually does; without, each node is computed as the file says it.
    """

    def __init__(
        self, path: Path, work_dir: Path, *, threads: int = 1, optimise: bool = False
    ) -> None:
        """Load ``path``; raises ``StageError`` when it cannot be read."""
        import onnx

        self._work_dir = work_dir
        work_dir.mkdir(parents=True, exist_ok=True)
        self._threads = threads
        self._optimise = optimise
        try:
            model = onnx.load_model(str(path), load_external_data=False)
        except Exception as error:
            raise StageError(
                f"{path.name} cannot be read as an ONNX model: {first_line(str(error))}",
                hint="copy the file again, with the files of its external data if it has any",
            ) from error
        _constants_to_initializers(model.graph)
        _weights_to_file(model.graph, path.parent, work_dir / f"{path.stem}.weights")
        model.ir_version = max(model.ir_version, _IR_VERSION)
        self.model: onnx.ModelProto = model
        graph = model.graph
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.inputs = tuple(v.name for v in graph.input if v.name not in self.initializers)
        self.outputs = tuple(value.name for value in graph.output)
        self._makers = {name: i for i, node in enumerate(graph.node) for name in node.output}
        self._reads = [names_read(node) for node in graph.node]
        self._item_bytes = _item_bytes(model)
        self.names = tuple(
            name
            for node in graph.node
            for name in node.output
            if name and self._item_bytes.get(name) != 0
        )

    def maker(self, name: str) -> onnx.NodeProto | None:
        """The node that makes a tensor; None for inputs, initializers and unknown names."""
        index = self._makers.get(name)
        return None if index is None else self.model.graph.node[index]

    def constant(self, name: str) -> NDArray[Any] | None:
        """An initializer's value; None for any other tensor."""
        import onnx

        tensor = self.initializers.get(name)
        if tensor is None:
            return None
        array: NDArray[Any] = onnx.numpy_helper.to_array(tensor, base_dir=str(self._work_dir))
        return array

    def digest(self, name: str) -> bytes:
        """Stands for the bytes of an initializer; the file of weights is read in small pieces."""
        import onnx
        from onnx.external_data_helper import ExternalDataInfo

        tensor = self.initializers[name]
        digest = hashlib.sha256(b"".join(tensor.string_data) or tensor.raw_data)
        if tensor.data_location == onnx.TensorProto.EXTERNAL and not tensor.HasField("raw_data"):
            place = ExternalDataInfo(tensor)
            with (self._work_dir / place.location).open("rb") as file:
                file.seek(place.offset or 0)
                left = place.length or 0
                while left and (piece := file.read(min(left, _PIECE))):
                    digest.update(piece)
                    left -= len(piece)
        return digest.digest()

    def evaluate(
        self,
        names: Iterable[str],
        inputs: Mapping[str, NDArray[Any]],
        *,
        budget: int = BUDGET,
        sizes: Mapping[str, int] | None = None,
    ) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield each of ``names`` with its value, at most about ``budget`` bytes held at a time.

        ``inputs`` are the graph's inputs, or any tensors inside it, which are then taken as given
        and not computed. ``sizes`` are bytes of values, as far as they are known; for others the
        model is run once more. Order is the graph's. Raises ``StageError`` when ONNX Runtime cannot
        run the nodes on these inputs.
        """
        wanted = [name for name in dict.fromkeys(names) if name not in inputs]
        for name in wanted:
            if name not in self._makers:
                raise StageError(f"{name} is no tensor of the graph", hint="report this model")
        for group in self._groups(wanted, inputs, budget, sizes or {}):
            values = self._run(group, inputs)
            for name in group:
                yield name, values.pop(name)

    def nodes_between(self, given: Collection[str], wanted: Iterable[str]) -> list[onnx.NodeProto]:
        """The nodes that make ``wanted`` out of ``given``, in order."""
        pending = [name for name in wanted if name not in given]
        needed: set[int] = set()
        while pending:
            index = self._makers.get(pending.pop())
            if index is not None and index not in needed:
                needed.add(index)
                pending.extend(name for name in self._reads[index] if name not in given)
        return [self.model.graph.node[index] for index in sorted(needed)]

    def part(self, given: Mapping[str, NDArray[Any]], wanted: Iterable[str]) -> onnx.ModelProto:
        """The part of the model that makes ``wanted`` out of the tensors ``given``.

        Its large initializers refer to the file in ``work_dir``.
        """
        import onnx
        from onnx import helper

        nodes = self.nodes_between(given.keys(), wanted)
        read = {name for node in nodes for name in names_read(node)}
        graph = onnx.GraphProto(name="part")
        graph.node.extend(nodes)
        graph.initializer.extend(
            self.initializers[name]
            for name in sorted(read & self.initializers.keys() - given.keys())
        )
        for name in sorted(read & given.keys()):
            array = given[name]
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            graph.input.append(helper.make_tensor_value_info(name, kind, array.shape))
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
        model = onnx.ModelProto(ir_version=self.model.ir_version, graph=graph)
        model.opset_import.extend(self.model.opset_import)
        model.functions.extend(self.model.functions)
        return model

    def whole_part(
        self,
        given: Mapping[str, NDArray[Any]],
        wanted: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
    ) -> onnx.ModelProto:
        """As ``part``, with the weights in it: a model that stands for itself.

        ``dtype`` and ``shape`` (its rank) are those of the tensor ``wanted``.
        """
        from onnx import TensorProto, helper
        from onnx.external_data_helper import load_external_data_for_tensor

        model = self.part(given, [wanted])
        for tensor in model.graph.initializer:
            if tensor.data_location == TensorProto.EXTERNAL:
                load_external_data_for_tensor(tensor, str(self._work_dir))
                tensor.data_location = TensorProto.DEFAULT
                del tensor.external_data[:]
        del model.graph.output[:]
        kind = helper.np_dtype_to_tensor_dtype(dtype)
        dims = [None] * len(shape)
        model.graph.output.append(helper.make_tensor_value_info(wanted, kind, dims))
        return model

    def _run(self, group: list[str], inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        return self._compute(self.part(inputs, group), group, inputs)

    def _compute(
        self, model: onnx.ModelProto, names: list[str], inputs: Mapping[str, NDArray[Any]]
    ) -> Arrays:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # Takes the extent of a value as soon as it is there, not when all are.
        options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
        # An arena would keep the largest group's memory for all that follow.
        options.enable_cpu_mem_arena = False
        if not self._optimise:
            level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.graph_optimization_level = level
        file = self._work_dir / "part.onnx"
        file.write_bytes(model.SerializeToString())
        fed = {value.name: inputs[value.name] for value in model.graph.input}
        try:
            session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
            values = session.run(names, fed)
        except Exception as error:
            first = names[0].split(_SHAPE)[0]
            raise StageError(
                f"ONNX Runtime cannot compute {first}: {first_line(str(error))}",
                hint="`paddle2om inspect` shows what the file is; the model's log has more",
            ) from error
        return dict(zip(names, values, strict=True))

    def _groups(
        self,
        names: list[str],
        inputs: Mapping[str, NDArray[Any]],
        budget: int,
        sizes: Mapping[str, int],
    ) -> Iterator[list[str]]:
        names = sorted(names, key=lambda name: self._makers[name])
        unknown = [name for name in names if name not in sizes]
        if len(unknown) > 1:
            sizes = {**sizes, **self.sizes(unknown, inputs)}
        group: list[str] = []
        held = 0
        for name in names:
            size = sizes.get(name, budget)
            if group and held + size > budget:
                yield group
                group, held = [], 0
            group.append(name)
            held += size
        if group:
            yield group

    def sizes(self, names: Iterable[str], inputs: Mapping[str, NDArray[Any]]) -> dict[str, int]:
        """Bytes of values: the model is run once, and gives out nothing but shapes.

        Raises ``StageError`` as ``evaluate``. Values of unknown dtype count 8 bytes per element.
        """
        from onnx import helper

        wanted = list(names)
        model = self.part(inputs, wanted)
        del model.graph.output[:]
        shapes = [f"{name}{_SHAPE}" for name in wanted]
        for name, shape in zip(wanted, shapes, strict=True):
            model.graph.node.append(helper.make_node("Shape", [name], [shape]))
            model.graph.output.append(helper.make_empty_tensor_value_info(shape))
        found = self._compute(model, shapes, inputs)
        return {
            name: self._item_bytes.get(name, 8) * math.prod(int(n) for n in found[shape])
            for name, shape in zip(wanted, shapes, strict=True)
        }


def _item_bytes(model: onnx.ModelProto) -> dict[str, int]:
    """Bytes per element of values whose dtype is known; 0 for what numpy cannot hold."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # noqa: BLE001 - any: then what is declared has to do
        graph = model.graph
    kinds = onnx.TensorProto
    numpy = {
        *(kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16, kinds.BOOL),
        *(kinds.INT8, kinds.INT16, kinds.INT32, kinds.INT64),
        *(kinds.UINT8, kinds.UINT16, kinds.UINT32, kinds.UINT64),
    }
    found = {}
    for value in (*graph.value_info, *graph.output):
        kind = value.type.tensor_type.elem_type  # 0 for sequences and the like
        if value.type.WhichOneof("value") is not None:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(kind) if kind in numpy else None
            found[value.name] = dtype.itemsize if dtype is not None else 0
    return found


def _constants_to_initializers(graph: onnx.GraphProto) -> None:
    """Turn Constant nodes that hold a tensor into initializers: paddle2onnx's weights are such."""
    kept = []
    for node in graph.node:
        tensors = [a.t for a in node.attribute if a.name == "value"]
        if node.op_type != "Constant" or node.domain not in ("", "ai.onnx") or not tensors:
            kept.append(node)
            continue
        tensor = graph.initializer.add()
        tensor.CopyFrom(tensors[0])
        tensor.name = node.output[0]
    if len(kept) < len(graph.node):
        copies = [type(node).FromString(node.SerializeToString()) for node in kept]
        del graph.node[:]
        graph.node.extend(copies)


def _weights_to_file(graph: onnx.GraphProto, source: Path, target: Path) -> None:
    """Move the large initializers' data to the file ``target``, one tensor at a time.

    ``source`` is the directory of the model, where its own external data is.
    """
    import onnx
    from onnx.external_data_helper import load_external_data_for_tensor, set_external_data

    offset = 0
    with target.open("wb") as file:
        for tensor in graph.initializer:
            if tensor.data_type == onnx.TensorProto.STRING:
                continue
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                load_external_data_for_tensor(tensor, str(source))
                tensor.data_location = onnx.TensorProto.DEFAULT
                del tensor.external_data[:]
            if not tensor.HasField("raw_data"):
                data = onnx.numpy_helper.to_array(tensor).tobytes()
                for field in _TYPED_DATA:
                    tensor.ClearField(field)
                tensor.raw_data = data
            size = len(tensor.raw_data)
            if size < _TO_FILE:
                continue
            file.write(tensor.raw_data)
            set_external_data(tensor, target.name, offset, size)
            tensor.ClearField("raw_data")
            padding = -size % _ALIGNMENT
            file.write(bytes(padding))
            offset += size + padding
