"""Small ONNX models for tests of compiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def build(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str]],
    *,
    weights: Mapping[str, np.ndarray] | None = None,
    opset: int = 11,
    domains: Mapping[str, int] | None = None,
    dtypes: Mapping[str, int] | None = None,
) -> onnx.ModelProto:
    """A model; tensors are float32 unless ``dtypes`` says otherwise."""

    def info(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, (dtypes or {}).get(name, FLOAT), shape)

    graph = helper.make_graph(
        nodes,
        "graph",
        [info(name, shape) for name, shape in inputs.items()],
        [info(name, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(domain, version) for domain, version in (domains or {}).items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def text_model(channels: int = 3) -> onnx.ModelProto:
    """x [n,3,h,w] -> scale, and a shape computed from the input: a Reshape to [n, -1]."""
    return build(
        [
            helper.make_node("Mul", ["x", "w"], ["scaled"], "scale"),
            helper.make_node("Shape", ["scaled"], ["shape"], "shape"),
            helper.make_node("Gather", ["shape", "zero"], ["batch"], "batch", axis=0),
            helper.make_node("Concat", ["batch", "rest"], ["target"], "target", axis=0),
            helper.make_node("Reshape", ["scaled", "target"], ["y"], "flatten"),
        ],
        {"x": ["n", channels, "h", "w"]},
        {"y": ["n", "length"]},
        weights={
            "w": np.array(0.5, np.float32),
            "zero": np.array([0], np.int64),
            "rest": np.array([-1], np.int64),
        },
    )


def detector(names: Sequence[str] = ("im_shape", "image", "scale_factor")) -> onnx.ModelProto:
    """Three inputs, as those of RT-DETR, in the order given; the output mixes all of them."""
    shapes = {"im_shape": ["n", 2], "image": ["n", 3, 640, 640], "scale_factor": ["n", 2]}
    return build(
        [
            helper.make_node("GlobalAveragePool", ["image"], ["pooled"], "pool"),
            helper.make_node("Flatten", ["pooled"], ["flat"], "flatten"),
            helper.make_node("Div", ["im_shape", "scale_factor"], ["size"], "size"),
            helper.make_node("Concat", ["flat", "size"], ["boxes"], "boxes", axis=1),
        ],
        {name: shapes[name] for name in names},
        {"boxes": ["n", 5]},
    )


def save(model: onnx.ModelProto, directory: Path, yml: str | None = None) -> Path:
    """A model directory; returns it."""
    directory.mkdir(parents=True, exist_ok=True)
    onnx.save(model, directory / "inference.onnx")
    if yml is not None:
        (directory / "inference.yml").write_text(yml, encoding="utf-8")
    return directory
