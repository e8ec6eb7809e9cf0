"""The command builder refuses what the simulator, written apart from it, refuses: same codes."""

from __future__ import annotations

import re
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from converter.atc.check import check_flags
from converter.atc.model_facts import read_model_facts
from converter.errors import InputError
from tests.simulators import atc_simulator

GOOD = {
    "model": "inference.onnx",
    "framework": "5",
    "output": "inference",
    "soc_version": "Ascend310P3",
    "input_shape": "x:1,3,48,320",
}
IMAGE = "x:1,3,-1,-1"


@pytest.fixture(autouse=True)
def model(tmp_path, monkeypatch):
    """A model with a dynamic image input, in the current directory."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, "h", "w"])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], "relu")], "g", [x], [y])
    opset = [helper.make_opsetid("", 11)]
    onnx.save(helper.make_model(graph, opset_imports=opset), tmp_path / "inference.onnx")
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    for name in ("ATC_SIMULATOR_MODE", "ATC_SIMULATOR_CALLS", "ASCEND_TOOLKIT_HOME"):
        monkeypatch.delenv(name, raising=False)


def builder_code(values: dict[str, str], cann: str) -> str | None:
    """The code in the builder's refusal; "" for a refusal without one, None when it accepts."""
    facts = read_model_facts(Path("inference.onnx"))
    try:
        check_flags(values, model=facts, cann=cann, directory=Path())
    except InputError as error:
        assert error.hint
        named = re.search(r"\(atc: (E\w+)\)", error.message)
        return named[1] if named else ""
    return None


def simulator_code(values: dict[str, str], cann: str, capsys, monkeypatch) -> str | None:
    monkeypatch.setenv("ATC_SIMULATOR_CANN", cann)
    capsys.readouterr()
    returned = atc_simulator.main([f"--{name}={value}" for name, value in values.items()])
    printed = capsys.readouterr()
    assert "SIMULATOR" in printed.err
    code = re.search(r"\bE[0-9A-Z]\d{4}\b", printed.out)
    assert returned == (255 if code else 0)
    assert ("ATC run success" in printed.out) is (code is None)
    return code[0] if code else None


def batches(count: int) -> str:
    return ",".join(map(str, range(1, count + 1)))


CASES = [
    # what is right
    ({}, None),
    ({"input_shape": "x: 1, 3, 48, 320"}, None),
    ({"input_shape": "x:-1,3,48,320", "dynamic_batch_size": "1,2,4,"}, None),
    ({"input_shape": IMAGE, "dynamic_image_size": "48,320;48,640;"}, None),
    ({"input_shape": IMAGE, "dynamic_dims": "48,320;48,640;", "input_format": "ND"}, None),
    ({"input_shape": "x:1,3,48,32~640"}, None),
    ({"input_shape": "x:1,3,-1,-1"}, None),
    ({"input_shape_range": "x:[1~8,3,48,320]"}, None),
    ({"precision_mode": "allow_mix_precision", "modify_mixlist": "file"}, None),
    ({"precision_mode_v2": "mixed_float16", "modify_mixlist": "file"}, None),
    ({"op_select_implmode": "high_precision", "optypelist_for_implmode": "Softmax"}, None),
    ({"out_nodes": "relu:0", "output_type": "relu:0:FP16"}, None),
    ({"out_nodes": "y", "output_type": "FP32", "log": "error"}, None),
    ({"keep_dtype": "file", "customize_dtypes": "file", "insert_op_conf": "file"}, None),
    ({"host_env_os": "linux", "host_env_cpu": "aarch64"}, None),
    # the exclusions
    ({"dynamic_batch_size": "1,2", "dynamic_image_size": "1,2;3,4"}, "E10009"),
    ({"dynamic_batch_size": "1,2", "dynamic_dims": "1;2"}, "E10009"),
    ({"dynamic_image_size": "1,2;3,4", "dynamic_dims": "1;2"}, "E10009"),
    ({"input_shape_range": "x:[1~8,3,48,320]", "dynamic_batch_size": "1,2"}, "E10009"),
    ({"input_shape_range": "x:[1~8,3,48,320]", "dynamic_image_size": "1,2;3,4"}, "E10009"),
    ({"input_shape_range": "x:[1~8,3,48,320]", "dynamic_dims": "1;2"}, "E10009"),
    ({"precision_mode": "force_fp16", "precision_mode_v2": "fp16"}, "E10056"),
    ({"insert_op_conf": "file", "input_shape": IMAGE, "dynamic_dims": "1,2;3,4"}, "E10001"),
    ({"enable_compress_weight": "true", "compress_weight_conf": "file"}, "E10047"),
    ({"enable_compress_weight": "false", "compress_weight_conf": "file"}, None),
    ({"input_shape": "x:1~8,3,48,320", "dynamic_batch_size": "1,2"}, "E10040"),
    ({"input_shape": "x:1,3,48~64,320", "dynamic_image_size": "1,2;3,4"}, "E10040"),
    ({"input_shape": "x:1,3,48~64,320", "dynamic_dims": "1;2"}, "E10040"),
    ({"mode": "6"}, "E10057"),
    # the pairs that belong together
    ({"input_shape": None, "dynamic_batch_size": "1,2"}, "E10004"),
    ({"input_shape": None, "dynamic_image_size": "1,2;3,4"}, "E10004"),
    ({"input_shape": None, "dynamic_dims": "1;2"}, "E10004"),
    ({"optypelist_for_implmode": "Softmax"}, "E10001"),
    ({"modify_mixlist": "file"}, "E10001"),
    ({"modify_mixlist": "file", "precision_mode": "force_fp16"}, "E10001"),
    ({"output_type": "relu:0:FP16"}, "E10001"),
    ({"mode": "30"}, "E10055"),
    ({"soc_version": "Ascend035"}, "E10055"),
    ({"soc_version": None}, "E10054"),
    ({"output": None}, "E10054"),
    ({"model": None}, "E10054"),
    ({"framework": None}, "E10007"),
    # the limits of profiles
    ({"input_shape": "x:-1,3,48,320", "dynamic_batch_size": "4"}, "E10035"),
    ({"input_shape": "x:-1,3,48,320", "dynamic_batch_size": batches(2)}, None),
    ({"input_shape": "x:-1,3,48,320", "dynamic_batch_size": batches(100)}, None),
    ({"input_shape": "x:-1,3,48,320", "dynamic_batch_size": batches(101)}, "E10036"),
    ({"input_shape": IMAGE, "dynamic_image_size": "48,320"}, "E10035"),
    ({"input_shape": IMAGE, "dynamic_dims": "48,320"}, "E10035"),
    ({"input_shape": IMAGE, "dynamic_dims": "48,320;48,320"}, "E10039"),
    ({"input_shape": IMAGE, "dynamic_dims": "48,320;48,-1"}, "E10038"),
    ({"input_shape": "x:-1,3,48,320", "dynamic_batch_size": "1,2,2"}, "E10039"),
    ({"input_shape": "x:-1,3,48,320", "dynamic_batch_size": "1,-2"}, "E10038"),
    # the forms of shapes and profiles
    ({"input_shape": "1,3,48,320"}, "E10002"),
    ({"input_shape": "x:1,3,48.5,320"}, "E10002"),
    ({"input_shape": "x:1,3,a,320"}, "E10002"),
    ({"input_shape": f"x:1,3,{2**64},320"}, "E10013"),
    ({"input_shape": "x:1,3,0,320"}, "E10011"),
    ({"input_shape": "x:1,3,-2,320"}, "E10011"),
    ({"input_shape_range": "x:1~8,3,48,320"}, "E10048"),
    ({"input_shape": "x:1,3,48,320", "dynamic_batch_size": "1,2"}, "E10031"),
    ({"input_shape": IMAGE, "dynamic_batch_size": "1,2"}, "E10018"),
    ({"input_shape": "x:", "dynamic_batch_size": "1,2"}, "E10012"),
    ({"input_shape": "x:-1,3,48,320", "dynamic_batch_size": "1;2"}, "E10003"),
    ({"input_shape": "x:-1,3,-1,-1", "dynamic_image_size": "1,2;3,4"}, "E10019"),
    ({"input_shape": "x:-1,-1", "dynamic_image_size": "1,2;3,4"}, "E10019"),
    ({"input_shape": "x:1,3,48,320", "dynamic_image_size": "1,2;3,4"}, "E10019"),
    ({"input_shape": IMAGE, "dynamic_image_size": "1,2;3"}, "E10020"),
    ({"input_shape": IMAGE, "dynamic_image_size": "1,2;a,4"}, "E10003"),
    ({"input_shape": "x:1,3,48,320", "dynamic_dims": "1;2"}, "E10001"),
    ({"input_shape": IMAGE, "dynamic_dims": "1,2;3"}, "E10003"),
    ({"input_shape": IMAGE, "dynamic_dims": "1,2;3,b"}, "E10001"),
    # values
    ({"framework": "7"}, "E10007"),
    ({"framework": "x"}, "E10003"),
    ({"log": "loud"}, "E10010"),
    ({"input_format": "NHWC"}, "E10001"),
    ({"op_select_implmode": "fast"}, "E10001"),
    ({"precision_mode": "fp16"}, "E10001"),
    ({"precision_mode_v2": "force_fp16"}, "E10001"),
    ({"output_type": "BF16"}, "E10001"),
    ({"auto_tune_mode": "RL"}, "E10001"),
    ({"host_env_os": "windows"}, "E10001"),
    ({"host_env_cpu": "riscv"}, "E10001"),
    ({"output": "a b"}, "E10001"),
    ({"output": "out/"}, "E10022"),
    *[({flag: "2"}, "E10006") for flag in ("deterministic", "status_check", "is_weight_clip")],
    *[({flag: "1"}, "E10005") for flag in ("save_original_model", "allow_hf32")],
    ({"external_weight": "3"}, "E10006"),
    # files, names and the chip
    ({"insert_op_conf": "missing"}, "E10001"),
    ({"op_precision_mode": "missing"}, "E10001"),
    ({"keep_dtype": "missing"}, "E10410"),
    ({"soc_version": "Ascend310P"}, "E20101"),
    ({"input_shape": "image:1,3,48,320"}, "E10016"),
    ({"input_shape": None}, "E10001"),
    ({"out_nodes": "conv:0"}, "E10016"),
    # two mistakes: the one that atc looks at first
    ({"precision_mode_v2": "x", "log": "loud"}, "E10010"),
    ({"soc_version": "Ascend310P", "input_shape": "x:1,3,0,320"}, "E10011"),
    ({"input_shape": "y:1,3,-1,-1", "dynamic_dims": "48,320"}, "E10016"),
]


@pytest.mark.parametrize(
    ("change", "code"), CASES, ids=[f"{n}-{code}" for n, (_, code) in enumerate(CASES)]
)
def test_builder_and_simulator_agree(change, code, capsys, monkeypatch):
    values = {name: text for name, text in (GOOD | change).items() if text is not None}
    assert builder_code(values, "8.1") == code
    assert simulator_code(values, "8.1", capsys, monkeypatch) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"keep_dtype": "missing"}, "E10001"),
        ({"enable_attr_compression": "false", "deterministic_level": "2"}, None),
        ({"soc_version": "Ascend950PR_9599"}, None),
    ],
)
def test_what_differs_in_cann_9(change, code, capsys, monkeypatch):
    values = GOOD | change
    assert builder_code(values, "9.2") == code
    assert simulator_code(values, "9.2", capsys, monkeypatch) == code


@pytest.mark.parametrize("cann", ["8.1", "8.3.RC1"])
@pytest.mark.parametrize(
    ("flag", "value"), [("enable_attr_compression", "false"), ("h2d_overlapped_with_compute", "1")]
)
def test_flags_of_newer_versions(flag, value, cann, capsys, monkeypatch):
    values = GOOD | {flag: value}
    assert builder_code(values, cann) == "E19999"
    assert simulator_code(values, "8.1", capsys, monkeypatch) == "E19999"


def test_the_documented_maximum_which_9_2_does_not_enforce(capsys, monkeypatch):
    """The one known difference: the manual's limit holds for the builder in every version."""
    values = GOOD | {"input_shape": "x:-1,3,48,320", "dynamic_batch_size": batches(101)}
    assert builder_code(values, "9.2") == "E10036"
    assert simulator_code(values, "9.2", capsys, monkeypatch) is None
    values["soc_version"] = "Ascend950PR_9599"
    assert builder_code(values, "9.2") is None
    values["dynamic_batch_size"] = batches(257)
    assert builder_code(values, "9.2") == "E10036"


@pytest.mark.parametrize(
    "change",
    [
        {"input_shape": IMAGE, "dynamic_image_size": "1,2;3,4", "input_format": "ND"},
        {"precision_mode_v2": "mixed_bfloat16"},
        {"precision_mode": "allow_mix_precision_bf16"},
        {"precision_mode_v2": "mixed_hif8", "soc_version": "Ascend910B2"},
        {"input_shape": IMAGE, "soc_version": "Ascend310B4"},
        {"input_shape": "x:1,3,48,32~64", "soc_version": "Ascend310"},
        {"input_shape": "x:1,4,48,320"},
        {"input_shape": "x:1,3,48"},
        {"is_input_adjust_hw_layout": "true"},
        {"framework": "0"},
        {"flag": "1"},
    ],
)
def test_what_atc_has_no_code_for_is_refused_without_one(change):
    assert builder_code(GOOD | change, "9.2") == ""
