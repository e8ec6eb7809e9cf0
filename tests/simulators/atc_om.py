"""Part of the atc simulator: an OM file that describes what was asked for, or something else.

It has a header, the description of inputs and outputs, and the model's attributes, as a real one;
no kernels and no tasks. Output shapes are ONNX's own shape inference.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.simulators.atc_checks import PROFILES, read_shapes
from tests.simulators.om_writer import Model, Tensor, write_om

#: What ATC_SIMULATOR_MODE=wrong:... can spoil.
SPOILS = (
    "soc", "profiles", "no-description", "input-name", "input-order", "input-shape",
    "input-dtype", "input-count", "output-name", "output-order", "output-shape", "output-dtype",
    "output-count",
)  # fmt: skip

_TYPES = {"FP32": "float32", "FP16": "float16", "UINT8": "uint8", "INT8": "int8"}


def om_bytes(values: dict[str, str], cann: str, dynamic: bool, spoil: str = "") -> bytes | None:
    """The OM file for a command; None when the model file is no ONNX model."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(values["model"])
    except DecodeError:  # a test's file that only has the name of a model
        return None
    return write_om(
        spoilt(describe(model, values, cann), spoil), check_os_cpu=dynamic, name="simulated"
    )


def describe(model: Any, values: dict[str, str], cann: str) -> Model:
    """The inputs, outputs, profiles and attributes of an OM file."""
    import onnx

    weights = {tensor.name for tensor in model.graph.initializer}
    fed = [value for value in model.graph.input if value.name not in weights]
    text = values.get("input_shape", "")
    shapes = read_shapes(text) if text and "input_shape_range" not in values else {}
    for value in fed:
        for axis, extent in enumerate(shapes.get(value.name, [])):
            if extent.isdigit():
                value.type.tensor_type.shape.dim[axis].dim_value = int(extent)
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    inputs = [_tensor(value) for value in fed]
    outputs = [_tensor(value) for value in inferred.graph.output]
    if "insert_op_conf" in values:
        rank = re.search(
            r"related_input_rank\s*:\s*(\d+)", Path(values["insert_op_conf"]).read_text()
        )
        at = int(rank[1]) if rank else 0
        n, c, h, w = inputs[at].shape
        inputs[at] = replace(inputs[at], shape=(n, h, w, c), dtype="uint8", layout="NHWC")
    producer = {name: node for node in model.graph.node for name in node.output}
    outputs = [
        replace(
            tensor,
            name=f"{producer[tensor.name].name or 'node'}:0:{tensor.name}",
            dtype=_TYPES.get(values.get("output_type", ""), tensor.dtype),
        )
        for tensor in outputs
        if tensor.name in producer
    ]
    flag = next((name for name in PROFILES if name in values), "")
    rows = _rows(values.get(flag, ""), "," if flag == "dynamic_batch_size" else ";")
    if flag:
        inputs.append(Tensor("ascend_mbatch_shape_data", (len(rows[0]),), "int32", "ND"))
    return Model(
        inputs=inputs,
        outputs=outputs,
        name=Path(values["output"]).name,
        dynamic_batch=[row[0] for row in rows] if flag == "dynamic_batch_size" else (),
        dynamic_hw=rows if flag == "dynamic_image_size" else (),
        dynamic_dims=rows if flag == "dynamic_dims" else (),
        attrs={
            "soc_version": values["soc_version"],
            "framework_type": "5",
            "atc_version": f"simulated {cann}",
            "atc_cmdline": " ".join(["/simulated/bin/atc.bin", *sys.argv[1:]]),
        },
    )


def _rows(text: str, separator: str) -> list[tuple[int, ...]]:
    return [tuple(map(int, row.split(","))) for row in text.split(separator) if row.strip()]


def _tensor(value: Any) -> Tensor:
    import onnx

    kind = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in kind.shape.dim)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    return Tensor(value.name, shape, dtype, "NCHW" if len(shape) == 4 else "ND")


def spoilt(model: Model, spoil: str) -> Model:
    """The model with one thing that is not as asked."""
    if not spoil:
        return model
    if spoil not in SPOILS:
        raise SystemExit(f"ATC_SIMULATOR_MODE: cannot spoil {spoil!r}")
    if spoil == "soc":
        return replace(model, attrs={**model.attrs, "soc_version": "Ascend910A"})
    if spoil == "profiles":
        return replace(model, dynamic_batch=[7, 9], dynamic_hw=(), dynamic_dims=())
    if spoil == "no-description":
        return replace(model, inputs=(), outputs=(), has_inout=False)
    side, _, what = spoil.partition("-")
    tensors: Sequence[Tensor] = getattr(model, f"{side}s")
    first = tensors[0]
    changed = {
        "name": [replace(first, name="other"), *tensors[1:]],
        "order": [*reversed(tensors)],
        "shape": [replace(first, shape=(*first.shape[:-1], 7)), *tensors[1:]],
        "dtype": [replace(first, dtype="int16"), *tensors[1:]],
        "count": [*tensors, replace(first, name="extra")],
    }[what]
    return replace(model, **{f"{side}s": changed})
