"""Changes of an ONNX model that keep what it computes and that atc needs.

Each function changes the model given and returns a sentence for every change it made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.model.onnx_file import all_nodes

if TYPE_CHECKING:
    import onnx


def drop_domains(model: onnx.ModelProto) -> list[str]:
    """atc of CANN 8 refuses a model that lists more than one opset domain (E16005)."""
    used = {node.domain for node in all_nodes(model)}
    used |= {function.domain for function in model.functions}
    unused = [o for o in model.opset_import if o.domain not in ("", "ai.onnx", *used)]
    for entry in unused:
        model.opset_import.remove(entry)
    return [f"opset domain {entry.domain} dropped: no operator is of it" for entry in unused]


def sort_inputs(model: onnx.ModelProto) -> list[str]:
    """PaddleX feeds an OM file by position, its arrays sorted by name."""
    weights = {tensor.name for tensor in model.graph.initializer}
    fed = [value for value in model.graph.input if value.name not in weights]
    wanted = sorted(fed, key=lambda value: value.name)
    if fed == wanted:
        return []
    rest = [value for value in model.graph.input if value.name in weights]
    ordered = [type(value).FromString(value.SerializeToString()) for value in (*wanted, *rest)]
    del model.graph.input[:]
    model.graph.input.extend(ordered)
    names = ", ".join(value.name for value in wanted)
    return [f"inputs in alphabetical order, in which PaddleX feeds them: {names}"]


def write_kernel_shapes(model: onnx.ModelProto) -> list[str]:
    """ConvTranspose without ``kernel_shape`` is valid ONNX and an error to atc."""
    import onnx

    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    written = []
    for node in model.graph.node:
        named = any(attribute.name == "kernel_shape" for attribute in node.attribute)
        if node.op_type == "ConvTranspose" and not named and node.input[1] in shapes:
            extents = shapes[node.input[1]][2:]
            node.attribute.append(onnx.helper.make_attribute("kernel_shape", extents))
            written.append(node.name or node.output[0])
    return [f"kernel_shape written: {', '.join(written)}"] if written else []


def cast_topk_indices(model: onnx.ModelProto) -> list[str]:
    """atc's TopK gives int32 indices, and operators behind it that want int64 fail (E89999).

    A Cast to int64, which changes nothing in ONNX, is put behind it.
    """
    import onnx

    graph = model.graph
    outputs = {value.name for value in graph.output}
    cast = []
    for place, node in reversed(list(enumerate(graph.node))):
        if node.op_type != "TopK" or len(node.output) < 2 or not node.output[1]:
            continue
        name = node.output[1]
        readers = [reader for reader in graph.node if name in reader.input]
        if name not in outputs and all(reader.op_type == "Cast" for reader in readers):
            continue
        plain = f"{name}_of_topk"
        node.output[1] = plain
        inserted = onnx.helper.make_node(
            "Cast", [plain], [name], f"{node.name or name}_int64", to=onnx.TensorProto.INT64
        )
        graph.node.insert(place + 1, inserted)
        cast.append(node.name or name)
    return [f"indices of TopK cast to int64: {', '.join(reversed(cast))}"] if cast else []
