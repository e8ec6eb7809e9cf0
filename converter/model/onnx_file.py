"""An ONNX file: its signature, its sizes, and whether it is one that runtimes accept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import InputError, StageError
from converter.model.files import read_head, reject_lfs_pointer
from converter.model.index_limits import IndexLimits
from converter.model.record import Record
from converter.model.tensor import Dim, TensorSpec
from converter.model.wording import first_line

if TYPE_CHECKING:
    import onnx
    import onnxruntime


#: How the names of dtypes begin that NumPy does not have.
NOT_NUMPYS = ("bfloat16", "float8", "float4", "int4", "uint4", "int2", "uint2")


#: Operators whose first input's values are their output's.
_KEEPS = frozenset(("Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Transpose", "Identity"))


class OnnxFacts(Record):
    """What an ONNX model says of itself. ``nodes`` counts subgraphs' nodes too, not Constants.

    ``initializer_bytes`` adds up initializers and Constant nodes, which paddle2onnx uses for
    weights.
    """

    opset: int
    ir_version: int
    nodes: int
    initializer_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def find_onnx(path: Path) -> Path:
    """The ONNX file that a user named: the file itself, or the one in a directory.

    ``inference.onnx`` has precedence. Raises ``InputError`` when there is none, or no telling.
    """
    if not path.is_dir():
        if not path.is_file():
            raise InputError(f"{path} is not a file or a directory", hint="name an ONNX model")
        return path
    usual = path / "inference.onnx"
    found = [usual] if usual.is_file() else sorted(path.glob("*.onnx"))
    if len(found) != 1:
        told = f"{len(found)} ONNX files" if found else "no ONNX file"
        raise InputError(f"{path} has {told}", hint="name the ONNX file itself")
    return found[0]


def describe(model: onnx.ModelProto) -> OnnxFacts:
    """Read the facts off a loaded model. Raises ``InputError`` for inputs that are no tensors."""
    return OnnxFacts(
        opset=opset_of(model),
        ir_version=model.ir_version,
        nodes=sum(node.op_type != "Constant" for node in _nodes_of(model.graph)),
        initializer_bytes=sum(len(data) for data in tensor_bytes(model).values()),
        inputs=inputs_of(model),
        outputs=tuple(_spec(value) for value in model.graph.output),
    )


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own domain; 0 when there is none."""
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)


def inputs_of(model: onnx.ModelProto) -> tuple[TensorSpec, ...]:
    """The inputs that are no weights; these need not be loaded."""
    initializers = {initializer.name for initializer in model.graph.initializer}
    return tuple(_spec(v) for v in model.graph.input if v.name not in initializers)


def describe_file(path: Path) -> OnnxFacts:
    """Load a file and read the facts off it. Raises ``InputError`` when it is no ONNX model."""
    head = read_head(path, 256)
    if not head:
        raise InputError(f"{path} is empty", hint="copy or download the file again")
    reject_lfs_pointer(path, head)
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
        if not model.graph.node and not model.graph.output:
            raise ValueError("it has no graph")
        _check_external(model, path.parent)
        facts = describe(model)
        return facts.model_copy(update={"inputs": _index_limits(model).on(facts.inputs)})
    except InputError as error:
        raise InputError(f"{path}: {error.message}", hint=error.hint) from error
    except Exception as error:
        raise InputError(
            f"{path} cannot be read as an ONNX model: {first_line(str(error))}",
            hint="copy the file again, with the files of its external data if it has any",
        ) from error


def _index_limits(model: onnx.ModelProto) -> IndexLimits:
    """Only lookups in the file's own weights along axis 0, outside of subgraphs."""
    limits = IndexLimits()
    for value in model.graph.input:
        limits.starts(value.name, value.name)
    rows = {weight.name: weight.dims[0] for weight in model.graph.initializer if weight.dims}
    for node in model.graph.node:
        if node.op_type == "Constant":
            rows.update(
                (node.output[0], a.t.dims[0])
                for a in node.attribute
                if a.name == "value" and a.t.dims
            )
        elif node.op_type in _KEEPS and node.input:
            limits.keeps(node.input[0], node.output)
        elif node.op_type == "Gather" and not any(a.name == "axis" and a.i for a in node.attribute):
            table, indices = node.input[:2]
            limits.looks_up(indices, rows.get(table, 0))
    return limits


def _check_external(model: onnx.ModelProto, directory: Path) -> None:
    """Raise ``ValueError`` unless the files of external data are there and long enough."""
    for tensor in model.graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if "location" in entries:
            file = directory / entries["location"]
            end = int(entries.get("offset", 0)) + int(entries.get("length", 0))
            if not file.is_file() or file.stat().st_size < end:
                raise ValueError(f"its external data {entries['location']} is missing or cut short")


def all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Every node of the graph, its subgraphs and the model's own functions."""
    for function in model.functions:
        yield from function.node
    yield from _nodes_of(model.graph)


def _nodes_of(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _nodes_of(body)


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    """Raises ``InputError`` for what is no tensor."""

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        told = kind.removesuffix("_type").replace("_", " ") if kind else "nothing"
        raise InputError(
            f"{value.name} is not a tensor but of type {told}",
            hint="only models that take and give tensors can be compared, and run on an NPU",
        )
    tensor = value.type.tensor_type
    dims: list[Dim] = []
    for axis, dim in enumerate(tensor.shape.dim):
        dynamic = dim.dim_param or f"{value.name}_axis{axis}"
        # Some write -1 for a dynamic dim, and runtimes take it for one.
        known = dim.HasField("dim_value") and dim.dim_value >= 0
        dims.append(dim.dim_value if known else dynamic)
    return TensorSpec(name=value.name, dtype=_dtype(tensor.elem_type), shape=tuple(dims))


def _dtype(kind: int) -> str:
    """NumPy's name; ONNX's own in small letters for what NumPy lacks (onnx says float32 there)."""
    import onnx

    name = str(onnx.TensorProto.DataType.Name(kind)).lower()
    if name.startswith(NOT_NUMPYS):
        return name
    return str(onnx.helper.tensor_dtype_to_np_dtype(kind).name)


def tensor_bytes(model: onnx.ModelProto) -> dict[str, bytes]:
    """Little-endian bytes of every named constant of the main graph: name -> raw data.

    External data is left out: it may be larger than the memory.
    """
    import onnx

    tensors = {
        initializer.name: initializer
        for initializer in model.graph.initializer
        if initializer.data_location != onnx.TensorProto.EXTERNAL
    }
    for node in model.graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    tensors[node.output[0]] = attribute.t
    return {
        name: tensor.raw_data
        if tensor.HasField("raw_data")
        else onnx.numpy_helper.to_array(tensor).tobytes()
        for name, tensor in tensors.items()
    }


def check(path: Path) -> None:
    """ONNX's full checker, with strict shape inference, accepts the file.

    Raises ``StageError`` with the first complaint.
    """
    import onnx

    if not path.stat().st_size:
        raise StageError(f"{path.name} is empty", hint="report this model")
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as error:
        raise StageError(
            f"the ONNX checker refuses the exported model: {first_line(str(error))}",
            hint="report this model: the export is not valid ONNX",
        ) from error


def open_session(
    path: Path, *, threads: int = 1, optimise: bool = True
) -> onnxruntime.InferenceSession:
    """An ONNX Runtime CPU session; ``StageError`` when the file does not load.

    Without ``optimise`` it runs the graph as it is in the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: it warns about every unused initializer
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise StageError(
            f"ONNX Runtime refuses the model: {first_line(str(error))}",
            hint="report this model: the export is not a model that runtimes load",
        ) from error


def run(session: onnxruntime.InferenceSession, inputs: dict[str, Any]) -> dict[str, Any]:
    """Run a session on ``inputs``; output name -> array.

    Raises ``StageError`` when ONNX Runtime cannot run the model on these inputs.
    """
    names = [output.name for output in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, inputs), strict=True))
    except Exception as error:
        shapes = ", ".join(f"{name}{list(array.shape)}" for name, array in inputs.items())
        raise StageError(
            f"ONNX Runtime cannot run the model on {shapes}: {first_line(str(error))}",
            hint="report this model: Paddle runs it on the same input",
        ) from error
