"""The double is stricter than what it stands for: only then do tests with it mean something."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converter.model.artefacts import write_manifest

SOURCE = Path(__file__).parents[1] / "simulators/ultra_infer_double/ultra_infer/__init__.py"


@pytest.fixture
def double() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ultra_infer_double", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def model(tmp_path: Path) -> Path:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "n"])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, "n"])
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", [value], [result])
    opset = [helper.make_opsetid("", 11)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=7),
              str(tmp_path / "inference.onnx"))  # fmt: skip
    (tmp_path / "inference.om").write_bytes(b"IMOD")
    write_manifest(tmp_path, {}, om_input_shape="x:1,4")
    return tmp_path


def test_an_om_file_takes_one_shape(double: ModuleType, model: Path) -> None:
    option = double.RuntimeOption()
    option.use_ascend(2)
    option.set_model_path(str(model / "inference.om"), "", double.ModelFormat.OM)
    option.use_om_backend()
    runtime = double.Runtime(option)
    assert [runtime.get_input_info(i).name for i in range(runtime.num_inputs())] == ["x"]
    (out,) = runtime.infer({"x": np.ones((1, 4), np.float32)})
    assert out.tolist() == [[-1] * 4]
    with pytest.raises(RuntimeError, match="was compiled for"):
        runtime.infer({"x": np.ones((1, 3), np.float32)})


def test_onnx_does_not_run_on_an_npu(double: ModuleType, model: Path) -> None:
    option = double.RuntimeOption()
    option.set_model_path(str(model / "inference.onnx"), "", double.ModelFormat.ONNX)
    option.use_ort_backend()
    assert double.Runtime(option).infer({"x": np.ones((1, 3), np.float32)})[0].shape == (1, 3)
    option.use_ascend(0)
    with pytest.raises(RuntimeError, match="no Ascend device"):
        double.Runtime(option)
