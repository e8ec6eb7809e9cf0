"""Running OM files on an NPU, with simulators of pyACL and ais_bench that use ONNX Runtime."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converter.accuracy.recorded import DEVICE_TOLERANCE, case_bytes, read_recorded
from converter.atc.device import run_om
from converter.atc.device.kit import DeviceRun, find_results, own_files, run_kit
from converter.engine.device import judge
from converter.errors import InputError, StageError
from converter.model.result import Status
from tests.simulators.om_writer import Model, Tensor, write_om

ROOT = Path(__file__).parents[2]
SHAPE = (1, 3, 4, 4)


@pytest.fixture
def kit(tmp_path):
    """A kit of y = relu(x), z = -x with two cases, their inputs named and ordered b, a."""
    directory = tmp_path / "a kit"
    (directory / "cases").mkdir(parents=True)
    tensors = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in "abyz"
    }
    nodes = [helper.make_node("Relu", ["a"], ["y"]), helper.make_node("Neg", ["b"], ["z"])]
    graph = helper.make_graph(
        nodes, "g", [tensors["a"], tensors["b"]], [tensors["y"], tensors["z"]]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    om = write_om(Model([Tensor("a", SHAPE), Tensor("b", SHAPE)], [Tensor("y", SHAPE)]))
    (directory / "inference.om").write_bytes(om)
    generator = np.random.default_rng(0)
    for index in range(2):
        a, b = (generator.normal(size=SHAPE).astype(np.float32) for _ in "ab")
        content = case_bytes({"b": b, "a": a}, {"out.0": np.maximum(a, 0), "out/1": -b})
        (directory / "cases" / f"{index}-wide.npz").write_bytes(content)
    for name, content in own_files().items():
        (directory / name).write_bytes(content)
    return directory


@pytest.fixture
def npu(tmp_path, monkeypatch):
    """Makes the modules of one of the simulators known to Python processes."""

    def install(*names):
        directory = tmp_path / "site"
        directory.mkdir()
        if "acl" in names:
            (directory / "acl.py").write_text("from tests.simulators.acl_simulator import *\n")
        if "ais_bench" in names:
            package = directory / "ais_bench" / "infer"
            package.mkdir(parents=True)
            text = "from tests.simulators.ais_bench_simulator import InferSession\n"
            (package / "interface.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", f"{directory}{os.pathsep}{ROOT}")
        monkeypatch.setenv("ACL_SIMULATOR_ONNX", str(tmp_path / "model.onnx"))
        monkeypatch.setenv("ACL_SIMULATOR_LEAKS", str(tmp_path / "leaks"))

    return install


@pytest.mark.parametrize("backend", ["acl", "ais_bench"])
def test_a_kit_runs_and_passes(backend, kit, npu, tmp_path):
    npu(backend)
    lines = []

    done = run_kit(kit, log=lines.append)

    assert done.backend == backend
    assert done.soc == ("Ascend310P3" if backend == "acl" else None)
    assert len(done.seconds) == 2
    verdict = judge(done, DEVICE_TOLERANCE)
    assert verdict.status is Status.OK
    assert [o.name for o in verdict.facts.cases[0].outputs] == ["out.0", "out/1"]
    assert [o.max_abs for case in verdict.facts.cases for o in case.outputs] == [0.0] * 4
    assert "0-wide.npz: out.0: max_abs 0, cosine 1.000000" in lines
    if backend == "acl":
        assert (tmp_path / "leaks").read_text() == ""
    assert find_results(kit) == done


def test_a_wrong_npu_does_not_pass(kit, npu, monkeypatch):
    npu("acl")
    monkeypatch.setenv("ACL_SIMULATOR_NOISE", "0.5")
    verdict = judge(run_kit(kit, log=print), DEVICE_TOLERANCE)
    assert verdict.status is Status.FAILED
    assert verdict.error.exit_code == 3
    assert "does not agree with Paddle" in verdict.error.message


def test_what_says_little_is_a_doubt(tmp_path):
    """Everything within the device's atol of zero passes, whatever it is."""
    case, result = tmp_path / "0-text.npz", tmp_path / "result.npz"
    tiny = np.linspace(1e-6, 1e-5, 8, dtype=np.float32)
    case.write_bytes(case_bytes({"x": tiny}, {"y": tiny}))
    result.write_bytes(case_bytes({}, {"y": tiny.astype(np.float16)}))
    verdict = judge(DeviceRun({case: result}, "acl", None, (0.1,)), DEVICE_TOLERANCE)
    assert verdict.status is Status.DEGRADED
    assert "proves little" in verdict.messages[-1].text


def test_the_script_alone(kit, npu, tmp_path):
    """Copied to another machine, without paddle2om."""
    npu("acl", "ais_bench")
    away = shutil.copytree(kit, tmp_path / "away")
    command = [sys.executable, "run_om.py", "--backend", "ais_bench"]
    ended = subprocess.run(command, cwd=away, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    _, outputs = read_recorded(away / "results" / "1-wide.npz")
    assert list(outputs) == ["out.0", "out/1"]
    assert find_results(away).backend == "ais_bench"


def test_a_host_without_an_npu(kit):
    with pytest.raises(InputError, match="no Python module acl or ais_bench") as failed:
        run_kit(kit, log=print)
    assert "copy" in failed.value.hint
    assert find_results(kit) is None


@pytest.mark.parametrize(
    "call",
    ["init", "set_device", "create_context", "load_from_file", "malloc", "memcpy", "execute"],
)
def test_a_device_that_refuses(call, kit, npu, tmp_path, monkeypatch):
    npu("acl")
    monkeypatch.setenv("ACL_SIMULATOR_FAILS", call)
    with pytest.raises(StageError, match=rf"acl\..*{call}.* returned 507000") as failed:
        run_kit(kit, log=print)
    assert failed.value.hint
    assert find_results(kit) is None
    if call not in ("init", "create_context"):
        assert (tmp_path / "leaks").read_text() == ""


@pytest.mark.parametrize("call", ["load", "infer"])
def test_ais_bench_refuses(call, kit, npu, monkeypatch):
    npu("ais_bench")
    monkeypatch.setenv("AIS_BENCH_SIMULATOR_FAILS", call)
    with pytest.raises(StageError, match=r"ais_bench cannot .* the model"):
        run_kit(kit, log=print)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"a": SHAPE}, "the OM file takes a, b; the case has a"),
        ({"a": SHAPE, "b": (1, 3, 4, 8)}, r"input b takes 192 bytes .* has 384 of float32"),
    ],
)
def test_a_case_that_does_not_fit(inputs, words, kit, npu):
    npu("acl")
    content = case_bytes({n: np.zeros(s, np.float32) for n, s in inputs.items()}, {"y": np.ones(1)})
    (kit / "cases" / "0-wide.npz").write_bytes(content)
    with pytest.raises(InputError, match=words):
        run_kit(kit, log=print)


def test_inputs_of_other_names_are_taken_in_order(kit, npu):
    npu("acl")
    for case in (kit / "cases").iterdir():
        inputs, outputs = read_recorded(case)
        case.write_bytes(case_bytes({"first": inputs["a"], "second": inputs["b"]}, outputs))
    assert judge(run_kit(kit, log=print), DEVICE_TOLERANCE).status is Status.OK


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut short"])
def test_a_damaged_result(content, kit, npu):
    npu("acl")
    done = run_kit(kit, log=print)
    (kit / "results" / "1-wide.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"1-wide\.npz"):
        judge(done, DEVICE_TOLERANCE)


def test_results_that_are_not_of_this_kit(kit, npu):
    npu("acl")
    run_kit(kit, log=print)
    (kit / "results" / "1-wide.npz").rename(kit / "kept")
    with pytest.raises(InputError, match=r"results are missing: 1-wide\.npz"):
        find_results(kit)
    (kit / "kept").rename(kit / "results" / "1-wide.npz")
    with (kit / "inference.om").open("ab") as om:
        om.write(b" ")
    with pytest.raises(InputError, match="of another OM file"):
        find_results(kit)
    (kit / "inference.om").write_bytes((kit / "inference.om").read_bytes()[:-1])
    assert find_results(kit) is not None
    case = kit / "cases" / "0-wide.npz"
    inputs, outputs = read_recorded(case)
    case.write_bytes(case_bytes(inputs, {name: 2 * array for name, array in outputs.items()}))
    with pytest.raises(InputError, match=r"not of the cases in the kit: 0-wide\.npz"):
        find_results(kit)
    for text in ("", "[]", '{"om_sha256": 1}', "{", "[" * 1000 + "]" * 1000):
        (kit / "results" / run_om.SUMMARY).write_text(text)
        with pytest.raises(InputError, match=r"damaged|empty|not valid JSON"):
            find_results(kit)


def test_an_npu_that_hangs(kit, npu, tmp_path):
    npu()
    (tmp_path / "site" / "acl.py").write_text("import time\ntime.sleep(3600)\n")
    with pytest.raises(StageError, match="not done within 2 s"):
        run_kit(kit, log=print, timeout=2)


def test_a_runtime_that_crashes(kit, npu, tmp_path):
    npu()
    (tmp_path / "site" / "acl.py").write_text("import os\nos.abort()\n")
    with pytest.raises(StageError, match="was killed by signal 6"):
        run_kit(kit, log=print)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("raise ImportError('libascendcl.so: cannot open shared object file')", "libascendcl.so"),
        ("raise OSError('libhccl.so: file too short')", "libhccl.so"),
        ("def init(): return 0", "has no attribute"),
    ],
)
def test_half_of_cann_is_installed(content, words, kit, npu, tmp_path):
    npu()
    (tmp_path / "site" / "acl.py").write_text(f"{content}\n")
    with pytest.raises(InputError, match=f"module acl cannot be used: .*{words}") as failed:
        run_kit(kit, log=print)
    assert "set_env.sh" in failed.value.hint


def test_the_other_backend_is_taken_when_one_is_broken(kit, npu, tmp_path):
    npu("ais_bench")
    (tmp_path / "site" / "acl.py").write_text("raise ImportError('libascendcl.so')\n")
    assert run_kit(kit, log=print).backend == "ais_bench"


def test_what_is_no_kit(tmp_path):
    with pytest.raises(InputError, match="is not a device kit"):
        run_kit(tmp_path, log=print)


def test_a_result_in_float16_is_compared_as_such(kit, npu):
    npu("acl")
    done = run_kit(kit, log=print)
    for result in done.results.values():
        _, outputs = read_recorded(result)
        halved = {name: array.astype(np.float16) for name, array in outputs.items()}
        result.write_bytes(case_bytes({}, halved))
    assert judge(done, DEVICE_TOLERANCE).status is Status.OK


def test_the_script_is_python_of_any_host():
    source = Path(run_om.__file__).read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(source, feature_version=(3, 7))))
    modules = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    modules |= {n.module for n in nodes if isinstance(n, ast.ImportFrom)}
    roots = {name.partition(".")[0] for name in modules}
    assert roots - sys.stdlib_module_names == {"numpy"}
