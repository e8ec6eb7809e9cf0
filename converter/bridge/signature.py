"""Gives the ONNX graph Paddle's own names: outputs, and readable names for dynamic dims.

paddle2onnx names outputs after the fetch operation (``fetch_name_0``) where an old program has a
real name, and dynamic dims ``DynamicDimension.7``, afresh for each axis.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from converter.errors import InputError, StageError
from converter.model.tensor import TensorSpec

if TYPE_CHECKING:
    import onnx


def name_signature(
    model: onnx.ModelProto, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> None:
    """Rename ``model``'s outputs and dims in place to those of the Paddle program.

    Raises ``StageError`` when the graph has another number of outputs or lacks an input.
    """
    graph = model.graph
    if len(graph.output) != len(outputs):
        raise StageError(
            f"the ONNX graph has {len(graph.output)} outputs, the Paddle program {len(outputs)}",
            hint="report this model: paddle2onnx dropped or added an output",
        )
    _rename_outputs(graph, [spec.name for spec in outputs])
    specs = {spec.name: spec for spec in (*inputs, *outputs)}
    # Two dims of one name are one extent to a runtime, which plans its memory by that. The program
    # does not say that the batches of two inputs are one: each input has names of its own.
    owner: dict[str, str] = {}
    for value in (*graph.input, *graph.output):
        spec = specs.get(value.name)
        dims = value.type.tensor_type.shape.dim
        if spec is None or len(dims) != spec.rank:
            continue  # export's post-condition says so in the user's words
        for dim, extent in zip(dims, spec.shape, strict=True):
            if isinstance(extent, str) and not dim.HasField("dim_value"):
                first = owner.setdefault(extent, value.name)
                dim.dim_param = extent if first == value.name else f"{value.name}_{extent}"


def rename_signature(
    model: onnx.ModelProto, names: Mapping[str, str], inputs: Collection[str]
) -> None:
    """Give inputs and outputs the user's names, old -> new.

    ``inputs`` are the names of the real inputs. Raises ``InputError`` for a name that is neither an
    input nor an output, and for a new name that another one has.
    """
    outputs = [value.name for value in model.graph.output]
    signature = [*inputs, *(name for name in outputs if name not in inputs)]
    for old in names:
        if old not in signature:
            raise InputError(
                f"--rename {old}: the model has no input or output of that name",
                hint=f"it has {', '.join(signature)}",
            )
    parameters = {value.name for value in model.graph.initializer}
    for old, new in names.items():
        if new != old and new in parameters:
            raise InputError(
                f"--rename {old}={new}: a parameter of the model is called {new}",
                hint="choose another name",
            )
    renamed = [names.get(name, name) for name in signature]
    if twice := sorted({name for name in renamed if renamed.count(name) > 1}):
        raise InputError(
            f"--rename gives {twice[0]} to two inputs or outputs", hint="names have to differ"
        )
    rename_values(model.graph, {old: new for old, new in names.items() if old != new})


def rename_values(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename values, old -> new, wherever they occur, bodies of If and Loop included.

    An inner value that already has a new name gets another one.
    """
    taken = {name for node in _nodes(graph) for name in node.output}
    taken |= {value.name for value in (*graph.input, *graph.initializer)}
    changes = {new: f"{new}.inner" for new in names.values() if new in taken and new not in names}
    changes.update(names)
    if not changes:
        return
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = changes.get(value.name, value.name)
    for node in _nodes(graph):
        for names_of in (node.input, node.output):
            for index, name in enumerate(names_of):
                if name in changes:
                    names_of[index] = changes[name]
        for attribute in node.attribute:
            for value in (*attribute.g.output, *attribute.g.input):
                value.name = changes.get(value.name, value.name)


def _rename_outputs(graph: onnx.GraphProto, names: list[str]) -> None:
    """Rename graph outputs in order, in the nodes that make and use them too."""
    found = [value.name for value in graph.output]
    renames = {old: new for old, new in zip(found, names, strict=True) if old != new}
    inputs = {value.name for value in graph.input}
    if len(set(found)) == len(found) and not inputs & {*renames, *renames.values()}:
        rename_values(graph, renames)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node, those in the bodies of If and Loop included (they see outer names)."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _nodes(body)
